import { Problem } from "../../attest/problem.ts";
import type { ChannelRole } from "../../attest/reading.ts";
import { compare, negated, plus, type Rational, rational } from "../modbus/rational.ts";
import type { Literal, Profile, ProfileChannel, ProfileValue } from "../profile/profile.ts";
import { isLiteral, termsOf } from "../profile/terms.ts";
import { BATTERY } from "./home.ts";
import { type BoundaryPlan, ROLE_LIMITS, type SitePlan } from "./physical-site.ts";
import { identityValue, rulesOf } from "./profile-identity.ts";
import { inReadingUnit, over, type Range, type SimulatedPoint, ZERO } from "./profile-point.ts";

type Points = ReadonlyMap<string, SimulatedPoint>;

/** Divisors of 1000, so that watts stay whole milliwatts. */
const DIVISORS = [1, 2, 4, 5, 8, 10, 20, 25, 40, 50, 100, 200, 250, 500, 1000];
/** Of a phase's voltage, what is certainly there; of one current, what it carries of three phases. */
const LEAST_VOLTAGE_MV = 200_000;
const THREE_PHASE_PART = 0.5;
const NAMEPLATE_PART = 1.25;

/** What the registers of a simulated device stand at when it starts, mWh: as after some years. */
const START_MWH: Readonly<Record<ChannelRole, { readonly import: number; readonly export: number }>> = {
  grid: { import: 8_300_055_000, export: 4_075_559_000 },
  generation: { import: 37_412_000, export: 18_654_310_000 },
  storage: { import: 2_415_702_000, export: 2_268_951_000 },
  load: { import: 9_127_340_000, export: 0 },
  compute: { import: 5_231_877_000, export: 0 },
};
/** Registers that end soon begin low. */
const START_PART = 0.4;

/**
 * A site whose powers and energies all registers of the profile can show: the largest one that does, with a direction
 * left out where a channel has no way to show it.
 *
 * @throws Problem `simulate-range` where even a thousandth of a home is too much for a channel
 */
export function fitSite(profile: Profile, points: Points): SitePlan {
  const channels = Object.entries(profile.channels);
  const boundaries = channels.map(([name, channel]) => boundaryPlan(profile, points, { name, channel }));
  const servers = Math.max(...boundaries.map(({ role, part }) => (role === "compute" ? part.count : 1)));
  const unfit = (divisor: number): string | undefined =>
    boundaries.find((boundary) => !fits(profile, points, { boundary, divisor, servers }))?.name;
  const divisor = DIVISORS.find((one) => unfit(one) === undefined);
  if (divisor !== undefined) return { divisor, servers, boundaries };
  throw new Problem("simulate-range", `channel ${unfit(1000)} can show no power that a home has`, {
    hint: "check type, scale, valid and limits of its power and current",
  });
}

/** What a nameplate says: a little more than ever flows, or what its register can hold. */
export function nameplate(point: SimulatedPoint, role: ChannelRole, way: "import" | "export"): Rational {
  const { importMw, exportMw } = ROLE_LIMITS[role];
  const wanted = rational(Math.ceil((way === "import" ? importMw : exportMw) * NAMEPLATE_PART));
  const [, most] = point.range;
  return compare(wanted, most) > 0n ? most : wanted;
}

/** What a sum of points can show, when each term takes its part of it. */
export function valueRange(points: Points, value: ProfileValue): Range {
  const terms = termsOf(value).flatMap(({ name, negative }) => {
    const point = points.get(name);
    return point === undefined ? [] : [{ negative, range: point.range }];
  });
  const plus = terms.filter(({ negative }) => !negative).map(({ range }) => range);
  const minus = terms.filter(({ negative }) => negative).map(({ range }) => range);
  const most = plus.length > 0 ? all(plus.map(([, high]) => high)) : all(minus.map(([low]) => negated(low)));
  const down = minus.length > 0 ? minus.map(([, high]) => high) : plus.map(([low]) => negated(low));
  return [negated(all(down)), most];
}

/** How a power is divided among so many phases or terms; the first takes most. */
export function partsOf(count: number): readonly Rational[] {
  if (count === 3) return ["5/10", "3/10", "2/10"].map(rational);
  return Array.from({ length: count }, () => rational(`1/${count}`));
}

/** What they show together when the weakest of them takes the largest part. */
function all(ends: readonly Rational[]): Rational {
  const least = ends.reduce((a, b) => (compare(a, b) <= 0n ? a : b), ends[0] ?? ZERO);
  const [part = rational(1)] = partsOf(ends.length);
  return over(least, part);
}

interface NamedChannel {
  readonly name: string;
  readonly channel: ProfileChannel;
}

