import { describeProblem, Problem, withoutHint } from "../../attest/problem.ts";
import { READING_STATUS } from "../../attest/reading.ts";
import type { ChannelDescription, MeterIdentity, PushListener, PushMeter, Snapshot } from "../driver.ts";
import type { LineAddress, SerialFormat } from "../line/address.ts";
import { createLine } from "../line/create.ts";
import type { ByteLine } from "../line/line.ts";
import { closedDriver } from "../line/problems.ts";
import { ReconnectingLine } from "../line/reconnecting.ts";
import { Adoption } from "./adoption.ts";
import type { ListeningOptions } from "./listening-options.ts";
import type { MeterTelegram, TelegramProtocol, UnprovenReading } from "./protocol.ts";
import { provenSnapshot } from "./proven.ts";
import { requireSameMeter } from "./same-meter.ts";
import type { Framed, Framer } from "./telegram.ts";
import { Waiters } from "./waiters.ts";

/** What a {@link ListeningMeter} takes from the world. */
export interface ListeningSurroundings {
  readonly createLine: () => ByteLine;
  /** Wall clock, ms since 1970 UTC; used only to say that a meter's time is stale. */
  readonly nowMs: () => number;
  /** Shortest and longest ceiling of the reconnecting back-off, where not 1 s and 60 s. */
  readonly backoffMs?: readonly [number, number];
}

