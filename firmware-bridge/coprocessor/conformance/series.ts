import { Problem } from "../../../attest/problem.ts";
import type { SmpConnection } from "../../smp/connection.ts";
import { STALE_AFTER_MS } from "../protocol.ts";
import { type HostTime, isSameSnapshot, type Seen, see, staleFault } from "./seen.ts";

export interface SeriesSettings {
  readonly snapshots: number;
  /** Between two of them, about. */
  readonly pauseMs: number;
  /** How long the first one and another one are waited for. */
  readonly patienceMs: number;
  readonly time: HostTime;
}

/** Of waiting for what is not there yet, and of watching. */
const LEAST_PAUSE_MS = 250;
/** The golden section: parts that never fall into step with what goes on in the firmware. */
const SECTION = 0.618;

/**
 * Reads snapshots into `seen`, each twice without a pause: most front ends latch less often, and the second one is the first.
 *
 * @throws Problem as {@link see}
 */
export async function takeSeries(
  connection: SmpConnection,
  seen: Seen[],
  settings: SeriesSettings,
): Promise<string | undefined> {
  const { snapshots, pauseMs, time } = settings;
  for (let count = 0; count < snapshots; count += 1) {
    if (count > 0) await time.pause(uneven(pauseMs, count));
    const one = count === 0 ? await seeFirst(connection, settings) : await see(connection, time);
    seen.push(one, await see(connection, time));
    const fault = staleFault(one);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Waits until there is another snapshot than the last one that was seen. */
export async function awaitNext(
  connection: SmpConnection,
  seen: Seen[],
  { patienceMs, pauseMs, time }: SeriesSettings,
): Promise<string | undefined> {
  const last = seen.at(-1);
  const from = seen.find((one) => last !== undefined && isSameSnapshot(one, last));
  if (from === undefined) return "nothing was read";
  for (;;) {
    const now = await see(connection, time);
    seen.push(now);
    if (!isSameSnapshot(from, now)) return undefined;
    const waitedMs = now.seenMs - from.sentMs;
    if (now.ageMs > STALE_AFTER_MS || waitedMs > patienceMs) return noneNew(from, now);
    await time.pause(Math.max(pauseMs, LEAST_PAUSE_MS));
  }
}

/** Reads on for a while. */
export async function watch(
  connection: SmpConnection,
  seen: Seen[],
  { watchMs, pauseMs, time }: SeriesSettings & { readonly watchMs: number },
): Promise<string | undefined> {
  const endMs = time.nowMs() + watchMs;
  for (let count = 1; time.nowMs() < endMs; count += 1) {
    await time.pause(uneven(Math.max(pauseMs, LEAST_PAUSE_MS), count));
    const now = await see(connection, time);
    seen.push(now);
    const fault = staleFault(now);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/**
 * A snapshot, as soon as anything has been measured.
 *
 * @throws Problem as {@link see}
 */
export async function seeFirst(
  connection: SmpConnection,
  { patienceMs, time }: Pick<SeriesSettings, "patienceMs" | "time">,
): Promise<Seen> {
  const endMs = time.nowMs() + patienceMs;
  for (;;) {
    try {
      return await see(connection, time);
    } catch (error) {
      const isEarly = error instanceof Problem && error.code === "coprocessor-not-ready";
      if (!isEarly || time.nowMs() >= endMs) throw error;
      await time.pause(LEAST_PAUSE_MS);
    }
  }
}

/** From half to one and a half of `ms`. */
function uneven(ms: number, count: number): number {
  return Math.round(ms * (0.5 + ((count * SECTION) % 1)));
}

function noneNew(from: Seen, now: Seen): string {
  const none = `no new snapshot in ${((now.seenMs - from.sentMs) / 1000).toFixed(1)} s`;
  const [wasMs, isMs] = [from.snapshot.atMs, now.snapshot.atMs];
  if (wasMs !== isMs)
    return `${none}: seq stays ${now.snapshot.number} while ms goes on from ${wasMs} to ${isMs}`;
  return `${none}, its age went from ${from.ageMs} to ${now.ageMs} ms: the front end stands still, or is not read`;
}
