import type { DISCONTINUITY } from "../../attest/leaf.ts";
import type { ChannelDescription } from "../../drivers/driver.ts";
import { durationText, energyText, powerText } from "../words.ts";
import { Allowance, plausibleRiseMwh } from "./allowance.ts";
import { isFill } from "./fills.ts";
import type { Limits } from "./limits.ts";
import { type Reason, type ReasonCode, reason } from "./reason.ts";
import { EACH_REGISTER, type RegisterKind, type Registers } from "./registers.ts";
import { stepOf } from "./steps.ts";
import { CONFIRMATIONS } from "./streak.ts";

/** What {@link RegisterWatch.judge} finds. */
export type Finding =
  | { readonly kind: "good" }
  | { readonly kind: "hold" | "reject"; readonly reason: Reason }
  /** The registers say nothing; the rest of the reading may be used. */
  | { readonly kind: "unusable"; readonly reason: Reason }
  | { readonly kind: "break"; readonly cause: keyof typeof DISCONTINUITY; readonly reason: Reason };

export interface WatchedChannel extends Pick<ChannelDescription, "resolutionMwh" | "rolloverMwh"> {
  readonly limits: Limits;
}

/** Registers that were read before a restart. */
export interface Restored extends Registers {
  /** When they were read: ms since 1970 UTC, or since boot where the clock was not known. */
  readonly timeMs: number;
  /** The system's time and the monotonic clock now, where not those of this process. */
  readonly nowMs?: number;
  readonly monotonicMs?: number;
}

/** Registers at one instant, as they came. */
export interface RegisterSample extends Registers {
  readonly meterTimeMs?: number;
  readonly resolutionMwh?: number;
}

/** Registers that contradict the last good ones, and how often they were seen again. */
interface Candidate {
  readonly code: ReasonCode;
  readonly sinceMs: number;
  readonly atMs: number;
  readonly sample: RegisterSample;
  readonly confirmations: number;
  /** Readings that are held for it. */
  readonly held: number;
}

/** What one register did since it was last good. */
interface Movement {
  readonly kind: RegisterKind;
  readonly before: number;
  readonly now: number;
  readonly mostMwh: number;
  readonly elapsedMs: number;
}

/**
 * One of two registers that shows zero for a day was set to zero. When all of them do, the device is asleep or its
 * dongle has lost it, for as long as it may be: the zeros are never believed, only what counts up from them.
 */
const ZERO_PATIENCE_MS = 24 * 3_600_000;
/** A register wraps from the last tenth of its width. Further below, a fall is a reset (esphome #15280: 0 after 0.49 kWh). */
const TOP_PART = 10;

/** A time before this is not UTC but a time since boot, or a clock that was never set. */
const EARLIEST_MS = Date.UTC(2025, 0, 1);

/** Follows the registers of one channel from reading to reading. */
export class RegisterWatch {
  readonly #channel: WatchedChannel;
  readonly #unconfirmed: (code: ReasonCode, count: number) => void;
  readonly #allowances: Readonly<Record<RegisterKind["name"], Allowance>>;
  #last: { readonly registers: Registers; readonly atMs: number } | undefined;
  #candidate: Candidate | undefined;
  /** After a restart with a lost clock: how long ago the last reading was is not known. */
  #sinceUnknown = false;

