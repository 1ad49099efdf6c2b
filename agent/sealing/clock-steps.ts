import { type ClockStep, KNOWN_TIME, TIME_QUALITY, type Unplaced } from "../../attest/leaf.ts";
import type { Instant, Step } from "../clock/clock.ts";

/** What is known of the time between two starts. */
const NO_CLOCK: Instant = { timeMs: 0, timeQuality: TIME_QUALITY.none };

/** Whether an instant is UTC. */
export function isKnown({ timeQuality }: Instant): boolean {
  return timeQuality >= KNOWN_TIME;
}

/**
 * The steps that a log has to state at a start, between the instant of its last leaf and what the clock shows now; none
 * where the clock goes on. No clock has run since that leaf, so none says how long ago it was: a clock that is known now is
 * stated as found, and not as set. `anew`: the machine itself was started since, and counts from another instant.
 */
export function stepsAtStart(before: Instant, after: Instant, anew: boolean): Step[] {
  const same = isKnown(before) === isKnown(after) && after.timeMs >= before.timeMs;
  if (same && (isKnown(after) || !anew)) return [];
  if (!isKnown(after)) return [{ before, after }];
  return [
    { before, after: NO_CLOCK },
    { before: NO_CLOCK, after },
  ];
}

/** The leaf that states a step. */
export function clockStepLeaf({ before, after }: Step): Unplaced<ClockStep> {
  const { timeMs: beforeMs, timeQuality: beforeQuality } = before;
  const { timeMs, timeQuality } = after;
  return { kind: "clockStep", timeMs, timeQuality, beforeMs, beforeQuality };
}
