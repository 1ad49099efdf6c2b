import type { RawFrame } from "../driver.ts";
import { approximate, compare, negated, plus, type Rational, rational, times } from "../modbus/rational.ts";
import { type Decoded, decodeBits, decodeNumber, decodeText, type ExactNumber } from "../modbus/registers.ts";
import type { Blocks } from "./blocks.ts";
import type { CompiledPoint, CompiledProfile } from "./compiled.ts";
import type { Literal, ProfileValue, ScaleBy, StateWord } from "./profile.ts";
import { termsOf } from "./terms.ts";
import { UNITS } from "./units.ts";

const ZERO: Rational = { numerator: 0n, denominator: 1n };
/** Registers of different tariffs have steps that differ less than this; a high and a low word differ by 65,536. */
const LEAST_DIGITS: Rational = { numerator: 1000n, denominator: 1n };
/** SunSpec's own limit, which the makers of such registers have in mind. */
const LARGEST_POWER = 10n;

/** The values of a profile's points in the answers of one plan. */
export class Values {
  readonly #profile: CompiledProfile;
  readonly #blocks: Blocks;

  constructor(profile: CompiledProfile, blocks: Blocks) {
    this.#profile = profile;
    this.#blocks = blocks;
  }

  /** Digest of {@link frame}. */
  get evidence(): Uint8Array {
    return this.#blocks.frame.digest;
  }

  get frame(): RawFrame {
    return this.#blocks.frame;
  }

  /** Whether all points of a value were asked for. */
  asked(value: ProfileValue): boolean {
    return termsOf(value).every(({ name }) => this.#blocks.has(name));
  }

  /** A sum of points in the unit of a reading; absent when one of them is. */
  value(value: ProfileValue): Decoded<ExactNumber> {
    const terms = termsOf(value);
    let sum = ZERO;
    const steps: Rational[] = [];
    for (const { name, negative } of terms) {
      const one = this.#exact(this.#point(name));
      if ("absent" in one) return terms.length === 1 ? one : { absent: `${name}: ${one.absent}` };
      sum = plus(sum, negative ? negated(one.value.value) : one.value.value);
      steps.push(one.value.step);
    }
    return { value: { value: sum, step: stepOfSum(steps) } };
  }

  /** The raw integer of a point, before any scale. */
  raw(name: string): Decoded<bigint> {
    const point = this.#point(name);
    const exact = this.#raw(point);
    if ("absent" in exact) return exact;
    const { numerator, denominator } = exact.value.value;
    return denominator === 1n ? { value: numerator } : { absent: "no whole number" };
  }

  /** A text, or an integer as its digits. */
  text(name: string): Decoded<string> {
    const point = this.#point(name);
    if (point.read.way !== "text") {
      const raw = this.raw(name);
      return "absent" in raw ? raw : { value: String(raw.value) };
    }
    const registers = this.#blocks.registersOf(point);
    return "absent" in registers ? registers : decodeText(registers, { ...point.read.field, offset: 0 });
  }

  /** What a state means; undefined when it is absent or unknown. */
  state(name: string): StateWord | undefined {
    const raw = this.raw(name);
    const { values } = this.#point(name).point;
    if ("absent" in raw) return undefined;
    return values?.[String(raw.value)] ?? values?.["else"];
  }

  #exact(point: CompiledPoint): Decoded<ExactNumber> {
    const raw = this.#raw(point);
    if ("absent" in raw) return raw;
    const scale = this.#scaleOf(point.point.scaleBy);
    if ("absent" in scale) return scale;
    const negative = this.#isNegative(point);
    if ("absent" in negative) return negative;
    const settings = this.#product(point.point.times ?? []);
    if ("absent" in settings) return settings;
    const factor = times(times(point.factor, scale.value), settings.value);
    const unsigned = times(raw.value.value, factor);
    const value = negative.value && unsigned.numerator > 0n ? negated(unsigned) : unsigned;
    const wrong = outside(value, point);
    return wrong === undefined
      ? { value: { value, step: times(raw.value.step, factor) } }
      : { absent: wrong };
  }

