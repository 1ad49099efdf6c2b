import { Problem } from "../../attest/problem.ts";
import type { ControlCapability, Controllable } from "../../drivers/control.ts";
import { isTakenInFailsafe } from "./phases.ts";
import type { ControlledResource } from "./settings.ts";
import { AUTHORITIES, type Authority, type ControlPhase, type Hold } from "./types.ts";

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

/** Throws Problem `control-not-supported` or `control-unsupervised`. */
export function requireCapability(
  control: Controllable,
  { device, value }: Hold,
  {
    resource: { channel },
    supervised,
  }: { readonly resource: ControlledResource; readonly supervised: boolean },
): ControlCapability {
  const capability = control.capabilities().find(({ kind }) => kind === value.kind);
  if (capability === undefined || (channel !== undefined && capability.channel !== channel))
    throw new Problem("control-not-supported", "the device does not take this kind of command there", {
      where: channel === undefined ? device : `${device}/${channel}`,
      got: value.kind,
    });
  if (capability.reverts === "device" || supervised) return capability;
  throw new Problem("control-unsupervised", "nobody would end the command if the agent were gone", {
    where: device,
    hint: "run kilowitness agent --supervise",
  });
}

export function tooSoon(device: string, leftMs: number): Problem {
  return new Problem("control-too-soon", "the device was told something else a moment ago", {
    where: device,
    hint: `try again in ${Math.ceil(leftMs / 1000)} s`,
  });
}

function rank(authority: Authority): number {
  return AUTHORITIES.indexOf(authority);
}
