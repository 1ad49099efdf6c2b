import { Problem } from "../../attest/problem.ts";
import type { ModelPlace, ReadRegisters } from "./block.ts";

/** Where the specification lets a map begin (Device Information Model Specification 1.1, 6.2), likeliest first. */
export const BASES: readonly number[] = [40000, 0, 50000];

const MARKER = [0x5375, 0x6e53];
const END = 0xffff;
/** Real devices have up to some 40 models; more is a device that answers anything. */
const MAX_MODELS = 100;
const LAST_REGISTER = 0xffff;

/** Answers that say "nothing here", so that the next base is worth a try. */
const NOTHING_HERE: ReadonlySet<string> = new Set([
  "modbus-illegal-address",
  "modbus-illegal-value",
  "modbus-illegal-function",
  "modbus-device-failure",
  "modbus-exception",
  "modbus-timeout",
]);

/**
 * Finds the marker "SunS" at one of `bases` and walks the chain of models behind it: ID, L, then L registers, until
 * ID 0xFFFF. Throws `driver-not-sunspec`, `sunspec-chain-endless`, `sunspec-chain-broken` or the bus's own Problem.
 */
export async function discover(
  read: ReadRegisters,
  bases: readonly number[],
): Promise<readonly ModelPlace[]> {
  const failures: Error[] = [];
  for (const base of bases) {
    const found = await probe(read, base, failures);
    if (found) return await walk(read, base + MARKER.length);
  }
  throw notSunSpec(bases, failures);
}

async function probe(read: ReadRegisters, base: number, failures: Error[]): Promise<boolean> {
  try {
    const registers = await read(base, MARKER.length);
    return MARKER.every((word, index) => registers[index] === word);
  } catch (error) {
    if (!(error instanceof Problem) || !NOTHING_HERE.has(error.code)) throw error;
    failures.push(error);
    return false;
  }
}

function notSunSpec(bases: readonly number[], failures: readonly Error[]): Error {
  const last = failures.at(-1);
  // A device that never answered at all is not a device without SunSpec.
  const mute = failures.length === bases.length && failures.every(isTimeout);
  if (mute && last !== undefined) return last;
  return new Problem("driver-not-sunspec", "no SunSpec map found", {
    expected: `"SunS" at register ${bases.join(" or ")}`,
    hint: "switch SunSpec Modbus on in the device and check the unit number",
    ...(last === undefined ? {} : { cause: last }),
  });
}

function isTimeout(error: Error): boolean {
  return error instanceof Problem && error.code === "modbus-timeout";
}

async function walk(read: ReadRegisters, first: number): Promise<readonly ModelPlace[]> {
  const places: ModelPlace[] = [];
  let start = first;
  while (places.length < MAX_MODELS && start < LAST_REGISTER) {
    const [id = 0, length = 0] = await read(start, 2);
    if (id === END) return places;
    // ID 0 is not assigned: it is a gateway's zero, or the space behind a chain without an end.
    if (id === 0) throw broken(start, `ID 0 after ${places.length} models`);
    places.push({ id, start, length });
    start += 2 + length;
  }
  throw new Problem("sunspec-chain-endless", "the chain of models does not end", {
    where: `register ${start}`,
    expected: `ID 0xFFFF after at most ${MAX_MODELS} models`,
    got: `${places.length} models`,
  });
}

function broken(start: number, got: string): Problem {
  return new Problem("sunspec-chain-broken", "the chain of models breaks off", {
    where: `register ${start}`,
    expected: "a model, or ID 0xFFFF",
    got,
  });
}
