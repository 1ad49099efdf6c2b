import { Problem } from "../../attest/problem.ts";
import type { ChannelDescription, MeterIdentity, PolledMeter, Snapshot } from "../driver.ts";
import { closedDriver } from "../line/problems.ts";
import type { AskedLine } from "../telegram/asked-line.ts";
import type { MeterTelegram, TelegramProtocol } from "../telegram/protocol.ts";
import { provenSnapshot } from "../telegram/proven.ts";
import { requireSameMeter } from "../telegram/same-meter.ts";
import type { Talk } from "../telegram/talk.ts";
import { type Asking, askName, askReadout, nameIn } from "./asking.ts";
import { type Pace, USUAL_PACE } from "./pace.ts";

/** What an {@link AskedMeter} is told about its meter. */
export interface AskedOptions extends Omit<Asking, "endMs" | "pace" | "onAnswer"> {
  /** The meter is read at most so often, ms. */
  readonly minIntervalMs: number;
  /** One read with all its attempts, ms. */
  readonly readTimeoutMs: number;
}

/** What an {@link AskedMeter} takes from the world. */
export interface AskedSurroundings {
  readonly line: AskedLine;
  readonly protocol: TelegramProtocol;
  /** When this meter answered last, whoever asked it; by `performance.now()`. */
  readonly lastAnswer: { atMs: number | undefined };
  readonly pace?: Pace;
}

const ATTEMPTS = 3;
/** What no further attempt mends. */
const FINAL: ReadonlySet<string> = new Set(["iec62056-baud-rate", "iec62056-answer"]);
/** Naming itself takes a whole readout, which serves as the first reading where that is wanted at once. */
const FRESH_MS = 2_000;
const LONGEST_QUIET_MS = 10_000;

interface Fresh {
  readonly snapshot: Snapshot;
  readonly atMs: number;
}

/** What a meter is asked for. */
type Ask = (talk: Talk, asking: Asking) => Promise<Uint8Array>;

interface Attempt {
  readonly ask: Ask;
  readonly attempt: number;
  readonly endMs: number;
  readonly pace: Pace;
}

/** A meter with an optical port that is asked for its readout (modes A, B and C). */
export class AskedMeter implements PolledMeter {
  readonly mode = "polled";
  readonly #options: AskedOptions;
  readonly #surroundings: AskedSurroundings;
  #maxBaudRate: number;
  #identity: MeterIdentity | undefined;
  #channels: ReadonlyMap<string, ChannelDescription> = new Map();
  #fresh: Fresh | undefined;
  #closed = false;

  constructor(options: AskedOptions, surroundings: AskedSurroundings) {
    this.#options = options;
    this.#surroundings = surroundings;
    this.#maxBaudRate = options.maxBaudRate;
  }

