import { Problem } from "../../../attest/problem.ts";
import type { MeterTerms } from "../../../drivers/discovery/terms.ts";
import { formatText, type LineAddress, lineName, type SerialFormat } from "../../../drivers/line/address.ts";
import type { ByteLine, LineListener } from "../../../drivers/line/line.ts";
import type { Listening, MeterTelegram, TelegramProtocol } from "../../../drivers/telegram/protocol.ts";
import { type Examination, type FrameFormat, StreamFramer } from "../../../drivers/telegram/stream-framer.ts";
import { received } from "./uart.ts";

/** Times for lines whose meters speak some times a second, on a machine that may stand still for a while. */
export const QUICK_TIMES: MeterTerms["times"] = {
  gapMs: 60,
  marginMs: 300,
  telegramMs: 400,
  sendersMs: 1000,
};

/** What is at the far end of a line. */
export interface FarEnd {
  readonly format: SerialFormat;
  /** It says these by itself, in turn, so often. */
  readonly says?: { readonly everyMs: number; readonly bursts: readonly Uint8Array[] };
  /** What it says upon bytes that it hears. */
  answers?(bytes: Uint8Array): readonly Uint8Array[];
}

/** Serial lines that are not there. Bytes take no time, and whoever listens with other settings hears other bytes. */
export class SpeakingLines {
  readonly #ends: Readonly<Record<string, FarEnd>>;
  readonly opened: string[] = [];
  /** Bytes that were sent, of whatever settings. */
  written = 0;
  open = 0;

  constructor(ends: Readonly<Record<string, FarEnd>>) {
    this.#ends = ends;
  }

  readonly createLine = (address: LineAddress, defaults: SerialFormat): ByteLine => {
    const heard = { ...defaults, ...(address.kind === "serial" ? address : {}) };
    const name = lineName(address);
    const end = this.#ends[name];
    return end === undefined ? new DeadLine(name) : new FakeLine(name, { end, heard, lines: this });
  };
}

class DeadLine implements ByteLine {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  open(): Promise<void> {
    return Promise.reject(new Problem("line-not-found", "there is no such port", { where: this.name }));
  }

  write(): Promise<void> {
    return Promise.reject(new Problem("line-not-open", "the line is not open", { where: this.name }));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

interface FakeLineOptions {
  readonly end: FarEnd;
  readonly heard: SerialFormat;
  readonly lines: SpeakingLines;
}

class FakeLine implements ByteLine {
  readonly name: string;
  readonly #options: FakeLineOptions;
  #listener: LineListener | undefined;
  #timer: NodeJS.Timeout | undefined;
  #said = 0;

  constructor(name: string, options: FakeLineOptions) {
    this.name = name;
    this.#options = options;
  }

  open(listener: LineListener): Promise<void> {
    const { end, heard, lines } = this.#options;
    lines.opened.push(formatText(heard));
    lines.open += 1;
    this.#listener = listener;
    if (end.says !== undefined) this.#timer = setInterval(() => this.#say(), end.says.everyMs);
    return Promise.resolve();
  }

  write(bytes: Uint8Array): Promise<void> {
    const { end, heard, lines } = this.#options;
    lines.written += bytes.length;
    const there = received(bytes, [heard, end.format]);
    setImmediate(() => {
      for (const answer of end.answers?.(there) ?? []) this.#deliver(answer);
    });
    return Promise.resolve();
  }

  close(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#listener !== undefined) this.#options.lines.open -= 1;
    this.#listener = undefined;
    return Promise.resolve();
  }

  #say(): void {
    const { says } = this.#options.end;
    const burst = says?.bursts[this.#said % says.bursts.length];
    this.#said += 1;
    if (burst !== undefined) this.#deliver(burst);
  }

  #deliver(bytes: Uint8Array): void {
    const { end, heard } = this.#options;
    const here = received(bytes, [end.format, heard]);
    for (let at = 0; at < here.length; at += 64) this.#listener?.onBytes(here.slice(at, at + 64));
  }
}

/** A made-up protocol: "<NAME serial sum>", or "<NAME - sum>" for a telegram without its meter's name. */
export interface ToyOptions {
  readonly driver: string;
  readonly formats: readonly SerialFormat[];
  readonly periodMs?: number;
  /** Refuses every telegram with this code. */
  readonly refuses?: string;
}

export function toy({ driver, formats, periodMs = 200, refuses }: ToyOptions): Listening {
  return { driver, formats, periodMs, createProtocol: () => new ToyProtocol(driver, refuses) };
}

export function toyTelegram(driver: string, serial = "-", padding = 330): Uint8Array {
  const text = `<${driver} ${serial} ${"lorem ipsum dolor ".repeat(20).slice(0, padding)}`;
  return new TextEncoder().encode(`${text}${sumOf(text)}>`);
}

class ToyProtocol implements TelegramProtocol {
  readonly what: string;
  readonly wiringHint = "";
  readonly finalCodes: readonly string[] = ["toy-key-missing", "toy-units"];
  readonly #driver: string;
  readonly #refuses: string | undefined;

  constructor(driver: string, refuses: string | undefined) {
    this.what = `${driver} telegram`;
    this.#driver = driver;
    this.#refuses = refuses;
  }

  createFramer(): StreamFramer {
    return new StreamFramer(toyFormat(this.#driver));
  }

  decode(telegram: Uint8Array): MeterTelegram {
    if (this.#refuses !== undefined) throw new Problem(this.#refuses, "refused");
    const [, serial = ""] = new TextDecoder().decode(telegram).split(" ");
    const identity = { make: "ACME", model: "T", serial, firmware: "" };
    return { channels: [], readings: [], absent: [], ...(serial === "-" ? {} : { identity }) };
  }

  forget(): void {}
}

const MAX_BYTES = 512;

function toyFormat(driver: string): FrameFormat {
  const head = `<${driver} `;
  return {
    maxBytes: MAX_BYTES,
    find: (bytes, from) => {
      const at = bytes.indexOf(head.charCodeAt(0), from);
      return at < 0 ? bytes.length : at;
    },
    examine: (bytes, { offset }): Examination => {
      const text = new TextDecoder("latin1").decode(bytes);
      if (!head.startsWith(text.slice(0, head.length))) return { kind: "noise" };
      const end = text.indexOf(">");
      if (end < 0)
        return bytes.length < MAX_BYTES ? { kind: "incomplete", need: bytes.length + 1 } : { kind: "noise" };
      const sum = text.slice(0, end - 2);
      if (sumOf(sum) === text.slice(end - 2, end)) return { kind: "telegram", length: end + 1 };
      const problem = new Problem("toy-sum", "wrong sum", { where: `${offset}` });
      return { kind: "refused", length: end + 1, problem };
    },
    cut: () => undefined,
  };
}

function sumOf(text: string): string {
  const sum = [...text].reduce((total, letter) => (total + letter.charCodeAt(0)) % 256, 0);
  return sum.toString(16).padStart(2, "0");
}
