import { createHash } from "node:crypto";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { type MeterReading, READING_STATUS } from "../../attest/reading.ts";
import type { ChannelDescription, MeterIdentity, PushListener, PushMeter, Snapshot } from "../driver.ts";
import type { ByteLine } from "../line/line.ts";
import { ReconnectingLine } from "../line/reconnecting.ts";
import type { ListeningOptions } from "./listening-options.ts";
import type { MeterTelegram, TelegramProtocol, UnprovenReading } from "./protocol.ts";
import { requireSameMeter } from "./same-meter.ts";
import type { Framed, Framer } from "./telegram.ts";
import { closedDriver, Waiters } from "./waiters.ts";

/** What a {@link ListeningMeter} takes from the world. */
export interface ListeningSurroundings {
  readonly createLine: () => ByteLine;
  /** Wall clock, ms since 1970 UTC; used only to say that a meter's time is stale. */
  readonly nowMs: () => number;
  /** Shortest and longest ceiling of the reconnecting back-off, where not 1 s and 60 s. */
  readonly backoffMs?: readonly [number, number];
}

/** Any protocol: a line that cannot be opened will not name its meter either. */
const LINE_PROBLEM = /^line-/;

/** A meter that speaks by itself: every good telegram of the identified meter is delivered, every refused one reported. */
export class ListeningMeter implements PushMeter {
  readonly mode = "push";
  readonly #protocol: TelegramProtocol;
  readonly #options: ListeningOptions;
  readonly #surroundings: ListeningSurroundings;
  readonly #line: ReconnectingLine;
  readonly #waiters = new Waiters();
  #framer: Framer;
  #listener: PushListener | undefined;
  #identity: MeterIdentity | undefined;
  #channels: ReadonlyMap<string, ChannelDescription> = new Map();
  #watch: NodeJS.Timeout | undefined;
  #lastProblem: Problem | undefined;
  #closed = false;

  constructor(protocol: TelegramProtocol, options: ListeningOptions, surroundings: ListeningSurroundings) {
    const [minBackoffMs, maxBackoffMs] = surroundings.backoffMs ?? [1_000, 60_000];
    const { createLine } = surroundings;
    this.#protocol = protocol;
    this.#options = options;
    this.#surroundings = surroundings;
    this.#framer = protocol.createFramer();
    this.#line = new ReconnectingLine(
      { createLine, silenceMs: options.silenceMs, minBackoffMs, maxBackoffMs },
      {
        onOpen: () => this.#opened(),
        onBytes: (bytes) => this.#received(bytes),
        onProblem: (problem) => this.#lineLost(problem),
      },
    );
  }

  /**
   * Waits for the next good telegram that names its meter, and takes that one for the meter of this line from then on.
   *
   * @throws Problem `line-…` when the line cannot be opened, the protocol's final ones such as a missing key,
   *   `driver-no-answer` when no good telegram came in time, `driver-closed`
   */
  identify(): Promise<MeterIdentity> {
    if (this.#closed) return Promise.reject(closedDriver());
    this.#line.start();
    this.#protocol.forget();
    return this.#waiters.wait(this.#options.identifyTimeoutMs, () => this.#noAnswer());
  }

  channels(): readonly ChannelDescription[] {
    if (this.#identity !== undefined) return [...this.#channels.values()];
    throw new Problem("driver-not-identified", "the meter has not been identified yet");
  }

  start(listener: PushListener): void {
    if (this.#closed) throw closedDriver();
    this.#listener = listener;
    this.#line.start();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listener = undefined;
    clearTimeout(this.#watch);
    this.#waiters.reject(closedDriver());
    await this.#line.close();
  }

  #opened(): void {
    this.#framer = this.#protocol.createFramer();
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#noTelegram(), this.#options.silenceMs);
  }

  #lineLost(problem: Problem): void {
    clearTimeout(this.#watch);
    this.#report(problem);
  }

  #received(bytes: Uint8Array): void {
    for (const framed of this.#framer.push(bytes)) {
      if (this.#closed) return;
      this.#watch?.refresh();
      this.#handle(framed);
    }
  }

  #handle(framed: Framed): void {
    try {
      if (framed.kind === "refused") throw framed.problem;
      const telegram = this.#protocol.decode(framed.bytes);
      this.#line.healthy();
      if (telegram !== undefined) this.#take(telegram, framed.bytes);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.#report(error);
    }
  }

  #take(telegram: MeterTelegram, bytes: Uint8Array): void {
    const { identity } = telegram;
    if (identity !== undefined && (this.#waiters.any || this.#identity === undefined))
      this.#adopt(identity, telegram.channels);
    else if (identity !== undefined && this.#identity !== undefined)
      requireSameMeter(this.#identity, identity);
    // Before the meter has named itself nobody knows whose energy this is.
    if (this.#identity === undefined) return;
    this.#lastProblem = undefined;
    this.#listener?.onSnapshot(this.#snapshot(telegram, bytes));
  }

  #adopt(identity: MeterIdentity, channels: readonly ChannelDescription[]): void {
    this.#identity = identity;
    this.#channels = new Map(channels.map((channel) => [channel.name, channel]));
    this.#waiters.resolve(identity);
  }

  #snapshot({ readings, absent, doubts, evidence }: MeterTelegram, telegram: Uint8Array): Snapshot {
    const bytes = evidence ?? telegram;
    const digest = new Uint8Array(createHash("sha256").update(bytes).digest());
    return {
      readings: readings.map((reading) => this.#proven(reading, digest)),
      flexibility: [],
      absent,
      ...(doubts === undefined ? {} : { doubts }),
      frames: [{ digest, bytes, what: this.#protocol.what }],
    };
  }

  #proven({ resolutionMwh, ...rest }: UnprovenReading, evidence: Uint8Array): MeterReading {
    const known = this.#channels.get(rest.channel)?.resolutionMwh;
    const resolution = resolutionMwh === undefined || resolutionMwh === known ? {} : { resolutionMwh };
    const stale = this.#isStale(rest) ? { status: (rest.status ?? 0) | READING_STATUS.stale } : {};
    return { ...rest, ...resolution, ...stale, evidence };
  }

  #isStale({ meterTimeMs }: UnprovenReading): boolean {
    const { staleAfterMs } = this.#options;
    if (staleAfterMs === undefined || meterTimeMs === undefined) return false;
    return this.#surroundings.nowMs() - meterTimeMs > staleAfterMs;
  }

  /** Bytes came, since silence is the line's own matter, and nothing in them began like a telegram. */
  #noTelegram(): void {
    // First, since the listener may close the driver.
    this.#watch?.refresh();
    this.#report(
      new Problem("driver-no-telegram", "bytes arrive, and none of them begin a telegram", {
        expected: `a ${this.#protocol.what} within ${this.#options.silenceMs} ms`,
        got: "noise",
        hint: this.#protocol.wiringHint,
      }),
    );
  }

  #report(problem: Problem): void {
    this.#lastProblem = problem;
    const isFinal = LINE_PROBLEM.test(problem.code) || this.#protocol.finalCodes.includes(problem.code);
    if (isFinal) this.#waiters.reject(problem);
    this.#listener?.onProblem(problem);
  }

  #noAnswer(): Problem {
    const last = this.#lastProblem;
    return new Problem("driver-no-answer", "no good telegram came", {
      expected: `one within ${this.#options.identifyTimeoutMs} ms`,
      got: last === undefined ? "none" : `at last: ${describeProblem(last).message}`,
      hint: this.#protocol.wiringHint,
      cause: last,
    });
  }
}
