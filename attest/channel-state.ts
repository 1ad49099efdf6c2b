import {
  type Bridge,
  type Chain,
  type CloseBody,
  closeAtBoundary,
  closeAtBreak,
  dueBoundary,
  type IntervalRule,
  isAdrift,
  needsBreakClose,
  type RegisterPoint,
} from "./intervals.ts";
import { type ChannelManifest, type ClockStep, type IntervalClose, KNOWN_TIME } from "./leaf.ts";
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

/** Whether a chain whose last reading has no place on the clock holds energy: it goes on, for no close may end there. */
export function keepsCount({ chain, last }: ChannelState): boolean {
  return chain !== undefined && last !== undefined && isAdrift(chain, last) && last.seq !== chain.opening.seq;
}

/** The chain's bridge as a property, where it has one. */
export function bridgeOf(chain: Chain | undefined): { readonly bridge?: Bridge } {
  return chain?.bridge === undefined ? {} : { bridge: chain.bridge };
}

/** A chain stands where it stood on the last clock that was known, over however many that were not. */
export function bridgeAfter(
  chain: Chain | undefined,
  step: Pick<ClockStep, "seq" | "timeQuality">,
  { t0Ms, isLost }: { readonly t0Ms: number; readonly isLost: boolean },
): { readonly bridge?: Bridge } {
  const before = chain?.bridge;
  if (before === undefined) return isLost ? { bridge: { t0Ms, lostSeq: step.seq } } : {};
  const stood = isLost ? Math.min(before.t0Ms, t0Ms) : before.t0Ms;
  const lostSeq = step.timeQuality >= KNOWN_TIME ? before.lostSeq : step.seq;
  return { bridge: { t0Ms: stood, lostSeq } };
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
