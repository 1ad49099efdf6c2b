import { Problem } from "../../attest/problem.ts";
import { negated, plus, type Rational, rational, times } from "../modbus/rational.ts";
import type { Profile, ProfileChannel } from "../profile/profile.ts";
import { termsOf } from "../profile/terms.ts";
import type { Boundary, PhysicalModel, SiteInstant } from "./physical-site.ts";
import { noPlaceFor, type SimulatedDeviceFault } from "./profile-faults.ts";
import { positional } from "./profile-fit.ts";
import { inReadingUnit, type Shown, type SimulatedPoint } from "./profile-point.ts";
import type { Simulation } from "./profile-simulation.ts";
import { solve } from "./profile-solve.ts";

type Table = "holding" | "input";

/** Registers that can be read, by table and address. */
export type RegisterValues = Readonly<Record<Table, ReadonlyMap<number, number>>>;

const FILL = 0xffff;
const NOT_A_NUMBER: Readonly<Record<string, bigint>> = {
  ...{ float32: 0x7fc00000n, float64: 0x7ff8000000000000n },
};
/** How far before its end a register stands with the fault "rollover": far enough not to show its very last value. */
const BEFORE_END = { leastMwh: 10_000, steps: "5/2" };
/** Phases of another instant differ by at least so much, before it is divided as the site is. */
const TORN_MW = 2_000_000;

/** A register as it is put together: which of its bits are set, and by which point at last. */
interface Word {
  value: number;
  mask: number;
  name: string;
}

/** The registers of a simulated device, as its model and its faults leave them. */
export class SimulatedRegisters {
  readonly #simulation: Simulation;
  readonly #model: PhysicalModel;
  /** Faults with what the model showed when they began. */
  #faults: ReadonlyMap<SimulatedDeviceFault, SiteInstant> = new Map();
  #frozen: RegisterValues | undefined;
  #last: { readonly instant: SiteInstant; readonly values: RegisterValues } | undefined;

  constructor(simulation: Simulation, model: PhysicalModel) {
    this.#simulation = simulation;
    this.#model = model;
  }

  /** Throws Problem `simulate-fault` for a fault that the profile has no place for. */
  setFaults(faults: readonly SimulatedDeviceFault[]): void {
    for (const fault of faults) requirePlace(this.#simulation, fault);
    const { instant } = this.#model;
    this.#last = undefined;
    this.#faults = new Map(faults.map((fault) => [fault, this.#faults.get(fault) ?? instant] as const));
    this.#frozen = this.#faults.has("frozen") ? (this.#frozen ?? this.#live()) : undefined;
  }

  /** Everything that can be read, of one instant. */
  values(): RegisterValues {
    if (this.#frozen !== undefined) return this.#frozen;
    const { instant } = this.#model;
    if (this.#last?.instant !== instant) this.#last = { instant, values: this.#live() };
    return this.#last.values;
  }

  #live(): RegisterValues {
    const { profile } = this.#simulation.compiled;
    const words = { holding: new Map<number, Word>(), input: new Map<number, Word>() };
    for (const [name, shown] of this.#shown()) this.#write(words, name, shown);
    const fill = this.#faults.has("all-ones") ? FILL : this.#faults.has("all-zeros") ? 0 : undefined;
    const values = { holding: new Map<number, number>(), input: new Map<number, number>() };
    for (const { table, start, count } of readableBlocks(profile))
      for (let at = start; at < start + count; at++)
        values[table].set(at, fill ?? words[table].get(at)?.value ?? 0);
    return values;
  }

  /** Every point with what it shows now. */
  #shown(): ReadonlyMap<string, Shown> {
    const { compiled, points, fixed, site, otherSerial, otherRatio } = this.#simulation;
    const has = (fault: SimulatedDeviceFault): boolean => this.#faults.has(fault);
    const measured = solve({
      profile: compiled.profile,
      points,
      instant: this.#instant(),
      ...(has("torn-phases") ? { tornMw: TORN_MW / site.divisor } : {}),
      ...(has("fault-status") ? { status: "fault" as const } : {}),
    });
    return new Map([
      ...fixed,
      ...measured,
      ...(has("other-serial") ? (otherSerial ?? []) : []),
      ...(has("ratio-changed") ? (otherRatio ?? []) : []),
      ...(has("not-implemented") ? missing(points, measured) : []),
    ]);
  }

  /** What the device believes to measure. */
  #instant(): SiteInstant {
    const { instant } = this.#model;
    const boundaries = [...instant.boundaries].map(([name, boundary]) => {
      const channel = this.#simulation.compiled.profile.channels[name];
      return [name, channel === undefined ? boundary : this.#counted(name, channel, boundary)] as const;
    });
    return { ...instant, boundaries: new Map(boundaries) };
  }

  #counted(name: string, channel: ProfileChannel, boundary: Boundary): Boundary {
    const began = { importStartMwh: 0, exportStartMwh: 0 };
    if (this.#faults.has("zero-energy-after-wake-up"))
      return { ...boundary, ...began, importMwh: 0, exportMwh: 0 };
    const reset = this.#faults.get("counter-reset")?.boundaries.get(name);
    if (reset !== undefined)
      return {
        ...boundary,
        ...began,
        importMwh: boundary.importMwh - reset.importMwh,
        exportMwh: boundary.exportMwh - reset.exportMwh,
      };
    const before = this.#faults.get("rollover")?.boundaries.get(name);
    return before === undefined ? boundary : this.#rolling(channel, boundary, before);
  }

  #rolling(channel: ProfileChannel, boundary: Boundary, before: Boundary): Boundary {
    const { points } = this.#simulation;
    const ends = { import: endOf(points, channel, "import"), export: endOf(points, channel, "export") };
    const near = (end: RegisterEnd | undefined, now: number, then: number): number =>
      end === undefined ? now : (end.endMwh - end.beforeMwh + now - then) % end.endMwh;
    return {
      ...boundary,
      importStartMwh: ends.import === undefined ? boundary.importStartMwh : 0,
      exportStartMwh: ends.export === undefined ? boundary.exportStartMwh : 0,
      importMwh: near(ends.import, boundary.importMwh, before.importMwh),
      exportMwh: near(ends.export, boundary.exportMwh, before.exportMwh),
    };
  }

  #write(words: Readonly<Record<Table, Map<number, Word>>>, name: string, { registers }: Shown): void {
    const point = this.#simulation.points.get(name);
    if (point === undefined) return;
    for (const [at, value] of registers.words.entries()) {
      const mask = registers.masks[at] ?? FILL;
      const address = point.point.address + at;
      const word = words[point.table].get(address) ?? { value: 0, mask: 0, name };
      if (((word.value ^ value) & word.mask & mask) !== 0) throw overlap(word.name, name, address);
      words[point.table].set(address, { value: word.value | (value & mask), mask: word.mask | mask, name });
    }
  }
}