/** What a meter on a line of its own takes; `defaults`: what a serial address that does not say means. */
export function listeningTo(line: LineAddress, defaults: SerialFormat): ListeningSurroundings {
  return { createLine: () => createLine(line, defaults), nowMs: Date.now };
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
  readonly #adoption = new Adoption();
  /** Ends where the meter has not said its number for long. */
  #patience: NodeJS.Timeout | undefined;
  #framer: Framer;
  #listener: PushListener | undefined;
  #identity: MeterIdentity | undefined;
  #channels: ReadonlyMap<string, ChannelDescription> = new Map();
  /** Ends where no telegram came for long, and where none of them was a reading. */
  #watch: NodeJS.Timeout | undefined;
  #lull: NodeJS.Timeout | undefined;
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
    this.#adoption.begin();
    const { identifyTimeoutMs } = this.#options;
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => this.#adopt(this.#adoption.numberless), identifyTimeoutMs / 2);
    return this.#waiters.wait(identifyTimeoutMs, () => this.#noAnswer());
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
    this.#stopWatching();
    clearTimeout(this.#patience);
    this.#waiters.reject(closedDriver());
    await this.#line.close();
  }

  #opened(): void {
    this.#framer = this.#protocol.createFramer();
    this.#stopWatching();
    const { silenceMs } = this.#options;
    this.#watch = setTimeout(() => this.#noTelegram(), silenceMs);
    this.#lull = setTimeout(() => this.#noReading(), Math.max(silenceMs, this.#protocol.courseMs ?? 0));
  }

  #lineLost(problem: Problem): void {
    this.#stopWatching();
    this.#report(problem);
  }

  #stopWatching(): void {
    clearTimeout(this.#watch);
    clearTimeout(this.#lull);
    // One that was cleared must not be refreshed.
    [this.#watch, this.#lull] = [undefined, undefined];
  }

  #refresh(): void {
    this.#watch?.refresh();
    this.#lull?.refresh();
  }

  #received(bytes: Uint8Array): void {
    for (const framed of this.#cut(bytes)) {
      if (this.#closed) return;
      this.#watch?.refresh();
      this.#handle(framed);
    }
  }

  #cut(bytes: Uint8Array): readonly Framed[] {
    try {
      return this.#framer.push(bytes);
    } catch (error) {
      this.#framer = this.#protocol.createFramer();
      this.#report(faultOf(error));
      return [];
    }
  }

  #handle(framed: Framed): void {
    try {
      if (framed.kind === "refused") throw framed.problem;
      const telegram = this.#protocol.decode(framed.bytes);
      this.#line.healthy();
      if (telegram !== undefined) this.#take(telegram, framed.bytes);
    } catch (error) {
      this.#report(error instanceof Problem ? error : faultOf(error));
    }
  }

  #take(telegram: MeterTelegram, bytes: Uint8Array): void {
    if (this.#waiters.any || this.#identity === undefined) {
      if (this.#adoption.takes(telegram)) this.#adopt(telegram);
    } else if (telegram.identity !== undefined) requireSameMeter(this.#identity, telegram.identity);
    // Before the meter has named itself nobody knows whose energy this is.
    if (this.#waiters.any || this.#identity === undefined) return;
    this.#refresh();
    this.#lastProblem = undefined;
    this.#listener?.onSnapshot(this.#snapshot(telegram, bytes));
  }

  #adopt(telegram: MeterTelegram | undefined): void {
    if (telegram?.identity === undefined) return;
    clearTimeout(this.#patience);
    const { identity, channels } = telegram;
    this.#identity = identity;
    this.#channels = new Map(channels.map((channel) => [channel.name, channel]));
    this.#waiters.resolve(identity);
  }

  #snapshot(telegram: MeterTelegram, bytes: Uint8Array): Snapshot {
    const readings = telegram.readings.map((reading) => this.#aged(reading));
    const { what } = this.#protocol;
    return provenSnapshot({ ...telegram, readings }, bytes, { what, channels: this.#channels });
  }

  #aged(reading: UnprovenReading): UnprovenReading {
    if (!this.#isStale(reading)) return reading;
    return { ...reading, status: (reading.status ?? 0) | READING_STATUS.stale };
  }

  #isStale({ meterTimeMs }: UnprovenReading): boolean {
    const { staleAfterMs } = this.#options;
    if (staleAfterMs === undefined || meterTimeMs === undefined) return false;
    return this.#surroundings.nowMs() - meterTimeMs > staleAfterMs;
  }

  /** Bytes came, since silence is the line's own matter, and nothing in them began like a telegram. */
  #noTelegram(): void {
    this.#report(
      new Problem("driver-no-telegram", "bytes arrive, and none of them begin a telegram", {
        expected: `a ${this.#protocol.what} within ${this.#options.silenceMs} ms`,
        got: "noise",
        hint: this.#protocol.wiringHint,
      }),
    );
  }

  /** Telegrams came, which are another meter's, or say nothing. */
  #noReading(): void {
    this.#refresh();
    // Nobody waits for readings of a meter that has not named itself: identify() says how that ended.
    if (this.#identity === undefined) return;
    this.#report(
      this.#protocol.whyNone?.() ??
        new Problem("driver-no-telegram", "telegrams arrive, and none of them is a reading of the meter", {
          expected: `one within ${Math.max(this.#options.silenceMs, this.#protocol.courseMs ?? 0)} ms`,
          hint: this.#protocol.wiringHint,
        }),
    );
  }

  #report(problem: Problem): void {
    // First, since the listener may close the driver.
    this.#refresh();
    this.#lastProblem = problem;
    const isFinal = LINE_PROBLEM.test(problem.code) || this.#protocol.finalCodes.includes(problem.code);
    if (isFinal) this.#waiters.reject(problem);
    this.#listener?.onProblem(problem);
  }

  #noAnswer(): Problem {
    const last = this.#lastProblem;
    return new Problem("driver-no-answer", "no good telegram came", {
      expected: `one within ${this.#options.identifyTimeoutMs} ms`,
      got: last === undefined ? "none" : `at last: ${withoutHint(last)}`,
      // What came says more of what is wrong than the wiring does.
      hint: last?.detail.hint ?? this.#protocol.wiringHint,
      cause: last,
    });
  }
}

/** One device's bytes must not end the program that reads all of them. */
function faultOf(error: unknown): Problem {
  return new Problem("driver-fault", "the driver itself failed at what the meter sent", {
    got: describeProblem(error).message,
    hint: "this is a fault of the program: keep what the meter sent (kilowitness decode) and report it",
    cause: error,
  });
}
