import { DISCONTINUITY } from "../../attest/leaf.ts";
import { type MeterReading, READING_STATUS } from "../../attest/reading.ts";
import { statesMeterTime } from "../../attest/register-time.ts";
import type { ChannelDescription, Doubt } from "../../drivers/driver.ts";
import { DoubtWatch, withoutDoubted } from "./doubt-watch.ts";
import { FlowWatch } from "./flow-watch.ts";
import { type Limits, limitsOf } from "./limits.ts";
import { LiveWatch } from "./live-watch.ts";
import { MeterClock } from "./meter-clock.ts";
import { outOfRange } from "./range.ts";
import { type Reason, type ReasonCode, reason } from "./reason.ts";
import { type Finding, RegisterWatch, type Restored, type WatchedChannel } from "./register-watch.ts";
import { registersIn, registersOf, saysAnything, withRegisters } from "./registers.ts";

/** What becomes of a reading. `reading` is what may be sealed: the one judged, perhaps without registers. */
export type Verdict =
  | {
      readonly kind: "accept";
      readonly reading: MeterReading;
      /** Why values were left out. */
      readonly stripped?: Reason;
      /** Why its status says more than the device did. */
      readonly marked?: Reason;
    }
  /** Read again: the next readings decide. */
  | { readonly kind: "hold"; readonly reason: Reason }
  | { readonly kind: "reject"; readonly reason: Reason }
  /** Seal a discontinuity with this number of DISCONTINUITY, then the reading. */
  | {
      readonly kind: "discontinuity";
      readonly classification: number;
      readonly reason: Reason;
      readonly reading: MeterReading;
    };

/** A channel as its driver describes it, with what the installer said of role and nameplate. */
export interface GateChannel extends ChannelDescription {
  /** Bits of REGISTER that the channel's readings carry; left out: those of `quantities`. */
  readonly registers?: number;
  /** How often the channel is read. Left out: nothing is called stale. */
  readonly samplingMs?: number;
}

/** How many verdicts a gate has given. */
export interface GateCounts {
  readonly accepted: number;
  readonly discontinuities: number;
  /** By reason code. A held reading that was not confirmed is counted as rejected, too. */
  readonly held: ReadonlyMap<ReasonCode, number>;
  readonly rejected: ReadonlyMap<ReasonCode, number>;
  /** Accepted without some of their values. */
  readonly stripped: ReadonlyMap<ReasonCode, number>;
  /** Accepted with a status that the gate has set. */
  readonly marked: ReadonlyMap<ReasonCode, number>;
}

/** A reading on its way through the gate, with what is left out or marked of it so far. */
interface Passing {
  readonly reading: MeterReading;
  readonly stripped?: Reason;
  readonly marked?: Reason;
}

/**
 * Stands between the driver and the log of one channel of one meter: no reading is sealed that cannot be true. A
 * register that moves as no register can is held until three more readings agree with it; then it is a
 * discontinuity, and no energy. A single wrong reading leaves no trace but a count.
 */
export class QualityGate {
  readonly #limits: Limits;
  readonly #registers: number;
  /** Of readings, and of those whose registers are of an instant before: the meter's clock shows that one there. */
  readonly #clocks: { readonly own: MeterClock; readonly registers: MeterClock };
  readonly #live: LiveWatch;
  readonly #doubts: DoubtWatch;
  readonly #flow: FlowWatch;
  readonly #watch: RegisterWatch;
  readonly #held = new Map<ReasonCode, number>();
  readonly #rejected = new Map<ReasonCode, number>();
  readonly #stripped = new Map<ReasonCode, number>();
  readonly #marked = new Map<ReasonCode, number>();
  #accepted = 0;
  #discontinuities = 0;

