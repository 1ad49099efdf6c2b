import { type AuditVerdict, VERDICTS } from "./audit-record.ts";

/** What auditing has done since the node started, for its metrics. */
export class AuditCounters {
  /** Frames that were asked for. */
  asked = 0;
  /** Frames that came and that nobody was waiting for. */
  unasked = 0;
  /** Audits that ended in a fault of the node's own. */
  failed = 0;
  readonly #verdicts = new Map<AuditVerdict, number>(VERDICTS.map((verdict) => [verdict, 0]));

  /** Audits by verdict, every verdict, also those that there are none of. */
  get verdicts(): ReadonlyMap<AuditVerdict, number> {
    return this.#verdicts;
  }

  count(verdict: AuditVerdict): void {
    this.#verdicts.set(verdict, (this.#verdicts.get(verdict) ?? 0) + 1);
  }
}
