import { decodeCborMap, encodeCbor } from "../../../attest/cbor.ts";
import { DIRECTION } from "../../../attest/leaf-flexibility.ts";
import { bad, type Draft } from "./draft.ts";
import { device, nodeB } from "./keys.ts";
import { force } from "./logs.ts";
import { alter, seqsOf } from "./proof-parts.ts";
import { flipped } from "./sealing.ts";
import {
  END_MS,
  EVENT_MS,
  ISSUED_MS,
  idOf,
  type Life,
  listBytes,
  livedLog,
  SIX_HOURS_MS,
  settlementOf,
  shownOf,
} from "./settlement-parts.ts";
import { fileOf, IN_TIME, LIST, noHistory } from "./settlements.ts";

type Row = readonly [fault: string, code: string, about: string, input: object];

/** Settlement proofs with one fault each, beside that of a channel without a history. */
export function settlementFaultDrafts(): Draft[] {
  return [...fileFaults(), ...commitmentFaults(), ...dispatchFaults(), ...closeFaults()].map(
    ([fault, code, about, input]) => bad(noHistory, fault, { about, code, input }),
  );
}

function fileFaults(): Row[] {
  const file = settlementOf(livedLog(), { list: LIST, receiptedMs: IN_TIME });
  const map = decodeCborMap(file, { maxDepth: 2, maxLength: file.length });
  const with_ = (key: number, value: string | Uint8Array): object => ({
    settlement: encodeCbor(new Map([...map, [key, value]])),
  });
  return [
    ["truncated", "settlement-format", "The last byte is missing.", { settlement: file.slice(0, -1) }],
    [
      "format",
      "settlement-format",
      "The file says that it is of another version.",
      with_(0, "kilowitness/2 settlement"),
    ],
    ["unknown-key", "unknown-key", "The file has a key that this version does not know.", with_(4, LIST)],
    [
      "list-signature",
      "cose-signature",
      "One bit of the list's signature is another one.",
      with_(2, flipped(LIST, -1)),
    ],
    ["receipt-early", "receipt-mismatch", "A receipt does not cover the commitment.", earlyReceipt()],
  ];
}

/** A receipt over what lies below the commitment. */
function earlyReceipt(): object {
  const log = livedLog();
  const commitment = seqsOf(log, "commitment")[0] ?? 0;
  const shown = { list: LIST, receiptedMs: IN_TIME, receiptedSize: commitment };
  return { settlement: settlementOf(log, shown) };
}

function commitmentFaults(): Row[] {
  const log = livedLog();
  const seq = seqsOf(log, "commitment")[0] ?? 0;
  const second = (life: Life, boundary: number): object => {
    const twice = livedLog(life);
    const { leaf } = twice.leaves[seq] ?? {};
    if (leaf?.kind !== "commitment") throw new Error("no commitment");
    return {
      settlement: settlementOf(force(twice, { ...leaf, boundary, channel: 2 }), {
        list: LIST,
        receiptedMs: IN_TIME,
      }),
    };
  };
  const missing = shownOf(log).filter((shown) => shown !== seq);
  return [
    [
      "commitment-missing",
      "commitment-missing",
      "The commitment is not shown.",
      fileOf({}, { leaves: missing }),
    ],
    [
      "commitment-order",
      "commitment-order",
      "The leaf commits less than the node signed.",
      fileOf({ leaf: { deltaMwh: [-2_999_999] } }),
    ],
    [
      "commitment-terms",
      "commitment-terms",
      "The leaf names other terms than the node signed.",
      fileOf({ leaf: { termsDigest: new Uint8Array(32) } }),
    ],
    [
      "commitment-expired",
      "commitment-expired",
      "The order had expired before the leaf was written.",
      fileOf({ commitment: { 5: ISSUED_MS + 1 } }),
    ],
    [
      "commitment-own",
      "commitment-own",
      "The device signed its own commitment.",
      { settlement: settlementOf(livedLog({ node: device }), { receiptedMs: IN_TIME }) },
    ],
    [
      "commitment-interval",
      "commitment-interval",
      "The commitment is by the half of the log's intervals.",
      fileOf({ commitment: { 8: SIX_HOURS_MS / 2 }, leaf: { intervalMs: SIX_HOURS_MS / 2 } }),
    ],
    [
      "commitment-offer",
      "commitment-offer",
      "The offer that the order names is not shown.",
      fileOf({ commitment: { 11: 2 }, leaf: { offerSeq: 2 } }),
    ],
    [
      "commitment-overlap",
      "commitment-overlap",
      "A second commitment is of the site, for the same time.",
      second({}, 2),
    ],
    [
      "commitment-signature",
      "cose-signature",
      "One bit of the node's signature is another one.",
      counterfeit(),
    ],
    [
      "order-log",
      "order-log",
      "The commitment is to another log.",
      fileOf({ commitment: { 1: new Uint8Array(32) } }),
    ],
    [
      "order-field",
      "order-field",
      "The order reduces import by a delta above 0.",
      fileOf({ commitment: { 9: [3_000_000] }, leaf: { deltaMwh: [3_000_000] } }),
    ],
    [
      "order-terms",
      "order-terms",
      "The terms name rules of settlement that are not known.",
      fileOf({ terms: { 5: 2 } }),
    ],
    [
      "clock",
      "proof-time",
      "A trusted node had the commitment before it was given.",
      fileOf({}, { receiptedMs: ISSUED_MS - 121_000 }),
    ],
  ];
}

