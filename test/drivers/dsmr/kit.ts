import { crc16Arc } from "../../../drivers/dsmr/checksum.ts";
import { P1Framer } from "../../../drivers/dsmr/framing.ts";
import { type DecodedReading, decodeReading } from "../../../drivers/dsmr/reading.ts";
import { parseTelegram, type Telegram } from "../../../drivers/dsmr/telegram.ts";
import { wholeTelegram } from "../../../drivers/dsmr/whole-telegram.ts";
import { encodeP1Telegram, type P1State } from "../../../drivers/simulated/p1-telegram.ts";
import type { ShownByMeter, SimulatedSpeaker } from "../../../drivers/simulated/speaking.ts";
import type { Framed } from "../../../drivers/telegram/telegram.ts";

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

export const SHOWN: ShownByMeter = { ...STATE, frequencyMhz: 50_010 };

export const KEY: Uint8Array = Uint8Array.from({ length: 16 }, (_, at) => 0xa0 + at);
export const AUTHENTICATION_KEY: Uint8Array = Uint8Array.from({ length: 16 }, (_, at) => 0xd0 + at);

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
export function frame(stream: Uint8Array, size: number = stream.length): Framed[] {
  const framer = new P1Framer();
  const outcomes: Framed[] = [];
  for (let at = 0; at < stream.length; at += Math.max(size, 1)) {
    outcomes.push(...framer.push(stream.subarray(at, at + Math.max(size, 1))));
  }
  return outcomes;
}

/** A whole telegram taken apart. */
export function parsed(bytes: Uint8Array): Telegram {
  return parseTelegram(wholeTelegram(bytes));
}

/** Whole telegrams found, decoded. */
export function decodeAll(stream: Uint8Array, size?: number): DecodedReading[] {
  return frame(stream, size).flatMap((outcome) =>
    outcome.kind === "telegram" ? [decodeReading(parsed(outcome.bytes), 60)] : [],
  );
}

/** The one telegram that `stream` holds, decoded. Throws what the decoder throws. */
export function decodeOne(stream: Uint8Array): DecodedReading {
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

/** The only frame that an encrypted meter sends at this instant. */
export function frameOf(speaker: SimulatedSpeaker, shown: ShownByMeter = SHOWN): Uint8Array {
  const [only, ...more] = speaker.telegrams(shown);
  if (only === undefined || more.length > 0) throw new Error("not exactly one telegram");
  return only;
}

/** A telegram with its checksum, with these lines. */
export function checkedTelegram(first: string, ...lines: string[]): Uint8Array {
  const body = ascii([first, "", ...lines, "!"].join("\r\n"));
  const checksum = crc16Arc(body).toString(16).toUpperCase().padStart(4, "0");
  return join(body, ascii(`${checksum}\r\n`));
}

/** A telegram without checksum, as DSMR 2.2 prints it, with these lines. */
export function plainTelegram(...lines: string[]): Uint8Array {
  return ascii(["/ISk5\\2MT382-1004", "", ...lines, "!", ""].join("\r\n"));
}