  /** `restored`: the channel's last registers of the journal, which the first reading is held against. */
  constructor(channel: GateChannel, restored?: Restored) {
    this.#limits = limitsOf(channel);
    this.#registers = channel.registers ?? registersOf(channel);
    const unconfirmed = (code: ReasonCode, count: number): void => add(this.#rejected, code, count);
    const wentBack = (held: number): void => unconfirmed("meter-time-back", held);
    this.#clocks = {
      own: new MeterClock(channel.samplingMs, wentBack),
      registers: new MeterClock(undefined, wentBack),
    };
    this.#live = new LiveWatch(this.#limits.flowMw, (held) => unconfirmed("state-of-charge-jump", held));
    this.#doubts = new DoubtWatch((held) => unconfirmed("contradiction", held));
    this.#flow = new FlowWatch(this.#limits, channel.resolutionMwh);
    const watched: WatchedChannel = { limits: this.#limits, ...channel };
    this.#watch = new RegisterWatch(watched, unconfirmed);
    if (restored !== undefined && registersIn(restored) === this.#registers) this.#watch.restore(restored);
  }

  /**
   * Judges the next reading of the channel.
   *
   * @param monotonicMs when it was read, on a clock that is never set
   * @param doubts what the driver doubts of this reading
   */
  judge(reading: MeterReading, monotonicMs: number, doubts: readonly Doubt[] = []): Verdict {
    const verdict = this.#judge(reading, monotonicMs, doubts);
    if (verdict.kind === "accept" || verdict.kind === "discontinuity") {
      this.#clockOf(reading).adopt(reading, monotonicMs);
      this.#live.adopt(reading, monotonicMs);
    }
    this.#count(verdict);
    return verdict;
  }

  #clockOf({ status }: MeterReading): MeterClock {
    return statesMeterTime(status) ? this.#clocks.registers : this.#clocks.own;
  }

  counts(): GateCounts {
    return {
      accepted: this.#accepted,
      discontinuities: this.#discontinuities,
      held: new Map(this.#held),
      rejected: new Map(this.#rejected),
      stripped: new Map(this.#stripped),
      marked: new Map(this.#marked),
    };
  }

  #judge(reading: MeterReading, nowMs: number, doubts: readonly Doubt[]): Verdict {
    const clock = this.#clockOf(reading);
    const wrong = outOfRange(reading, this.#limits) ?? this.#live.fill(reading) ?? clock.duplicate(reading);
    const repeated = clock.repeats(reading);
    if (wrong !== undefined) return { kind: "reject", reason: wrong };
    const doubtful = clock.wentBack(reading, repeated) ?? this.#live.chargeJump(reading, nowMs, repeated);
    if (doubtful !== undefined) return { kind: "hold", reason: doubtful };
    const doubted = this.#doubts.judge(doubts, repeated);
    if (doubted?.kind === "hold") return { kind: "hold", reason: doubted.reason };
    const stale = clock.stale(reading, nowMs);
    const passing: Passing = {
      ...marked(reading, stale),
      ...(doubted === undefined ? {} : { stripped: doubted.reason }),
    };
    return this.#judgeFlow({ ...passing, reading: withoutDoubted(passing.reading, doubts) }, nowMs);
  }

  #judgeFlow(passing: Passing, nowMs: number): Verdict {
    const { reading } = passing;
    const flow = this.#flow.judge(reading, nowMs);
    const frozen = this.#live.frozen(reading, nowMs, flow?.kind === "frozen");
    if (frozen !== undefined) return { kind: "reject", reason: frozen };
    if (flow?.kind === "direction") return { kind: "reject", reason: flow.reason };
    if (flow !== undefined) return accepted(without(passing, flow.reason));
    return this.#judgeRegisters(passing, nowMs);
  }

  #judgeRegisters(passing: Passing, nowMs: number): Verdict {
    const { reading } = passing;
    const bits = registersIn(reading);
    if ((this.#registers & ~bits) !== 0 || this.#registers === 0)
      return this.#withoutRegisters(passing, bits);
    const known = withRegisters(reading, this.#registers);
    const finding = this.#watch.judge(known, nowMs);
    if (finding.kind === "good" || finding.kind === "break")
      this.#flow.adopt(known, nowMs, finding.kind === "good");
    const extra = bits === this.#registers ? undefined : appeared();
    return this.#verdict(noted({ ...passing, reading: known }, extra), finding);
  }

  /** A channel has all of its registers or none: with one of two, sums over both would mix instants. */
  #withoutRegisters(passing: Passing, bits: number): Verdict {
    if (bits === 0) return accepted(passing);
    return accepted(without(passing, this.#registers === 0 ? appeared() : incomplete()));
  }

  #verdict(passing: Passing, finding: Finding): Verdict {
    switch (finding.kind) {
      case "good":
        return accepted(passing);
      case "unusable":
        return accepted(without(passing, finding.reason));
      case "break":
        return {
          kind: "discontinuity",
          classification: DISCONTINUITY[finding.cause],
          reason: finding.reason,
          reading: passing.reading,
        };
      case "hold":
      case "reject":
        return finding;
    }
  }

  #count(verdict: Verdict): void {
    switch (verdict.kind) {
      case "accept":
        this.#accepted += 1;
        if (verdict.stripped !== undefined) add(this.#stripped, verdict.stripped.code, 1);
        if (verdict.marked !== undefined) add(this.#marked, verdict.marked.code, 1);
        return;
      case "discontinuity":
        this.#discontinuities += 1;
        return;
      case "hold":
        add(this.#held, verdict.reason.code, 1);
        return;
      case "reject":
        add(this.#rejected, verdict.reason.code, 1);
        return;
    }
  }
}

function accepted({ reading, stripped, marked }: Passing): Verdict {
  if (!saysAnything(reading))
    return { kind: "reject", reason: stripped ?? reason("empty", "the reading carries no value") };
  return {
    kind: "accept",
    reading,
    ...(stripped === undefined ? {} : { stripped }),
    ...(marked === undefined ? {} : { marked }),
  };
}

/** Without registers, for this reason; a reason that was there before is the one that counts. */
function without(passing: Passing, why: Reason): Passing {
  return noted({ ...passing, reading: withRegisters(passing.reading, 0) }, why);
}

function noted(passing: Passing, why: Reason | undefined): Passing {
  return why === undefined ? passing : { ...passing, stripped: passing.stripped ?? why };
}

function marked(reading: MeterReading, stale: Reason | undefined): Passing {
  if (stale === undefined) return { reading };
  return { reading: { ...reading, status: (reading.status ?? 0) | READING_STATUS.stale }, marked: stale };
}

function incomplete(): Reason {
  return reason("registers-incomplete", "one of the energy registers is missing; the other is left out too");
}

function appeared(): Reason {
  return reason(
    "register-appeared",
    "the meter shows an energy register that the channel was not known to have; it is left out",
  );
}

function add(counts: Map<ReasonCode, number>, code: ReasonCode, count: number): void {
  counts.set(code, (counts.get(code) ?? 0) + count);
}
