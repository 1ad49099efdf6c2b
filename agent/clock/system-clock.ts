import { uptime } from "node:os";
import { performance } from "node:perf_hooks";
import { type BatteryClock, readBatteryClock } from "./battery-clock.ts";
import type { ClockSource } from "./clock.ts";
import type { SyncAnswer } from "./sync-answers.ts";
import { SyncPrograms, type SyncSource } from "./sync-programs.ts";

/** Parts of the system clock that tests put in. */
export interface SystemClockParts {
  readonly sync: SyncSource;
  readonly batteryClock: () => BatteryClock;
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
  readonly sinceBootMs: () => number;
}

/** How well the time servers stand behind the clock: they compared it lately, or once since it was set, or never. */
type Standing = "now" | "before" | "never";

/** While synchronised, and while not: programs are asked this often. */
const ASK_MS = 240_000;
const ASK_AGAIN_MS = 16_000;
/** After a step somebody has just set the clock, and will soon know how well. */
const ASK_SOON_MS = 1000;
const SOON_FOR_MS = 30_000;
/** What was answered is worth nothing when nobody answers any more. */
const ANSWER_LASTS_MS = 600_000;
/** ntpd's own limit for a source (RFC 5905, MAXDIST 1.5 s). */
const MOST_ERROR_MS = 1500;
/** Time servers are asked every 34 minutes at most by default; three of these may be lost. */
const COMPARED_LASTS_MS = 7_200_000;
/** Quartz runs off by some seconds a day. */
const REMEMBERED_MS = 30 * 86_400_000;
const AHEAD_MS = 2000;
/** Who sets the clock has compared it just before. */
const COMPARED_BEFORE_STEP_MS = 16_000;
/** A change of the system clock against the monotonic one from which on it was set, and not led. */
const JUMP_MS = 1000;
/** A battery clock shows whole seconds, and runs off from the system's clock while nobody leads either. */
const RTC_TOLERANCE_MS = 60_000;
const RTC_DRIFT_PART = 5000;
const FIRST_LOOK_MS = 1500;

const SYSTEM: Omit<SystemClockParts, "sync"> = {
  batteryClock: readBatteryClock,
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sinceBootMs: () => Math.floor(uptime() * 1000),
};

/** The machine's clocks, and what stands behind them. Programs are asked seldom, and never waited for but at the start. */
export class SystemClock implements ClockSource {
  readonly #parts: SystemClockParts;
  readonly #stopped = new AbortController();
  #battery: { readonly clock: BatteryClock; readonly askedMs: number };
  #answers: { readonly list: readonly SyncAnswer[]; readonly askedMs: number };
  #asking = false;
  #askedMs: number;
  /** Of the system's clock against the monotonic one, as last seen. */
  #offsetMs: number;
  #jump: { readonly wallMs: number; readonly atMs: number } | undefined;

  constructor(parts: Partial<SystemClockParts> = {}) {
    this.#parts = { ...SYSTEM, sync: new SyncPrograms(), ...parts };
    this.#askedMs = this.monotonicMs();
    this.#offsetMs = this.wallMs() - this.#askedMs;
    this.#battery = this.#readBattery();
    this.#answers = { list: [], askedMs: this.#askedMs };
    // A gateway without a battery clock would begin with the time since boot each time that the program is started.
    if (this.batteryClock()) this.#askedMs = Number.NEGATIVE_INFINITY;
    else this.#answers = { list: this.#parts.sync.askAtOnce(FIRST_LOOK_MS), askedMs: this.#askedMs };
  }

  wallMs(): number {
    return this.#parts.wallMs();
  }

  monotonicMs(): number {
    return this.#parts.monotonicMs();
  }

  sinceBootMs(): number {
    return this.#parts.sinceBootMs();
  }

  /** Whether somebody compares the clock with time servers, and has lately, and not before it was set. */
  synchronised(): boolean {
    return this.#standing() === "now";
  }

  /** Whether a battery clock shows the same, or the clock was compared since it was set. */
  batteryClock(): boolean {
    if (this.#standing() === "before") return true;
    const { clock, askedMs } = this.#battery;
    if (clock.kind !== "shows") return clock.kind === "unlisted";
    const shownMs = clock.timeMs + this.monotonicMs() - askedMs;
    const toleranceMs = RTC_TOLERANCE_MS + this.sinceBootMs() / RTC_DRIFT_PART;
    return Math.abs(this.wallMs() - shownMs) <= toleranceMs;
  }

  /** Asks anew what is due. To be called about once a second. */
  look(): void {
    const nowMs = this.monotonicMs();
    this.#noticeJump(nowMs);
    if (this.#asking || nowMs - this.#askedMs < this.#pauseMs(nowMs)) return;
    this.#asking = true;
    this.#askedMs = nowMs;
    this.#battery = this.#readBattery();
    void this.#ask(nowMs).finally(() => {
      this.#asking = false;
    });
  }

  /** Ends what is still being asked. */
  stop(): void {
    this.#stopped.abort();
  }

  async #ask(askedMs: number): Promise<void> {
    const list = await this.#parts.sync.ask(this.#stopped.signal);
    this.#answers = { list, askedMs };
  }

  #pauseMs(nowMs: number): number {
    if (this.#jump !== undefined && nowMs - this.#jump.atMs < SOON_FOR_MS) return ASK_SOON_MS;
    return this.synchronised() ? ASK_MS : ASK_AGAIN_MS;
  }

  #noticeJump(nowMs: number): void {
    const wallMs = this.wallMs();
    if (this.#hasJumped(wallMs, nowMs)) this.#jump = { wallMs, atMs: nowMs };
    this.#offsetMs = wallMs - nowMs;
  }

  /** Since the last look. Led at most by a tenth, the clock does not move as far within a second or so. */
  #hasJumped(wallMs: number, nowMs: number): boolean {
    return Math.abs(wallMs - nowMs - this.#offsetMs) >= JUMP_MS;
  }

  #readBattery(): { readonly clock: BatteryClock; readonly askedMs: number } {
    return { clock: this.#parts.batteryClock(), askedMs: this.monotonicMs() };
  }

  #standing(): Standing {
    const nowMs = this.monotonicMs();
    const wallMs = this.wallMs();
    const { list, askedMs } = this.#answers;
    const wasSet = this.#hasJumped(wallMs, nowMs) || askedMs < (this.#jump?.atMs ?? askedMs);
    if (wasSet || nowMs - askedMs > ANSWER_LASTS_MS) return "never";
    const standings = list.map((answer) => this.#standingOf(answer, wallMs));
    return standings.find((standing) => standing === "now") ?? standings.find(isOld) ?? "never";
  }

  #standingOf({ synchronised, errorMs = 0, comparedMs }: SyncAnswer, wallMs: number): Standing {
    if (!synchronised) return "never";
    if (comparedMs === undefined) return "now";
    const ageMs = wallMs - comparedMs;
    const sinceStep = this.#jump === undefined || comparedMs >= this.#jump.wallMs - COMPARED_BEFORE_STEP_MS;
    if (ageMs < -AHEAD_MS || ageMs > REMEMBERED_MS || !sinceStep) return "never";
    return ageMs <= COMPARED_LASTS_MS && errorMs <= MOST_ERROR_MS ? "now" : "before";
  }
}

function isOld(standing: Standing): boolean {
  return standing === "before";
}
