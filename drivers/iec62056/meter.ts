import { createHash } from "node:crypto";
import { Problem } from "../../attest/problem.ts";
import type { MeterReading } from "../../attest/reading.ts";
import type { ChannelDescription, MeterIdentity, PolledMeter, Snapshot } from "../driver.ts";
import type { AskedLine } from "../telegram/asked-line.ts";
import type { MeterTelegram, TelegramProtocol, UnprovenReading } from "../telegram/protocol.ts";
import { requireSameMeter } from "../telegram/same-meter.ts";
import type { Talk } from "../telegram/talk.ts";
import { type Asking, askReadout } from "./asking.ts";
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
   * Reads the meter once and takes it for the meter of this line from then on.
   *
   * @throws Problem `line-…`, `iec62056-…`, `telegram-…`, `driver-closed`, `iec62056-too-soon` where it was read shortly
   *   before
   */
  async identify(): Promise<MeterIdentity> {
    const tooSoon = this.#tooSoon();
    if (tooSoon !== undefined) throw tooSoon;
    this.#surroundings.protocol.forget();
    const { telegram, bytes } = await this.#readout();
    const { identity } = telegram;
    if (identity === undefined) throw new Problem("driver-not-identified", "the readout names no meter");
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
    const { telegram, bytes } = await this.#readout();
    if (telegram.identity !== undefined) requireSameMeter(known, telegram.identity);
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

  async #readout(): Promise<{ readonly telegram: MeterTelegram; readonly bytes: Uint8Array }> {
    const endMs = performance.now() + this.#options.readTimeoutMs;
    const bytes = await this.#surroundings.line.talk((talk) => this.#attempts(talk, endMs));
    const telegram = this.#surroundings.protocol.decode(bytes);
    if (telegram === undefined) throw new Problem("iec62056-truncated", "the readout says nothing");
    return { telegram, bytes };
  }

  /** The last attempt stays at the line's first rate: not every head and adapter manages the change. */
  async #attempts(talk: Talk, endMs: number): Promise<Uint8Array> {
    const { pace = USUAL_PACE } = this.#surroundings;
    for (let attempt = 1; ; attempt += 1) {
      if (performance.now() >= endMs) throw busy(talk.name, this.#options.readTimeoutMs);
      try {
        return await this.#attempt(talk, { attempt, endMs, pace });
      } catch (error) {
        if (attempt === ATTEMPTS || !isPassing(error)) throw error;
      }
      // The meter waits for the rest of the conversation for so long.
      await talk.quiet(pace.characterMs, Math.max(0, Math.min(LONGEST_QUIET_MS, endMs - performance.now())));
      if (performance.now() >= endMs) throw busy(talk.name, this.#options.readTimeoutMs);
    }
  }

  async #attempt(
    talk: Talk,
    { attempt, endMs, pace }: { readonly attempt: number; readonly endMs: number; readonly pace: Pace },
  ): Promise<Uint8Array> {
    const maxBaudRate = attempt === ATTEMPTS ? this.#options.initialBaudRate : this.#maxBaudRate;
    const onAnswer = (): void => {
      this.#surroundings.lastAnswer.atMs = performance.now();
    };
    const bytes = await askReadout(talk, { ...this.#options, maxBaudRate, endMs, pace, onAnswer });
    this.#maxBaudRate = maxBaudRate;
    return bytes;
  }

  #snapshot({ readings, absent, doubts }: MeterTelegram, bytes: Uint8Array): Snapshot {
    const digest = new Uint8Array(createHash("sha256").update(bytes).digest());
    return {
      readings: readings.map((reading) => this.#proven(reading, digest)),
      flexibility: [],
      absent,
      ...(doubts === undefined ? {} : { doubts }),
      frames: [{ digest, bytes, what: this.#surroundings.protocol.what }],
    };
  }

  #proven({ resolutionMwh, ...rest }: UnprovenReading, evidence: Uint8Array): MeterReading {
    const known = this.#channels.get(rest.channel)?.resolutionMwh;
    const resolution = resolutionMwh === undefined || resolutionMwh === known ? {} : { resolutionMwh };
    return { ...rest, ...resolution, evidence };
  }
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

function closedDriver(): Problem {
  return new Problem("driver-closed", "the driver was closed");
}
