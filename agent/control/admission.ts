import { Problem } from "../../attest/problem.ts";
import type { ControlCapability, Controllable } from "../../drivers/control.ts";
import { isTakenInFailsafe } from "./phases.ts";
import type { ControlledResource } from "./settings.ts";
import { AUTHORITIES, type Authority, type ControlPhase, type Hold } from "./types.ts";

const MS_PER_S = 1000;
const SLACK_MS = 1000;

/** What stands in a hold's way before the device is asked. */
export interface Standing {
  readonly resource: ControlledResource;
  readonly phase: ControlPhase;
  /** Who has the device do something now. */
  readonly running: Authority | undefined;
  readonly nowMs: number;
  readonly isClosed: boolean;
  readonly isMeterStale: boolean;
}

/**
 * Throws Problem `control-closed`, `control-failsafe`, `control-outranked`, `control-bad-lease` or
 * `control-meter-stale`.
 */
export function requireAdmitted({ authority, untilMonotonicMs }: Hold, standing: Standing): void {
  const { resource, phase, running, nowMs } = standing;
  const where = resource.device;
  if (standing.isClosed) throw new Problem("control-closed", "the agent is stopping", { where });
  if (phase === "failsafe" && !isTakenInFailsafe(authority))
    throw new Problem("control-failsafe", "the device is in failsafe", {
      where,
      hint: "it waits for a word of whoever may order",
    });
  if (running !== undefined && rank(running) < rank(authority))
    throw new Problem("control-outranked", "somebody stronger has the device do something", {
      where,
      expected: `${running} or stronger`,
      got: authority,
    });
  if (!Number.isSafeInteger(untilMonotonicMs) || untilMonotonicMs <= nowMs)
    throw new Problem("control-bad-lease", "the time of the hold is over, or no whole number", {
      where,
      expected: `more than ${nowMs}`,
      got: String(untilMonotonicMs),
    });
  if (standing.isMeterStale)
    throw new Problem("control-meter-stale", "the meter at the grid connection gives no readings", { where });
}

/** Throws Problem `control-not-supported`, `control-bad-lease` or `control-unsupervised`. */
export function requireCapability(
  control: Controllable,
  hold: Hold,
  {
    resource: { channel },
    supervised,
    nowMs,
  }: { readonly resource: ControlledResource; readonly supervised: boolean; readonly nowMs: number },
): ControlCapability {
  const { device, value } = hold;
  const capability = control.capabilities().find(({ kind }) => kind === value.kind);
  if (capability === undefined || (channel !== undefined && capability.channel !== channel))
    throw new Problem("control-not-supported", "the device does not take this kind of command there", {
      where: channel === undefined ? device : `${device}/${channel}`,
      got: value.kind,
    });
  requireKept(hold, capability, nowMs);
  if (capability.reverts === "device" || supervised) return capability;
  throw new Problem("control-unsupervised", "nobody would end the command if the agent were gone", {
    where: device,
    hint: "run kilowitness agent --supervise",
  });
}

/** Some devices keep to no command for longer than a time, however often it is renewed. */
function requireKept(
  { device, untilMonotonicMs }: Hold,
  { mostMs = Number.POSITIVE_INFINITY, kind }: ControlCapability,
  nowMs: number,
): void {
  // What a tick and the end of an order add is no other length.
  if (untilMonotonicMs - nowMs <= mostMs + SLACK_MS) return;
  throw new Problem("control-bad-lease", `the device does not keep to ${kind} for so long`, {
    where: device,
    expected: `at most ${Math.floor(mostMs / MS_PER_S)} s`,
    got: `${Math.ceil((untilMonotonicMs - nowMs) / MS_PER_S)} s`,
  });
}

export function tooSoon(device: string, leftMs: number): Problem {
  return new Problem("control-too-soon", "the device was told something else a moment ago", {
    where: device,
    hint: `try again in ${Math.ceil(leftMs / MS_PER_S)} s`,
  });
}

function rank(authority: Authority): number {
  return AUTHORITIES.indexOf(authority);
}
