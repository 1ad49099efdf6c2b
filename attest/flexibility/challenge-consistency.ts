import type { PowerSample } from "./challenge-series.ts";

/** Whether two kinds of values of one device can be true together; "absent" where one of them is not there. */
export type Agreement = "agree" | "contradict" | "absent";

/** What the power that was read allows a register to count, and what it counted, mWh. */
export interface RegisterCheck {
  readonly leastMwh: number;
  readonly mostMwh: number;
  readonly countedMwh: number;
}

export interface Consistency {
  readonly registers: Agreement;
  readonly import?: RegisterCheck;
  readonly export?: RegisterCheck;
  readonly charge: Agreement;
  /** How far the state of charge moved, and how far it should have at least and at most. */
  readonly chargePpm?: { readonly moved: number; readonly least: number; readonly most: number };
}

/** What a device says of itself elsewhere in its log. */
export interface DeviceFacts {
  /** Step of its registers, of its channel manifest; default 1 mWh. */
  readonly resolutionMwh?: number;
  /** Of a flexibility leaf; without it the state of charge is not checked. */
  readonly capacityMwh?: number;
}

const MS_PER_HOUR = 3_600_000n;
const PPM = 1_000_000;
/** Power and energy of a device come from two places in it: so much of the energy they may differ by. */
const REGISTER_PART = 20;
/** Of the energy moved, what may be lost in either direction. */
const LOSS_PART = 5;
/** Many devices show whole percents, and each end may be cut off. */
const CHARGE_STEP_PPM = 15_000;

/**
 * Whether registers count what the power says, and the state of charge moves with them. Between two samples the energy is at
 * least the lesser power times the time and at most the greater (power that moves from one to the other and does not turn),
 * for each direction; then a twentieth of the most and two register steps are allowed. The state of charge may move by the net
 * energy, give or take a fifth of all that was moved and 15,000 ppm.
 */
export function consistencyOf(within: readonly PowerSample[], facts: DeviceFacts): Consistency {
  const imported = registerCheck(within, 1, facts);
  const exported = registerCheck(within, -1, facts);
  const charge = chargeCheck(within, facts);
  return {
    registers: agreement([imported, exported].map(isPossible)),
    charge: agreement([charge === undefined ? undefined : isBetween(charge.moved, charge)]),
    ...(imported === undefined ? {} : { import: imported }),
    ...(exported === undefined ? {} : { export: exported }),
    ...(charge === undefined ? {} : { chargePpm: charge }),
  };
}

function agreement(checks: readonly (boolean | undefined)[]): Agreement {
  if (checks.includes(false)) return "contradict";
  return checks.includes(true) ? "agree" : "absent";
}

function isPossible(check: RegisterCheck | undefined): boolean | undefined {
  if (check === undefined) return undefined;
  return isBetween(check.countedMwh, { least: check.leastMwh, most: check.mostMwh });
}

function isBetween(
  value: number,
  { least, most }: { readonly least: number; readonly most: number },
): boolean {
  return least <= value && value <= most;
}

function registerCheck(
  within: readonly PowerSample[],
  direction: 1 | -1,
  { resolutionMwh = 1 }: DeviceFacts,
): RegisterCheck | undefined {
  const registerOf = (sample: PowerSample): number | undefined =>
    direction === 1 ? sample.importMwh : sample.exportMwh;
  const metered = within.filter((sample) => registerOf(sample) !== undefined);
  const [first, last] = [metered[0], metered.at(-1)];
  const [from, to] = [first && registerOf(first), last && registerOf(last)];
  if (first === undefined || last === undefined || from === undefined || to === undefined) return undefined;
  if (first === last) return undefined;
  const between = within.filter(({ atMs }) => atMs >= first.atMs && atMs <= last.atMs);
  const { leastMwh, mostMwh } = energyBounds(between, direction);
  const spareMwh = Math.ceil(mostMwh / REGISTER_PART) + 2 * resolutionMwh;
  return { leastMwh: leastMwh - spareMwh, mostMwh: mostMwh + spareMwh, countedMwh: to - from };
}

/** Least and most energy of one direction, by the samples at both ends of each gap. */
function energyBounds(
  samples: readonly PowerSample[],
  direction: 1 | -1,
): { readonly leastMwh: number; readonly mostMwh: number } {
  let [least, most] = [0n, 0n];
  for (const [at, { atMs, powerMw }] of samples.entries()) {
    const next = samples[at + 1];
    if (next === undefined) break;
    const [one, other] = [Math.max(0, direction * powerMw), Math.max(0, direction * next.powerMw)];
    least += BigInt(Math.min(one, other)) * BigInt(next.atMs - atMs);
    most += BigInt(Math.max(one, other)) * BigInt(next.atMs - atMs);
  }
  return { leastMwh: Number(least / MS_PER_HOUR), mostMwh: Number((most + MS_PER_HOUR - 1n) / MS_PER_HOUR) };
}

function chargeCheck(
  within: readonly PowerSample[],
  { capacityMwh }: DeviceFacts,
): Consistency["chargePpm"] | undefined {
  const known = within.filter(({ stateOfChargePpm }) => stateOfChargePpm !== undefined);
  const [first, last] = [known[0], known.at(-1)];
  if (capacityMwh === undefined || capacityMwh < 1 || first === undefined || last === undefined)
    return undefined;
  if (first === last) return undefined;
  const between = within.filter(({ atMs }) => atMs >= first.atMs && atMs <= last.atMs);
  const [charged, discharged] = [energyBounds(between, 1), energyBounds(between, -1)];
  const spareMwh = (charged.mostMwh + discharged.mostMwh) / LOSS_PART;
  const part = (mwh: number): number => (mwh * PPM) / capacityMwh;
  return {
    moved: (last.stateOfChargePpm ?? 0) - (first.stateOfChargePpm ?? 0),
    least: Math.floor(part(charged.leastMwh - discharged.mostMwh - spareMwh)) - CHARGE_STEP_PPM,
    most: Math.ceil(part(charged.mostMwh - discharged.leastMwh + spareMwh)) + CHARGE_STEP_PPM,
  };
}
