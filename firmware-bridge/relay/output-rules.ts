import { Problem } from "../../attest/problem.ts";
import type { Position, PositionReason, RelayShown, RelayStates } from "./relay.ts";

/** Least and longest time of one position, ms. */
export interface PositionTimes {
  readonly leastMs: number;
  /** Renewals included; absent: as long as it is renewed. */
  readonly mostMs?: number;
}

export interface OutputSettings {
  /** How messages call the output. */
  readonly name: string;
  readonly states: RelayStates;
  /** By position: 2 of one contact, 4 of two. */
  readonly times: readonly PositionTimes[];
}

/** A day: nobody leaves a heat pump or a charger alone for longer. */
export const LONGEST_LEASE_MS = 86_400_000;

/**
 * Where one output has to be: leases, dwell times and defined states as a function of commands and of the time, which is
 * given in ms of a clock that is never set. It waits for nothing and drives nothing.
 */
export class OutputRules {
  readonly #settings: OutputSettings;
  #position: Position;
  /** Since when it is there: from the start on, since nobody knows what was before. */
  #sinceMs: number;
  /** Of the lease that runs, which is always one of the position. */
  #leaseUntilMs: number | undefined;
  #isLost = false;
  #why: Exclude<PositionReason, "lease" | "ending"> = "start";

  constructor(settings: OutputSettings, nowMs: number) {
    this.#settings = settings;
    this.#position = settings.states.onStart;
    this.#sinceMs = nowMs;
  }

  /** @throws Problem `relay-position`, `relay-lease`, `relay-dwell`: nothing has changed then */
  command(position: Position, leaseMs: number, nowMs: number): void {
    this.settle(nowMs);
    this.#check(position, leaseMs);
    if (position !== this.#position) this.#requireDwelt(nowMs);
    this.#isLost = false;
    this.#leaseUntilMs = nowMs + leaseMs;
    this.#go(position, nowMs);
  }

  /** Ends the lease, if there is one. */
  release(nowMs: number): void {
    this.settle(nowMs);
    this.#endLease();
    this.settle(nowMs);
  }

  /** Nobody is there: the defined state at once, whatever the dwell time says. */
  lose(nowMs: number): void {
    this.#leaseUntilMs = undefined;
    this.#isLost = true;
    this.#why = "lost";
    this.#go(this.#settings.states.onLoss, nowMs);
  }

  /** Somebody is there again; leases are not. */
  regain(): void {
    this.#isLost = false;
  }

  /** Does what is due at that time. */
  settle(nowMs: number): void {
    if (this.#leaseUntilMs !== undefined && (nowMs >= this.#leaseUntilMs || this.#isSpent(nowMs)))
      this.#endLease();
    const resting = this.#resting();
    if (this.#leaseUntilMs === undefined && this.#position !== resting && this.#dwellMs(nowMs) === 0)
      this.#go(resting, nowMs);
  }

  shown(nowMs: number): RelayShown {
    const dwellMs = this.#dwellMs(nowMs);
    const dwell = dwellMs === 0 ? {} : { dwellMs };
    if (this.#leaseUntilMs !== undefined) {
      const leaseMs = Math.max(0, this.#leaseUntilMs - nowMs);
      return { position: this.#position, why: "lease", leaseMs, ...dwell };
    }
    const isEnding = this.#position !== this.#resting();
    return { position: this.#position, why: isEnding ? "ending" : this.#why, ...dwell };
  }

  /** When {@link settle} has something to do; undefined where only a command changes anything. */
  dueMs(): number | undefined {
    const { leastMs, mostMs } = this.#timesOf(this.#position);
    if (this.#leaseUntilMs === undefined)
      return this.#position === this.#resting() ? undefined : this.#sinceMs + leastMs;
    return mostMs === undefined ? this.#leaseUntilMs : Math.min(this.#leaseUntilMs, this.#sinceMs + mostMs);
  }

  get position(): Position {
    return this.#position;
  }

  #endLease(): void {
    if (this.#leaseUntilMs === undefined) return;
    this.#leaseUntilMs = undefined;
    this.#why = "ended";
  }

  #resting(): Position {
    const { onStart, onLoss } = this.#settings.states;
    return this.#isLost ? onLoss : onStart;
  }

  #go(position: Position, nowMs: number): void {
    if (position === this.#position) return;
    this.#position = position;
    this.#sinceMs = nowMs;
  }

  #isSpent(nowMs: number): boolean {
    const { mostMs } = this.#timesOf(this.#position);
    return mostMs !== undefined && nowMs - this.#sinceMs >= mostMs;
  }

  #dwellMs(nowMs: number): number {
    return Math.max(0, this.#sinceMs + this.#timesOf(this.#position).leastMs - nowMs);
  }

  #timesOf(position: Position): PositionTimes {
    return this.#settings.times[position] ?? { leastMs: 0 };
  }

  #check(position: Position, leaseMs: number): void {
    const { name, times } = this.#settings;
    if (times[position] === undefined)
      throw new Problem("relay-position", "the output has no such position", {
        ...{ where: name, expected: `0 to ${times.length - 1}`, got: String(position) },
      });
    if (Number.isSafeInteger(leaseMs) && leaseMs >= 1 && leaseMs <= LONGEST_LEASE_MS) return;
    throw new Problem("relay-lease", "no lease of an output", {
      ...{ where: name, expected: `1 to ${LONGEST_LEASE_MS} ms`, got: String(leaseMs) },
    });
  }

  #requireDwelt(nowMs: number): void {
    const dwellMs = this.#dwellMs(nowMs);
    if (dwellMs === 0) return;
    throw new Problem("relay-dwell", "the output has not been in its position for its least time", {
      where: this.#settings.name,
      expected: `${this.#timesOf(this.#position).leastMs} ms in position ${this.#position}`,
      got: `${dwellMs} ms to go`,
      hint: "command it later",
    });
  }
}
