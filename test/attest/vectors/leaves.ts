import type { CborValue } from "../../../attest/cbor.ts";
import type { Leaf, OpaqueLeaf, ReadingLeaf } from "../../../attest/leaf.ts";
import { encodeLeaf } from "../../../attest/leaf-codec.ts";
import type { LeafCommon } from "../../../attest/leaf-common.ts";
import type { FlexibilityLeaf } from "../../../attest/leaf-flexibility.ts";
import { type Draft, good } from "./draft.ts";
import { device, logIdOf, NETWORK, nodeA, QUARTER_MS, START_MS, saltOf, sha256, someHash } from "./keys.ts";

/** Good leaves: every kind, with all that it may say. */
export function leafDrafts(): Draft[] {
  return [...readings(), ...logLeaves(), ...manifests(), ...closes(), ...flexibilityLeaves(), ...others()];
}

/** What every leaf says; seq also gives the salt. */
export function common(seq: number): LeafCommon {
  return { seq, timeMs: START_MS + QUARTER_MS, timeQuality: 3, salt: saltOf(seq) };
}

export const plainReading: ReadingLeaf = {
  ...{ kind: "reading", ...common(5), channel: 1, importMwh: 1_234_597_750, exportMwh: 89_000 },
  activePowerMw: 123_000,
};

export const opaqueLeaf: OpaqueLeaf = {
  ...{ kind: "opaque", number: 40, ...common(9), channel: 1 },
  body: new Map<number, CborValue>([
    [6, -7],
    [7, Uint8Array.of(1, 2, 255)],
    [8, "Ω"],
    [9, [1, [2, ["three"]]]],
    [63, new Map<number, CborValue>([[0, new Map([[9_007_199_254_740_991, "deep"]])]])],
  ]),
};

export function leafDraft(variant: string, about: string, leaf: Leaf): Draft {
  const bytes = encodeLeaf(leaf);
  const expect = { leaf, leafHash: sha256(Uint8Array.of(0), bytes) };
  return good("leaf", variant, { about, input: { leaf: bytes }, expect });
}

function readings(): Draft[] {
  const { importMwh: _i, exportMwh: _e, activePowerMw: _p, ...empty } = plainReading;
  const full: ReadingLeaf = {
    ...{ ...plainReading, status: 13, stateOfChargePpm: 845_000, voltageMv: [230_100, 229_800, 231_000] },
    ...{ currentMa: [510, 0, 20], frequencyMhz: 50_013, meterTimeMs: START_MS + QUARTER_MS - 400 },
    ...{ evidence: someHash("frame").slice(0, 16), resolutionMwh: 10_000 },
  };
  const extremes: ReadingLeaf = {
    ...{ ...plainReading, seq: Number.MAX_SAFE_INTEGER, timeMs: Number.MAX_SAFE_INTEGER, timeQuality: 0 },
    ...{ channel: 24, importMwh: 2 ** 32, exportMwh: 2 ** 32 - 1, status: 2 ** 31 },
    activePowerMw: -Number.MAX_SAFE_INTEGER,
  };
  const extended = new Map([
    [64, new Uint8Array(0)],
    [1_000_000, Uint8Array.of(7)],
  ]);
  return [
    leafDraft(
      "reading",
      "A reading with two registers and a power: kind 0, which is not written.",
      plainReading,
    ),
    leafDraft("reading-empty", "A reading of a meter that showed nothing.", empty),
    leafDraft("reading-full", "A reading with every field.", full),
    leafDraft("reading-extremes", "The largest and the smallest integers of the format.", extremes),
    leafDraft("reading-extensions", "Extensions are hashed, never interpreted; one may be empty.", {
      ...{ ...plainReading, extensions: extended },
    }),
  ];
}

