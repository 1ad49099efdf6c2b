import { Problem } from "../../attest/problem.ts";
import type { MeterIdentity } from "../driver.ts";
import type { Talk } from "../telegram/talk.ts";
import { bytesOf, textOf } from "./characters.ts";
import {
  type AnswerMode,
  answerMode,
  type Identification,
  parseIdentification,
  rateCharacterOf,
} from "./identification.ts";
import { type Pace, pause, USUAL_PACE, wireMs } from "./pace.ts";
import { Messages } from "./waiting.ts";

/** How a meter is asked for its readout. */
export interface Asking {
  /** Where several meters are on one line; empty: whichever is there. */
  readonly address: string;
  /** Rate at which the line is opened. */
  readonly initialBaudRate: number;
  /** The fastest to change to. */
  readonly maxBaudRate: number;
  /** From the end of the acknowledgement to the change of rate, ms. */
  readonly baudChangeDelayMs: number;
  /** The line does not add the parity of characters itself. */
  readonly parity: boolean;
  /** The meter sleeps until it is woken. */
  readonly battery: boolean;
  /** When there is no more time, by `performance.now()`. */
  readonly endMs: number;
  readonly pace: Pace;
  /** Told when the meter has named itself. */
  readonly onAnswer?: () => void;
}

/**
 * One readout in a conversation (IEC 62056-21, 6.4): request, identification, acknowledgement where the meter waits for
 * one (mode C), data. Leaves the line at its initial rate, whatever comes.
 *
 * @returns the identification and the data block as they were sent, one behind the other
 * @throws Problem `iec62056-silent`, `iec62056-refused`, `iec62056-break`, `iec62056-answer`, `iec62056-baud-rate`,
 *   those of damaged messages, `line-…`
 */
export async function askReadout(talk: Talk, asking: Asking): Promise<Uint8Array> {
  const messages = new Messages(talk, asking.pace);
  const identification = await signOn(talk, messages, asking);
  asking.onAnswer?.();
  const mode = answerMode(parseIdentification(textOf(identification).slice(1).trimEnd()).rateCharacter);
  const changed = await goOn(talk, mode, asking);
  try {
    const { reactionMs, latencyMs } = asking.pace;
    const firstMs = wireMs(ACKNOWLEDGEMENT, asking.initialBaudRate) + reactionMs + latencyMs;
    const data = await messages.next({ what: "data", firstMs, endMs: asking.endMs });
    refuseAnswer(data, talk.name);
    return Uint8Array.of(...identification, ...data);
  } finally {
    // A line that is lost meanwhile is opened anew, at its initial rate.
    if (changed) await talk.changeBaudRate?.(asking.initialBaudRate).catch(() => undefined);
  }
}

const ACKNOWLEDGEMENT = 6;

/**
 * The identification alone, as it was sent; returns when the meter may be asked again: one that was not acknowledged waits
 * for that for so long, others send their data.
 *
 * @throws Problem `iec62056-silent`, those of damaged messages, `line-…`
 */
export async function askName(talk: Talk, asking: Asking): Promise<Uint8Array> {
  const identification = await signOn(talk, new Messages(talk, asking.pace), asking);
  asking.onAnswer?.();
  const { reactionMs, latencyMs } = asking.pace;
  await talk.quiet(reactionMs + latencyMs, Math.max(0, asking.endMs - performance.now()));
  return identification;
}

/** Maker and model of an identification as it was sent, alone or before its data. */
export function nameIn(bytes: Uint8Array): Pick<Identification, "make" | "model"> {
  const [line = ""] = textOf(bytes).split("\n", 1);
  const { make, model } = parseIdentification(line.slice(1).trimEnd());
  return { make, model };
}

async function signOn(talk: Talk, messages: Messages, asking: Asking): Promise<Uint8Array> {
  const { address, initialBaudRate, pace, parity } = asking;
  if (asking.battery) await wake(talk, asking);
  const request = `/?${address}!\r\n`;
  await talk.send(bytesOf(request, parity));
  const sentMs = wireMs(request.length, initialBaudRate);
  const firstMs = sentMs + pace.reactionMs + pace.latencyMs;
  // Whatever babbles on a line must not hold it for long.
  const longestMs = firstMs + wireMs(LONGEST_IDENTIFICATION, initialBaudRate) + pace.reactionMs;
  const endMs = Math.min(asking.endMs, performance.now() + longestMs);
  return await messages.next({ what: "identification", firstMs, endMs });
}

