import type { MeterReading } from "../../attest/reading.ts";

/** What tells one reading of a channel from another: its registers. */
export type Registers = Pick<MeterReading, "importMwh" | "exportMwh">;

/** A multiset of (channel, import, export): how often each pair of registers was seen on each channel. */
export class Tally {
  readonly #counts = new Map<string, number>();
  #total = 0;

  add(channel: string, registers: Registers): void {
    const key = keyOf(channel, registers);
    this.#counts.set(key, this.count(key) + 1);
    this.#total += 1;
  }

  /** All readings that were added. */
  get total(): number {
    return this.#total;
  }

  keys(): Iterable<string> {
    return this.#counts.keys();
  }

  count(key: string): number {
    return this.#counts.get(key) ?? 0;
  }
}

/** What three independent counts say of each other. */
export interface Comparison {
  /** Readings that a device served and the agent accepted, and that the node does not hold. */
  readonly lost: number;
  /** Readings with registers that the agent accepted although no device served them so often. */
  readonly unserved: number;
}

/**
 * Compares what the devices served, what the agent said it accepted, and what the node holds. A device's own count
 * goes by registers, so a reading without any (a battery's charge alone) counts as served when it was accepted.
 */
export function compareTallies(
  served: Tally,
  { accepted, stored }: { readonly accepted: Tally; readonly stored: Tally },
): Comparison {
  let lost = 0;
  let unserved = 0;
  for (const key of accepted.keys()) {
    const taken = accepted.count(key);
    const given = hasRegister(key) ? served.count(key) : taken;
    lost += Math.max(0, Math.min(given, taken) - stored.count(key));
    unserved += Math.max(0, taken - given);
  }
  return { lost, unserved };
}

function keyOf(channel: string, { importMwh, exportMwh }: Registers): string {
  return `${importMwh ?? NONE} ${exportMwh ?? NONE} ${channel}`;
}

const NONE = "-";

function hasRegister(key: string): boolean {
  return !key.startsWith(`${NONE} ${NONE} `);
}
