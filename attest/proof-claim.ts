import { equalBytes } from "./bytes.ts";
import { type ChannelManifest, type Discontinuity, type IntervalClose, KNOWN_TIME } from "./leaf.ts";
import type { FlexibilityLeaf } from "./leaf-flexibility.ts";
import { Problem } from "./problem.ts";
import type { NamedManifest, ProvenLog } from "./proof-log.ts";
import { arrangeSegments, discontinuitiesBetween, requireContinued, type Segment } from "./segments.ts";

/** A stretch of one chain, with the manifest in force at its end and the place of its log in the proof. */
export interface ProvenSegment extends Segment {
  readonly manifest: ChannelManifest;
  readonly log: number;
}

/** A stated hole between two segments. Its energy is not part of the claim. */
export interface ProvenGap {
  readonly fromMs: number;
  readonly toMs: number;
  readonly discontinuities: readonly Discontinuity[];
  /** The epoch that begins in the gap, where that is why there is one. */
  readonly epoch?: number;
  /** The clock was set in the gap, too: its ends are by two clocks, and the second may be the earlier one. */
  readonly clockSet?: true;
}

/** The clock was set between two segments: one register, two clocks. Its energy is part of the claim. */
export interface ProvenClockStep {
  /** End of the earlier segment, by the clock as it was. */
  readonly fromMs: number;
  /** Begin of the later segment, by the clock as it is since. */
  readonly toMs: number;
}

/** What lies between segments. */
export interface Borders {
  readonly gaps: readonly ProvenGap[];
  readonly clockSteps: readonly ProvenClockStep[];
}

/** What a proof shows of one channel's registers. */
export interface EnergyClaim extends Borders {
  readonly kind: "energy";
  readonly fromMs: number;
  readonly toMs: number;
  readonly segments: readonly [ProvenSegment, ...ProvenSegment[]];
  /** Whether a leaf of kinds 32-63, which nobody here can read, lies within the span. */
  readonly opaque: boolean;
}

/** What a proof shows of one flexibility reading. */
export interface FlexibilityClaim {
  readonly kind: "flexibility";
  readonly leaf: FlexibilityLeaf;
  readonly manifest: ChannelManifest;
}

/**
 * The claim of the proof's logs: the registers of one channel over all of them, or one flexibility reading in the only
 * one. Throws `proof-…`.
 */
export function provenClaim(logs: readonly ProvenLog[]): EnergyClaim | FlexibilityClaim {
  const flexible = logs.find(({ leaves }) => leaves.flexibility.length > 0);
  if (flexible !== undefined) return flexibilityClaim(flexible, logs.length);
  const parts = logs.map(segmentsOf);
  const segments = parts.flat();
  const [first] = segments;
  const last = segments.at(-1);
  if (first === undefined || last === undefined) throw new Problem("proof-cover", "the proof holds no close");
  requireInside(segments, first.first.t0Ms, last.last.t1Ms);
  requireAnchorsBelow(logs, (log) => parts[log]?.at(-1)?.last.closingSeq);
  const within = logs.map((log, at) => bordersWithin(parts[at] ?? [], log.leaves.discontinuities));
  const between = parts
    .slice(1)
    .map((part, at) => epochGap(parts.slice(0, at + 1).flat(), part, logs[at + 1]));
  return {
    kind: "energy",
    fromMs: first.first.t0Ms,
    toMs: last.last.t1Ms,
    segments: [first, ...segments.slice(1)],
    gaps: [...within.flatMap(({ gaps }) => gaps), ...between].sort((a, b) => a.fromMs - b.fromMs),
    clockSteps: within.flatMap(({ clockSteps }) => clockSteps),
    opaque: parts.some(holdsOpaque),
  };
}

