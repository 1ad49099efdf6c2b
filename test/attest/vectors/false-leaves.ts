import type { LogBuilder } from "../../kit/log-builder.ts";
import { beginning, forceReading, withoutManifest } from "./batch-faults.ts";
import { gapLog } from "./broken-proofs.ts";
import { fullMinute } from "./close-faults.ts";
import type { Draft } from "./draft.ts";
import { fault, shownLeaves, trustingDevice } from "./faults.ts";
import { someHash } from "./keys.ts";
import { checkpointOver, force, meteredLog, newLog, readOn } from "./logs.ts";
import { after, alter, closeAt, seqsOf } from "./proof-parts.ts";
import { PLAIN_CLOSE, plainLog } from "./proofs.ts";

/** Fault proofs of leaves that no lawful log can hold: one for each rule, with no leaf more than it needs. */
export function falseLeafDrafts(): Draft[] {
  return [...ofLogs(), ...ofChannels(), ...ofCloses(), ...ofReferences(), ...ofCounts()];
}

type Row = readonly [
  rule: string,
  about: string,
  log: LogBuilder,
  seqs: readonly number[],
  checkpoint?: Uint8Array,
];

function shown(rows: readonly Row[]): Draft[] {
  return rows.map(([rule, about, log, seqs, checkpoint]) =>
    fault(rule, {
      about,
      fault: shownLeaves(log, seqs, checkpoint),
      policy: trustingDevice,
      expect: { rule },
    }),
  );
}

function ofLogs(): Draft[] {
  const twice = newLog();
  const { leaf } = twice.leaves[0] ?? {};
  if (leaf?.kind === "logManifest") force(twice, leaf);
  const [log, later] = [newLog(), readOn(meteredLog(), 0, 0)];
  const unknown = readOn(meteredLog(), 0, 20);
  force(unknown, { kind: "tamper", ...unknown.time(), timeQuality: 1, input: "lid", state: 1 });
  const step = readOn(meteredLog(), 0, 20);
  force(step, { kind: "clockStep", ...step.time(), beforeMs: step.timeMs, beforeQuality: 4 });
  const other = checkpointOver(log, 1, { 7: someHash("another manifest") });
  const otherTime = checkpointOver(later, 3, { 3: later.timeMs + 1 });
  return shown([
    ["manifest-missing", "The log begins with something else than its manifest.", withoutManifest(), [0]],
    [
      "manifest-identity",
      "The log's manifest is of another network.",
      beginning({ network: "other-grid" }),
      [0],
    ],
    [
      "manifest-interval",
      "The log's manifest names intervals of 999 ms.",
      beginning({ intervalMs: 999 }),
      [0],
    ],
    ["manifest-twice", "A second log manifest.", twice, [1]],
    ["checkpoint-manifest", "The checkpoint signs another log manifest.", log, [0], other],
    ["checkpoint-time", "The checkpoint names another time of its last leaf.", later, [2], otherTime],
    ["time-quality", "The clock becomes unknown without a clock step.", unknown, [3, 4]],
    ["clock-step", "A clock step from another quality than there was.", step, [3, 4]],
  ]);
}

function ofChannels(): Draft[] {
  const begun = (): LogBuilder => readOn(meteredLog(), 0, 20);
  const mixed = begun();
  mixed.timeMs = after(40);
  force(mixed, { kind: "reading", channel: 1, ...mixed.time(), importMwh: 1_002_000, exportMwh: 0 });
  const announced = begun();
  announced.discontinuity({ importMwh: 500 }, { classification: 1 });
  forceReading(announced, 40, 501);
  const broken = (): LogBuilder => {
    const log = begun();
    log.discontinuity({}, { classification: 1 });
    return log;
  };
  return shown([
    [
      "time-backwards",
      "A reading older than the one before it.",
      forceReading(begun(), 19, 1_002_000),
      [3, 4],
    ],
    [
      "gap-missing",
      "A pause of more than three intervals between two leaves of the log.",
      forceReading(readOn(meteredLog(), 60, 60), 241, 1_003_000),
      [0, 2, 3],
    ],
    [
      "register-drop",
      "A register that falls from one leaf to the next.",
      forceReading(begun(), 40, 1_000_999),
      [3, 4],
    ],
    ["registers-mismatch", "A register more than the reading before it shows.", mixed, [3, 4]],
    ["announced-registers", "A reading that does not show what was announced.", announced, [5, 6]],
    [
      "discontinuity-registers",
      "Old registers that are not those last read.",
      alter(broken(), 5, {
        oldImportMwh: 1_000_999,
      }),
      [3, 4, 5],
    ],
    [
      "discontinuity-gap",
      "A gap that begins before the last reading.",
      alter(broken(), 5, {
        gapFromMs: after(19),
      }),
      [3, 4, 5],
    ],
    [
      "discontinuity-previous",
      "A discontinuity that names itself.",
      alter(broken(), 5, {
        previousDiscontinuitySeq: 5,
      }),
      [5],
    ],
  ]);
}

