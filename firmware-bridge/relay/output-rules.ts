import { Problem } from "../../attest/problem.ts";
import type { Position, PositionReason, RelayShown, RelayStates } from "./relay.ts";

/** Least and longest time of one position, ms. */
export interface PositionTimes {
  readonly leastMs: number;
  /** Renewals included; absent: as long as it is renewed. */
  readonly mostMs?: number;
  /** An absence that is shorter is part of that time: otherwise letting go for an instant would begin it anew. */
  readonly restMs?: number;
}

/** A stretch in a position with a longest time, short absences included. */
interface Spell {
  readonly beganMs: number;
  readonly leftMs: number | undefined;
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
  readonly #spells = new Map<Position, Spell>();
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
    if (position !== this.#position) {
      this.#requireDwelt(nowMs);
      this.#requireRested(position, nowMs);
    }
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
    const { leastMs } = this.#timesOf(this.#position);
    const spentMs = this.#spentMs(this.#position);
    if (this.#leaseUntilMs === undefined)
      return this.#position === this.#resting() ? undefined : this.#sinceMs + leastMs;
    return spentMs === undefined ? this.#leaseUntilMs : Math.min(this.#leaseUntilMs, spentMs);
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
    const left = this.#spells.get(this.#position);
    if (left !== undefined) this.#spells.set(this.#position, { ...left, leftMs: nowMs });
    const known = this.#restless(position, nowMs) ?? { beganMs: nowMs };
    this.#spells.set(position, { ...known, leftMs: undefined });
    this.#position = position;
    this.#sinceMs = nowMs;
  }

  /** The spell in a position that goes on when it is taken again now. */
  #restless(position: Position, nowMs: number): Spell | undefined {
    const spell = this.#spells.get(position);
    const { restMs = 0 } = this.#timesOf(position);
    return spell !== undefined && nowMs - (spell.leftMs ?? nowMs) < restMs ? spell : undefined;
  }

  /** When the longest time of a position is over that it is in. */
  #spentMs(position: Position): number | undefined {
    const { mostMs } = this.#timesOf(position);
    const spell = this.#spells.get(position);
    return mostMs === undefined || spell === undefined ? undefined : spell.beganMs + mostMs;
  }

  #isSpent(nowMs: number): boolean {
    const spentMs = this.#spentMs(this.#position);
    return spentMs !== undefined && nowMs >= spentMs;
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

  /** What is left of the longest time must be enough for the least one. */
  #requireRested(position: Position, nowMs: number): void {
    const { mostMs, leastMs, restMs = 0 } = this.#timesOf(position);
    const spell = this.#restless(position, nowMs);
    if (mostMs === undefined || spell?.leftMs === undefined) return;
    if (spell.beganMs + mostMs - nowMs >= Math.max(leastMs, 1)) return;
    throw new Problem("relay-dwell", "the output has been in that position for its longest time", {
      where: this.#settings.name,
      expected: `${restMs} ms in other positions`,
      got: `${spell.leftMs + restMs - nowMs} ms to go`,
      hint: "command it later",
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
