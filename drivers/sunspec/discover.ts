import { Problem } from "../../attest/problem.ts";
import { HEADER, type ModelPlace, type ReadRegisters } from "./block.ts";
import { COMMON_MODEL } from "./models-ac.ts";

/** Where the specification lets a map begin (Device Information Model Specification 1.1, 6.2), likeliest first. */
export const BASES: readonly number[] = [40000, 0, 50000];

const MARKER = [0x5375, 0x6e53];
const END = 0xffff;
/** Real devices have up to some 40 models; more is a device that answers anything. */
const MAX_MODELS = 100;
const REGISTERS = 0x1_0000;

/** Answers that say "nothing here", so that the next base is worth a try. A device may also keep silent, or hang up. */
const NOTHING_HERE: ReadonlySet<string> = new Set([
  "modbus-illegal-address",
  "modbus-illegal-value",
  "modbus-illegal-function",
  "modbus-device-failure",
  "modbus-exception",
  "modbus-timeout",
  "modbus-deadline",
  "modbus-closed",
]);

/** Exceptions with which a device says that there is nothing behind a chain without an end. */
const NO_MORE: ReadonlySet<string> = new Set(["modbus-illegal-address", "modbus-illegal-value"]);

/** A device's map: where it begins, and its models in order. */
export interface SunSpecMap {
  readonly base: number;
  readonly places: readonly ModelPlace[];
}

/**
 * Finds the marker "SunS" at one of `bases` and walks the chain of models behind it: ID, L, then L registers, until
 * ID 0xFFFF. Each base is asked once, within the deadline of one request.
 *
 * @throws Problem `driver-not-sunspec`, `sunspec-chain-endless`, `sunspec-chain-broken`, or the bus's own
 */
export async function discover(read: ReadRegisters, bases: readonly number[]): Promise<SunSpecMap> {
  const failures: Error[] = [];
  for (const base of bases) {
    const found = await probe(read, base, failures);
    if (found) return { base, places: await walk(read, base + MARKER.length) };
  }
  throw notSunSpec(bases, failures);
}

/** The place of model 1, with which every map has to begin. */
export function commonOf({ places }: SunSpecMap): ModelPlace {
  const [common] = places;
  if (common?.id === COMMON_MODEL.id) return common;
  throw new Problem("driver-not-sunspec", "the SunSpec map does not begin with model 1", {
    got: common === undefined ? "no model" : `model ${common.id}`,
  });
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
  while (places.length < MAX_MODELS) {
    if (start + HEADER > REGISTERS) throw beyond(places);
    const [id = 0, length = 0] = await header(read, start, places);
    if (id === END) return places;
    // ID 0 is not assigned: it is a gateway's zero, or the space behind a chain without an end.
    if (id === 0) throw broken(start, `ID 0 after ${places.length} models`);
    places.push({ id, start, length });
    start += HEADER + length;
  }
  throw new Problem("sunspec-chain-endless", "the chain of models does not end", {
    where: `register ${start}`,
    expected: `ID 0xFFFF after at most ${MAX_MODELS} models`,
    got: `${places.length} models, the last of them ${describe(places.slice(-3))}`,
    hint: "the device answers every address alike, or its chain goes in circles",
  });
}

async function header(
  read: ReadRegisters,
  start: number,
  places: readonly ModelPlace[],
): Promise<Uint16Array> {
  try {
    return await read(start, HEADER);
  } catch (error) {
    if (!(error instanceof Problem) || !NO_MORE.has(error.code)) throw error;
    throw broken(start, `no answer but "${error.message}" after ${places.length} models`, error);
  }
}

function beyond(places: readonly ModelPlace[]): Problem {
  return new Problem("sunspec-chain-endless", "the chain of models does not end within 65536 registers", {
    where: `behind model ${describe(places.slice(-1))}`,
    expected: "ID 0xFFFF",
    got: `${places.length} models`,
  });
}

function broken(start: number, got: string, cause?: Error): Problem {
  return new Problem("sunspec-chain-broken", "the chain of models breaks off", {
    where: `register ${start}`,
    expected: "a model, or ID 0xFFFF",
    got,
    ...(cause === undefined ? {} : { cause }),
  });
}

function describe(places: readonly ModelPlace[]): string {
  return places.map(({ id, start, length }) => `${id} at ${start} with ${length} registers`).join(", ");
}