  /**
   * Asks the meter for its name, reads it once and takes it for the meter of this line from then on. An identification has
   * no check character, so that it has to come twice.
   *
   * @throws Problem `line-…`, `iec62056-…`, `telegram-…`, `driver-closed`, `iec62056-too-soon` where it was read shortly
   *   before, `iec62056-name` where it came in two forms
   */
  async identify(): Promise<MeterIdentity> {
    const tooSoon = this.#tooSoon();
    if (tooSoon !== undefined) throw tooSoon;
    this.#surroundings.protocol.forget();
    const name = await this.#talked(askName);
    const { telegram, bytes } = await this.#readout();
    if (telegram.identity === undefined)
      throw new Problem("driver-not-identified", "the readout names no meter");
    const identity = { ...telegram.identity, ...(await this.#nameTwice(name, bytes)) };
    this.#identity = identity;
    this.#channels = new Map(telegram.channels.map((channel) => [channel.name, channel]));
    this.#fresh = { snapshot: this.#snapshot(telegram, bytes), atMs: performance.now() };
    return identity;
  }

  channels(): readonly ChannelDescription[] {
    if (this.#identity !== undefined) return [...this.#channels.values()];
    throw new Problem("driver-not-identified", "the meter has not been identified yet");
  }

  /**
   * One readout. A meter that may not be asked again yet is left alone: then the snapshot has no reading, and says why.
   *
   * @throws Problem `line-…`, `iec62056-…`, `telegram-…`, `driver-identity-changed`, `driver-not-identified`, `driver-closed`
   */
  async read(): Promise<Snapshot> {
    const known = this.#identity;
    const fresh = this.#fresh;
    this.#fresh = undefined;
    if (this.#closed) throw closedDriver();
    if (known === undefined)
      throw new Problem("driver-not-identified", "the meter has not been identified yet");
    if (fresh !== undefined && performance.now() - fresh.atMs < FRESH_MS) return fresh.snapshot;
    const tooSoon = this.#tooSoon();
    if (tooSoon !== undefined) return { readings: [], flexibility: [], absent: [tooSoon.message] };
    const endMs = this.#endMs();
    const { telegram, bytes } = await this.#readout(endMs);
    const { identity } = telegram;
    if (identity !== undefined && !(await this.#isNameDamaged([known, identity], endMs)))
      requireSameMeter(known, identity);
    return this.#snapshot(telegram, bytes);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#surroundings.line.release();
  }

  #tooSoon(): Problem | undefined {
    const { minIntervalMs } = this.#options;
    const { atMs } = this.#surroundings.lastAnswer;
    const agoMs = atMs === undefined ? undefined : Math.floor(performance.now() - atMs);
    if (agoMs === undefined || agoMs >= minIntervalMs) return undefined;
    return new Problem("iec62056-too-soon", "the meter was read a short while ago", {
      expected: `${minIntervalMs} ms between two reads (minIntervalMs), to spare its battery`,
      got: `${agoMs} ms`,
    });
  }

  /** The name that came twice; where two differ, a third decides. */
  async #nameTwice(name: Uint8Array, readout: Uint8Array): Promise<ReturnType<typeof nameIn>> {
    if (beginsWith(readout, name)) return nameIn(name);
    const again = await this.#talked(askName);
    if (beginsWith(readout, again) || beginsWith(name, again)) return nameIn(again);
    const [first, second] = [name, readout].map(nameIn).map(({ make, model }) => `${make} ${model}`);
    throw new Problem("iec62056-name", "the meter's identification comes in several forms", {
      expected: "twice the same",
      got: `${first} and ${second}`,
      hint: "check that the optical head sits straight on the port; an identification has no check character",
    });
  }

  /** The check character vouches for the number, and nothing for the name: with the same number it is asked for again. */
  async #isNameDamaged(
    [known, found]: readonly [MeterIdentity, MeterIdentity],
    endMs: number,
  ): Promise<boolean> {
    if (found.serial === "" || found.serial !== known.serial) return false;
    if (found.make === known.make && found.model === known.model) return false;
    const { make, model } = nameIn(await this.#talked(askName, endMs));
    return make === known.make && model === known.model;
  }

  #endMs(): number {
    return performance.now() + this.#options.readTimeoutMs;
  }

  async #readout(endMs?: number): Promise<{ readonly telegram: MeterTelegram; readonly bytes: Uint8Array }> {
    const bytes = await this.#talked(askReadout, endMs);
    const telegram = this.#surroundings.protocol.decode(bytes);
    if (telegram === undefined) throw new Problem("iec62056-truncated", "the readout says nothing");
    return { telegram, bytes };
  }

  #talked(ask: Ask, endMs: number = this.#endMs()): Promise<Uint8Array> {
    return this.#surroundings.line.talk((talk) => this.#attempts(talk, { ask, endMs }));
  }

  /** The last attempt stays at the line's first rate: not every head and adapter manages the change. */
  async #attempts(
    talk: Talk,
    { ask, endMs }: { readonly ask: Ask; readonly endMs: number },
  ): Promise<Uint8Array> {
    const { pace = USUAL_PACE } = this.#surroundings;
    for (let attempt = 1; ; attempt += 1) {
      if (performance.now() >= endMs) throw busy(talk.name, this.#options.readTimeoutMs);
      try {
        return await this.#attempt(talk, { ask, attempt, endMs, pace });
      } catch (error) {
        if (attempt === ATTEMPTS || !isPassing(error)) throw error;
      }
      // The meter waits for the rest of the conversation for so long.
      await talk.quiet(pace.characterMs, Math.max(0, Math.min(LONGEST_QUIET_MS, endMs - performance.now())));
      if (performance.now() >= endMs) throw busy(talk.name, this.#options.readTimeoutMs);
    }
  }

  async #attempt(talk: Talk, { ask, attempt, endMs, pace }: Attempt): Promise<Uint8Array> {
    const maxBaudRate = attempt === ATTEMPTS ? this.#options.initialBaudRate : this.#maxBaudRate;
    const onAnswer = (): void => {
      this.#surroundings.lastAnswer.atMs = performance.now();
    };
    const bytes = await ask(talk, { ...this.#options, maxBaudRate, endMs, pace, onAnswer });
    if (ask === askReadout) this.#maxBaudRate = maxBaudRate;
    return bytes;
  }

  #snapshot(telegram: MeterTelegram, bytes: Uint8Array): Snapshot {
    const { what } = this.#surroundings.protocol;
    return provenSnapshot(telegram, bytes, { what, channels: this.#channels });
  }
}

/** A name ends with its line: none is the beginning of another. */
function beginsWith(readout: Uint8Array, name: Uint8Array): boolean {
  return name.every((byte, at) => byte === readout[at]);
}

function isPassing(error: unknown): boolean {
  return error instanceof Problem && error.code.startsWith("iec62056-") && !FINAL.has(error.code);
}

function busy(where: string, readTimeoutMs: number): Problem {
  return new Problem("iec62056-timeout", "the readout took too long", {
    where,
    expected: `one within ${readTimeoutMs} ms`,
    hint: "a long readout at 300 baud takes minutes: raise readTimeoutMs, or maxBaudRate if it is low; meters on one line wait for each other",
  });
}