function boundaryPlan(profile: Profile, points: Points, { name, channel }: NamedChannel): BoundaryPlan {
  const { role } = channel;
  const group = Object.entries(profile.channels).filter(
    ([other, { role: itsRole }]) => itsRole === role && family(other) === family(name),
  );
  const [importMw, exportMw] = powerRoom(profile, points, channel);
  const only = exportMw <= 0 ? "import" : importMw <= 0 && role !== "generation" ? "export" : undefined;
  return {
    name,
    role,
    part: { index: group.findIndex(([other]) => other === name), count: group.length },
    ...(only === undefined || role === "load" || role === "compute" ? {} : { only }),
    importStartMwh: startMwh(points, channel, "import") ?? 0,
    exportStartMwh: startMwh(points, channel, "export") ?? 0,
  };
}

/** Channels that are numbered are parts of one whole. */
function family(name: string): string {
  return name.replace(/\d+/g, "");
}

/** The most power into and out of a channel that its registers, its limits and its nameplate leave room for. */
function powerRoom(profile: Profile, points: Points, channel: ProfileChannel): [number, number] {
  const { power, sign, maxImport, maxExport } = channel;
  const [least, most] =
    power === undefined ? [rational("-1e30"), rational("1e30")] : valueRange(points, power);
  const [into, out] = sign?.positive === "export" ? [negated(least), most] : [most, negated(least)];
  const limit = (room: Rational, rating: ProfileValue | Literal | undefined): number => {
    const stated = rating === undefined ? room : (statedLimit(profile, points, rating) ?? room);
    const lower = compare(room, stated) < 0n ? room : stated;
    return Number(lower.numerator / lower.denominator);
  };
  return [limit(into, maxImport), limit(out, maxExport)];
}

/** A limit that is not the simulation's to choose: a literal, or a register that a rule of the identity asks for. */
function statedLimit(profile: Profile, points: Points, rating: ProfileValue | Literal): Rational | undefined {
  if (isLiteral(rating)) return inReadingUnit(rating.value, rating.unit);
  const point = typeof rating === "string" ? points.get(rating) : undefined;
  if (point === undefined) return undefined;
  const ruled = rulesOf(profile, point.name).length > 0;
  return ruled ? identityValue(profile, point).value : point.range[1];
}

interface Fitting {
  readonly boundary: BoundaryPlan;
  readonly divisor: number;
  readonly servers: number;
}

function fits(profile: Profile, points: Points, { boundary, divisor, servers }: Fitting): boolean {
  const channel = profile.channels[boundary.name];
  if (channel === undefined) return true;
  const { only, role } = boundary;
  const many = role === "compute" ? servers : 1;
  const importMw = only === "export" ? 0 : (ROLE_LIMITS[role].importMw * many) / divisor;
  const exportMw = only === "import" ? 0 : (ROLE_LIMITS[role].exportMw * many) / divisor;
  const [mostIn, mostOut] = powerRoom(profile, points, channel);
  if (importMw > mostIn || exportMw > mostOut) return false;
  return currentsFit(points, channel, Math.max(importMw, exportMw)) && batteryFits(points, channel, divisor);
}

function currentsFit(
  points: Points,
  { current = [], voltage = current }: ProfileChannel,
  powerMw: number,
): boolean {
  const part = Math.min(current.length, voltage.length) === 1 ? 1 : THREE_PHASE_PART;
  const most = rational(Math.ceil((powerMw * part * 1000) / LEAST_VOLTAGE_MV));
  return current.every((name) => points.get(name)?.holds([ZERO, most]) !== false);
}

function batteryFits(points: Points, { battery = {} }: ProfileChannel, divisor: number): boolean {
  const { capacity, maxCharge, maxDischarge } = battery;
  const holds = (value: ProfileValue | Literal | undefined, most: number): boolean =>
    value === undefined || isLiteral(value) || compare(valueRange(points, value)[1], rational(most)) >= 0n;
  return (
    holds(capacity, BATTERY.capacityMwh / divisor) &&
    [maxCharge, maxDischarge].every((value) => holds(value, BATTERY.limitMw / divisor))
  );
}

/** Undefined where the channel has no register of that direction. */
function startMwh(points: Points, channel: ProfileChannel, way: "import" | "export"): number | undefined {
  const value = channel[way];
  if (value === undefined) return undefined;
  const usual = START_MWH[channel.role][way];
  const [, most] = positional(points, value) ? sumRange(points, value) : valueRange(points, value);
  const { modulus } = channel.counter;
  const ends = modulus === undefined ? most : inReadingUnit(modulus.value, modulus.unit);
  const least = compare(ends, most) < 0n ? ends : most;
  const room = Number(least.numerator / least.denominator) * START_PART;
  return usual <= room ? usual : Math.floor(room / 1000) * 1000;
}

/** Whether the terms are the digits of one number, each with steps of its own. */
export function positional(points: Points, value: ProfileValue): boolean {
  const steps = termsOf(value).map(({ name }) => points.get(name)?.step ?? ZERO);
  return steps.some((step) => compare(step, steps[0] ?? ZERO) !== 0n);
}

/** What the digits show together. */
function sumRange(points: Points, value: ProfileValue): Range {
  return [
    ZERO,
    termsOf(value).reduce((sum, { name }) => plus(sum, points.get(name)?.range[1] ?? ZERO), ZERO),
  ];
}
