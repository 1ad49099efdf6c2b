import { describeProblem, Problem } from "../../attest/problem.ts";
import type { Logger } from "../../runtime/log.ts";

/** What sampling has counted since it began. */
export interface SamplingStatistics {
  /** Good snapshots, including those that were thinned out. */
  readonly reads: number;
  /** Failed reads, refused telegrams and lost lines, by code. */
  readonly failures: ReadonlyMap<string, number>;
  /** Slots that passed while an earlier read was still under way. */
  readonly skipped: number;
  /** Telegrams that came more often than wanted. */
  readonly thinned: number;
  readonly rereads: number;
  /** How often the device was opened anew. */
  readonly reopened: number;
  readonly online: boolean;
}

/** A single disturbed telegram is no outage. */
const OFFLINE_AFTER = 3;
/** Codes are few; a driver that invents them must not fill the memory. */
const MAX_CODES = 64;

type Counter = "skipped" | "thinned" | "rereads" | "reopened";

/** Whether a device answers, one log line for each change and each new cause, and what was counted on the way. */
export class DeviceCondition {
  readonly #device: { readonly id: string; readonly driver: string };
  readonly #logger: Logger;
  readonly #failures = new Map<string, number>();
  readonly #counts: Record<Counter, number> = { skipped: 0, thinned: 0, rereads: 0, reopened: 0 };
  #reads = 0;
  #failuresInRow = 0;
  #failuresBefore = 0;
  #state: "unknown" | "online" | "offline" = "unknown";
  /** Said since the device was last online: each cause once. */
  readonly #saidCodes = new Set<string>();

  constructor(device: { readonly id: string; readonly driver: string }, logger: Logger) {
    this.#device = device;
    this.#logger = logger;
  }

  /** Failures in a row since the driver was last opened. */
  get failuresSinceBegin(): number {
    return this.#failuresInRow - this.#failuresBefore;
  }

  /** A driver was opened: what failed before is not its fault. */
  begin(): void {
    this.#failuresBefore = this.#failuresInRow;
  }

  good(): void {
    this.#reads += 1;
    this.#failuresInRow = 0;
    this.#failuresBefore = 0;
    if (this.#state === "online") return;
    this.#state = "online";
    this.#saidCodes.clear();
    this.#logger.info("device-online", this.#named());
  }

  /** `certain`: no single disturbance, but a line that is gone or a device that does not answer at all. */
  bad(thrown: unknown, certain: boolean): void {
    const { code, message } = describeProblem(thrown);
    this.#failuresInRow += 1;
    const counted = this.#failures.has(code) || this.#failures.size < MAX_CODES ? code : "other";
    this.#failures.set(counted, (this.#failures.get(counted) ?? 0) + 1);
    const wasOffline = this.#state === "offline";
    if (!wasOffline && !certain && this.#failuresInRow < OFFLINE_AFTER) return;
    this.#state = "offline";
    // Another cause is news to whoever repairs it; a disturbed telegram on the way back is not.
    if (this.#saidCodes.has(counted) || (wasOffline && !certain)) return;
    this.#saidCodes.add(counted);
    const hint = thrown instanceof Problem ? thrown.detail.hint : undefined;
    const fields = { ...this.#named(), code, message, ...(hint === undefined ? {} : { hint }) };
    this.#logger.warn(wasOffline ? "device-still-offline" : "device-offline", fields);
  }

  count(counter: Counter, by = 1): void {
    this.#counts[counter] += by;
  }

  statistics(): SamplingStatistics {
    const online = this.#state === "online";
    return { reads: this.#reads, failures: new Map(this.#failures), ...this.#counts, online };
  }

  #named(): { readonly device: string; readonly driver: string } {
    return { device: this.#device.id, driver: this.#device.driver };
  }
}