const LONGEST_IDENTIFICATION = 64;

/** IEC 62056-21, annex on devices with a battery: zeros for 2.1 to 2.3 s, then a pause of 1.5 to 1.7 s. */
async function wake(talk: Talk, { initialBaudRate, pace }: Asking): Promise<void> {
  await talk.send(new Uint8Array(Math.ceil(pace.wakeMs / wireMs(1, initialBaudRate))));
  await pause(pace.wakeMs + pace.wokenMs);
  await talk.discard();
}

/** Acknowledges where that is awaited and changes the rate where the meter does; whether it was changed. */
async function goOn(talk: Talk, mode: AnswerMode, asking: Asking): Promise<boolean> {
  if (mode.mode === "A") return false;
  const rate = mode.mode === "B" ? mode.baudRate : chosenRate(talk, mode.baudRate, asking);
  if (mode.mode === "C") await acknowledge(talk, rate, asking);
  if (rate === undefined || rate === asking.initialBaudRate) return false;
  const change = talk.changeBaudRate;
  if (change === undefined) throw unchangeable(talk.name, rate);
  await change(rate);
  return true;
}

/** The offered rate or none: meters answer to one in between as if it were not there. */
function chosenRate(
  talk: Talk,
  offered: number,
  { initialBaudRate, maxBaudRate }: Asking,
): number | undefined {
  if (offered === initialBaudRate) return offered;
  return offered <= maxBaudRate && talk.changeBaudRate !== undefined ? offered : undefined;
}

/** `ACK V Z Y CR LF` (IEC 62056-21, 6.3.3): normal procedure, the rate, readout. `Z` 0: go on as we began. */
async function acknowledge(talk: Talk, rate: number | undefined, asking: Asking): Promise<void> {
  const { initialBaudRate, baudChangeDelayMs, parity } = asking;
  const words = `\x060${rate === undefined ? "0" : rateCharacterOf(rate)}0\r\n`;
  await talk.send(bytesOf(words, parity));
  // Adapters keep the last characters back after they were handed over.
  if (rate !== undefined && rate !== initialBaudRate)
    await pause(wireMs(words.length, initialBaudRate) + baudChangeDelayMs);
}

function unchangeable(where: string, rate: number): Problem {
  return new Problem("iec62056-baud-rate", "the meter changes its baud rate, and the line cannot", {
    where,
    got: `${rate} baud`,
    hint: "connect the optical head to a serial port of this machine; a gateway keeps its rate",
  });
}

/** `STX (ER01) ETX BCC`: an error instead of data. */
function refuseAnswer(data: Uint8Array, where: string): void {
  const error = /^\(?([^()\r\n]{0,32})\)?$/.exec(textOf(data.subarray(1, -2)));
  if (error === null) return;
  throw new Problem("iec62056-answer", "the meter answers with an error", {
    where,
    got: JSON.stringify(error[1] ?? ""),
  });
}

/** What a scan asks with; it changes no rate and reads no data. */
const SCAN_ASKING: Omit<Asking, "endMs"> = {
  ...{ address: "", initialBaudRate: 300, maxBaudRate: 300, baudChangeDelayMs: 0 },
  ...{ parity: true, battery: false, pace: USUAL_PACE },
};

/**
 * Who answers on a line at 300 baud: maker and model, since the number comes with the data only. Undefined where nobody
 * does. A meter that was asked so and is asked no further is ready again after 1.5 s.
 *
 * @throws Problem `line-…`
 */
export async function askIdentity(talk: Talk, pace: Pace = USUAL_PACE): Promise<MeterIdentity | undefined> {
  const messages = new Messages(talk, pace);
  const asking: Asking = { ...SCAN_ASKING, pace, endMs: performance.now() + LONGEST_SCAN_MS };
  try {
    const { make, model } = nameIn(await signOn(talk, messages, asking));
    return { make, model, serial: "", firmware: "" };
  } catch (error) {
    if (error instanceof Problem && error.code.startsWith("iec62056-")) return undefined;
    throw error;
  }
}

const LONGEST_SCAN_MS = 10_000;
