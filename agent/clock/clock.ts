import { KNOWN_TIME, TIME_QUALITY } from "../../attest/leaf.ts";
import { CLOCK_TOLERANCE_MS } from "../../attest/verdict-bounds.ts";
import { Evenness } from "./evenness.ts";
import { NodeTimes } from "./node-times.ts";

/** A time to seal with: ms since 1970 UTC, or since boot while the quality is below `batteryClock`. */
export interface Instant {
  readonly timeMs: number;
  readonly timeQuality: number;
}

/** The clock was set, or became known or unknown: the same instant on the old clock and on the new one. */
export interface Step {
  readonly before: Instant;
  readonly after: Instant;
}

/** Where the clock takes its readings from; tests give their own. */
export interface ClockSource {
  /** ms since 1970 as the system has it now. */
  wallMs(): number;
  /** ms on a clock that is never set; it may stand still while the machine sleeps. */
  monotonicMs(): number;
  /** ms since the machine started, sleep included. */
  sinceBootMs(): number;
  /** Whether time servers stand behind the system's clock as it shows now. */
  synchronised(): boolean;
  /** Whether the system's clock was right after the last start without them; left out: yes. */
  batteryClock?(): boolean;
  /** Called at every check. */
  look?(): void;
}

/** What the clock of the machine is to be taken for, as ms to add to the time that has passed. */
interface Aim {
  readonly offsetMs: number;
  readonly quality: number;
  /** Whether the offset is that of the system's clock, which may be led or set at any time. */
  readonly wall?: true;
}

/** No gateway ran this program before, and none will for that long: a clock that shows anything else was never set. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);
const LATEST_MS = Date.UTC(2060, 0, 1);
/** A difference from here on is a step; below it the clock is led. */
const STEP_MS = 2000;
/** Time servers' programs lead the clock by a tenth at most (chrony.conf(5), maxslewrate): this one must not fall behind. */
const LEAD_PART = 8;
/** Sleep is told from the two clocks' different resolution from here on. */
const SLEEP_MS = 500;

/**
 * The agent's clock: it begins with the system's time where that can be believed, and then runs on the monotonic clock,
 * so that nothing that is done to the system's clock makes time run backwards in the log. {@link AgentClock.check}
 * compares the two and says where they part.
 */
export class AgentClock {
  readonly #source: ClockSource;
  readonly #nodes: NodeTimes;
  readonly #evenness = new Evenness();
  /** Between the monotonic clock and the one that goes on while the machine sleeps. */
  #bootOffsetMs: number;
  #sleptMs = 0;
  #offsetMs = 0;
  #quality: number = TIME_QUALITY.none;
  #checkedMs: number;
  #lastMs = 0;
  /** Time servers or nodes stood behind this clock in this run. */
  #proven = false;
  /** UTC that the log has from time servers or nodes. */
  #floorMs = 0;

  constructor(source: ClockSource, nodes: NodeTimes = new NodeTimes()) {
    this.#source = source;
    this.#nodes = nodes;
    this.#checkedMs = source.monotonicMs();
    this.#bootOffsetMs = source.sinceBootMs() - this.#checkedMs;
    this.#begin();
  }

  /** ms that have passed since some instant before this run, sleep included; never set. */
  get passedMs(): number {
    return this.#source.monotonicMs() + this.#sleptMs;
  }

