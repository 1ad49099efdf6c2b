import type { LogBuilder } from "../../kit/log-builder.ts";
import { from } from "./claim-faults.ts";
import type { Draft } from "./draft.ts";
import { nodeA, nodeB, sha256, someHash } from "./keys.ts";
import { meteredLog, read, readOn, receiptOver } from "./logs.ts";
import { type Row, refusedProofs } from "./proof-faults.ts";
import { after, alter, anchorLeaf, closeAt, proofOf, trustBoth } from "./proof-parts.ts";
import { flipped } from "./sealing.ts";

/** The reading that opens the claim, node A's receipt over it, its anchor at 3, and a close at 5. */
function anchoredLog(changes: Readonly<Record<string, unknown>> = {}): {
  log: LogBuilder;
  receipt: Uint8Array;
} {
  const log = readOn(meteredLog(), 0, 0);
  const receipt = receiptOver(log, nodeA, after(1));
  log.timeMs = after(2);
  log.append(anchorLeaf(log, nodeA, { receipt, receivedAtMs: after(1), size: 3 }));
  read(log, 60, 1_003_000);
  return { log: alter(closeAt(log, 61), 3, changes), receipt };
}

const leaves = [3, 5];

/** The anchor says something else, and the file shows these receipts for it. */
function saying(
  changes: Readonly<Record<string, unknown>>,
  anchored: readonly Uint8Array[] = [anchoredLog().receipt],
): Uint8Array {
  return proofOf(anchoredLog(changes).log, { leaves, anchored });
}

/** Bad proofs whose anchors do not name a receipt of the file that is older than they are. */
export function anchorFaultDrafts(): Draft[] {
  const { log, receipt } = anchoredLog();
  const good = from(log, { leaves, anchored: [receipt] }, trustBoth);
  return refusedProofs(good, [...otherWords(), ...otherReceipts()]);
}

function otherWords(): Row[] {
  return [
    [
      "anchor-hash",
      "proof-anchor",
      "An anchor of a receipt that is not in the file.",
      saying({
        receiptHash: someHash("another receipt"),
      }),
    ],
    [
      "anchor-time",
      "proof-anchor",
      "An anchor that says another time than its receipt.",
      saying({
        receivedAtMs: after(2),
      }),
    ],
    [
      "anchor-size",
      "proof-anchor",
      "An anchor that says another size than its receipt.",
      saying({ receiptSize: 2 }),
    ],
    [
      "anchor-node",
      "proof-anchor",
      "An anchor that says another node than its receipt.",
      saying({
        nodeKey: nodeB.publicKey,
      }),
    ],
  ];
}

function otherReceipts(): Row[] {
  const { log, receipt } = anchoredLog();
  const large = receiptOver(log, nodeA, after(1), { size: 4 });
  const forged = flipped(receipt, -1);
  const other = receiptOver(log, nodeB, after(1), { size: 3 });
  return [
    [
      "anchor-no-receipt",
      "proof-anchor",
      "The receipt that an anchor names is left out.",
      proofOf(log, { leaves }),
    ],
    [
      "anchor-surplus",
      "proof-anchor",
      "A receipt for an anchor that is not there.",
      proofOf(log, {
        ...{ leaves, anchored: [receipt, other] },
      }),
    ],
    [
      "anchor-younger",
      "proof-anchor",
      "An anchor of a receipt over itself.",
      saying({ receiptHash: sha256(large), receiptSize: 4 }, [large]),
    ],
    ["anchor-late", "proof-anchor", "An anchor behind the closing reading.", late()],
    [
      "anchored-signature",
      "cose-signature",
      "The receipt of an anchor is not signed by its node.",
      saying({ receiptHash: sha256(forged) }, [forged]),
    ],
  ];
}

/** The receipt is taken up between the closing reading, at 3, and its close. */
function late(): Uint8Array {
  const log = readOn(meteredLog(), 0, 0);
  const receipt = receiptOver(log, nodeA, after(1));
  read(log, 60, 1_003_000);
  log.append(anchorLeaf(log, nodeA, { receipt, receivedAtMs: after(1), size: 3 }));
  return proofOf(closeAt(log, 61), { leaves: [4, 5], anchored: [receipt] });
}
