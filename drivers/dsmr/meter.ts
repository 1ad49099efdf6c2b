import { describeProblem, Problem } from "../../attest/problem.ts";
import { type MeterReading, READING_STATUS } from "../../attest/reading.ts";
import type { ChannelDescription, MeterIdentity, PushListener, PushMeter, Snapshot } from "../driver.ts";
import type { ByteLine } from "../line/line.ts";
import { ReconnectingLine } from "../line/reconnecting.ts";
import { PrintedObjects, requireSameMeter } from "./continuity.ts";
import { type FramingOutcome, type RawTelegram, TelegramFramer } from "./framing.ts";
import { identityOf } from "./identity.ts";
import { type DecodedTelegram, decodeReading, GRID_CHANNEL } from "./reading.ts";
import { parseTelegram } from "./telegram.ts";

/** What a {@link P1Meter} is told about its meter. */
export interface P1Options {
  readonly silenceMs: number;
  readonly identifyTimeoutMs: number;
  readonly winterOffsetMinutes: number;
  readonly staleAfterMs?: number | undefined;
}

/** What a {@link P1Meter} takes from the world. */
export interface P1Surroundings {
  readonly createLine: () => ByteLine;
  /** Wall clock, ms since 1970 UTC; used only to say that a meter's time is stale. */
  readonly nowMs: () => number;
  /** Shortest and longest ceiling of the reconnecting back-off, where not 1 s and 60 s. */
  readonly backoffMs?: readonly [number, number];
}

interface Waiter {
  resolve(identity: MeterIdentity): void;
  reject(problem: Problem): void;
}

/** Problems that end an {@link P1Meter.identify} at once: waiting on would not help the installer. */
const FINAL = /^(?:line-|dsmr-encrypted$)/;

/** A meter with a P1 port: it sends a telegram every 1 to 10 s, and every good one is delivered. */
export class P1Meter implements PushMeter {
  readonly mode = "push";
  readonly #options: P1Options;
  readonly #surroundings: P1Surroundings;
  readonly #line: ReconnectingLine;
  readonly #framer = new TelegramFramer();
  readonly #printed = new PrintedObjects();
  readonly #waiters = new Set<Waiter>();
  #listener: PushListener | undefined;
  #identity: MeterIdentity | undefined;
  #channel: ChannelDescription | undefined;
  #watch: NodeJS.Timeout | undefined;
  #lastProblem: Problem | undefined;
  #closed = false;