  now(): Instant {
    const timeMs = Math.max(Math.floor(this.passedMs + this.#offsetMs), this.#lastMs);
    this.#lastMs = timeMs;
    return { timeMs, timeQuality: this.#quality };
  }

  /**
   * At the start, before anything is sealed: the log's last leaf, and the latest UTC that it had from time servers or
   * nodes. What nodes have receipted is in the `NodeTimes` by then.
   */
  continueFrom(last: Instant | undefined, provenMs: number): void {
    this.#floorMs = provenMs;
    this.#begin();
    if (last === undefined || !isKnown(last.timeQuality) || !isKnown(this.#quality)) return;
    // The agent was ahead by what it still had to be led: no reason to state a step.
    const aheadMs = last.timeMs - this.now().timeMs;
    if (aheadMs > 0 && aheadMs < STEP_MS) this.#offsetMs += aheadMs;
  }

  /**
   * Follows the system's clock: small differences slowly, a large one or a change of knowledge as a step, which `state`
   * must have written to the log. Where it could not, the clock stays on its own time and tries again at the next check.
   * Returns the step that was taken.
   */
  check(state: (step: Step) => boolean = () => true): Step | undefined {
    this.#source.look?.();
    this.#noticeSleep();
    const passedMs = this.passedMs;
    this.#evenness.note(this.#source.wallMs(), passedMs);
    const aim = this.#borneOut(this.#aim(passedMs), passedMs);
    const differenceMs = aim.offsetMs - this.#offsetMs;
    const leadMs = (passedMs - this.#checkedMs) / LEAD_PART;
    this.#checkedMs = passedMs;
    const changes = isKnown(aim.quality) !== isKnown(this.#quality);
    if (changes || Math.abs(differenceMs) >= STEP_MS) return this.#step(aim, passedMs, state);
    this.#setQuality(aim.quality);
    this.#offsetMs += Math.max(-leadMs, Math.min(leadMs, differenceMs));
    return undefined;
  }

  #begin(): void {
    const passedMs = this.passedMs;
    this.#evenness.note(this.#source.wallMs(), passedMs);
    this.#quality = TIME_QUALITY.none;
    this.#lastMs = 0;
    const aim = this.#borneOut(this.#aim(passedMs), passedMs);
    this.#offsetMs = aim.offsetMs;
    this.#setQuality(aim.quality);
  }

  #step(aim: Aim, passedMs: number, state: (step: Step) => boolean): Step | undefined {
    const before = this.now();
    // That nothing is known any more is true at once.
    if (isKnown(aim.quality) && !this.#evenness.mayStep(passedMs, aim.wall === true)) {
      this.#setQuality(Math.min(this.#quality, TIME_QUALITY.batteryClock));
      return undefined;
    }
    const timeMs = Math.max(0, Math.floor(passedMs + aim.offsetMs));
    const step = { before, after: { timeMs, timeQuality: aim.quality } };
    if (!state(step)) return undefined;
    this.#evenness.stepped(passedMs);
    this.#offsetMs = aim.offsetMs;
    this.#lastMs = timeMs;
    this.#setQuality(aim.quality);
    return step;
  }

  /** The best that can be known now: docs/clock.md gives the order and the reasons. */
  #aim(passedMs: number): Aim {
    const wallMs = this.#source.wallMs();
    const wall = { offsetMs: wallMs - passedMs, wall: true } as const;
    const canBe = wallMs >= EARLIEST_MS && wallMs < LATEST_MS;
    const synchronised = canBe && this.#source.synchronised();
    if (canBe && !this.#nodes.contradict(wall.offsetMs, passedMs)) {
      if (synchronised) return { ...wall, quality: TIME_QUALITY.ntp };
      const believed = this.#source.batteryClock?.() ?? true;
      if (believed && wallMs >= this.#leastMs()) return { ...wall, quality: TIME_QUALITY.batteryClock };
    }
    if (isKnown(this.#quality) && !this.#nodes.contradict(this.#offsetMs, passedMs))
      return { offsetMs: this.#offsetMs, quality: TIME_QUALITY.batteryClock };
    // Time servers against nodes: nobody knows which of them to believe.
    const byNodes = synchronised ? undefined : this.#nodes.offsetMs(passedMs);
    if (byNodes !== undefined) return { offsetMs: byNodes, quality: TIME_QUALITY.anchored };
    return { offsetMs: this.#source.sinceBootMs() - passedMs, quality: TIME_QUALITY.sinceBoot };
  }

  #borneOut(aim: Aim, passedMs: number): Aim {
    if (!isKnown(aim.quality) || !this.#nodes.bearOut(aim.offsetMs, passedMs)) return aim;
    return { ...aim, quality: TIME_QUALITY.anchored };
  }

  /** A clock that shows less than time servers or nodes have given before was set wrong, or has stood still. */
  #leastMs(): number {
    const provenMs = this.#proven && isKnown(this.#quality) ? this.passedMs + this.#offsetMs : 0;
    return Math.max(this.#floorMs, provenMs) - CLOCK_TOLERANCE_MS;
  }

  #setQuality(quality: number): void {
    this.#quality = quality;
    if (quality > TIME_QUALITY.batteryClock) this.#proven = true;
  }

  /** Monotonic clocks of Linux stand still while the machine sleeps, and the time since boot does not. */
  #noticeSleep(): void {
    const sleptMs = this.#source.sinceBootMs() - this.#source.monotonicMs() - this.#bootOffsetMs;
    if (sleptMs - this.#sleptMs >= SLEEP_MS) this.#sleptMs = sleptMs;
  }
}

function isKnown(timeQuality: number): boolean {
  return timeQuality >= KNOWN_TIME;
}
