import type { Edge } from "../gpio/line.ts";

export interface PulseLimits {
  /** A pulse is shorter than this: it is none. */
  readonly minPulseNs: bigint;
  /** A pause is shorter than this: the pulse before it goes on. */
  readonly minGapNs: bigint;
}

/**
 * Finds pulses among edges. A meter's pulse and the pause behind it last 30 ms or longer, and from one state to the
 * other, contact bounce included, it takes less than 5 ms (IEC 62053-31, 4.1.3.3 and 4.1.3.4). So pauses that are too short
 * belong to the pulse, and a pulse counts once the line was active for long enough in it, when it falls: what began
 * before the first edge was seen is not counted.
 */
export class PulseFilter {
  readonly #limits: PulseLimits;
  #beganNs = 0n;
  #activeSinceNs: bigint | undefined;
  #activeNs = 0n;
  #endedNs: bigint | undefined;
  /** Also of a pulse whose beginning nobody saw. */
  #counted = true;
  #tooShort = 0;
  #repeated = 0;

  constructor(limits: PulseLimits) {
    this.#limits = limits;
  }

  /** Pulses that did not last. */
  get tooShort(): number {
    return this.#tooShort;
  }

  /** Edges to a level that the line already had: the edge between was too quick to be seen, or was lost. */
  get repeated(): number {
    return this.#repeated;
  }

  /** Takes the next edge; gives the time at which a pulse began that counts now. */
  push({ active, timeNs }: Edge): bigint | undefined {
    if (active) {
      this.#rise(timeNs);
      return undefined;
    }
    return this.#fall(timeNs);
  }

  #rise(timeNs: bigint): void {
    if (this.#activeSinceNs !== undefined) {
      this.#repeated += 1;
      return;
    }
    this.#activeSinceNs = timeNs;
    if (this.#endedNs !== undefined && timeNs - this.#endedNs < this.#limits.minGapNs) return;
    if (!this.#counted) this.#tooShort += 1;
    this.#beganNs = timeNs;
    this.#activeNs = 0n;
    this.#counted = false;
  }

  #fall(timeNs: bigint): bigint | undefined {
    const sinceNs = this.#activeSinceNs;
    if (sinceNs === undefined && this.#endedNs !== undefined) this.#repeated += 1;
    this.#endedNs = timeNs;
    if (sinceNs === undefined) return undefined;
    this.#activeSinceNs = undefined;
    this.#activeNs += timeNs - sinceNs;
    if (this.#counted || this.#activeNs < this.#limits.minPulseNs) return undefined;
    this.#counted = true;
    return this.#beganNs;
  }
}
