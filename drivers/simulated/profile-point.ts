import { Problem } from "../../attest/problem.ts";
import { compare, negated, type Rational, rational, times } from "../modbus/rational.ts";
import type { Profile, ProfilePoint } from "../profile/profile.ts";
import {
  layoutOf,
  type MaskedWords,
  patternOf,
  stepRange,
  textWords,
  type WordLayout,
  wordsOf,
} from "./profile-words.ts";

/** What a point shows: its registers, and what they say. */
export interface Shown {
  readonly registers: MaskedWords;
  /** The exact number in the unit of a reading; 0 for texts. */
  readonly value: Rational;
  /** That its direction register has to say "negative". */
  readonly negative: boolean;
}

/** Least and most of something, both inclusive. */
export type Range = readonly [least: Rational, most: Rational];

/**
 * What one of a point's unit is in the unit of a reading (mW, mWh, mV, mA, mHz, ppm). Written down a second time on
 * purpose: the simulated devices share nothing with what decodes, so that a slip in either shows.
 */
const READING_UNITS: Readonly<Record<ProfilePoint["unit"], string>> = {
  ...{ W: "1e3", kW: "1e6", MW: "1e9", Wh: "1e3", kWh: "1e6", MWh: "1e9" },
  ...{ V: "1e3", kV: "1e6", mV: "1", A: "1e3", mA: "1", Hz: "1e3", "%": "1e4", none: "1" },
};

export const ZERO: Rational = { numerator: 0n, denominator: 1n };

/** `value` of a point's unit in the unit of a reading. */
export function inReadingUnit(value: number | string, unit: ProfilePoint["unit"]): Rational {
  return times(rational(value), rational(READING_UNITS[unit]));
}

/** One point of a simulated profile: values in, registers out. */
export class SimulatedPoint {
  readonly name: string;
  readonly point: ProfilePoint;
  readonly table: "holding" | "input";
  readonly layout: WordLayout;
  /** What one step of the register is in the unit of a reading. */
  readonly step: Rational;

  /** `scale` is what the point's scale register says, 1 without one. */
  constructor(profile: Profile, name: string, scale: Rational) {
    const point = profile.points[name];
    const table = profile.snapshots[point?.snapshot ?? ""]?.table;
    // References were checked when the profile was compiled.
    if (point === undefined || table === undefined) throw new TypeError(`no point ${name}`);
    this.name = name;
    this.point = point;
    this.table = table;
    this.layout = layoutOf(point, profile.layout);
    const { type, unit } = point;
    this.step = type === "text" ? rational(1) : times(inReadingUnit(point.scale, unit), scale);
  }

  get isText(): boolean {
    return this.layout.type === "text";
  }

  /** Bytes that a text has room for. */
  get textBytes(): number {
    return 2 * this.layout.registers;
  }

  /** What it can show, in the unit of a reading, within what the profile calls valid. */
  get range(): Range {
    const { negativeWhen, unit, valid } = this.point;
    const ends = stepRange(this.layout).map((steps) => times(steps, this.step));
    let [least = ZERO, most = ZERO] = [...ends].sort(ascending);
    if (negativeWhen !== undefined) least = negated(most);
    if (valid?.min !== undefined) least = larger(least, inReadingUnit(valid.min, unit));
    if (valid?.max !== undefined)
      most = negated(larger(negated(most), negated(inReadingUnit(valid.max, unit))));
    return [least, most];
  }

  /** Whether it can show all of a range. */
  holds([least, most]: Range): boolean {
    const [from, to] = this.range;
    return compare(from, least) <= 0n && compare(most, to) <= 0n;
  }

  /** The value cut off to a step. Throws Problem `simulate-range` where the registers cannot show it. */
  show(value: Rational): Shown {
    const { negativeWhen } = this.point;
    const negative = value.numerator < 0n;
    const magnitude = negativeWhen !== undefined && negative ? negated(value) : value;
    const pattern = patternOf(this.layout, over(magnitude, this.step));
    if (pattern === undefined) throw this.#beyond(value);
    const shown = times(pattern.steps, this.step);
    const signed = negativeWhen !== undefined && negative ? negated(shown) : shown;
    if (!this.holds([signed, signed])) throw this.#beyond(value);
    return { registers: wordsOf(this.layout, pattern.bits), value: signed, negative };
  }

  /** The bits of the register as they are. */
  showBits(bits: bigint): Shown {
    return { registers: wordsOf(this.layout, bits), value: ZERO, negative: false };
  }

  /** A raw integer, as states, scales and codes are. Undefined where the registers cannot hold it, or mean "none" by it. */
  showRaw(raw: bigint): Shown | undefined {
    const steps = { numerator: raw, denominator: 1n };
    const pattern = this.isText ? undefined : patternOf(this.layout, steps);
    if (pattern === undefined || compare(pattern.steps, steps) !== 0n) return undefined;
    return { registers: wordsOf(this.layout, pattern.bits), value: times(steps, this.step), negative: false };
  }

  /** A text, or an integer as its digits; undefined where the registers have no room for it. */
  showText(text: string): Shown | undefined {
    if (!this.isText) return /^-?\d{1,20}$/.test(text) ? this.showRaw(BigInt(text)) : undefined;
    const registers = textWords(this.layout, text);
    return registers === undefined ? undefined : { registers, value: ZERO, negative: false };
  }

  #beyond(value: Rational): Problem {
    const shown = (one: Rational): string => {
      const inUnit = over(one, inReadingUnit(1, this.point.unit));
      return `${Number(inUnit.numerator) / Number(inUnit.denominator)} ${this.point.unit}`;
    };
    const [least, most] = this.range;
    return new Problem(
      "simulate-range",
      `point ${this.name} cannot show what the simulated device measures`,
      {
        expected: `${shown(least)} to ${shown(most)}`,
        got: shown(value),
        hint: "check type, scale and valid of the point",
      },
    );
  }
}

/** a / b; b is not 0. */
export function over(a: Rational, b: Rational): Rational {
  const sign = b.numerator < 0n ? -1n : 1n;
  return {
    numerator: a.numerator * b.denominator * sign,
    denominator: a.denominator * b.numerator * sign,
  };
}

function ascending(a: Rational, b: Rational): number {
  return Number(compare(a, b));
}

function larger(a: Rational, b: Rational): Rational {
  return compare(a, b) > 0n ? a : b;
}
