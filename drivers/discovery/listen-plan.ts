import { formatText, type SerialFormat } from "../line/address.ts";
import type { Listening } from "../telegram/protocol.ts";
import { formatFrom, sameFormat } from "./serial-format.ts";
import type { ListenTimes } from "./terms.ts";

/** The line is listened to with these settings once. */
export interface ListenStop {
  readonly format: SerialFormat;
  readonly speakers: readonly ExpectedSpeaker[];
  /** One of them has begun to speak within this time. */
  readonly patienceMs: number;
}

/** A kind of meter with the settings at which it may speak. */
export interface ExpectedSpeaker {
  readonly listening: Listening;
  readonly format: SerialFormat;
}

/**
 * Whoever speaks at 1200 to 115200 baud is noticed at these settings. A receiver that runs up to
 * ten times too fast still meets a high bit where it wants the stop bit of every second character or so; one that runs
 * too slow samples bits at random, and half of them are high. One that runs more than ten times too fast hears a break
 * and no byte: at 115200 baud a meter that speaks at 9600 is silent.
 */
export const NOTICING_FORMAT: SerialFormat = formatFrom("9600 8N1");

/**
 * Where to listen, in order. At the first stop everybody is noticed, if only by bytes that make no sense; the others,
 * the most frequent settings first, tell who it is. Empty without speakers.
 */
export function planListening(speakers: readonly Listening[], times: ListenTimes): readonly ListenStop[] {
  if (speakers.length === 0) return [];
  const rows = Math.max(...speakers.map(({ formats }) => formats.length));
  const ranked = Array.from({ length: rows }, (_, row) =>
    speakers.flatMap(({ formats }) => formats.slice(row, row + 1)),
  ).flat();
  const formats = [NOTICING_FORMAT, ...ranked].map(heardWith);
  const stops = [...new Map(formats.map((format) => [formatText(format), format])).values()];
  return stops.map((format, at) => {
    const own = speakers.flatMap((listening) => expectedAt(listening, format));
    const noticed = at === 0 ? speakers : own.map(({ listening }) => listening);
    return { format, speakers: own, patienceMs: patience(noticed, times) };
  });
}

/** Seven bits with parity take as long as eight without: one stop hears both. */
function heardWith(format: SerialFormat): SerialFormat {
  return isSevenBit(format) ? { ...format, dataBits: 8, parity: "none" } : format;
}

/** Whether characters have their parity where eight bits without parity have the highest one. */
export function isSevenBit({ dataBits, parity }: SerialFormat): boolean {
  return dataBits === 7 && parity !== "none";
}

/** Settings of eight bits come before those of seven, if a kind has both. */
function expectedAt(listening: Listening, format: SerialFormat): ExpectedSpeaker[] {
  const own = listening.formats.filter((one) => sameFormat(heardWith(one), format));
  const best = own.find((one) => !isSevenBit(one)) ?? own[0];
  return best === undefined ? [] : [{ listening, format: best }];
}

/** How long it takes to see that nobody speaks, ms: at the first stop, or at all of them. */
export function noticingMs(stops: readonly ListenStop[], thorough = false): number {
  return stops.slice(0, thorough ? stops.length : 1).reduce((sum, { patienceMs }) => sum + patienceMs, 0);
}

/** How long it takes at most to tell who speaks, ms. */
export function listeningMs(stops: readonly ListenStop[], { telegramMs }: ListenTimes): number {
  const [most, total] = [
    longest(stops),
    stops.reduce((sum, { patienceMs }) => sum + patienceMs + telegramMs, 0),
  ];
  // Who is recognised is listened to once more for its name.
  return stops.length === 0 ? 0 : total + most;
}

function longest(stops: readonly ListenStop[]): number {
  return Math.max(0, ...stops.map(({ patienceMs }) => patienceMs));
}

function patience(speakers: readonly Listening[], { marginMs }: ListenTimes): number {
  return Math.max(...speakers.map(({ periodMs }) => periodMs)) + marginMs;
}
