import { Problem } from "../../../attest/problem.ts";
import { Iec62056Framer } from "../../../drivers/iec62056/framing.ts";
import type { AskedOptions } from "../../../drivers/iec62056/meter.ts";
import type { Pace } from "../../../drivers/iec62056/pace.ts";
import type { ByteLine, LineListener } from "../../../drivers/line/line.ts";
import type { Iec62056Answerer } from "../../../drivers/simulated/iec62056-telegram.ts";
import type { ShownByMeter } from "../../../drivers/simulated/speaking.ts";
import { type CutStream, framedBy } from "../telegram/framed.ts";

export function ascii(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** Each character with even parity in its highest bit, counted bit by bit. */
export function withParity(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => {
    let ones = 0;
    for (let bit = 0; bit < 7; bit += 1) ones += (byte >> bit) & 1;
    return (byte & 0x7f) | (ones % 2 === 1 ? 0x80 : 0);
  });
}

/** `STX text ETX BCC`; the check character as ISO 1155 has it, each bit for itself. */
export function block(text: string, first = "\x02"): Uint8Array {
  const body = ascii(`${text}\x03`);
  let check = 0;
  for (let bit = 0; bit < 7; bit += 1) {
    const ones = body.reduce((count, byte) => count + ((byte >> bit) & 1), 0);
    if (ones % 2 === 1) check += 2 ** bit;
  }
  return join(ascii(first), body, Uint8Array.of(check));
}

/** What a meter of mode D sends. */
export function pushed(identification: string, ...lines: readonly string[]): Uint8Array {
  return ascii(`/${identification}\r\n\r\n${lines.map((line) => `${line}\r\n`).join("")}!\r\n`);
}

/** What a meter of mode C answers, both messages one behind the other. */
export function answered(identification: string, ...lines: readonly string[]): Uint8Array {
  return join(ascii(`/${identification}\r\n`), block(`${lines.map((line) => `${line}\r\n`).join("")}!\r\n`));
}

export const frame: CutStream = framedBy(() => new Iec62056Framer());

export const SHOWN: ShownByMeter = {
  serial: "40718293",
  importT1Mwh: 1_234_567_890,
  importT2Mwh: 2_000_000_000,
  exportT1Mwh: 5_000_000,
  exportT2Mwh: 600_000,
  activePowerMw: -1_250_300,
  timeMs: Date.UTC(2026, 5, 1, 12),
  voltageMv: [230_100, 231_200, 229_900],
  currentMa: [1_810, 1_820, 1_790],
  frequencyMhz: 49_980,
};

/** Waits that a test has time for. */
export const QUICK: Pace = { reactionMs: 40, characterMs: 40, latencyMs: 20, wakeMs: 10, wokenMs: 10 };

/** Characters are on the wire no time at all at this rate, so that a test need not wait for them. */
export const OPTIONS: AskedOptions = {
  ...{ address: "", initialBaudRate: 300, maxBaudRate: 9_600, baudChangeDelayMs: 0 },
  ...{ parity: true, battery: false, minIntervalMs: 0, readTimeoutMs: 8_000 },
};

export interface MeterLineSettings {
  readonly answerer: Iec62056Answerer;
  /** False: a line that keeps its rate, as over TCP. */
  readonly changes?: boolean;
  /** What the line makes of the meter's nth answer; nothing of it: silence. */
  readonly spoil?: (answer: Uint8Array, count: number) => readonly Uint8Array[];
  /** An optical head that hears itself. */
  readonly echoes?: boolean;
}

/** A line with a meter at its end. What the meter sends at another rate than the line's arrives as garbage. */
export class MeterLine implements ByteLine {
  readonly name = "a line";
  readonly sent: Uint8Array[] = [];
  readonly rates: number[] = [];
  readonly changeBaudRate?: (baudRate: number) => Promise<void>;
  readonly #settings: MeterLineSettings;
  #rate = 300;
  #count = 0;
  #writtenMs = 0;
  #wireMs = 0;
  #due: NodeJS.Timeout[] = [];
  #listener: LineListener | undefined;

  constructor(settings: MeterLineSettings) {
    this.#settings = settings;
    if (settings.changes === false) return;
    this.changeBaudRate = async (baudRate) => {
      // What is still on the wire is sent at the new rate, and understood by nobody.
      if (performance.now() - this.#writtenMs < this.#wireMs - 5)
        for (const timer of this.#due) clearTimeout(timer);
      this.rates.push(baudRate);
      this.#rate = baudRate;
    };
  }

  async open(listener: LineListener): Promise<void> {
    this.#listener = listener;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.sent.push(bytes);
    const { answerer, echoes = false } = this.#settings;
    if (echoes) this.#deliver(bytes);
    const answers = answerer.answers(bytes, SHOWN).flatMap((answer) => this.#spoilt(answer));
    // The six characters of an acknowledgement are on the wire for 200 ms, and the meter begins right behind them.
    this.#wireMs = ((bytes[0] ?? 0) & 0x7f) === 0x06 ? 200 : 0;
    this.#writtenMs = performance.now();
    this.#due = answers.map((answer, index) => {
      const isName = index === 0 && this.#wireMs === 0;
      return setTimeout(
        () => this.#arrive(answer, isName ? 300 : answerer.baudRate),
        this.#wireMs + 10 + 10 * index,
      );
    });
  }

  lose(): void {
    this.#listener?.onClosed(new Problem("line-closed", "pulled"));
  }

  async close(): Promise<void> {
    this.#listener = undefined;
  }

  #spoilt(answer: Uint8Array): readonly Uint8Array[] {
    const count = this.#count;
    this.#count += 1;
    return this.#settings.spoil?.(answer, count) ?? [answer];
  }

  #arrive(answer: Uint8Array, rate: number): void {
    this.#deliver(rate === this.#rate ? answer : answer.map((byte, index) => (byte * 37 + index) & 0xff));
  }

  #deliver(bytes: Uint8Array): void {
    this.#listener?.onBytes(bytes);
  }
}
