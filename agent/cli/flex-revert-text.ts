import { describeProblem } from "../../attest/problem.ts";
import type { ControlKind, ControlState } from "../../drivers/control.ts";
import { monotonicMs } from "../../runtime/monotonic.ts";
import type { KeptLease } from "../control/types.ts";
import { powerText } from "../words.ts";
import type { RevertOutcome } from "./flex-revert-run.ts";

/** What was done, for people. */
export interface RevertReport {
  readonly file: string;
  readonly outcomes: readonly RevertOutcome[];
  /** Whether the times of the leases hold: the machine was not started since. */
  readonly sameBoot: boolean;
}

const WORDS: Readonly<Record<ControlKind, string>> = {
  powerSetpoint: "power setpoint",
  importLimit: "import limit",
  exportLimit: "export limit",
  stateOfChargeReserve: "reserve of the battery",
  mode: "mode of operation",
};

const PPM_PER_PERCENT = 10_000;

export function revertText({ outcomes, sameBoot, file }: RevertReport): string {
  if (outcomes.length === 0) return "nothing to revert: no device is under a command of this agent\n";
  const lines = outcomes.flatMap((outcome) => outcomeLines(outcome, sameBoot));
  const left = outcomes.filter(({ reverted }) => !reverted).length;
  const sum =
    left === 0
      ? "every command is ended"
      : `${left} of ${outcomes.length} commands are NOT ended, and stay in ${file}: run this again, or see "By hand"`;
  return `${[...lines, sum].join("\n")}\n`;
}

export function revertJson({ outcomes, sameBoot, file }: RevertReport): object {
  return {
    ...{ event: "flex-revert", file },
    reverted: outcomes
      .filter(({ reverted }) => reverted)
      .map(({ lease, tries }) => ({ ...idOf(lease), tries })),
    left: outcomes
      .filter(({ reverted }) => !reverted)
      .map(({ lease, tries, problem }) => ({
        ...{ ...idOf(lease), tries, ...describeProblem(problem) },
        byHand: byHand(lease, sameBoot),
      })),
  };
}

function idOf({ device, kind, channel, reverts }: KeptLease): object {
  return { device, kind, channel, reverts };
}

function outcomeLines({ lease, reverted, problem, tries }: RevertOutcome, sameBoot: boolean): string[] {
  const name = `${lease.device}: ${WORDS[lease.kind]}`;
  const often = tries === 1 ? "" : `, after ${tries} tries`;
  if (reverted) return [`${name} ended, and the device confirms it${often}`];
  const { code, message } = describeProblem(problem);
  return [`${name} NOT ENDED${often}: ${message} (${code})`, `  By hand: ${byHand(lease, sameBoot)}`];
}

/** What somebody does who stands before the device. */
function byHand(lease: KeptLease, sameBoot: boolean): string {
  const then = "Then run this command again.";
  if (lease.reverts === "holder") return `${setBack(lease)} ${then}`;
  const leftMs = sameBoot ? lease.untilMonotonicMs - monotonicMs() : 0;
  const when =
    leftMs > 0
      ? `ends it by itself within ${Math.ceil(leftMs / 1000)} s`
      : "has ended it by itself by its timer";
  return `the device ${when}; look at its display or app whether it has. ${then}`;
}

function setBack({ kind, before }: KeptLease): string {
  switch (kind) {
    case "powerSetpoint":
    case "mode":
      return "in the device's app or at its display, switch remote control off, or its operation back to automatic (self-consumption).";
    case "importLimit":
    case "exportLimit":
      return `in the device's app or at its display, set the ${WORDS[kind]} back to ${valueWords(before)}.`;
    case "stateOfChargeReserve":
      return `in the device's app or at its display, set the battery's reserve back to ${valueWords(before)}.`;
  }
}

function valueWords(before: ControlState | undefined): string {
  if (before === undefined) return "what it was (it is not known here)";
  const { value } = before;
  if (before.active !== true || value === undefined) return "off";
  if ("limitMw" in value) return powerText(value.limitMw);
  return "reservePpm" in value ? `${value.reservePpm / PPM_PER_PERCENT} %` : "what it was";
}
