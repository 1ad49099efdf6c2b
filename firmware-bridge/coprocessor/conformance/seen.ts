import { setTimeout as pause } from "node:timers/promises";
import type { SmpConnection } from "../../smp/connection.ts";
import { STALE_AFTER_MS } from "../protocol.ts";
import { type AgedSnapshot, askSnapshot, type TakenSnapshot } from "../snapshot.ts";

/** The host's time. */
export interface HostTime {
  /** ms by a clock that is never set. */
  readonly nowMs: () => number;
  readonly pause: (ms: number) => Promise<void>;
}

export const HOST_TIME: HostTime = {
  nowMs: () => performance.now(),
  pause: (ms) => pause(ms),
};

/** A snapshot, and when it was asked for: the answer was made at some time between. */
export interface Seen extends AgedSnapshot {
  readonly sentMs: number;
  readonly seenMs: number;
}

/**
 * Asks for a snapshot, however old.
 *
 * @throws Problem `coprocessor-not-ready`, `coprocessor-front-end`, `coprocessor-answer`, `smp-…`, `line-…`
 */
export async function see(connection: SmpConnection, time: HostTime): Promise<Seen> {
  const sentMs = time.nowMs();
  const aged = await askSnapshot(connection);
  return { ...aged, sentMs, seenMs: time.nowMs() };
}

/** The device's own time when it answered, ms since its start. */
export function ownMs({ snapshot, ageMs }: Seen): number {
  return snapshot.atMs + ageMs;
}

/** What is wrong where the host takes a snapshot for one of long ago. */
export function staleFault({ ageMs }: Seen): string | undefined {
  if (ageMs <= STALE_AFTER_MS) return undefined;
  return `age is ${ageMs} ms, and above ${STALE_AFTER_MS} no host takes a snapshot: the front end has measured nothing new`;
}

export function isSameSnapshot(
  { snapshot: one }: TakenSnapshot,
  { snapshot: other }: TakenSnapshot,
): boolean {
  return one.boot === other.boot && one.number === other.number;
}

/** Each once, in order. */
export function distinct(seen: readonly Seen[]): readonly Seen[] {
  return seen.filter((one, at) => {
    const before = seen[at - 1];
    return before === undefined || !isSameSnapshot(before, one);
  });
}

/** Neighbours. */
export function pairs<T>(all: readonly T[]): readonly (readonly [T, T])[] {
  return all.slice(1).flatMap((now, at) => {
    const before = all[at];
    return before === undefined ? [] : [[before, now] as const];
  });
}

export function firstOf<T>(all: readonly T[], fault: (one: T) => string | undefined): string | undefined {
  for (const one of all) {
    const words = fault(one);
    if (words !== undefined) return words;
  }
  return undefined;
}
