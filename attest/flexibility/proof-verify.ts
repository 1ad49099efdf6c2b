import type { EnrolledKey } from "../enrolled-key.ts";
import type { ChannelManifest, IntervalClose } from "../leaf.ts";
import { MAX_LARGE_MULTIPROOF_LEAVES } from "../multiproof.ts";
import { Problem } from "../problem.ts";
import { openPart, type ProvenLog, shownAnchors } from "../proof-log.ts";
import { provenEnrolment } from "../proof-verify.ts";
import type { Suite } from "../suite.ts";
import { shownCloses } from "./proof-closes.ts";
import { evidenceOf, requireSpan, type Span, spanOf } from "./proof-evidence.ts";
import { decodeSettlementProof } from "./proof-file.ts";
import { type ShownLife, shownLife, sortByKind } from "./proof-life.ts";
import { settle } from "./settle.ts";
import type { Settled } from "./settle-types.ts";

/** Everything that a settlement proof shows by itself, under the keys that it names, and what was delivered by it. */
export interface ProvenSettlement {
  readonly network: string;
  readonly deviceKey: Uint8Array;
  /** Just one: a commitment ends with its epoch. */
  readonly logs: readonly [ProvenLog];
  readonly life: ShownLife;
  readonly closes: readonly [IntervalClose, ...IntervalClose[]];
  /** By the seq under which closes name them. */
  readonly manifests: ReadonlyMap<number, ChannelManifest>;
  /** What the closes had to cover. */
  readonly span: Span;
  readonly settled: Settled;
  readonly enrolled?: EnrolledKey;
}

/**
 * Checks a settlement proof from its first byte to its last and computes the settlement from the leaves alone. Nothing in
 * the file is trusted: whether the keys are anybody's is for the caller to judge. Throws a Problem whose code names the
 * fault: docs/evidence-format.md, "Settlement proof".
 */
export function verifySettlement(suite: Suite, bytes: Uint8Array): ProvenSettlement {
  const { part, list, enrolment } = decodeSettlementProof(bytes);
  const { leaves, ...open } = openPart(suite, part, MAX_LARGE_MULTIPROOF_LEAVES);
  const sorted = sortByKind(leaves);
  const life = shownLife(suite, open, { leaves: sorted, list });
  const { commitment } = life;
  const metered = shownCloses({
    ...{ channel: commitment.channel, closes: sorted.closes },
    ...{ discontinuities: sorted.discontinuities, manifests: open.channelManifests },
  });
  const { discontinuities } = sorted;
  const { closes, manifests: meters } = metered;
  const settled = settle(evidenceOf(life, { closes, discontinuities, meters }));
  const span = spanOf(commitment, settled);
  requireSpan(metered.closes, commitment, span);
  const anchors = shownAnchors(suite, part, { ...open, anchors: sorted.anchors });
  const { identity } = open;
  const shown = {
    ...{ closes: metered.closes, discontinuities: metered.discontinuities },
    ...{ anchors: sorted.anchors, flexibility: [] },
  };
  const log: ProvenLog = { ...open, leaves: shown, anchors };
  requireUseful(log, commitment.seq);
  return {
    ...{ network: identity.network, deviceKey: identity.deviceKey, logs: [log] },
    ...{ life, closes: metered.closes, manifests: metered.manifests, span, settled },
    ...(enrolment && { enrolled: provenEnrolment(suite, identity, enrolment) }),
  };
}

/** A receipt below the commitment and an anchor behind the last close bound nothing. */
function requireUseful({ receipts, anchors, leaves }: ProvenLog, commitmentSeq: number): void {
  if (receipts.some(({ size }) => size <= commitmentSeq))
    throw new Problem("receipt-mismatch", "a receipt does not cover the commitment");
  const end = leaves.closes.at(-1)?.seq ?? 0;
  const late = anchors.find(({ seq }) => seq >= end);
  if (late !== undefined)
    throw new Problem("proof-anchor", "the anchor does not lie before the last close", {
      where: `leaf ${late.seq}`,
    });
}
