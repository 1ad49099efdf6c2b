import { compareBytes } from "../../../attest/bytes.ts";
import type { CborValue } from "../../../attest/cbor.ts";
import type { Draft } from "./draft.ts";
import { device, nodeA, nodeB, someHash } from "./keys.ts";
import { checkpointOver, meteredLog, readOn, receiptOver } from "./logs.ts";
import { orderTwo } from "./order-two.ts";
import { type Row, refusedProofs } from "./proof-faults.ts";
import { after, bothReceipts, closeAt, proofOf, seqsOf, trustBoth } from "./proof-parts.ts";
import { PLAIN_CLOSE, plainEnergy, plainLog, proof, witnessedShown } from "./proofs.ts";
import { flipped } from "./sealing.ts";

const witnessed = proof("witnessed", {
  ...{ about: "", policy: trustBoth, expect: plainEnergy },
  proof: proofOf(plainLog(), witnessedShown()),
});

/** Bad proofs whose receipts are not those of other nodes over this log. */
export function proofReceiptDrafts(): Draft[] {
  return [...refusedProofs(witnessed, [...pairs(), ...singles()]), ...earlierReceipts()];
}

function withReceipts(...receipts: readonly Uint8Array[]): Uint8Array {
  return proofOf(plainLog(), { leaves: [PLAIN_CLOSE], receipts });
}

function pairs(): Row[] {
  const [first = new Uint8Array(0), second = new Uint8Array(0)] = bothReceipts(plainLog(), 62);
  return [
    [
      "receipt-signature",
      "cose-signature",
      "One bit of a receipt's signature is another one.",
      withReceipts(first, flipped(second, -1)),
    ],
    [
      "receipt-order",
      "proof-order",
      "Receipts against the order of their keys.",
      withReceipts(second, first),
    ],
    [
      "receipt-twice-times",
      "receipt-twice",
      "Two receipts of one node over one size.",
      withReceipts(first, ofSameNode(first)),
    ],
  ];
}

function singles(): Row[] {
  const log = plainLog();
  const ofA = (changes: Readonly<Record<number, CborValue>>): Uint8Array =>
    withReceipts(receiptOver(log, nodeA, after(62), { changes }));
  const otherLog = someHash("manifest");
  return [
    [
      "receipt-own",
      "receipt-own",
      "The device is a node to itself.",
      withReceipts(receiptOver(log, device, after(62))),
    ],
    [
      "receipt-key",
      "key-invalid",
      "A node key of order 2; the equation holds.",
      withReceipts(receiptOver(log, orderTwo, after(62))),
    ],
    ["receipt-type", "cose-type", "A checkpoint among the receipts.", withReceipts(checkpointOver(log))],
    ["receipt-empty", "receipt-empty", "A receipt over nothing.", ofA({ 2: 0 })],
    ["receipt-log", "receipt-mismatch", "A receipt over a log with another manifest.", ofA({ 1: otherLog })],
    ["receipt-large", "receipt-mismatch", "A receipt over more leaves than the checkpoint.", ofA({ 2: 6 })],
    [
      "receipt-root",
      "receipt-mismatch",
      "A receipt over another root of the same size.",
      ofA({
        2: log.leaves.length,
        3: someHash("another root"),
      }),
    ],
  ];
}

function ofSameNode(receipt: Uint8Array): Uint8Array {
  const node = compareBytes(nodeA.publicKey, nodeB.publicKey) < 0 ? nodeA : nodeB;
  const other = receiptOver(plainLog(), node, after(70));
  if (compareBytes(other, receipt) === 0) throw new Error("two receipts");
  return other;
}

/** Receipts over a log that was smaller then: 7 leaves, of which the opening reading is leaf 5. */
function earlierReceipts(): Draft[] {
  const log = readOn(meteredLog(), 0, 80);
  closeAt(readOn(log, 100, 120), 121);
  const closes = seqsOf(log, "intervalClose").slice(1);
  const early = (size: number, changes: Readonly<Record<number, CborValue>> = {}): Uint8Array =>
    proofOf(log, {
      ...{ leaves: closes, cuts: [size] },
      receipts: [receiptOver(log, nodeA, after(81), { size, changes }), receiptOver(log, nodeA, after(125))],
    });
  const from = proof("early", { about: "", proof: early(7), policy: trustBoth, expect: {} });
  const [_one, _two] = [receiptOver(log, nodeA, after(81), { size: 7 }), receiptOver(log, nodeA, after(125))];
  return refusedProofs(from, [
    [
      "receipt-cut",
      "receipt-mismatch",
      "An earlier receipt over another history.",
      early(7, {
        3: someHash("another history"),
      }),
    ],
  ]);
}
