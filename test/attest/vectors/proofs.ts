import type { LogBuilder } from "../../kit/log-builder.ts";
import { type Draft, good } from "./draft.ts";
import { nodeA, nodeB } from "./keys.ts";
import { meteredLog, newLog, read, readOn, receiptOver } from "./logs.ts";
import {
  after,
  anchorLeaf,
  bothReceipts,
  closeAt,
  energyOver,
  proofOf,
  quantity,
  type Shown,
  seqsOf,
  trustBoth,
  trustDevice,
} from "./proof-parts.ts";

/** Good proofs. What a verdict must say is worked out by hand from what the meters showed. */
export function proofDrafts(): Draft[] {
  return [...[plainProof, ...plainProofs(), ...witnessedProofs(), sandwiched]];
}

export interface Said {
  readonly about: string;
  readonly proof: Uint8Array;
  readonly policy?: object;
  readonly expect: object;
}

export function proof(variant: string, { about, proof: bytes, policy = trustDevice, expect }: Said): Draft {
  return good("proof", variant, { about, input: { proof: bytes }, policy, expect });
}

/** One minute: the register shows 1000.9 Wh and then 1003.1 Wh. */
export function plainLog(options: Parameters<typeof meteredLog>[0] = {}): LogBuilder {
  const log = meteredLog(options);
  read(log, 0, 1_000_900);
  read(log, 60, 1_003_100);
  return closeAt(log, 61);
}

export const PLAIN_CLOSE = 4;
export const plainEnergy: object = {
  ...energyOver(0, 60),
  ...quantity("import", { openingMwh: 1_000_900, closingMwh: 1_003_100, wh: 3 }, { from: 0, to: 60 }),
};

export const plainProof: Draft = proof("", {
  about: "One minute of one meter: 3 Wh, for the whole Wh went from 1000 to 1003.",
  proof: proofOf(plainLog(), { leaves: [PLAIN_CLOSE] }),
  expect: plainEnergy,
});

function plainProofs(): Draft[] {
  const minutes = readOn(meteredLog(), 0, 200);
  const [first = 0, , third = 0] = seqsOf(minutes, "intervalClose");
  const coarse = closeAt(readOn(readOn(meteredLog(), 0, 20), 100, 120), 121);
  const both = newLog();
  both.manifest({ samplingMs: 10_000, registers: 3, role: 3, name: "battery" });
  read(both, 0, { importMwh: 5_999, exportMwh: 8_000 });
  read(both, 60, { importMwh: 6_000, exportMwh: 8_999 });
  closeAt(both, 61);
  return [
    proof("several", {
      about: "Three minutes, shown by the first and the last of their closes.",
      proof: proofOf(minutes, { leaves: [first, third] }),
      expect: {
        ...energyOver(0, 180),
        ...quantity("import", { openingMwh: 1_000_000, closingMwh: 1_009_000, wh: 9 }, { from: 0, to: 180 }),
      },
    }),
    proof("coarse", {
      about: "Two minutes that cannot be divided.",
      proof: proofOf(coarse, { leaves: seqsOf(coarse, "intervalClose") }),
      expect: {
        ...{ ...energyOver(0, 120), coarse: true },
        ...quantity("import", { openingMwh: 1_000_000, closingMwh: 1_006_000, wh: 6 }, { from: 0, to: 120 }),
      },
    }),
    proof("both-registers", {
      about: "Import and export apart: 1 Wh for 1 mWh over a whole Wh, 0 Wh for 999 mWh below it.",
      proof: proofOf(both, { leaves: seqsOf(both, "intervalClose") }),
      expect: {
        ...{ ...energyOver(0, 60), channel: { number: 1, name: "battery", role: "storage" } },
        ...quantity("import", { openingMwh: 5_999, closingMwh: 6_000, wh: 1 }, { from: 0, to: 60 }),
        ...quantity("export", { openingMwh: 8_000, closingMwh: 8_999, wh: 0 }, { from: 0, to: 60 }),
      },
    }),
  ];
}

/** The plain log under two receipts. */
export function witnessedShown(): Shown {
  return { leaves: [PLAIN_CLOSE], receipts: bothReceipts(plainLog(), 62) };
}

function edges(opening: object, closing: object, from = 0, to = 60): object {
  return {
    edges: [
      { edge: "opening", timeMs: after(from), ...opening },
      { edge: "closing", timeMs: after(to), ...closing },
    ],
  };
}

function witnessedProofs(): Draft[] {
  const bytes = proofOf(plainLog(), witnessedShown());
  const about = "Two receipts over the checkpoint";
  const before = (seconds: number): object => {
    const notAfterMs = after(seconds);
    return edges({ notAfterMs }, { notAfterMs });
  };
  return [
    proof("witnessed", {
      ...{ about: `${about}, both of trusted nodes: the later one bounds both edges.`, proof: bytes },
      ...{ policy: trustBoth, expect: { ...plainEnergy, standing: "witnessed", ...before(63) } },
    }),
    proof("single-witness", {
      about: `${about}, one of a trusted node where two are asked for.`,
      ...{ proof: bytes, policy: { ...trustBoth, nodeKeys: [nodeA.publicKey] } },
      expect: { ...plainEnergy, standing: "single witness", ...before(62) },
    }),
    proof("unknown-key", {
      about: "Nobody whom the verifier trusts has signed: consistent, and no more.",
      proof: proofOf(plainLog(), { leaves: [PLAIN_CLOSE] }),
      policy: { deviceKeys: [], nodeKeys: [], witnesses: 1 },
      expect: { ...plainEnergy, trust: "none" },
    }),
  ];
}

/** Early receipt and anchor at 4, opening reading at 6, receipts over 9 leaves, anchor at 9, closing reading at 11. */
export function sandwichedLog(): { log: LogBuilder; shown: Shown } {
  const log = readOn(meteredLog(), 0, 20);
  const early = receiptOver(log, nodeA, after(25));
  log.timeMs = after(30);
  log.append(anchorLeaf(log, nodeA, { receipt: early, receivedAtMs: after(25), size: 4 }));
  readOn(log, 40, 80);
  const middle = bothReceipts(log, 81);
  log.timeMs = after(90);
  const ofB = receiptOver(log, nodeB, after(82));
  log.append(anchorLeaf(log, nodeB, { receipt: ofB, receivedAtMs: after(82), size: 9 }));
  closeAt(readOn(log, 100, 120), 121);
  const receipts = [...middle, ...bothReceipts(log, 125)];
  return { log, shown: { leaves: [4, 9, 12], receipts, cuts: [9], anchored: [early] } };
}

const sandwichedEnergy = {
  ...{ ...energyOver(60, 120), standing: "witnessed" },
  ...quantity("import", { openingMwh: 1_003_000, closingMwh: 1_006_000, wh: 3 }, { from: 60, to: 120 }),
};

export const sandwiched: Draft = proof("sandwiched", {
  about: "Both edges between receipts: two nodes asked for, the second best time of each side.",
  ...{ proof: proofOf(sandwichedLog().log, sandwichedLog().shown), policy: trustBoth },
  expect: {
    ...sandwichedEnergy,
    ...edges(
      { notBeforeMs: after(25), notAfterMs: after(82) },
      { notBeforeMs: after(25), notAfterMs: after(126) },
      ...([60, 120] as const),
    ),
  },
});
