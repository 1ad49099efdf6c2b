import type { GuardedLease } from "./lease-view.ts";

/** Why the agent is ended while it runs. */
export type GuardReason = "expired" | "agent-hung" | "clock-step";

/** What the guard has found. */
export interface Finding {
  readonly reason: GuardReason;
  /** One lease that it is about. */
  readonly lease: GuardedLease;
}

/** Both clocks of the machine. */
export interface GuardClock {
  readonly monotonicMs: () => number;
  readonly wallMs: () => number;
}

/** How often the guard looks. */
export const LOOK_MS = 1000;
/** An agent that ends a lease in time may still be waiting for the device's answer. */
const GRACE_MS = 5000;
/** So many looks without a sign of life. Looks are counted, not time: after a pause of the whole machine none is missing. */
const SILENT_LOOKS = 10;
/** The wall clock was set, not led, when it moves so far against the other one between two looks. */
const STEP_MS = 2000;
/** The agent has so long to end its leases by itself after that. */
const AFTER_STEP_MS = 5000;

/**
 * Watches over one life of the agent: whether what it leases is renewed, and whether it is there at all. Leases that were
 * in the file when it began are of an earlier life, and ending them has failed already: the agent goes on with that, and
 * is not ended for them, or it would never run again beside a device that does not answer.
 */
export class LeaseGuard {
  readonly #leases: () => readonly GuardedLease[];
  readonly #clock: GuardClock;
  readonly #inherited: ReadonlyMap<string, number>;
  #own: ReadonlySet<string> = new Set();
  #heard = false;
  #silentLooks = 0;
  #offsetMs: number;
  #step: { readonly atMs: number; readonly leases: ReadonlySet<string> } | undefined;

  /** @param leases those in the file now; asked at each look */
  constructor(leases: () => readonly GuardedLease[], clock: GuardClock) {
    this.#leases = leases;
    this.#clock = clock;
    this.#inherited = new Map(leases().map((lease) => [keyOf(lease), lease.untilMonotonicMs]));
    this.#offsetMs = clock.wallMs() - clock.monotonicMs();
  }

  /** The agent has given a sign of life. */
  heard(): void {
    this.#heard = true;
    this.#silentLooks = 0;
  }

  /** Called every {@link LOOK_MS}: why the agent is to be ended, if it is. */
  look(): Finding | undefined {
    const nowMs = this.#clock.monotonicMs();
    const leases = this.#leases();
    this.#own = new Set(leases.filter((lease) => this.#isOwn(lease, nowMs)).map(keyOf));
    const own = leases.filter((lease) => this.#own.has(keyOf(lease)));
    return this.#expired(own, nowMs) ?? this.#hung(own, leases) ?? this.#leftAfterStep(own, nowMs);
  }

  /** Begun or renewed in this life, and running when it was first seen. */
  #isOwn(lease: GuardedLease, nowMs: number): boolean {
    const key = keyOf(lease);
    const { untilMonotonicMs, sameBoot } = lease;
    if (this.#own.has(key)) return true;
    return sameBoot && untilMonotonicMs > nowMs && this.#inherited.get(key) !== untilMonotonicMs;
  }

  #expired(own: readonly GuardedLease[], nowMs: number): Finding | undefined {
    const lease = own.find(({ untilMonotonicMs }) => untilMonotonicMs + GRACE_MS < nowMs);
    return lease && { reason: "expired", lease };
  }

  #hung(own: readonly GuardedLease[], all: readonly GuardedLease[]): Finding | undefined {
    // Who has once said that it is alive also goes on saying so about what it found there.
    const [lease] = this.#heard ? all : own;
    this.#silentLooks = lease === undefined ? 0 : this.#silentLooks + 1;
    return lease && this.#silentLooks > SILENT_LOOKS ? { reason: "agent-hung", lease } : undefined;
  }

  #leftAfterStep(own: readonly GuardedLease[], nowMs: number): Finding | undefined {
    const offsetMs = this.#clock.wallMs() - nowMs;
    const stepped = Math.abs(offsetMs - this.#offsetMs) > STEP_MS;
    this.#offsetMs = offsetMs;
    if (stepped) this.#step ??= { atMs: nowMs, leases: new Set(own.map(keyOf)) };
    const step = this.#step;
    if (step === undefined || nowMs - step.atMs < AFTER_STEP_MS) return undefined;
    this.#step = undefined;
    const lease = own.find((one) => step.leases.has(keyOf(one)));
    return lease && { reason: "clock-step", lease };
  }
}

/** A device has one lease of a kind. */
function keyOf({ device, kind }: GuardedLease): string {
  return `${kind} ${device}`;
}