function logLeaves(): Draft[] {
  const old = logIdOf(NETWORK, device.publicKey, 1);
  return [
    leafDraft("clock-step", "The clock was set: what it showed before, at the same instant.", {
      ...{ kind: "clockStep", ...common(20), beforeMs: START_MS, beforeQuality: 2 },
    }),
    leafDraft("anchor", "A node's receipt, taken up into the log.", {
      ...{ kind: "anchor", ...common(21), nodeKey: nodeA.publicKey, receiptHash: someHash("receipt") },
      ...{ receivedAtMs: START_MS + 5000, receiptSize: 8 },
    }),
    leafDraft("tombstone", "What was thinned.", {
      ...{ kind: "tombstone", ...common(22), firstSeq: 256, count: 512, reason: "older than a year" },
    }),
    leafDraft("tamper", "A lid was opened.", { kind: "tamper", ...common(23), input: "lid", state: 1 }),
    leafDraft("epoch-open", "The log that this epoch continues, and what was signed there.", {
      ...{ kind: "epochOpen", ...common(1), oldLogId: old, oldSize: 900, oldRoot: someHash("old root") },
      ...{ oldSignedSize: 960, reason: "node removed" },
    }),
    leafDraft("epoch-open-unknown", "After a restore nothing is known of the log before.", {
      ...{ kind: "epochOpen", ...common(1), reason: "restored" },
    }),
    leafDraft("operator-action", "An approval by a person.", {
      ...{ kind: "operatorAction", ...common(24), action: "remove node", subject: nodeA.publicKey },
    }),
  ];
}

function manifests(): Draft[] {
  return [
    leafDraft("log-manifest", "Leaf 0 with every field.", {
      ...{ kind: "logManifest", ...common(0), network: NETWORK, epoch: 1, deviceKey: device.publicKey },
      ...{
        agentVersion: "1.0.0",
        assuranceTier: 2,
        bootCount: 7,
        site: "barn",
        gridZone: "10YES-REE------0",
      },
      ...{ timeZone: "Europe/Madrid", consentReference: "c-17", recoveryKey: someHash("recovery") },
      intervalMs: QUARTER_MS,
    }),
    leafDraft("channel-manifest", "A channel with every field; one text has 128 bytes of UTF-8.", {
      ...{ kind: "channelManifest", ...common(1), channel: 1, role: 2, energySource: "solar" },
      ...{ technology: "pv", make: "Acme", model: "M1", serial: "4711", accuracyClass: "B" },
      ...{ commissioned: "2024-06-01", firmware: "2.1", ctRatio: [250, 5], vtRatio: [1, 1] },
      ...{ phaseMapping: "L1L2L3", driver: "modbus", profileDigest: someHash("profile") },
      ...{ resolutionMwh: 10_000, maxImportMw: 11_000_000, maxExportMw: 10_000_000, use: 2 },
      ...{ samplingMs: 5000, name: "é".repeat(64), registers: 3 },
    }),
    leafDraft("channel-manifest-least", "A channel with nothing that may be left out.", {
      ...{ kind: "channelManifest", ...common(1), channel: 0, role: 1, make: "", model: "", serial: "" },
      ...{ driver: "", samplingMs: 5000, name: "", registers: 0 },
    }),
  ];
}

function closes(): Draft[] {
  const span = { t0Ms: START_MS, t1Ms: START_MS + QUARTER_MS, openingSeq: 2, closingSeq: 5, count: 3 };
  const manifest = { manifestSeq: 1, manifestHash: someHash("manifest") };
  return [
    leafDraft("interval-close", "A close with every field.", {
      ...{ kind: "intervalClose", ...common(6), channel: 1, ...span, ...manifest, status: 1 },
      ...{ openingImportMwh: 1_234_567_000, closingImportMwh: 1_234_597_750, openingExportMwh: 89_000 },
      ...{ closingExportMwh: 89_000, minPowerMw: -5, maxPowerMw: 123_000, statusUnion: 5, shape: 3 },
      ...{ lastDiscontinuitySeq: 1, previousCloseSeq: 1, lastClockStepSeq: 1, lastOpaqueSeq: 1 },
    }),
    leafDraft("interval-close-least", "A close with nothing that may be left out.", {
      ...{ kind: "intervalClose", ...common(6), channel: 1, ...span, ...manifest },
    }),
    leafDraft("discontinuity", "A break with old and new registers of both directions.", {
      ...{ kind: "discontinuity", ...common(7), channel: 1, classification: 1, oldImportMwh: 9_000_000 },
      ...{ newImportMwh: 0, oldExportMwh: 5, newExportMwh: 5, gapFromMs: START_MS, gapToMs: START_MS + 1 },
      previousDiscontinuitySeq: 3,
    }),
  ];
}

