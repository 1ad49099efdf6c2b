import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { Problem } from "../../attest/problem.ts";
import { parseRegisterImage, type RegisterImage } from "../../drivers/simulated/register-image.ts";
import type { Registers } from "./tally.ts";

const MAX_FILE_BYTES = 1024 * 1024;
const MAX_TELEGRAMS = 64;
const SUNSPEC_FILE = join("sunspec", "DeviceSMASunnyBoy36Dated20250518.json");

/** A telegram as a meter sent it, and the registers that it prints. */
export interface TelegramCapture {
  /** Name of its channel in the log. */
  readonly name: string;
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly registers: Registers;
}

/** The registers of a device as they were read from it. */
export interface RegisterCapture {
  readonly name: string;
  readonly file: string;
  readonly image: RegisterImage;
  /** Where its model 101 lies, and the energy it shows. */
  readonly energy: { readonly start: number; readonly count: number; readonly registers: Registers };
}

/** All captures of a folder. Throws `demo-corpus` with the path that is missing or wrong. */
export function readCaptures(folder: string): {
  readonly telegrams: readonly TelegramCapture[];
  readonly device: RegisterCapture;
} {
  const p1 = join(folder, "dsmr-p1");
  const files = entriesOf(p1).filter((file) => file.endsWith(".txt"));
  if (files.length === 0 || files.length > MAX_TELEGRAMS) {
    throw new Problem("demo-corpus", "the folder holds no captured telegrams", {
      where: p1,
      expected: `1 to ${MAX_TELEGRAMS} files named *.txt`,
      got: String(files.length),
    });
  }
  return {
    telegrams: files.sort().map((file) => telegramCapture(join(p1, file))),
    device: registerCapture(join(folder, SUNSPEC_FILE)),
  };
}

function telegramCapture(path: string): TelegramCapture {
  const bytes = bytesOf(path);
  const file = basename(path);
  const text = Buffer.from(bytes).toString("latin1");
  return { name: channelName(file), file, bytes, registers: registersOfTelegram(text) };
}

/** "TELEGRAM_V5_TWO_MBUS.txt" is the channel "p1-v5-two-mbus". */
function channelName(file: string): string {
  const stem = file.replace(/\.txt$/, "").replace(/^TELEGRAM_/i, "");
  return `p1-${stem.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`.replace(/-$/, "");
}

/**
 * The registers that a telegram prints, read here by a few lines of their own and not by the driver, because they
 * count what was served: the total, or the sum of the tariffs where there is none.
 */
export function registersOfTelegram(text: string): Registers {
  const importMwh = registerOf(text, "1");
  const exportMwh = registerOf(text, "2");
  return {
    ...(importMwh === undefined ? {} : { importMwh }),
    ...(exportMwh === undefined ? {} : { exportMwh }),
  };
}

function registerOf(text: string, direction: "1" | "2"): number | undefined {
  const line = /^1-0:([12])\.8\.([0-4])\((\d+)(?:\.(\d+))?\*(k?)Wh\)/gm;
  const found = [...text.matchAll(line)].filter((match) => match[1] === direction);
  const total = found.filter((match) => match[2] === "0");
  const values = (total.length > 0 ? total : found).map(([, , , whole = "", part = "", kilo]) =>
    Number(`${whole}${part.padEnd(kilo === "k" ? 6 : 3, "0")}`),
  );
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}

function registerCapture(path: string): RegisterCapture {
  const image = imageOf(path);
  const energy = inverterEnergy(image);
  if (energy === undefined) {
    throw new Problem("demo-corpus", "the capture has no energy register", {
      where: path,
      expected: "a SunSpec map with model 101 at register 40000",
    });
  }
  return { name: "sma-sunny-boy", file: basename(path), image, energy };
}

function imageOf(path: string): RegisterImage {
  try {
    return parseRegisterImage(JSON.parse(Buffer.from(bytesOf(path)).toString("utf8")));
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw new Problem("demo-corpus", "not a register capture", {
      where: path,
      expected: "JSON of {blocks: [{start, registers}]}",
      cause,
    });
  }
}

const MAP_START = 40000;
const SINGLE_PHASE_INVERTER = 101;
const END_OF_MAP = 0xffff;
/** Points of model 101 behind its ID and length: WH (acc32) and WH_SF. */
const WH = 22;
const WH_SCALE = 24;

/** Walks the models of a SunSpec map (ID, length, points) to the inverter's, and reads its energy. */
function inverterEnergy(image: RegisterImage): RegisterCapture["energy"] | undefined {
  const block = image.blocks.find((each) => each.start === MAP_START);
  const at = (index: number): number => block?.registers[index] ?? END_OF_MAP;
  let model = 2;
  while (at(model) !== SINGLE_PHASE_INVERTER && at(model) !== END_OF_MAP) model += 2 + at(model + 1);
  if (at(model) !== SINGLE_PHASE_INVERTER) return undefined;
  const points = model + 2;
  const steps = at(points + WH) * 65536 + at(points + WH + 1);
  const exportMwh = steps * 10 ** at(points + WH_SCALE) * 1000;
  return { start: MAP_START + points, count: at(model + 1), registers: { exportMwh } };
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    throw unreadable(folder, cause);
  }
}

function bytesOf(path: string): Uint8Array {
  try {
    const { size } = statSync(path);
    if (size <= MAX_FILE_BYTES) return new Uint8Array(readFileSync(path));
    throw new Problem("demo-corpus", "too large for a capture", {
      where: path,
      expected: `at most ${MAX_FILE_BYTES} bytes`,
      got: String(size),
    });
  } catch (cause) {
    throw cause instanceof Problem ? cause : unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): Problem {
  return new Problem("demo-corpus", "cannot be read", {
    where: path,
    got: cause instanceof Error ? cause.message : String(cause),
    hint: "--corpus takes the folder that holds dsmr-p1/ and sunspec/",
    cause,
  });
}
