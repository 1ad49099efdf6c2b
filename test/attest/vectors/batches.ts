import { type Leaf, REGISTER, type Unplaced } from "../../../attest/leaf.ts";
import type { LogBuilder } from "../../kit/log-builder.ts";
import { type Draft, good } from "./draft.ts";
import { device, logIdOf, NETWORK, nodeA, START_MS, sha256, someHash } from "./keys.ts";
import { batchInput, meteredLog, newLog, read, readOn, receiptOver, stateOf } from "./logs.ts";

/** Good batches: logs that obey the rules, each for one of the rules. */
export function batchDrafts(): Draft[] {
  return [...plainBatches(), ...brokenChains(), ...clockSteps(), ...otherLeaves()];
}

function batch(variant: string, about: string, log: LogBuilder, ends: readonly number[] = []): Draft {
  return good("batch", variant, { about, input: batchInput(log, ends), expect: stateOf(log) });
}

function plainBatches(): Draft[] {
  const minutes = readOn(meteredLog(), 0, 140);
  const coarse = readOn(readOn(meteredLog(), 0, 20), 100, 140);
  return [
    batch("", "Two manifests, readings, and the closes of two minutes.", minutes),
    batch("extends", "The same log in three batches that extend it.", minutes, [1, 6]),
    batch("coarse", "No reading near a boundary: one close over two intervals, marked coarse.", coarse),
    batch(
      "registers",
      "Two channels, one with both registers, one with none; a reading without registers.",
      registers(),
    ),
  ];
}

function registers(): LogBuilder {
  const log = newLog();
  const both = REGISTER.import | REGISTER.export;
  log.manifest({ samplingMs: 10_000, name: "grid", registers: both });
  log.manifest({ samplingMs: 10_000, name: "roof", channel: 2, role: 2, registers: 0 });
  for (let seconds = 0; seconds <= 80; seconds += 20) {
    const values = { importMwh: 5000 + seconds, exportMwh: 7000, activePowerMw: seconds - 30 };
    read(log, seconds, seconds === 40 ? { activePowerMw: -90_000, status: 4 } : values);
    read(log, seconds, { activePowerMw: -500 }, 2);
  }
  return log;
}

function brokenChains(): Draft[] {
  const gap = readOn(readOn(meteredLog(), 0, 40), 400, 440);
  const reset = readOn(meteredLog(), 0, 40);
  read(reset, 60, 500);
  read(reset, 80, 700);
  const swap = readOn(meteredLog(), 0, 40);
  swap.manifest({ samplingMs: 10_000, serial: "4712", name: "grid" });
  read(swap, 60, 12);
  read(swap, 80, 15);
  const renamed = readOn(meteredLog(), 0, 40);
  renamed.manifest({ samplingMs: 10_000, firmware: "2", name: "house", make: "Acme", serial: "4711" });
  readOn(renamed, 60, 80);
  return [
    batch("gap", "A pause that is stated, behind a partial close.", gap),
    batch("register-reset", "A register that begins anew, with the new value announced.", reset),
    batch("meter-swap", "Another meter on the channel: partial close, manifest, discontinuity.", swap),
    batch("manifest-change", "The same meter under a new manifest: the chain goes on.", renamed),
  ];
}

function clockSteps(): Draft[] {
  const known = 3;
  const ahead = readOn(meteredLog(), 0, 40);
  ahead.stepClock(START_MS + 90_000);
  readOn(ahead, 100, 140);
  const back = readOn(meteredLog(), 0, 80);
  back.stepClock(START_MS + 10_000);
  readOn(back, 20, 80);
  const found = meteredLog({ startMs: 5000, timeQuality: 1 });
  for (const [ms, importMwh] of [
    [10_000, 100],
    [30_000, 200],
  ] as const) {
    found.timeMs = ms;
    found.read({ importMwh });
  }
  found.stepClock(START_MS + 50_000, known);
  read(found, 60, 300);
  read(found, 80, 400);
  return [
    batch("clock-ahead", "The clock is set ahead by 50 s, behind a partial close.", ahead),
    batch("clock-back", "The clock is set back, and the same times come again.", back),
    batch("clock-found", "Time since boot becomes known: the first close spans all that was counted.", found),
  ];
}

function otherLeaves(): Draft[] {
  const flexible = readOn(meteredLog(), 0, 40);
  flexible.flexibility({ reducePowerMw: 3_000_000, boundary: 1 });
  readOn(flexible, 60, 80);
  const opaque = readOn(meteredLog(), 0, 40);
  opaque.append({ kind: "opaque", number: 40, ...opaque.time(), body: new Map([[6, 1]]) });
  readOn(opaque, 60, 80);
  const epoch = newLog({ epoch: 2 });
  const oldLogId = logIdOf(NETWORK, device.publicKey, 1);
  epoch.append({
    ...{ kind: "epochOpen", ...epoch.time(), oldLogId, oldSize: 9, oldRoot: someHash("old root") },
    ...{ oldSignedSize: 12, reason: "restored" },
  });
  return [
    batch("flexibility", "A flexibility reading under the manifest in force.", flexible),
    batch("opaque", "A leaf of an unknown kind, which the next close names.", opaque),
    batch("epoch-open", "The second epoch of a key names the log that it continues.", epoch),
    batch("other-kinds", "Every kind that has no rule of its own.", otherKinds()),
  ];
}

function otherKinds(): LogBuilder {
  const log = readOn(meteredLog(), 0, 0);
  const time = log.time();
  const receiptSize = log.leaves.length;
  const receivedAtMs = START_MS + 300;
  const receipt = receiptOver(log, nodeA, receivedAtMs);
  const where = { channel: 1, boundary: 1 };
  const leaves: readonly Unplaced<Exclude<Leaf, { kind: "logManifest" }>>[] = [
    {
      kind: "anchor",
      ...time,
      nodeKey: nodeA.publicKey,
      receiptHash: sha256(receipt),
      receivedAtMs,
      receiptSize,
    },
    { kind: "tombstone", ...time, firstSeq: 2, count: 1, reason: "thinned" },
    { kind: "tamper", ...time, input: "lid", state: 2 },
    { kind: "operatorAction", ...time, action: "approve" },
    {
      ...{ kind: "offer", ...time, ...where, direction: 1, fromMs: START_MS, toMs: START_MS + 60_000 },
      ...{ powerMw: 5, noticeMs: 0, baselineMethod: "h10/1" },
    },
    {
      ...{ kind: "commitment", ...time, ...where, fromMs: START_MS, intervalMs: 60_000, deltaMwh: [-5] },
      ...{ termsDigest: someHash("terms"), counterparty: Uint8Array.of(0) },
    },
    { kind: "dispatch", ...time, channel: 1, order: Uint8Array.of(0) },
    { kind: "challenge", ...time, channel: 1, order: Uint8Array.of(0) },
    { kind: "acknowledgement", ...time, channel: 1, orderSeq: 9, state: 1 },
    { kind: "actuation", ...time, channel: 1, action: 1, command: 5 },
    {
      ...{ kind: "settlement", ...time, channel: 1, commitmentSeq: 8, baselineMethod: "h10/1" },
      ...{ completenessPpm: 1_000_000, result: 1 },
    },
  ];
  for (const leaf of leaves) log.append(leaf);
  return log;
}
