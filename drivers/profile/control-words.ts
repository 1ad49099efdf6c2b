import { Problem } from "../../attest/problem.ts";
import type { RegisterWrite } from "../control/surface.ts";
import { type Rational, times, truncated } from "../modbus/rational.ts";
import type { CompiledRegister } from "./compiled.ts";

/** Raw values of registers, by the name of the register. */
export type RawValues = ReadonlyMap<string, number>;

/** A raw value as one write; negative ones in two's complement. */
export function writeRaw(compiled: CompiledRegister, raw: number): RegisterWrite {
  const { register, width, wordOrder, functionCode } = compiled;
  const bits = raw < 0 ? raw + 2 ** (16 * width) : raw;
  const words = width === 1 ? [bits] : [Math.floor(bits / 65_536), bits % 65_536];
  return {
    start: register.address,
    values: wordOrder === "little" ? words.reverse() : words,
    functionCode,
  };
}

/** The raw value that registers hold, with its sign where the type has one. */
export function rawFrom({ register, width, wordOrder }: CompiledRegister, words: Uint16Array): number {
  const [first = 0, second = 0] = wordOrder === "little" ? [...words].reverse() : words;
  const bits = width === 1 ? first : first * 65_536 + second;
  const half = 2 ** (16 * width - 1);
  return register.type.startsWith("s") && bits >= half ? bits - 2 * half : bits;
}

/** Whole steps that are in a value of mW, ppm or ms, cut off toward zero. */
export function stepsOf({ name, register, factor }: CompiledRegister, value: number, where: string): number {
  const { numerator, denominator } = factor;
  const raw = Number(truncated(times(whole(value), { numerator: denominator, denominator: numerator }))) + 0;
  if (holds(register.type, raw)) return raw;
  throw new Problem("control-not-expressible", `register ${name} cannot hold this`, {
    where,
    expected: register.type,
    got: `${raw} steps`,
  });
}

/** As {@link stepsOf}, rounded up: a reserve is never less than was asked for. */
export function stepsUp(compiled: CompiledRegister, value: number, where: string): number {
  const raw = stepsOf(compiled, value, where);
  return valueOfSteps(compiled, raw) < value ? stepsOf(compiled, value, where) + 1 : raw;
}

/** What raw steps are in mW, ppm or ms, cut off toward zero. */
export function valueOfSteps({ factor }: CompiledRegister, raw: number): number {
  return Number(truncated(times(whole(raw), factor))) + 0;
}

/** The step of a register in mW or ppm, at least 1. */
export function stepSize(compiled: CompiledRegister | undefined): number {
  return compiled === undefined ? 1 : Math.max(1, Math.abs(valueOfSteps(compiled, 1)));
}

function whole(value: number): Rational {
  return { numerator: BigInt(value), denominator: 1n };
}

function holds(type: CompiledRegister["register"]["type"], raw: number): boolean {
  const bits = type.endsWith("32") ? 32 : 16;
  return type.startsWith("s")
    ? raw >= -(2 ** (bits - 1)) && raw < 2 ** (bits - 1)
    : raw >= 0 && raw < 2 ** bits;
}
