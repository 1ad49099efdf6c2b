import type { EnrichedFlexibility } from "./enriched.ts";

/** A reading that says nothing new is sealed once in this time. */
const QUIET_MS = 60_000;
/** A change of power by less than both is none, */
const POWER_SHARE = 10;
const POWER_MW = 100_000;
/** and neither is one of the state of charge by less than this. */
const CHARGE_PPM = 50_000;

/** What counts as another answer whenever it is not the same. */
const EXACT = [
  "available",
  "commitmentSeq",
  "setpointMw",
  "importLimitMw",
  "exportLimitMw",
  "limitSource",
] as const satisfies readonly (keyof EnrichedFlexibility)[];
const POWERS = ["reducePowerMw", "increasePowerMw"] as const satisfies readonly (keyof EnrichedFlexibility)[];

interface Sealed {
  readonly reading: EnrichedFlexibility;
  readonly atMs: number;
}

/** Which flexibility readings go into the log: one a minute and channel, and each that has changed materially. */
export class FlexibilityPace {
  readonly #sealed = new Map<string, Sealed>();

  /**
   * Whether the reading is to be sealed; one that is counts as sealed. `key` is the channel, `nowMs` of the clock that is
   * never set.
   */
  take(key: string, reading: EnrichedFlexibility, nowMs: number): boolean {
    const last = this.#sealed.get(key);
    const isDue = last === undefined || nowMs - last.atMs >= QUIET_MS || isMaterial(last.reading, reading);
    if (isDue) this.#sealed.set(key, { reading, atMs: nowMs });
    return isDue;
  }

  /** After a new epoch: its log has none of them. */
  forget(): void {
    this.#sealed.clear();
  }
}

/** Whether somebody who plans with the one would plan otherwise with the other. */
export function isMaterial(one: EnrichedFlexibility, other: EnrichedFlexibility): boolean {
  if (EXACT.some((name) => one[name] !== other[name])) return true;
  if (POWERS.some((name) => isOtherPower(one[name], other[name]))) return true;
  const { stateOfChargePpm: before } = one;
  const { stateOfChargePpm: after } = other;
  if (before === undefined || after === undefined) return before !== after;
  return Math.abs(before - after) >= CHARGE_PPM;
}

function isOtherPower(one: number | undefined, other: number | undefined): boolean {
  if (one === undefined || other === undefined) return one !== other;
  if ((one === 0) !== (other === 0)) return true;
  const change = Math.abs(one - other);
  return change >= POWER_MW && change * POWER_SHARE >= Math.max(one, other);
}
