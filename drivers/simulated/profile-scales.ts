import { Problem } from "../../attest/problem.ts";
import { compare, ONE, type Rational, rational } from "../modbus/rational.ts";
import type { Profile, ProfilePoint, ScaleBy } from "../profile/profile.ts";
import { isListed } from "./profile-identity.ts";
import { inReadingUnit, SimulatedPoint, ZERO } from "./profile-point.ts";

/** What a scale register shows, and what that makes of one step. */
export interface ScaleChoice {
  readonly raw: bigint;
  readonly factors: ReadonlyMap<ScaleBy["as"], Rational>;
}

/** What a point of that unit has to be able to show, in the unit. */
const WANTED: Readonly<Record<ProfilePoint["unit"], number>> = {
  ...{ W: 22_000, kW: 22, MW: 0.022, Wh: 30_000_000, kWh: 30_000, MWh: 30 },
  ...{ V: 250, kV: 0.25, mV: 250_000, A: 100, mA: 100_000, Hz: 51, "%": 100, none: 1 },
};

/** The finest first; a register that cannot hold one is given another. */
const CANDIDATES: Readonly<Record<Exclude<ScaleBy["as"], "table">, readonly number[]>> = {
  "power-of-ten": [-3, -2, -1, 0, 1, 2, 3],
  factor: [1, 10, 100, 1000],
  divisor: [1000, 100, 10, 1],
};

/**
 * What each scale register of a profile shows: the finest scale at which all points that it scales can still show what
 * a home has.
 *
 * @throws Problem `simulate-scale` where the register can hold none
 */
export function chooseScales(profile: Profile): ReadonlyMap<string, ScaleChoice> {
  const users = new Map<string, string[]>();
  for (const [name, { scaleBy }] of Object.entries(profile.points))
    if (scaleBy !== undefined) users.set(scaleBy.point, [...(users.get(scaleBy.point) ?? []), name]);
  return new Map([...users].map(([scale, names]) => [scale, chooseScale(profile, scale, names)] as const));
}

/** What one step of a point is multiplied by. */
export function scaleOf(point: ProfilePoint, scales: ReadonlyMap<string, ScaleChoice>): Rational {
  if (point.scaleBy === undefined) return ONE;
  return scales.get(point.scaleBy.point)?.factors.get(point.scaleBy.as) ?? ONE;
}

function chooseScale(profile: Profile, scale: string, users: readonly string[]): ScaleChoice {
  const register = new SimulatedPoint(profile, scale, ONE);
  const choices = rawsFor(profile, users).flatMap((raw): ScaleChoice[] => {
    const factors = factorsOf(profile, users, raw);
    const possible = isListed(profile, scale, raw) && register.showRaw(raw) !== undefined;
    return possible && factors !== undefined ? [{ raw, factors }] : [];
  });
  const fits = ({ factors }: ScaleChoice): boolean =>
    users.every((name) => {
      const as = profile.points[name]?.scaleBy?.as ?? "factor";
      return showsEnough(new SimulatedPoint(profile, name, factors.get(as) ?? ONE));
    });
  const choice = choices.find(fits) ?? choices.at(-1);
  if (choice === undefined)
    throw new Problem("simulate-scale", `the scale register ${scale} can hold no scale`, {
      hint: "check its type, and the table of the points that it scales",
    });
  return choice;
}

function rawsFor({ points }: Profile, users: readonly string[]): readonly bigint[] {
  const scaleBy = points[users[0] ?? ""]?.scaleBy;
  if (scaleBy === undefined) return [];
  if (scaleBy.as !== "table") return CANDIDATES[scaleBy.as].map(BigInt);
  return Object.entries(scaleBy.table ?? {})
    .sort(([, a], [, b]) => Number(compare(rational(a), rational(b))))
    .map(([raw]) => BigInt(raw));
}

/** Undefined where one of the points has no meaning for the raw value. */
function factorsOf(
  { points }: Profile,
  users: readonly string[],
  raw: bigint,
): ScaleChoice["factors"] | undefined {
  const factors = new Map<ScaleBy["as"], Rational>();
  for (const name of users) {
    const scaleBy = points[name]?.scaleBy;
    const factor = scaleBy === undefined ? undefined : factorOf(scaleBy, raw);
    if (scaleBy === undefined || factor === undefined) return undefined;
    factors.set(scaleBy.as, factor);
  }
  return factors;
}

function factorOf({ as, table }: ScaleBy, raw: bigint): Rational | undefined {
  switch (as) {
    case "power-of-ten":
      return raw < 0n
        ? { numerator: 1n, denominator: 10n ** -raw }
        : { numerator: 10n ** raw, denominator: 1n };
    case "factor":
      return { numerator: raw, denominator: 1n };
    case "divisor":
      return { numerator: 1n, denominator: raw };
    case "table": {
      const factor = table?.[String(raw)];
      return factor === undefined ? undefined : rational(factor);
    }
  }
}

function showsEnough(point: SimulatedPoint): boolean {
  const { unit, valid } = point.point;
  const wanted = Math.min(WANTED[unit], valid?.max ?? Number.POSITIVE_INFINITY);
  return point.holds([ZERO, ZERO]) ? compare(point.range[1], inReadingUnit(wanted, unit)) >= 0n : true;
}