/** The plain minute whose close at 4 says something else. */
function saying(changes: Readonly<Record<string, unknown>>): LogBuilder {
  return alter(plainLog(), PLAIN_CLOSE, changes);
}

function ofCloses(): Draft[] {
  const minutes = readOn(meteredLog(), 0, 140);
  const [first = 0, second = 0] = seqsOf(minutes, "intervalClose");
  const chain = alter(minutes, second, { openingImportMwh: 1_003_001 });
  return shown([
    ["close-itself", "A close whose closing reading is the close itself.", saying({ closingSeq: 4 }), [4]],
    [
      "close-opening",
      "Another opening register than the opening reading's.",
      saying({
        openingImportMwh: 1_000_901,
      }),
      [2, 4],
    ],
    [
      "close-closing",
      "Another closing register than the closing reading's.",
      saying({
        closingImportMwh: 1_003_101,
      }),
      [3, 4],
    ],
    ["close-chain", "A close that does not open where the one before it closed.", chain, [first, second]],
    ["close-meter", "Two closes of one chain, of two meters.", ...otherMeter()],
    [
      "close-begin",
      "A close that begins 1 ms before its opening reading.",
      saying({ t0Ms: after(0) - 1 }),
      [2, 4],
    ],
    [
      "close-end",
      "A close that ends 1 ms before its closing reading.",
      saying({ t1Ms: after(60) - 1 }),
      [3, 4],
    ],
    [
      "close-boundary",
      "A close that ends 1 ms behind the minute.",
      saying({ t1Ms: after(60) + 1 }),
      [0, 3, 4],
    ],
    ["close-coarse", "A close of one minute that is said to be coarse.", saying({ shape: 3 }), [0, 4]],
  ]);
}

/** A manifest of another serial at 5, between the closes at 4 and 8, without a discontinuity. */
function otherMeter(): readonly [LogBuilder, readonly number[]] {
  const log = readOn(meteredLog(), 0, 20);
  log.manifest({ samplingMs: 10_000, firmware: "2" });
  closeAt(readOn(log, 40, 60), 61);
  alter(log, 5, { serial: "4712" });
  alter(log, 8, { manifestHash: log.leaves[5]?.hash });
  return [log, [1, 4, 5, 8]];
}

function ofReferences(): Draft[] {
  const flexible = meteredLog();
  flexible.flexibility();
  const manifestHash = someHash("another manifest");
  return shown([
    [
      "flexibility-manifest",
      "A flexibility reading with another hash of its manifest.",
      alter(flexible, 2, {
        manifestHash,
      }),
      [1, 2],
    ],
    ["close-manifest", "A close with another hash of its manifest.", saying({ manifestHash }), [1, 4]],
    [
      "close-discontinuity",
      "A close that takes a close for its last discontinuity.",
      alter(gapLog(), 8, {
        lastDiscontinuitySeq: 4,
      }),
      [4, 8],
    ],
    [
      "close-clock-step",
      "A close that takes a reading for a clock step.",
      saying({ lastClockStepSeq: 2 }),
      [2, 4],
    ],
    [
      "close-opaque",
      "A close that takes a reading for an unreadable leaf.",
      saying({ lastOpaqueSeq: 2 }),
      [2, 4],
    ],
    [
      "close-previous",
      "A close that takes a reading for the close before it.",
      saying({ previousCloseSeq: 2 }),
      [2, 4],
    ],
  ]);
}

function ofCounts(): Draft[] {
  const powers = fullMinute();
  powers.closeDue();
  alter(powers, 4, { minPowerMw: -59, maxPowerMw: -59 });
  return shown([
    ["close-readings", "A close whose minimum lies above the power of a reading of it.", powers, [3, 4]],
    ["close-count", "A close that does not count its only reading.", saying({ count: 0 }), [2, 3, 4]],
  ]);
}