function flexibilityClaim(log: ProvenLog, logs: number): FlexibilityClaim {
  const { flexibility, closes, discontinuities } = log.leaves;
  const [leaf, second] = flexibility;
  if (leaf === undefined || second !== undefined || closes.length + discontinuities.size > 0 || logs > 1)
    throw new Problem("proof-leaf", "a flexibility proof holds one flexibility reading and no other claim");
  if (leaf.timeQuality < KNOWN_TIME)
    throw new Problem("proof-time", "the flexibility reading was made before the device knew the time", {
      where: `leaf ${leaf.seq}`,
    });
  requireAnchorsBelow([log], () => leaf.seq);
  const manifest = manifestNamedBy(leaf, log.channelManifests);
  requireInForce([manifest], log.channelManifests);
  return { kind: "flexibility", leaf, manifest };
}

function segmentsOf(log: ProvenLog, at: number): ProvenSegment[] {
  const { closes, discontinuities } = log.leaves;
  const stray = [...closes, ...discontinuities.values()].find(
    ({ channel }) => channel !== (closes[0]?.channel ?? channel),
  );
  if (stray !== undefined)
    throw new Problem("proof-channel", `a ${stray.kind} is of another channel`, {
      where: `leaf ${stray.seq}`,
    });
  for (const close of closes) requireSound(close);
  const segments = arrangeSegments(closes).map((segment) => ({
    ...segment,
    manifest: manifestNamedBy(segment.last, log.channelManifests),
    log: at,
  }));
  requireInForce(
    segments.map(({ manifest }) => manifest),
    log.channelManifests,
  );
  return segments;
}

/** A close does not end before it begins, and what it names lies before it. */
function requireSound({
  seq,
  t0Ms,
  t1Ms,
  openingSeq,
  closingSeq,
  lastDiscontinuitySeq = 0,
}: IntervalClose): void {
  if (t0Ms <= t1Ms && openingSeq <= closingSeq && closingSeq < seq && lastDiscontinuitySeq < seq) return;
  throw new Problem("proof-chain", "a close ends before it begins, or names what comes after it", {
    where: `close ${seq}`,
  });
}

/** Where the clock was set, a segment may lie beyond the claim's ends by its clock: then it is none of the claim. */
function requireInside(segments: readonly Segment[], fromMs: number, toMs: number): void {
  const outside = segments.find(({ first, last }) => first.t0Ms < fromMs || last.t1Ms > toMs);
  if (outside === undefined) return;
  throw new Problem("proof-cover", "a segment lies beyond the claim's ends", {
    where: `close ${outside.first.seq}`,
  });
}

/** Each close and each flexibility leaf names its channel's manifest by place and hash. */
function manifestNamedBy(
  leaf: IntervalClose | FlexibilityLeaf,
  manifests: readonly NamedManifest[],
): ChannelManifest {
  for (const { manifest, hash } of manifests) {
    const named = manifest.seq === leaf.manifestSeq && equalBytes(hash, leaf.manifestHash);
    if (named && manifest.channel === leaf.channel) return manifest;
  }
  throw new Problem("proof-manifest", "the channel manifest in force is missing or another one", {
    where: `leaf ${leaf.seq}`,
  });
}

function requireInForce(used: readonly ChannelManifest[], held: readonly NamedManifest[]): void {
  const inForce = [...new Set(used.map(({ seq }) => seq))].sort((a, b) => a - b);
  if (String(inForce) !== String(held.map(({ manifest }) => manifest.seq)))
    throw new Problem("proof-leaf", "the proof holds other manifests than those in force, in order");
}

/** An anchor at or behind the claim's last leaf bounds nothing. */
function requireAnchorsBelow(logs: readonly ProvenLog[], endOf: (log: number) => number | undefined): void {
  for (const [at, { anchors, receipts, leaves }] of logs.entries()) {
    const late = anchors.find(({ seq }) => seq >= (endOf(at) ?? 0));
    if (late !== undefined)
      throw new Problem("proof-anchor", "the anchor does not lie before the claim's end", {
        where: `leaf ${late.seq}`,
      });
    const opening = leaves.closes[0]?.openingSeq ?? leaves.flexibility[0]?.seq ?? 0;
    if (receipts.some(({ size }) => size <= opening))
      throw new Problem("receipt-mismatch", "a receipt covers nothing of what is claimed");
  }
}

