import { type FramingOutcome, TelegramFramer } from "../../../drivers/dsmr/framing.ts";
import { type DecodedTelegram, decodeReading } from "../../../drivers/dsmr/reading.ts";
import { parseTelegram } from "../../../drivers/dsmr/telegram.ts";
import { encodeP1Telegram, type P1State } from "../../../drivers/simulated/p1-telegram.ts";

export const STATE: P1State = {
  serial: "E0044007882246019",
  importT1Mwh: 2_130_115_000,
  importT2Mwh: 245_467_000,
  exportT1Mwh: 17_003_000,
  exportT2Mwh: 0,
  activePowerMw: -1_234_000,
  timeMs: Date.UTC(2026, 6, 1, 12, 0, 5),
  voltageMv: [229_900, 229_200, 222_900],
  currentMa: [120, 0, 5_370],
};

export const TELEGRAM: Uint8Array = encodeP1Telegram(STATE);

export function ascii(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

export function join(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** The outcomes of a stream that arrives in chunks of `size` bytes. */
export function frame(stream: Uint8Array, size: number = stream.length): FramingOutcome[] {
  const framer = new TelegramFramer();
  const outcomes: FramingOutcome[] = [];
  for (let at = 0; at < stream.length; at += Math.max(size, 1)) {
    outcomes.push(...framer.push(stream.subarray(at, at + Math.max(size, 1))));
  }
  return outcomes;
}

/** Whole telegrams found, decoded. */
export function decodeAll(stream: Uint8Array, size?: number): DecodedTelegram[] {
  return frame(stream, size).flatMap((outcome) =>
    outcome.kind === "telegram" ? [decodeReading(parseTelegram(outcome), outcome, 60)] : [],
  );
}

/** The one telegram that `stream` holds, decoded. Throws what the decoder throws. */
export function decodeOne(stream: Uint8Array): DecodedTelegram {
  const [only, ...more] = decodeAll(stream);
  if (only === undefined || more.length > 0) throw new Error("not exactly one telegram");
  return only;
}

/** The codes of what was refused. */
export function refusals(stream: Uint8Array, size?: number): string[] {
  return frame(stream, size).flatMap((outcome) => (outcome.kind === "refused" ? [outcome.problem.code] : []));
}

/** The code of the Problem that `action` throws. */
export function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof Error && "code" in error) return String(error.code);
    throw error;
  }
  return "nothing was thrown";
}

/** A telegram without checksum, as DSMR 2.2 prints it, with these lines. */
export function plainTelegram(...lines: string[]): Uint8Array {
  return ascii(["/ISk5\\2MT382-1004", "", ...lines, "!", ""].join("\r\n"));
}