const flexibility: FlexibilityLeaf = {
  ...{ kind: "flexibility", ...common(8), channel: 3, boundary: 1, averagePowerMw: -2_000_000 },
  ...{ reducePowerMw: 3_000_000, reduceEnergyMwh: 4_000_000, reduceDurationMs: 4_800_000 },
  ...{ increasePowerMw: 7_000_000, increaseEnergyMwh: 6_000_000, increaseDurationMs: 3_000_000 },
  ...{ stateOfChargePpm: 450_000, usableEnergyMwh: 4_000_000, evidence: someHash("frame").slice(0, 16) },
  ...{ reserveEnergyMwh: 500_000, capacityMwh: 10_000_000, importLimitMw: 11_000_000, limitSource: 2 },
  ...{ exportLimitMw: 5_000_000, setpointMw: -2_000_000, minSetpointMw: -5_000_000, availability: 1 },
  ...{ maxSetpointMw: 5_000_000, responseMs: 900, rampMwPerSecond: 2_000_000, commitmentSeq: 7, basis: 2 },
  ...{ t0Ms: START_MS, t1Ms: START_MS + QUARTER_MS, manifestSeq: 1, manifestHash: someHash("manifest") },
};

function flexibilityLeaves(): Draft[] {
  const where = { channel: 3, boundary: 2 };
  const method = { baselineMethod: "h10/1" };
  return [
    leafDraft("flexibility", "What a battery could do now, with every field.", flexibility),
    leafDraft("offer", "Flexibility offered for a window, with every field.", {
      ...{ kind: "offer", ...common(10), ...where, direction: 1, fromMs: START_MS, ...method },
      ...{ toMs: START_MS + QUARTER_MS, powerMw: 3_000_000, energyMwh: 750_000, noticeMs: 600_000 },
      ...{ parametersDigest: someHash("parameters"), calendarDigest: someHash("calendar"), biasPpm: -1200 },
      relativeRmsePpm: 85_000,
    }),
    leafDraft("commitment", "A whole day of 100 quarters, and the counterparty's signed word.", {
      ...{ kind: "commitment", ...common(11), ...where, fromMs: START_MS, intervalMs: QUARTER_MS },
      ...{ deltaMwh: Array.from({ length: 100 }, (_, at) => 50 - at), nominatedMwh: [5, -5] },
      ...{ termsDigest: someHash("terms"), offerSeq: 10, counterparty: Uint8Array.of(0xd2, 0x84) },
    }),
    leafDraft("dispatch", "A node's order, whole.", {
      ...{ kind: "dispatch", ...common(12), channel: 3, commitmentSeq: 11, order: someHash("order") },
    }),
    leafDraft("challenge", "A node's unannounced request.", {
      ...{ kind: "challenge", ...common(13), channel: 3, order: new Uint8Array(0) },
    }),
    leafDraft("acknowledgement", "What the device answers to an order.", {
      ...{ kind: "acknowledgement", ...common(14), channel: 3, orderSeq: 12, state: 3, reason: "started" },
    }),
    leafDraft("actuation", "A command to a device, with every field.", {
      ...{ kind: "actuation", ...common(15), channel: 3, orderSeq: 12, action: 1, command: 1 },
      ...{ value: -3_000_000, readBack: -2_990_000, leaseMs: 60_000, rampMwPerSecond: 5, reason: "order" },
      evidence: someHash("frame").slice(0, 16),
    }),
    leafDraft("settlement", "The device's own account of a commitment, with every field.", {
      ...{ kind: "settlement", ...common(16), channel: 3, commitmentSeq: 11, ...method, result: 2 },
      ...{ usedDays: [20_450, 20_451], excludedDays: [20_449], exclusionReasons: [3], baselineMwh: [900] },
      ...{ actualMwh: [-100], deliveredMwh: [1000], shortfallMwh: 0, reboundMwh: -50 },
      completenessPpm: 998_000,
    }),
  ];
}

function others(): Draft[] {
  const { channel: _, ...nowhere } = opaqueLeaf;
  return [
    leafDraft("opaque", "A kind that this version does not know, with a value of each type.", opaqueLeaf),
    leafDraft("opaque-last", "The last kind of those that are free, of no channel and with no body.", {
      ...{ ...nowhere, number: 63, body: new Map() },
    }),
  ];
}
