import { encodeProof } from "../../../attest/proof.ts";
import type { LogBuilder } from "../../kit/log-builder.ts";
import type { Draft } from "./draft.ts";
import { device, logIdOf, NETWORK } from "./keys.ts";
import { meteredLog, newLog, read, readOn, stateOf } from "./logs.ts";
import {
  after,
  closeAt,
  energyOver,
  partOf,
  proofOf,
  quantity,
  type Shown,
  seqsOf,
  usual,
} from "./proof-parts.ts";
import { PLAIN_CLOSE, plainLog, proof } from "./proofs.ts";

/** Good proofs over gaps, other meters, set clocks and epochs, and of a flexibility reading. */
export function brokenProofDrafts(): Draft[] {
  return [...brokenProofs(), ...clockProofs(), twoEpochs, ...flexibilityProofs()];
}

export function gapLog(): LogBuilder {
  const log = readOn(meteredLog(), 0, 20);
  read(log, 40, 500);
  read(log, 60, 2_600);
  return closeAt(log, 61);
}

function brokenProofs(): Draft[] {
  const gap = gapLog();
  const reset = [...seqsOf(gap, "intervalClose"), ...seqsOf(gap, "discontinuity")].sort((a, b) => a - b);
  const renamed = readOn(meteredLog(), 0, 20);
  renamed.manifest({ samplingMs: 10_000, firmware: "2", name: "house" });
  closeAt(readOn(renamed, 40, 60), 61);
  const swap = swapLog();
  return [
    proof("gap", {
      about: "A register reset: 1 Wh before, 2 Wh behind, and what lies between is not claimed.",
      proof: proofOf(gap, { leaves: reset }),
      expect: {
        ...{ ...energyOver(0, 60), segments: 2, gaps: [{ fromMs: after(20), toMs: after(40) }] },
        ...quantity("import", { openingMwh: 1_000_000, closingMwh: 2_600, wh: 3 }, { from: 0, to: 60 }),
      },
    }),
    proof("manifest-change", {
      about: "The same meter under a new manifest: two segments, no gap, the newer name.",
      proof: proofOf(renamed, { leaves: seqsOf(renamed, "intervalClose"), manifests: [0, 1, 5] }),
      expect: {
        ...{ ...energyOver(0, 60), segments: 2, channel: { number: 1, name: "house", role: "grid" } },
        ...quantity("import", { openingMwh: 1_000_000, closingMwh: 1_003_000, wh: 3 }, { from: 0, to: 60 }),
      },
    }),
    proof("meter-swap", {
      about: "Another meter: one claim id for each.",
      proof: proofOf(swap.log, swap.shown),
      expect: {
        ...{ ...energyOver(0, 60), segments: 2, gaps: [{ fromMs: after(20), toMs: after(40) }] },
        ...quantity(
          "import",
          { openingMwh: 1_000_000, closingMwh: 5_000, wh: 4 },
          { from: 0, to: 20 },
          { serial: "4712", from: 40, to: 60 },
        ),
        meter: { make: "Acme", model: "M1", serial: "4712" },
      },
    }),
  ];
}

function swapLog(): { log: LogBuilder; shown: Shown } {
  const log = readOn(meteredLog(), 0, 20);
  log.manifest({ samplingMs: 10_000, serial: "4712", name: "grid" });
  read(log, 40, 2_100);
  read(log, 60, 5_000);
  closeAt(log, 61);
  const [first = 0, second = 0] = seqsOf(log, "intervalClose");
  const [discontinuity = 0] = seqsOf(log, "discontinuity");
  const [, channel = 0, swapped = 0] = [0, ...seqsOf(log, "channelManifest")];
  return { log, shown: { leaves: [first, discontinuity, second], manifests: [0, channel, swapped] } };
}

function clockProofs(): Draft[] {
  const step = readOn(meteredLog(), 0, 20);
  step.stepClock(after(50));
  read(step, 60, 1_003_000);
  closeAt(step, 61);
  const opaque = readOn(meteredLog(), 0, 20);
  opaque.append({ kind: "opaque", number: 40, ...opaque.time(), body: new Map() });
  closeAt(readOn(opaque, 40, 60), 61);
  return [
    proof("clock-step", {
      about: "The clock was set ahead by 30 s inside: two clocks, one register, no gap.",
      proof: proofOf(step, { leaves: seqsOf(step, "intervalClose") }),
      expect: {
        ...{ ...energyOver(0, 60), segments: 2, clockSteps: [{ fromMs: after(20), toMs: after(50) }] },
        ...quantity("import", { openingMwh: 1_000_000, closingMwh: 1_003_000, wh: 3 }, { from: 0, to: 60 }),
      },
    }),
    proof("opaque", {
      about: "The span holds a leaf that this version cannot read.",
      proof: proofOf(opaque, { leaves: seqsOf(opaque, "intervalClose") }),
      expect: {
        ...{ ...energyOver(0, 60), opaque: true },
        ...quantity("import", { openingMwh: 1_000_000, closingMwh: 1_003_000, wh: 3 }, { from: 0, to: 60 }),
      },
    }),
  ];
}

/** Epoch 1 with one minute, and epoch 2, which names its end and shows the minute from 120 s on. */
export function epochLogs(): readonly [LogBuilder, LogBuilder] {
  const old = plainLog();
  const { size, root } = stateOf(old);
  const next = newLog({ epoch: 2, startMs: after(100), manifest: { assuranceTier: 0 } });
  next.append({
    ...{ kind: "epochOpen", ...next.time(), oldLogId: logIdOf(NETWORK, device.publicKey, 1) },
    ...{ oldSize: size, oldRoot: root, oldSignedSize: size, reason: "restored" },
  });
  next.manifest({ samplingMs: 10_000, make: "Acme", model: "M1", serial: "4711", name: "grid" });
  read(next, 120, 1_003_900);
  read(next, 180, 1_005_000);
  return [old, closeAt(next, 181)];
}

export const EPOCH_CLOSE = 5;

export const twoEpochs: Draft = proof("two-epochs", {
  about: "A claim over two epochs of a key: what lies between them is a gap, the lower tier counts.",
  proof: encodeProof({
    parts: [
      partOf(epochLogs()[0], { leaves: [PLAIN_CLOSE] }),
      partOf(epochLogs()[1], { leaves: [1, EPOCH_CLOSE], manifests: [0, 2] }),
    ],
  }),
  expect: {
    ...{ ...energyOver(0, 180), segments: 2, epochs: [1, 2], tier: 0 },
    gaps: [{ fromMs: after(60), toMs: after(120), epoch: 2 }],
    ...quantity("import", { openingMwh: 1_000_900, closingMwh: 1_005_000, wh: 5 }, { from: 0, to: 180 }),
  },
});

export const FLEXIBILITY_SEQ = 2;
const values = {
  ...{ boundary: 1, availability: 1, reducePowerMw: 3_000_000, averagePowerMw: -5, basis: 2 },
};

export function flexibilityLog(): LogBuilder {
  const log = meteredLog();
  log.timeMs = after(10);
  log.flexibility(values);
  return log;
}

function flexibilityProofs(): Draft[] {
  const log = flexibilityLog();
  const said = { ...usual, claim: "flexibility", atMs: after(10), flexibility: values };
  return [
    proof("flexibility", {
      about: "One flexibility reading.",
      proof: proofOf(log, { leaves: [FLEXIBILITY_SEQ] }),
      expect: { ...said, edges: [{ edge: "reading", timeMs: after(10) }] },
    }),
  ];
}
