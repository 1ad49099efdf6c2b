import {
  type Chain,
  type CloseBody,
  closeAtBoundary,
  closeAtBreak,
  dueBoundary,
  type IntervalRule,
  needsBreakClose,
  type RegisterPoint,
} from "./intervals.ts";
import type { ChannelManifest, IntervalClose } from "./leaf.ts";
import { Problem } from "./problem.ts";

/**
 * What a verifier remembers of one channel, and the rules by which each leaf moves it. The sealing agent runs
 * the same rules on its own log before it writes, so it never seals what a node would refuse. States are never
 * changed in place. All functions throw a Problem whose code is the name of the fault.
 */
export interface ChannelState {
  readonly manifest: ChannelManifest;
  readonly manifestHash: Uint8Array;
  readonly lastTimeMs: number;
  readonly lastReadingMs?: number;
  /** Last reading with registers. */
  readonly last?: RegisterPoint;
  readonly chain?: Chain;
  /** Where a chain that was ended by a partial close may go on. Set until the reason for the break is given. */
  readonly broken?: { readonly t0Ms: number };
  /** Registers that the next reading must show, as a discontinuity announced them. */
  readonly announced?: { readonly importMwh?: number; readonly exportMwh?: number };
  /** The manifest names another meter than the last reading came from: a discontinuity must say so. */
  readonly replaced?: boolean;
  readonly lastDiscontinuitySeq?: number;
  readonly lastCloseSeq?: number;
  readonly lastClockStepSeq?: number;
  readonly lastOpaqueSeq?: number;
}

/** The state of a channel that its first manifest opens. */
export function openChannel(manifest: ChannelManifest, manifestHash: Uint8Array): ChannelState {
  return { manifest: withoutExtensions(manifest), manifestHash, lastTimeMs: manifest.timeMs };
}

/** The rule by which the channel's intervals close. */
export function ruleOf(state: ChannelState, intervalMs: number): IntervalRule {
  return { intervalMs, samplingMs: state.manifest.samplingMs };
}

/** Extensions are hashed and never interpreted, so nothing has to be remembered of them. */
export function withoutExtensions(manifest: ChannelManifest): ChannelManifest {
  const { extensions: _, ...known } = manifest;
  return known;
}

/** The close that must be written before anything later than `nowMs` may be said, or undefined. */
export function dueClose(state: ChannelState, nowMs: number, intervalMs: number): CloseBody | undefined {
  const { chain, last } = state;
  if (chain === undefined || last === undefined) return undefined;
  const boundary = dueBoundary(chain, last, ruleOf(state, intervalMs), nowMs);
  return boundary === undefined ? undefined : closeAtBoundary(chain, last, boundary, intervalMs);
}

/** The partial close that must be written before a discontinuity, a manifest change or a clock step. */
export function breakClose(state: ChannelState, intervalMs: number): CloseBody | undefined {
  const { chain, last } = state;
  if (chain === undefined || last === undefined || !needsBreakClose(chain, last)) return undefined;
  return closeAtBreak(chain, last, intervalMs);
}

/** The references that every close of this channel carries now. */
export function closeReferences(
  state: ChannelState,
): Pick<
  IntervalClose,
  | "manifestSeq"
  | "manifestHash"
  | "lastDiscontinuitySeq"
  | "previousCloseSeq"
  | "lastClockStepSeq"
  | "lastOpaqueSeq"
> {
  return {
    manifestSeq: state.manifest.seq,
    manifestHash: state.manifestHash,
    ...(state.lastDiscontinuitySeq === undefined ? {} : { lastDiscontinuitySeq: state.lastDiscontinuitySeq }),
    ...(state.lastCloseSeq === undefined ? {} : { previousCloseSeq: state.lastCloseSeq }),
    ...(state.lastClockStepSeq === undefined ? {} : { lastClockStepSeq: state.lastClockStepSeq }),
    ...(state.lastOpaqueSeq === undefined ? {} : { lastOpaqueSeq: state.lastOpaqueSeq }),
  };
}

/** Throws `close-missing` while a chain holds energy that no close has stated yet. */
export function requireNoOpenEnergy(state: ChannelState): void {
  if (state.chain === undefined || state.last === undefined || !needsBreakClose(state.chain, state.last))
    return;
  throw new Problem("close-missing", "a chain was broken without a partial close at its last good register");
}

/** Throws `close-missing` while an interval that is over at `timeMs` has no close. */
export function requireNoDueClose(state: ChannelState, timeMs: number, intervalMs: number): void {
  const due = dueClose(state, timeMs, intervalMs);
  if (due === undefined) return;
  throw new Problem("close-missing", "the close of an interval that is over was left out", {
    expected: `a close at ${due.t1Ms}`,
  });
}