  #raw(point: CompiledPoint): Decoded<ExactNumber> {
    const registers = this.#blocks.registersOf(point);
    if ("absent" in registers) return registers;
    const { read } = point;
    if (read.way === "number") return decodeNumber(registers, { ...read.field, offset: 0 });
    if (read.way === "text") return { absent: "a text is no number" };
    const bits = decodeBits(registers, { ...read.field, offset: 0 });
    if ("absent" in bits) return bits;
    if (point.point.notImplemented.some((pattern) => BigInt(pattern) === bits.value))
      return { absent: "not implemented" };
    return { value: { value: { numerator: bits.value, denominator: 1n }, step: rational(1) } };
  }

  #scaleOf(scaleBy: ScaleBy | undefined): Decoded<Rational> {
    if (scaleBy === undefined) return { value: rational(1) };
    const raw = this.raw(scaleBy.point);
    if ("absent" in raw) return { absent: `its scale ${scaleBy.point}: ${raw.absent}` };
    const scale = scaleFrom(scaleBy, raw.value);
    return scale === undefined
      ? { absent: `its scale ${scaleBy.point} is ${raw.value}, which means nothing` }
      : { value: scale };
  }

  #product(names: readonly string[]): Decoded<Rational> {
    let product = rational(1);
    for (const name of names) {
      const one = this.#exact(this.#point(name));
      if ("absent" in one) return { absent: `its factor ${name}: ${one.absent}` };
      product = times(product, one.value.value);
    }
    return { value: product };
  }

  #isNegative({ point: { negativeWhen } }: CompiledPoint): Decoded<boolean> {
    if (negativeWhen === undefined) return { value: false };
    const raw = this.raw(negativeWhen.point);
    if ("absent" in raw) return { absent: `its direction ${negativeWhen.point}: ${raw.absent}` };
    return { value: negativeWhen.equals.some((one) => BigInt(one) === raw.value) };
  }

  #point(name: string): CompiledPoint {
    const point = this.#profile.points.get(name);
    // References were checked when the profile was compiled.
    if (point === undefined) throw new TypeError(`profile ${this.#profile.name} has no point ${name}`);
    return point;
  }
}

/** A literal in the unit of a reading. */
export function literalValue({ value, unit }: Literal): Rational {
  return times(rational(value), rational(UNITS[unit].factor));
}

/** The coarsest step; where terms are digits of one number (a high and a low register), the finest. */
function stepOfSum(steps: readonly Rational[]): Rational {
  const sorted = steps.toSorted((a, b) => Number(compare(a, b) > 0n) - Number(compare(a, b) < 0n));
  const [finest = ZERO] = sorted;
  const coarsest = sorted.at(-1) ?? ZERO;
  return compare(coarsest, times(finest, LEAST_DIGITS)) >= 0n ? finest : coarsest;
}

function scaleFrom({ as, table }: ScaleBy, raw: bigint): Rational | undefined {
  switch (as) {
    case "power-of-ten":
      return raw > LARGEST_POWER || raw < -LARGEST_POWER ? undefined : rational(`1e${raw}`);
    case "factor":
      return raw === 0n ? undefined : { numerator: raw, denominator: 1n };
    case "divisor":
      return raw <= 0n ? undefined : { numerator: 1n, denominator: raw };
    case "table": {
      const scale = table?.[String(raw)];
      return scale === undefined ? undefined : rational(scale);
    }
  }
}

function outside(value: Rational, { point, unitFactor }: CompiledPoint): string | undefined {
  const { min, max } = point.valid ?? {};
  const below = min !== undefined && compare(value, times(rational(min), unitFactor)) < 0n;
  const above = max !== undefined && compare(value, times(rational(max), unitFactor)) > 0n;
  if (!below && !above) return undefined;
  const shown = approximate(value) / approximate(unitFactor);
  return `${shown} ${point.unit}, possible is ${min ?? "any"} to ${max ?? "any"}`;
}
