import { DISCONTINUITY } from "../../attest/leaf.ts";
import type { MeterReading } from "../../attest/reading.ts";
import type { ChannelDescription } from "../../drivers/driver.ts";
import { type Limits, limitsOf } from "./limits.ts";
import { outOfRange } from "./range.ts";
import { type Reason, type ReasonCode, reason } from "./reason.ts";
import { type Finding, RegisterWatch, type Restored, type WatchedChannel } from "./register-watch.ts";
import { registersIn, registersOf, saysAnything, withRegisters } from "./registers.ts";

/** What becomes of a reading. `reading` is what may be sealed: the one judged, perhaps without registers. */
export type Verdict =
  | { readonly kind: "accept"; readonly reading: MeterReading; readonly stripped?: Reason }
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
}

/** How many verdicts a gate has given. */
export interface GateCounts {
  readonly accepted: number;
  readonly discontinuities: number;
  /** By reason code. A held reading that was not confirmed is counted as rejected, too. */
  readonly held: ReadonlyMap<ReasonCode, number>;
  readonly rejected: ReadonlyMap<ReasonCode, number>;
  /** Accepted without their registers. */
  readonly stripped: ReadonlyMap<ReasonCode, number>;
}

/**
 * Stands between the driver and the log of one channel of one meter: no reading is sealed that cannot be true. A
 * register that moves as no register can is held until three more readings agree with it; then it is a
 * discontinuity, and no energy. A single wrong reading leaves no trace but a count.
 */
export class QualityGate {
  readonly #limits: Limits;
  readonly #registers: number;
  readonly #watch: RegisterWatch;
  readonly #held = new Map<ReasonCode, number>();
  readonly #rejected = new Map<ReasonCode, number>();
  readonly #stripped = new Map<ReasonCode, number>();
  #accepted = 0;
  #discontinuities = 0;

  /** `restored`: the channel's last registers of the journal, which the first reading is held against. */
  constructor(channel: GateChannel, restored?: Restored) {
    this.#limits = limitsOf(channel);
    this.#registers = channel.registers ?? registersOf(channel);
    const watched: WatchedChannel = { limits: this.#limits, ...channel };
    this.#watch = new RegisterWatch(watched, (code, count) => add(this.#rejected, code, count));
    if (restored !== undefined && registersIn(restored) === this.#registers) this.#watch.restore(restored);
  }

  /**
   * Judges the next reading of the channel.
   *
   * @param monotonicMs when it was read, on a clock that is never set
   */
  judge(reading: MeterReading, monotonicMs: number): Verdict {
    const verdict = this.#judge(reading, monotonicMs);
    this.#count(verdict);
    return verdict;
  }

  counts(): GateCounts {
    return {
      accepted: this.#accepted,
      discontinuities: this.#discontinuities,
      held: new Map(this.#held),
      rejected: new Map(this.#rejected),
      stripped: new Map(this.#stripped),
    };
  }

  #judge(reading: MeterReading, monotonicMs: number): Verdict {
    const impossible = outOfRange(reading, this.#limits);
    if (impossible !== undefined) return { kind: "reject", reason: impossible };
    const bits = registersIn(reading);
    const missing = this.#registers & ~bits;
    if (missing !== 0) return this.#withoutRegisters(reading, bits);
    const known = withRegisters(reading, this.#registers);
    if (this.#registers === 0) return this.#withoutRegisters(known, bits);
    const finding = this.#watch.judge(known, monotonicMs);
    return this.#verdict(known, finding, (bits & ~this.#registers) === 0 ? undefined : appeared());
  }

  /** A channel has all of its registers or none: with one of two, sums over both would mix instants. */
  #withoutRegisters(reading: MeterReading, bits: number): Verdict {
    const why =
      bits === 0
        ? undefined
        : this.#registers === 0
          ? appeared()
          : reason(
              "registers-incomplete",
              "one of the energy registers is missing; the other is left out too",
            );
    return stripped(withRegisters(reading, 0), why);
  }

  #verdict(reading: MeterReading, finding: Finding, extra: Reason | undefined): Verdict {
    switch (finding.kind) {
      case "good":
        return { kind: "accept", reading, ...(extra === undefined ? {} : { stripped: extra }) };
      case "unusable":
        return stripped(withRegisters(reading, 0), finding.reason);
      case "break":
        return {
          kind: "discontinuity",
          classification: DISCONTINUITY[finding.cause],
          reason: finding.reason,
          reading,
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

function stripped(rest: MeterReading, why: Reason | undefined): Verdict {
  if (saysAnything(rest))
    return { kind: "accept", reading: rest, ...(why === undefined ? {} : { stripped: why }) };
  return { kind: "reject", reason: why ?? reason("empty", "the reading carries no value") };
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
