import { type Draft, good } from "./draft.ts";
import { device, NETWORK, nodeA, nodeB } from "./keys.ts";
import {
  dispatchBytes,
  END_MS,
  EVENT_MS,
  ISSUED_MS,
  idOf,
  type Life,
  listBytes,
  livedLog,
  type ShownFile,
  settlementOf,
} from "./settlement-parts.ts";

/** Settlement proofs. What a verdict must say is worked out by hand from what the meter showed. */
export function settlementDrafts(): Draft[] {
  return [...[plain, noHistory], ...verdicts()];
}

const policy = { deviceKeys: [device.publicKey], nodeKeys: [nodeA.publicKey], witnesses: 1 };
export const IN_TIME: number = ISSUED_MS + 60_000;
export const LIST: Uint8Array = listBytes([dispatchBytes({}, nodeA)]);
const usual = {
  ...{ trust: "device", standing: "witnessed", network: NETWORK, deviceKey: device.publicKey },
  ...{ counterparty: nodeA.publicKey, fromMs: EVENT_MS, toMs: END_MS, receiptedAtMs: IN_TIME },
  ...{ counts: true, faults: [], called: true, baselineMethod: "h10/1" },
};

/** 2026-01-06 is day 20459; the 10th, 11th, 17th and 18th are a weekend. */
const plain: Draft = good("settlement", "", {
  about: "Six hours with 3 kWh committed and 3.6 kWh less than on ten like days before.",
  input: {
    settlement: settlementOf(livedLog({ beginMs: Date.UTC(2026, 0, 6) }), {
      list: LIST,
      receiptedMs: IN_TIME,
    }),
  },
  policy,
  expect: {
    ...{ ...usual, result: "delivered", completenessPpm: 1_000_000 },
    usedDays: [20_472, 20_469, 20_468, 20_467, 20_466, 20_465, 20_462, 20_461, 20_460, 20_459],
    ...{
      excludedDays: [20_471, 20_470, 20_464, 20_463],
      exclusionReasons: ["unlike", "unlike", "unlike", "unlike"],
    },
    ...{
      baselineMwh: [6_000_000],
      actualMwh: [2_400_000],
      deliveredMwh: [3_600_000],
      countedMwh: [3_600_000],
    },
    totals: {
      ...{ committedMwh: 3_000_000, baselineMwh: 6_000_000, actualMwh: 2_400_000, deliveredMwh: 3_600_000 },
      ...{ countedMwh: 3_600_000, shortfallMwh: 0, reboundMwh: 0 },
    },
  },
});

export function fileOf(life: Life = {}, shown: ShownFile = {}): object {
  return { settlement: settlementOf(livedLog(life), { list: LIST, receiptedMs: IN_TIME, ...shown }) };
}

const refused = {
  result: "unavailable",
  reason: "baseline-days",
  usedDays: [],
  excludedDays: [],
  exclusionReasons: [],
};

export const noHistory: Draft = good("settlement", "no-history", {
  about: "The channel is a day old: there is no baseline, and nothing is owed.",
  ...{ input: fileOf(), policy },
  expect: { ...usual, ...refused },
});

function verdicts(): Draft[] {
  const late = EVENT_MS - 3_600_000 + 1;
  return [
    good("settlement", "late", {
      about: "The first trusted node had the commitment a millisecond after its notice began.",
      ...{ input: fileOf({}, { receiptedMs: late }), policy },
      expect: { ...usual, ...refused, counts: false, faults: ["commitment-late"], receiptedAtMs: late },
    }),
    good("settlement", "hidden-dispatch", {
      about: "The node's list names a dispatch that the file does not show.",
      ...{ input: fileOf({}, { list: listBytes([dispatchBytes({}, nodeA), idOf(9)]) }), policy },
      expect: { ...usual, ...refused, counts: false, faults: ["dispatch-hidden"] },
    }),
    good("settlement", "not-called", {
      about: "Nobody called the commitment: nothing is owed.",
      ...{ input: fileOf({ dispatches: [], answered: false }, { list: listBytes([]) }), policy },
      expect: { ...usual, called: false, usedDays: [], excludedDays: [], exclusionReasons: [] },
    }),
    good("settlement", "untrusted-node", {
      about: "Neither the counterparty nor any receipt is of a node that the verifier trusts.",
      ...{ input: fileOf(), policy: { ...policy, nodeKeys: [nodeB.publicKey] } },
      expect: {
        ...{ ...withoutReceipt(), ...refused, counts: false, standing: "device-asserted" },
        faults: ["counterparty-untrusted", "commitment-unreceipted", "settlement-unreceipted"],
      },
    }),
  ];
}

function withoutReceipt(): object {
  const { receiptedAtMs: _, ...rest } = usual;
  return rest;
}
