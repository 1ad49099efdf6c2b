import type { IntervalClose, Leaf } from "../../../attest/leaf.ts";
import { countEnergy } from "../kit/energy.ts";
import type { Served } from "../kit/meter.ts";
import { CHANNEL } from "../kit/site.ts";

/** Energy that closes of several epochs claim, held against each other. All in mWh of the import register. */
export interface EpochsEnergy {
  readonly closes: number;
  /** What at least one close claims. */
  readonly claimedMwh: number;
  /** What is claimed in more than one epoch: claimable once per key (docs/evidence-format.md). */
  readonly overlapMwh: number;
  /** What no close claims between the first and the last register. */
  readonly gapMwh: number;
  readonly gaps: number;
  readonly problems: readonly string[];
}

interface Span {
  readonly from: number;
  readonly to: number;
  readonly epoch: number;
}

/**
 * Each epoch is counted for itself against the meter. Between epochs registers tell which Wh is which, because the meter's
 * only grow: how much is claimed twice, and how much not at all.
 */
export function countEpochs(epochs: readonly (readonly Leaf[])[], served: readonly Served[]): EpochsEnergy {
  const problems = epochs.flatMap((leaves, at) =>
    countEnergy([leaves], { channel: CHANNEL, served }).problems.map(
      (problem) => `epoch ${at + 1}: ${problem}`,
    ),
  );
  const spans = epochs.flatMap((leaves, epoch) => spansOf(leaves, epoch)).sort((a, b) => a.from - b.from);
  const sum = { claimedMwh: 0, overlapMwh: 0, gapMwh: 0, gaps: 0 };
  let reached = spans[0]?.from ?? 0;
  for (const { from, to } of spans) {
    if (from > reached) {
      sum.gaps += 1;
      sum.gapMwh += from - reached;
    }
    const fresh = Math.max(0, to - Math.max(from, reached));
    sum.claimedMwh += fresh;
    sum.overlapMwh += to - from - fresh;
    reached = Math.max(reached, to);
  }
  return { closes: spans.length, ...sum, problems };
}

function spansOf(leaves: readonly Leaf[], epoch: number): Span[] {
  const channel = leaves.find((leaf) => leaf.kind === "channelManifest" && leaf.name === CHANNEL);
  const number = channel?.kind === "channelManifest" ? channel.channel : undefined;
  return leaves
    .filter((leaf): leaf is IntervalClose => leaf.kind === "intervalClose" && leaf.channel === number)
    .map(({ openingImportMwh = Number.NaN, closingImportMwh = Number.NaN }) => ({
      ...{ from: openingImportMwh, to: closingImportMwh, epoch },
    }));
}