/** What lies between neighbouring segments of one log: a stated gap, a clock step, or only a new manifest. */
function bordersWithin(segments: readonly Segment[], known: ReadonlyMap<number, Discontinuity>): Borders {
  const gaps: ProvenGap[] = [];
  const clockSteps: ProvenClockStep[] = [];
  let used = 0;
  for (const [at, later] of segments.entries()) {
    const earlier = segments[at - 1];
    if (earlier === undefined) continue;
    const discontinuities = discontinuitiesBetween(earlier, later, known);
    used += discontinuities.length;
    const between = { fromMs: earlier.last.t1Ms, toMs: later.first.t0Ms };
    const clockSet = earlier.last.lastClockStepSeq !== later.first.lastClockStepSeq;
    if (between.toMs < between.fromMs && !clockSet) throw isBefore(later.first);
    if (discontinuities.length > 0) gaps.push({ ...between, discontinuities, ...(clockSet && { clockSet }) });
    else requireContinued(earlier.last, later.first);
    if (discontinuities.length === 0 && between.fromMs !== between.toMs) clockSteps.push(between);
  }
  if (used !== known.size)
    throw new Problem("proof-leaf", "the proof holds a discontinuity that is not between its closes");
  return { gaps, clockSteps };
}

/** Only where the clock was set may a log hold the same times twice. */
function isBefore(later: IntervalClose): Problem {
  return new Problem("proof-chain", "a segment begins before the one before it ended", {
    where: `close ${later.seq}`,
  });
}

/**
 * What lies between the last segment of one epoch and the first of the next: a gap that is not claimed. The channel is
 * the same by name and role, time goes on, and so do the registers of a meter that an epoch before has counted, or the
 * same Wh would be claimed twice.
 */
function epochGap(
  before: readonly ProvenSegment[],
  after: readonly ProvenSegment[],
  log: ProvenLog | undefined,
): ProvenGap {
  const earlier = before.at(-1);
  const [later] = after;
  if (earlier === undefined || later === undefined || log === undefined)
    throw new Problem("proof-cover", "an epoch holds no close");
  const [a, b] = [earlier.manifest, later.manifest];
  if (a.name !== b.name || a.role !== b.role)
    throw new Problem("proof-channel", "the epochs' channels are not the same", {
      expected: `${JSON.stringify(a.name)}, role ${a.role}`,
      got: `${JSON.stringify(b.name)}, role ${b.role}`,
    });
  const counted = before.findLast(({ manifest }) => manifest.make === b.make && manifest.serial === b.serial);
  if (later.first.t0Ms < earlier.last.t1Ms || (counted !== undefined && isBack(counted.last, later.first)))
    throw new Problem("proof-epoch", "two epochs of the key claim the same time or the same energy", {
      where: `close ${later.first.seq}, epoch ${log.identity.epoch}`,
    });
  const { epoch } = log.identity;
  return { fromMs: earlier.last.t1Ms, toMs: later.first.t0Ms, discontinuities: [], epoch };
}

function isBack(earlier: IntervalClose, later: IntervalClose): boolean {
  return (
    isBelow(later.openingImportMwh, earlier.closingImportMwh) ||
    isBelow(later.openingExportMwh, earlier.closingExportMwh)
  );
}

function isBelow(value: number | undefined, bound: number | undefined): boolean {
  return value !== undefined && bound !== undefined && value < bound;
}

/** The last close of a log says which unreadable leaf came last. */
function holdsOpaque(segments: readonly ProvenSegment[]): boolean {
  const opaque = segments.at(-1)?.last.lastOpaqueSeq;
  return opaque !== undefined && opaque > (segments[0]?.first.openingSeq ?? 0);
}
