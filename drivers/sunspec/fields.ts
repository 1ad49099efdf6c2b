import { Problem } from "../../attest/problem.ts";
import type { Rational } from "../modbus/rational.ts";
import { type Decoded, type ScaledNumber, scaled } from "../modbus/registers.ts";
import type { Point, Points } from "./models.ts";
import { decodePoint, MAX_SCALE, textOf } from "./points.ts";

/** Powers of ten between a model's unit and ours: thousandths, and parts per million of a percentage. */
const MILLI = 3;
const PPM = 4;

/** Where a set of points lies, and what there is around it. */
export interface FieldsSource {
  /** How messages call it, such as "model 160 module 2". */
  readonly label: string;
  readonly points: Points;
  /** Registers of the model, without ID and L. */
  readonly registers: Uint16Array;
  /** Registers before the set. */
  readonly base: number;
  /** The points of the model around a group, where the scale factors are. */
  readonly outer?: Fields;
  /** Takes what was left out, in words. */
  readonly absent: Set<string>;
}

/** The points of a model, or of one set of its repeating group, and what they say. */
export class Fields {
  readonly label: string;
  readonly #source: FieldsSource;

  constructor(source: FieldsSource) {
    this.label = source.label;
    this.#source = source;
  }

  text(name: string): string {
    return textOf(this.#source.registers, this.#point(name), this.#source.base);
  }

  /** An enumeration, bit field, count or number of seconds; undefined when not implemented. */
  state(name: string): number | undefined {
    const decoded = decodePoint(this.#source.registers, this.#point(name), this.#source.base);
    return "absent" in decoded ? undefined : Number(decoded.value.value.numerator);
  }

  /** A value in thousandths of the model's unit: W as mW, Wh as mWh, V as mV. Notes when there is none. */
  milli(name: string): number | undefined {
    return this.#noted(name, this.#scaled(name, MILLI));
  }

  /** A percentage in parts per million. Notes when there is none. */
  ppm(name: string): number | undefined {
    return this.#noted(name, this.#scaled(name, PPM));
  }

  /** As {@link milli}, for a point that a device may do without. */
  optionalMilli(name: string): number | undefined {
    return valueIn(this.#scaled(name, MILLI));
  }

  /** As {@link ppm}, for a point that a device may do without. */
  optionalPpm(name: string): number | undefined {
    return valueIn(this.#scaled(name, PPM));
  }

  /** The step that a point comes in, in thousandths of its unit; of a float, at the value that it has now. */
  stepMilli(name: string): number | undefined {
    if (this.#point(name).type === "float32") {
      const decoded = this.#scaled(name, MILLI);
      return "absent" in decoded ? undefined : decoded.value.resolution;
    }
    const exponent = this.#exponent(name);
    return exponent === undefined ? undefined : Math.max(1, 10 ** (exponent + MILLI));
  }

  /** Whether a step is cut to a thousandth, because it is finer. */
  isCut(name: string): boolean {
    return (this.#exponent(name) ?? 0) < -MILLI;
  }

  point(name: string): Point {
    return this.#point(name);
  }

  /** Notes that a value was left out. */
  miss(name: string, why: string): undefined {
    this.#source.absent.add(`${this.label} ${name}: ${why}`);
    return undefined;
  }

  #noted(name: string, decoded: Decoded<ScaledNumber>): number | undefined {
    return "absent" in decoded ? this.miss(name, decoded.absent) : decoded.value.value;
  }

  #scaled(name: string, extra: number): Decoded<ScaledNumber> {
    const point = this.#point(name);
    const decoded = decodePoint(this.#source.registers, point, this.#source.base);
    if ("absent" in decoded) return decoded;
    const exponent = this.#exponent(name);
    if (exponent === undefined) return { absent: `no valid scale factor ${point.scale}` };
    return scaled(decoded.value, powerOfTen(exponent + extra));
  }

  /** The power of ten of a point, or undefined when the device does not say. */
  #exponent(name: string): number | undefined {
    const { scale } = this.#point(name);
    if (scale === undefined) return 0;
    const exponent = (this.#source.outer ?? this).state(scale);
    return exponent === undefined || Math.abs(exponent) > MAX_SCALE ? undefined : exponent;
  }

  #point(name: string): Point {
    const point = this.#source.points.get(name);
    if (point === undefined) throw new Problem("sunspec-no-such-point", `${this.label} has no ${name}`);
    return point;
  }
}

function valueIn(decoded: Decoded<ScaledNumber>): number | undefined {
  return "absent" in decoded ? undefined : decoded.value.value;
}

function powerOfTen(exponent: number): Rational {
  return exponent >= 0
    ? { numerator: 10n ** BigInt(exponent), denominator: 1n }
    : { numerator: 1n, denominator: 10n ** BigInt(-exponent) };
}