/** Hashes and device signature fit; the node's does not. */
function counterfeit(): object {
  const log = livedLog();
  const seq = seqsOf(log, "commitment")[0] ?? 0;
  const { leaf } = log.leaves[seq] ?? {};
  if (leaf?.kind !== "commitment") throw new Error("no commitment");
  alter(log, seq, { counterparty: flipped(leaf.counterparty, -1) });
  return { settlement: settlementOf(log, { list: LIST, receiptedMs: IN_TIME }) };
}

function dispatchFaults(): Row[] {
  const answered = livedLog();
  alter(answered, seqsOf(answered, "acknowledgement")[0] ?? 0, { orderSeq: 1 });
  const offered = livedLog();
  const offer = {
    ...({ kind: "offer", ...offered.time(), channel: 1, boundary: 1, direction: DIRECTION.reduce } as const),
    ...{ fromMs: EVENT_MS, toMs: END_MS, powerMw: 1, noticeMs: 0, baselineMethod: "h10/1" },
  };
  force(offered, offer);
  const shown = { list: LIST, receiptedMs: IN_TIME };
  return [
    [
      "dispatch-log",
      "order-log",
      "A dispatch is to another log.",
      fileOf({ dispatches: [{ 1: new Uint8Array(32) }] }),
    ],
    [
      "dispatch-key",
      "order-key",
      "A dispatch is by another node than the commitment.",
      fileOf({ dispatchedBy: nodeB }),
    ],
    [
      "dispatch-order",
      "dispatch-order",
      "A dispatch is under another commitment.",
      fileOf({ dispatches: [{ 6: idOf(8) }] }),
    ],
    [
      "dispatch-twice",
      "dispatch-twice",
      "The log holds one dispatch twice.",
      fileOf({ dispatches: [{}, {}] }),
    ],
    [
      "dispatch-command",
      "order-field",
      "A dispatch has a command that there is not.",
      fileOf({ dispatches: [{ 9: 4 }] }),
    ],
    [
      "answer",
      "settlement-reference",
      "An acknowledgement is about a leaf that is no dispatch.",
      { settlement: settlementOf(answered, shown) },
    ],
    [
      "leaf",
      "proof-leaf",
      "An offer is shown that the order does not name.",
      { settlement: settlementOf(offered, shown) },
    ],
    [
      "list-other",
      "dispatch-list-other",
      "The list is of another commitment.",
      fileOf({}, { list: listBytes([], { 2: idOf(8) }) }),
    ],
    [
      "list-key",
      "order-key",
      "The list is by another node than the commitment.",
      fileOf({}, { list: listBytes([], {}, nodeB) }),
    ],
  ];
}

function closeFaults(): Row[] {
  const log = livedLog();
  const closes = seqsOf(log, "intervalClose");
  const without = (seq: number | undefined): object =>
    fileOf({}, { leaves: shownOf(log).filter((shown) => shown !== seq) });
  const fallen = livedLog();
  alter(fallen, closes.at(-1) ?? 0, { closingImportMwh: 0 });
  return [
    [
      "close-missing",
      "settlement-close-missing",
      "A close before the event is left out.",
      without(closes[2]),
    ],
    ["close-first", "settlement-history", "The channel's first close is left out.", without(closes[0])],
    [
      "close-last",
      "settlement-open",
      "The closes end before the event does.",
      fileOf({}, { leaves: shownOf(log).filter((seq) => !closes.slice(-2).includes(seq)) }),
    ],
    [
      "close-energy",
      "proof-energy",
      "A register falls within a close.",
      { settlement: settlementOf(fallen, { list: LIST, receiptedMs: IN_TIME }) },
    ],
  ];
}
