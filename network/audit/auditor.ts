import { equalBytes, fromHex, toHex } from "../../attest/bytes.ts";
import type { FrameMessage, FrameRequestMessage } from "../../attest/messages.ts";
import type { Suite } from "../../attest/suite.ts";
import type { Logger } from "../../runtime/log.ts";
import type { AuditCounters } from "./audit-counters.ts";
import type { Audit, AuditedLeaf, AuditRecords, AuditSource, Judgement } from "./audit-record.ts";
import { judgeFrame, type Profiles } from "./judge.ts";

export interface AuditorOptions {
  /** Audits of each connected device in an hour, on average, at times that nobody can foresee. */
  readonly perHour: number;
  readonly source: AuditSource;
  readonly records: AuditRecords;
  readonly profiles: Profiles;
  readonly suite: Suite;
  readonly counters: AuditCounters;
  readonly logger: Logger;
  /** Keys of the devices that are connected now, in hexadecimal. */
  readonly connected: () => Iterable<string>;
  /** Hands a message to the device; false when it is not connected, or has no room for it. */
  readonly send: (deviceKey: string, message: FrameRequestMessage) => boolean;
  /** Wall clock, ms since 1970 UTC: only written down. */
  readonly nowMs: () => number;
  /** A clock that is never set. */
  readonly monotonicMs: () => number;
  /** From 0 to below 1; hard to foresee for devices. */
  readonly random: () => number;
}

/** How long a device may look for a frame. */
export const ANSWER_MS = 30_000;
const HOUR_MS = 3_600_000;
/** Audits begun in one tick: each reads a few batches of the store. */
const MOST_BEGUN = 16;

interface Asked {
  readonly audited: AuditedLeaf;
  readonly untilMs: number;
}

/**
 * Asks connected devices for the raw frame behind one of their newest readings, chosen at random, and keeps what comes of
 * it. One question at a time for each device; whoever owns the connections calls {@link tick} every second or so.
 */
export class Auditor {
  readonly #options: AuditorOptions;
  /** When each connected device is audited next. */
  readonly #due = new Map<string, number>();
  /** Undefined while a leaf is being chosen. */
  readonly #asked = new Map<string, Asked | undefined>();

  constructor(options: AuditorOptions) {
    this.#options = options;
  }

  /** Devices whose answer is waited for. */
  get outstanding(): number {
    return this.#asked.size;
  }

  /** Ends what was not answered, and begins what is due. Never throws. */
  async tick(): Promise<void> {
    const nowMs = this.#options.monotonicMs();
    await this.#endLate(nowMs);
    this.#schedule(nowMs);
    const due = [...this.#due].filter(([, atMs]) => atMs <= nowMs).slice(0, MOST_BEGUN);
    for (const [deviceKey] of due) {
      this.#due.set(deviceKey, this.#next(nowMs));
      await this.audit(deviceKey);
    }
  }

  /** Audits one device now, unless it is being audited. Never throws. */
  async audit(deviceKey: string): Promise<void> {
    if (this.#asked.has(deviceKey)) return;
    const { source, random, send, counters, monotonicMs } = this.#options;
    this.#asked.set(deviceKey, undefined);
    const audited = await this.#guarded(deviceKey, () =>
      source.pick(fromHex(deviceKey, "device key"), random),
    );
    const digest = audited?.evidence;
    if (audited === undefined || digest === undefined || !send(deviceKey, { type: "frameRequest", digest })) {
      this.#asked.delete(deviceKey);
      return;
    }
    counters.asked += 1;
    this.#asked.set(deviceKey, { audited, untilMs: monotonicMs() + ANSWER_MS });
  }

  /** Takes a device's answer; one that was not asked for, or too late, is counted and dropped. Never throws. */
  async onFrame(deviceKey: string, { digest, bytes }: FrameMessage): Promise<void> {
    const { counters, suite, profiles } = this.#options;
    const asked = this.#asked.get(deviceKey);
    if (asked === undefined || !equalBytes(asked.audited.evidence, digest)) {
      counters.unasked += 1;
      return;
    }
    this.#asked.delete(deviceKey);
    const { audited } = asked;
    await this.#guarded(deviceKey, async () => {
      if (bytes === undefined)
        return await this.#keep(audited, { verdict: "gone", detail: "the device no longer has the frame" });
      await this.#keep(audited, judgeFrame(audited, bytes, { suite, profiles }), bytes);
    });
  }

  async #endLate(nowMs: number): Promise<void> {
    for (const [deviceKey, asked] of [...this.#asked]) {
      if (asked === undefined || asked.untilMs > nowMs) continue;
      this.#asked.delete(deviceKey);
      const detail = `no answer within ${ANSWER_MS / 1000} s`;
      await this.#guarded(deviceKey, () => this.#keep(asked.audited, { verdict: "silent", detail }));
    }
  }

  #schedule(nowMs: number): void {
    const connected = new Set(this.#options.connected());
    for (const deviceKey of this.#due.keys()) if (!connected.has(deviceKey)) this.#due.delete(deviceKey);
    for (const deviceKey of connected)
      if (!this.#due.has(deviceKey)) this.#due.set(deviceKey, this.#next(nowMs));
  }

  /** Exponential pauses: however long ago the last audit was, the next one is as likely now as ever. */
  #next(nowMs: number): number {
    const { perHour, random } = this.#options;
    return nowMs + (-Math.log(1 - random()) * HOUR_MS) / perHour;
  }

  async #keep(audited: AuditedLeaf, judgement: Judgement, frame?: Uint8Array): Promise<void> {
    const { records, counters, logger, source, nowMs } = this.#options;
    const { deviceKey, epoch, leaf } = audited;
    const { verdict, detail } = judgement;
    const differs = verdict === "differs" && frame !== undefined;
    const audit: Audit = {
      ...judgement,
      ...{ deviceKey, epoch, seq: leaf.seq, channel: leaf.channel, leafMs: leaf.timeMs, auditedMs: nowMs() },
      ...(differs ? { evidence: { frame, ...(await source.proofOf(audited)) } } : {}),
    };
    counters.count(verdict);
    if (differs) {
      const device = toHex(deviceKey);
      logger.warn("audit-differs", { device, epoch, seq: leaf.seq, channel: leaf.channel, detail });
    }
    await records.add(audit);
  }

  async #guarded<T>(deviceKey: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (thrown) {
      this.#options.counters.failed += 1;
      this.#options.logger.problem("audit-failed", thrown, { device: deviceKey });
      return undefined;
    }
  }
}