function readableBlocks({
  snapshots,
  transport,
}: Profile): readonly { table: Table; start: number; count: number }[] {
  return [...Object.values(snapshots), ...(transport.readable ?? [])];
}

function overlap(first: string, second: string, address: number): Problem {
  return new Problem("simulate-overlap", "two points show different things in one register", {
    where: `register ${address}`,
    got: `${first} and ${second}`,
    hint: "check their addresses, types and bits",
  });
}

function requirePlace(
  { compiled, points, otherSerial, otherRatio }: Simulation,
  fault: SimulatedDeviceFault,
): void {
  const { channels, checks } = compiled.profile;
  const anEnd = Object.values(channels).some(
    (channel) => (endOf(points, channel, "import") ?? endOf(points, channel, "export")) !== undefined,
  );
  const reasons: Partial<Record<SimulatedDeviceFault, string | false>> = {
    "other-serial": otherSerial === undefined && "a profile that reads no serial number",
    "ratio-changed": otherRatio === undefined && "a profile that reads no ratio",
    "torn-phases": checks.length === 0 && "a profile without checks",
    rollover: !anEnd && "registers that are not known to begin again at 0",
    "fault-status": !saysFault(compiled.profile) && "a profile whose states know no fault",
    "not-implemented":
      ![...points.values()].some(canBeMissing) && "a profile without notImplemented and floats",
  };
  const why = reasons[fault];
  if (typeof why === "string") throw noPlaceFor(fault, why);
}

function saysFault({ channels, points }: Profile): boolean {
  return Object.values(channels).some(({ status }) =>
    Object.values(points[status ?? ""]?.values ?? {}).includes("fault"),
  );
}

function missing(
  points: ReadonlyMap<string, SimulatedPoint>,
  measured: ReadonlyMap<string, Shown>,
): (readonly [string, Shown])[] {
  return [...measured.keys()].flatMap((name) => {
    const point = points.get(name);
    if (point === undefined || !canBeMissing(point)) return [];
    const [pattern = NOT_A_NUMBER[point.layout.type] ?? 0n] = point.layout.notImplemented;
    return [[name, point.showBits(pattern)] as const];
  });
}

function canBeMissing({ layout, point }: SimulatedPoint): boolean {
  return point.unit !== "none" && (layout.notImplemented.size > 0 || layout.type in NOT_A_NUMBER);
}

/** Where an energy register begins again at 0, and how far before that it is when it is about to. */
interface RegisterEnd {
  readonly endMwh: number;
  readonly beforeMwh: number;
}

/** Undefined where it does not begin again, or nobody knows. */
function endOf(
  points: ReadonlyMap<string, SimulatedPoint>,
  { counter, ...channel }: ProfileChannel,
  way: "import" | "export",
): RegisterEnd | undefined {
  const value = channel[way];
  if (value === undefined || !counter.wraps) return undefined;
  const terms = termsOf(value).flatMap(({ name }) => points.get(name) ?? []);
  const [point] = terms;
  if (point === undefined || (terms.length > 1 && !positional(points, value))) return undefined;
  const endMwh =
    counter.modulus === undefined
      ? widthEnd(terms)
      : wholeOf(inReadingUnit(counter.modulus.value, counter.modulus.unit));
  if (endMwh === undefined) return undefined;
  if (terms.length > 1) return { endMwh, beforeMwh: BEFORE_END.leastMwh };
  const last = plus(rational(endMwh), negated(point.step));
  const steps = wholeOf(times(point.step, rational(BEFORE_END.steps))) ?? 0;
  const beforeMwh = Math.max(BEFORE_END.leastMwh, steps);
  return point.holds([last, last]) && endMwh > beforeMwh ? { endMwh, beforeMwh } : undefined;
}

/** A register alone ends with its width, in integer steps. */
function widthEnd([point, ...more]: readonly SimulatedPoint[]): number | undefined {
  if (point === undefined || more.length > 0) return undefined;
  const { type, bits, registers } = point.layout;
  if (bits !== undefined || type.startsWith("float")) return undefined;
  const width = BigInt(16 * registers) - (type.startsWith("s") ? 1n : 0n);
  const steps = type === "bcd" ? 10n ** BigInt(4 * registers) : 1n << width;
  return wholeOf(times(point.step, { numerator: steps, denominator: 1n }));
}

function wholeOf({ numerator, denominator }: Rational): number | undefined {
  const whole = Number(numerator / denominator);
  return Number.isSafeInteger(whole) ? whole : undefined;
}
