import { Problem } from "../../attest/problem.ts";
import type { RegisterWrite } from "../control/surface.ts";
import { type Block, HEADER } from "./block.ts";
import { MAX_SCALE } from "./points.ts";

/** Powers of ten between a model's unit and ours: W to mW, percent to ppm. */
const MILLI = 3;
const PPM = 4;

/** What the 16-bit points hold at most; one more would mean "not implemented" (specification 1.1, 4.2). */
const LARGEST: Readonly<Record<string, number>> = {
  ...{ uint16: 0xfffe, enum16: 0xfffe, bitfield16: 0x7fff, uint32: 0xffff_fffe },
  ...{ int16: 0x7fff, int32: 0x7fff_ffff },
};

/** Raw values of neighbouring points, in the order of their registers, as one write (function 16). */
export function writeOf(block: Block, values: Readonly<Record<string, number>>): RegisterWrite {
  const points = Object.entries(values)
    .map(([name, raw]) => ({ point: block.point(name), raw }))
    .sort((a, b) => a.point.offset - b.point.offset);
  const first = points[0]?.point.offset ?? 0;
  const registers: number[] = [];
  for (const { point, raw } of points) {
    if (point.offset !== first + registers.length)
      throw new Problem(
        "sunspec-no-such-point",
        `${block.label} ${point.name} is no neighbour of the others`,
      );
    const most = LARGEST[point.type] ?? 0;
    const least = point.type.startsWith("int") ? -most : 0;
    if (raw < least || raw > most) throw notExpressible(block, point.name, raw);
    registers.push(...(point.width === 2 ? [Math.floor(raw / 65_536) & 0xffff] : []), raw & 0xffff);
  }
  return { start: block.place.start + HEADER + first, values: registers, functionCode: 16 };
}

/** Whole steps of a point in W that are in a power, cut off toward zero. */
export function rawOfMilli(block: Block, name: string, milli: number): number {
  return steps(BigInt(milli), exponentOf(block, name) + MILLI);
}

/** Whole steps of a point in percent that `part` is of `whole`, cut off toward zero. */
export function rawOfShare(block: Block, name: string, part: number, whole: number): number {
  const exponent = exponentOf(block, name) + PPM;
  const scaled = BigInt(part) * 1_000_000n;
  return exponent >= 0
    ? Number(scaled / (BigInt(whole) * 10n ** BigInt(exponent))) + 0
    : Number((scaled * 10n ** BigInt(-exponent)) / BigInt(whole)) + 0;
}

/** The steps that a share, cut off to whole mW when it was read, was made from. */
export function rawOfShareRead(block: Block, name: string, part: number, whole: number): number {
  const raw = rawOfShare(block, name, part, whole);
  const read = Number((BigInt(whole) * BigInt(ppmOfRaw(block, name, raw))) / 1_000_000n);
  return read < part ? raw + 1 : raw;
}

/** Whole steps of a point in percent, rounded up: a reserve is never less than was asked for. */
export function rawOfPpmUp(block: Block, name: string, ppm: number): number {
  const exponent = exponentOf(block, name) + PPM;
  if (exponent <= 0) return ppm * 10 ** -exponent;
  const step = 10 ** exponent;
  return Math.ceil(ppm / step);
}

/** What raw steps of a point in percent are, in parts per million. */
export function ppmOfRaw(block: Block, name: string, raw: number): number {
  const exponent = exponentOf(block, name) + PPM;
  return exponent >= 0 ? raw * 10 ** exponent : Math.trunc(raw / 10 ** -exponent) + 0;
}

/** What raw steps of a point in W are, in mW. */
export function milliOfRaw(block: Block, name: string, raw: number): number {
  const exponent = exponentOf(block, name) + MILLI;
  return exponent >= 0 ? raw * 10 ** exponent : Math.trunc(raw / 10 ** -exponent) + 0;
}

/** The step of a point in percent, at least 1 ppm. */
export function stepPpm(block: Block, name: string): number {
  return Math.max(1, 10 ** (exponentOf(block, name) + PPM));
}

/** The step of a point in percent of `whole`, in mW, rounded up. */
export function stepOfShare(block: Block, name: string, whole: number): number {
  return Math.max(1, Math.ceil((whole / 1_000_000) * stepPpm(block, name)));
}

/** Whether the device has the point and its scale factor. */
export function isImplemented(block: Block, name: string): boolean {
  if (block.state(name) === undefined) return false;
  const { scale } = block.point(name);
  return scale === undefined || block.state(scale) !== undefined;
}

function exponentOf(block: Block, name: string): number {
  const { scale } = block.point(name);
  const exponent = scale === undefined ? 0 : block.state(scale);
  if (exponent !== undefined && Math.abs(exponent) <= MAX_SCALE) return exponent;
  throw new Problem("control-not-expressible", `the device does not say the scale of ${name}`, {
    where: block.label,
  });
}

function steps(value: bigint, exponent: number): number {
  return exponent >= 0
    ? Number(value / 10n ** BigInt(exponent)) + 0
    : Number(value * 10n ** BigInt(-exponent)) + 0;
}

function notExpressible(block: Block, name: string, raw: number): Problem {
  return new Problem("control-not-expressible", `${name} cannot hold this`, {
    where: block.label,
    got: `${raw} steps`,
  });
}
