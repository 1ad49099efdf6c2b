import type { ReasonCount } from "../status.ts";
import type { Verdict } from "./gate.ts";
import type { Reason } from "./reason.ts";

/** What came of readings that were not simply accepted, by outcome and code, since the agent's start. */
export class ReasonTally {
  readonly #counts = new Map<string, ReasonCount>();

  count(verdict: Verdict): void {
    for (const { outcome, why } of outcomes(verdict)) {
      const key = `${outcome} ${why.code}`;
      const count = (this.#counts.get(key)?.count ?? 0) + 1;
      this.#counts.set(key, { outcome, code: why.code, count });
    }
  }

  /** In the order in which they first came. */
  list(): ReasonCount[] {
    return [...this.#counts.values()];
  }
}

interface Outcome {
  readonly outcome: ReasonCount["outcome"];
  readonly why: Reason;
}

function outcomes(verdict: Verdict): Outcome[] {
  switch (verdict.kind) {
    case "accept":
      return [
        ...(verdict.stripped === undefined ? [] : [{ outcome: "stripped", why: verdict.stripped } as const]),
        ...(verdict.marked === undefined ? [] : [{ outcome: "marked", why: verdict.marked } as const]),
      ];
    case "discontinuity":
      return [{ outcome: "discontinuity", why: verdict.reason }];
    case "hold":
      return [{ outcome: "held", why: verdict.reason }];
    case "reject":
      return [{ outcome: "rejected", why: verdict.reason }];
  }
}
