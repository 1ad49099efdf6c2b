import type { RecentPulses } from "./pulse-source.ts";

const KEPT = 17;
/** A meter places its pulses to some milliseconds: over this span that is little, and a load that changes still shows. */
const SPAN_NS = 10_000_000_000n;

/** The times of the newest pulses; of older ones nothing is kept. */
export class RecentTimes {
  readonly #timesNs: bigint[] = [];

  add(timeNs: bigint): void {
    this.#timesNs.push(timeNs);
    if (this.#timesNs.length > KEPT) this.#timesNs.shift();
  }

  /** As many intervals as lie within 10 s, and the last one at any rate. */
  recent(): RecentPulses | undefined {
    const lastNs = this.#timesNs.at(-1);
    const beforeNs = this.#timesNs.at(-2);
    if (lastNs === undefined || beforeNs === undefined) return undefined;
    const within = this.#timesNs.filter((timeNs) => lastNs - timeNs <= SPAN_NS);
    const firstNs = within.length > 1 ? (within[0] ?? beforeNs) : beforeNs;
    return { intervals: Math.max(within.length - 1, 1), spanNs: lastNs - firstNs, lastNs };
  }
}