  /** `unconfirmed` is told of held readings that the next ones contradicted. */
  constructor(channel: WatchedChannel, unconfirmed: (code: ReasonCode, count: number) => void) {
    this.#channel = channel;
    this.#unconfirmed = unconfirmed;
    this.#allowances = {
      importMwh: new Allowance(channel.limits.importMw),
      exportMwh: new Allowance(channel.limits.exportMw),
    };
  }

  /** Goes on from registers that were read before a restart. */
  restore(before: Restored): void {
    const { timeMs, nowMs = Date.now(), monotonicMs = performance.now() } = before;
    this.#sinceUnknown = timeMs < EARLIEST_MS || nowMs < timeMs;
    const elapsedMs = this.#sinceUnknown ? 0 : nowMs - timeMs;
    this.#last = { registers: registersOnly(before), atMs: monotonicMs - elapsedMs };
  }

  judge(sample: RegisterSample, nowMs: number): Finding {
    if (this.#last === undefined && isAllZero(sample)) return { kind: "unusable", reason: neverCounted() };
    const moves = this.#movements(sample, nowMs);
    const bad = moves.filter((move) => !isPlausible(move));
    const filled = this.#firstFill(sample, bad);
    if (filled !== undefined) return { kind: "reject", reason: filled };
    if (bad.length > 0) return this.#suspect(sample, bad, nowMs);
    this.#dropCandidate();
    this.#adopt(sample, moves, nowMs);
    return { kind: "good" };
  }

  #movements(sample: RegisterSample, nowMs: number): Movement[] {
    const last = this.#last;
    if (last === undefined) return [];
    const elapsedMs = Math.max(0, nowMs - last.atMs);
    return EACH_REGISTER.flatMap((kind) => {
      const before = last.registers[kind.name];
      const now = sample[kind.name];
      if (before === undefined || now === undefined) return [];
      const mostMwh = this.#allowances[kind.name].mostMwh(elapsedMs, this.#step(sample, [before, now]));
      return [{ kind, before, now, mostMwh, elapsedMs }];
    });
  }

  /** A fill value is refused where it is no natural next value, and as the first one. */
  #firstFill(sample: RegisterSample, bad: readonly Movement[]): Reason | undefined {
    const doubtful = this.#last === undefined ? EACH_REGISTER : bad.map((move) => move.kind);
    const fill = doubtful.find(({ name }) => isFill(sample[name] ?? 0));
    if (fill === undefined) return undefined;
    const shown = energyText(sample[fill.name] ?? 0);
    return reason(
      "register-fill",
      `the ${fill.word} register shows ${shown}, which devices send for "no value"`,
    );
  }

  #suspect(sample: RegisterSample, bad: readonly Movement[], nowMs: number): Finding {
    const wraps = bad.every((move) => this.#wraps(move));
    const why = wraps ? fell(bad) : this.#whyBad(bad);
    const candidate = this.#follow(sample, why.code, nowMs);
    this.#candidate = candidate;
    if (candidate.confirmations < CONFIRMATIONS) return { kind: "hold", reason: why };
    const waits = isAllZero(sample) || nowMs - candidate.sinceMs < ZERO_PATIENCE_MS;
    if (why.code === "register-zero" && waits) {
      this.#candidate = { ...candidate, held: 0 };
      return { kind: "unusable", reason: why };
    }
    const cause = wraps ? "rollover" : this.#cause(why.code);
    this.#candidate = undefined;
    this.#adopt(sample, [], nowMs);
    return { kind: "break", cause, reason: why };
  }

  /** The candidate as this reading leaves it: confirmed once more, or a new one. */
  #follow(sample: RegisterSample, code: ReasonCode, nowMs: number): Candidate {
    const before = this.#candidate;
    if (before === undefined || before.code !== code || !this.#follows(before, sample, nowMs)) {
      this.#dropCandidate();
      return { code, sinceMs: nowMs, atMs: nowMs, sample, confirmations: 0, held: 1 };
    }
    const held = before.held + 1;
    // The same telegram again confirms nothing.
    const again = sample.meterTimeMs !== undefined && sample.meterTimeMs === before.sample.meterTimeMs;
    if (again) return { ...before, held };
    return { ...before, held, atMs: nowMs, sample, confirmations: before.confirmations + 1 };
  }

  #follows(before: Candidate, sample: RegisterSample, nowMs: number): boolean {
    const elapsedMs = Math.max(0, nowMs - before.atMs);
    return EACH_REGISTER.every((kind) => {
      const values = [before.sample[kind.name] ?? 0, sample[kind.name] ?? 0] as const;
      const rise = values[1] - values[0];
      const rate = { limitMw: this.#limitMw(kind), stepMwh: this.#step(sample, values) };
      return rise >= 0 && rise <= plausibleRiseMwh(rate, elapsedMs);
    });
  }

  /** From near its last value the register begins again at 0, and what lies between can have flowed. */
  #wraps({ before, now, mostMwh }: Movement): boolean {
    const { rolloverMwh } = this.#channel;
    if (rolloverMwh === undefined || now >= before || before >= rolloverMwh) return false;
    if ((rolloverMwh - before) * TOP_PART > rolloverMwh) return false;
    return now + rolloverMwh - before <= mostMwh;
  }

  #whyBad(bad: readonly Movement[]): Reason {
    if (bad.every((move) => move.now === 0)) return zero(bad);
    if (bad.some((move) => move.now < move.before)) return fell(bad);
    return this.#rose(bad);
  }

  #rose(bad: readonly Movement[]): Reason {
    const texts = bad.map(({ kind, before, now, mostMwh, elapsedMs }) => {
      const rise = `${energyText(now - before)} in ${durationText(elapsedMs)}`;
      const most = `${energyText(Math.floor(mostMwh))} at ${powerText(this.#limitMw(kind))}`;
      return `the ${kind.word} register rose by ${rise} to ${energyText(now)}, possible is ${most}`;
    });
    return reason("register-jump", texts.join("; "));
  }

  #cause(code: ReasonCode): keyof typeof DISCONTINUITY {
    if (code !== "register-jump") return "registerReset";
    // A ratio or a scale that was changed moves a register up; after a lost clock it is only a pause of unknown length.
    return this.#sinceUnknown ? "gap" : "settingsChanged";
  }

  /** Without `moves` it is a new beginning. */
  #adopt(sample: RegisterSample, moves: readonly Movement[], nowMs: number): void {
    for (const kind of EACH_REGISTER) {
      const move = moves.find((candidate) => candidate.kind === kind);
      const allowance = this.#allowances[kind.name];
      if (move === undefined) allowance.refill();
      else {
        const stepMwh = this.#step(sample, [move.before, move.now]);
        allowance.take(move.now - move.before, move.elapsedMs, stepMwh);
      }
    }
    this.#last = { registers: registersOnly(sample), atMs: nowMs };
    this.#sinceUnknown = false;
  }

  #dropCandidate(): void {
    if (this.#candidate !== undefined && this.#candidate.held > 0)
      this.#unconfirmed(this.#candidate.code, this.#candidate.held);
    this.#candidate = undefined;
  }

  #limitMw({ word }: RegisterKind): number {
    return word === "import" ? this.#channel.limits.importMw : this.#channel.limits.exportMw;
  }

  #step(sample: RegisterSample, values: readonly number[]): number {
    return stepOf(sample.resolutionMwh ?? this.#channel.resolutionMwh, values);
  }
}

function registersOnly({ importMwh, exportMwh }: Registers): Registers {
  return {
    ...(importMwh === undefined ? {} : { importMwh }),
    ...(exportMwh === undefined ? {} : { exportMwh }),
  };
}

function isAllZero(sample: Registers): boolean {
  return EACH_REGISTER.every(({ name }) => (sample[name] ?? 0) === 0);
}

function neverCounted(): Reason {
  return reason("register-zero", "every register shows zero; they are left out until one counts");
}

function isPlausible({ before, now, mostMwh }: Movement): boolean {
  return now >= before && now - before <= mostMwh;
}

function zero(bad: readonly Movement[]): Reason {
  const texts = bad.map(
    ({ kind, before }) => `the ${kind.word} register shows zero after ${energyText(before)}`,
  );
  return reason("register-zero", texts.join("; "));
}

function fell(bad: readonly Movement[]): Reason {
  const texts = bad
    .filter((move) => move.now < move.before)
    .map(
      ({ kind, before, now }) =>
        `the ${kind.word} register fell from ${energyText(before)} to ${energyText(now)}`,
    );
  return reason("register-down", texts.join("; "));
}