  constructor(options: P1Options, surroundings: P1Surroundings) {
    const [minBackoffMs, maxBackoffMs] = surroundings.backoffMs ?? [1_000, 60_000];
    const { createLine } = surroundings;
    this.#options = options;
    this.#surroundings = surroundings;
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
   * Waits for the next good telegram and takes its sender for the meter of this line from then on.
   *
   * @throws Problem `line-…` when the line cannot be opened, `dsmr-encrypted`, `driver-no-answer` when no good
   *   telegram came in time, `driver-closed`
   */
  identify(): Promise<MeterIdentity> {
    if (this.#closed) return Promise.reject(closed());
    this.#line.start();
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(deadline);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        resolve: (identity) => {
          settle();
          resolve(identity);
        },
        reject: (problem) => {
          settle();
          reject(problem);
        },
      };
      const deadline = setTimeout(() => waiter.reject(this.#noAnswer()), this.#options.identifyTimeoutMs);
      this.#waiters.add(waiter);
    });
  }

  channels(): readonly ChannelDescription[] {
    if (this.#channel !== undefined) return [this.#channel];
    throw new Problem("driver-not-identified", "the meter has not been identified yet");
  }

  start(listener: PushListener): void {
    if (this.#closed) throw closed();
    this.#listener = listener;
    this.#line.start();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listener = undefined;
    clearTimeout(this.#watch);
    for (const waiter of [...this.#waiters]) waiter.reject(closed());
    await this.#line.close();
  }

  #opened(): void {
    this.#framer.reset();
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#noTelegram(), this.#options.silenceMs);
  }

  #lineLost(problem: Problem): void {
    clearTimeout(this.#watch);
    this.#report(problem);
  }

  #received(bytes: Uint8Array): void {
    for (const outcome of this.#framer.push(bytes)) {
      if (this.#closed) return;
      this.#watch?.refresh();
      this.#handle(outcome);
    }
  }

  #handle(outcome: FramingOutcome): void {
    const result = outcome.kind === "refused" ? outcome.problem : this.#decoded(outcome);
    if (result instanceof Problem) {
      this.#report(result);
      return;
    }
    this.#line.healthy();
    this.#lastProblem = undefined;
    this.#listener?.onSnapshot(result);
  }

  #decoded(raw: RawTelegram): Snapshot | Problem {
    try {
      return this.#decode(raw);
    } catch (error) {
      if (error instanceof Problem) return error;
      throw error;
    }
  }

  #decode(raw: RawTelegram): Snapshot {
    const telegram = parseTelegram(raw);
    const decoded = decodeReading(telegram, raw, this.#options.winterOffsetMinutes);
    const identity = identityOf(telegram);
    if (this.#waiters.size > 0) this.#printed.forget();
    else if (this.#identity !== undefined) requireSameMeter(this.#identity, identity);
    this.#printed.require(telegram);
    if (this.#waiters.size > 0 || this.#identity === undefined) this.#adopt(identity, decoded.reading);
    return this.#snapshot(decoded, raw);
  }

  #adopt(identity: MeterIdentity, reading: MeterReading): void {
    this.#identity = identity;
    this.#channel = describeChannel(reading);
    for (const waiter of [...this.#waiters]) waiter.resolve(identity);
  }

  #snapshot({ reading, absent }: DecodedTelegram, { bytes }: RawTelegram): Snapshot {
    const { resolutionMwh, ...rest } = reading;
    const known = this.#channel?.resolutionMwh;
    const resolution = resolutionMwh === undefined || resolutionMwh === known ? {} : { resolutionMwh };
    const stale = this.#isStale(reading) ? { status: (reading.status ?? 0) | READING_STATUS.stale } : {};
    const frames = [{ digest: reading.evidence, bytes, what: "dsmr telegram" }];
    return { readings: [{ ...rest, ...resolution, ...stale }], flexibility: [], absent, frames };
  }

  #isStale({ meterTimeMs }: MeterReading): boolean {
    const { staleAfterMs } = this.#options;
    if (staleAfterMs === undefined || meterTimeMs === undefined) return false;
    return this.#surroundings.nowMs() - meterTimeMs > staleAfterMs;
  }

  /** Bytes came, since silence is the line's own matter, and nothing in them began like a telegram. */
  #noTelegram(): void {
    // First, since the listener may close the driver.
    this.#watch?.refresh();
    this.#report(noTelegram(this.#options.silenceMs));
  }

  #report(problem: Problem): void {
    this.#lastProblem = problem;
    if (FINAL.test(problem.code)) for (const waiter of [...this.#waiters]) waiter.reject(problem);
    this.#listener?.onProblem(problem);
  }

  #noAnswer(): Problem {
    const { identifyTimeoutMs } = this.#options;
    const last = this.#lastProblem;
    return new Problem("driver-no-answer", "no good telegram came", {
      expected: `one within ${identifyTimeoutMs} ms`,
      got: last === undefined ? "none" : `at last: ${describeProblem(last).message}`,
      hint: WIRING_HINT,
      cause: last,
    });
  }
}

const WIRING_HINT =
  "check the data request pin, 115200 8N1 (DSMR 4 and 5) or 9600 7E1 (DSMR 2.2 and 3), and whether the signal is inverted";

function noTelegram(silenceMs: number): Problem {
  return new Problem("dsmr-no-telegram", "bytes arrive, and none of them begin a telegram", {
    expected: `a telegram within ${silenceMs} ms`,
    got: "noise",
    hint: WIRING_HINT,
  });
}

function closed(): Problem {
  return new Problem("driver-closed", "the driver was closed");
}

function describeChannel(reading: MeterReading): ChannelDescription {
  const { importMwh, exportMwh, activePowerMw, resolutionMwh } = reading;
  const quantities: ("import" | "export" | "power")[] = [];
  if (importMwh !== undefined) quantities.push("import");
  if (exportMwh !== undefined) quantities.push("export");
  if (activePowerMw !== undefined) quantities.push("power");
  return {
    name: GRID_CHANNEL,
    role: "grid",
    quantities,
    ...(resolutionMwh === undefined ? {} : { resolutionMwh }),
    signSource:
      "DSMR 5.0.2 P1, 6.12: 1.8 and 1.7 are delivered to the client (import), 2.8 and 2.7 by the client",
    // Each direction has a power of its own.
    signVerified: true,
  };
}
