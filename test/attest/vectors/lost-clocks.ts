import { withoutBridge } from "../../../attest/intervals.ts";
import { CLOSE_SHAPE, type IntervalClose, TIME_QUALITY } from "../../../attest/leaf.ts";
import type { LogBuilder } from "../../kit/log-builder.ts";
import { refusedBatch } from "./batch-faults.ts";
import { type Draft, good } from "./draft.ts";
import { fault, shownLeaves, trustingDevice } from "./faults.ts";
import { START_MS } from "./keys.ts";
import { batchInput, force, meteredLog, read, readOn, stateOf } from "./logs.ts";
import { alter, seqsOf } from "./proof-parts.ts";

/** A clock that is lost and found again: what no clock has measured is bridged by one close. */
export function lostClockDrafts(): Draft[] {
  return [...goodBatches(), ...badBatches(), falseBegin()];
}

const FOUND_S = 400;

/** Readings of 40 s, and a start without a clock. */
function lost(): LogBuilder {
  const log = readOn(meteredLog(), 0, 40);
  log.stepClock(5000, TIME_QUALITY.sinceBoot);
  return log;
}

/** What a meter shows on a clock that is not known. */
function readSinceBoot(log: LogBuilder, ms: number, importMwh: number): LogBuilder {
  log.timeMs = ms;
  log.read({ importMwh });
  return log;
}

/** A reading behind the loss, and the clock found {@link FOUND_S} behind the start. */
function found(): LogBuilder {
  const log = readSinceBoot(lost(), 15_000, 1_019_000);
  log.stepClock(START_MS + FOUND_S * 1000, TIME_QUALITY.ntp);
  return log;
}

/** A reading on a boundary, and the next one. */
function goOn(log: LogBuilder, boundaryS = 420): LogBuilder {
  read(log, boundaryS, 1_021_000);
  read(log, boundaryS + 20, 1_022_000);
  return log;
}

/** The machine was started twice without a clock, found one at the second start, and has another manifest since. */
function startedTwice(): LogBuilder {
  const log = readSinceBoot(lost(), 15_000, 1_009_000);
  log.stepClock(0, TIME_QUALITY.none);
  log.stepClock(START_MS + FOUND_S * 1000, TIME_QUALITY.ntp);
  log.manifest({ samplingMs: 10_000, firmware: "2" });
  return goOn(log);
}

function goodBatches(): Draft[] {
  const nothingSince = lost();
  nothingSince.stepClock(START_MS + 410_000, TIME_QUALITY.ntp);
  read(nothingSince, 430, 1_020_000);
  goOn(nothingSince, 480);
  const rows: readonly (readonly [string, string, LogBuilder])[] = [
    [
      "clock-lost",
      "A start without a clock: one coarse close from before it to behind the sync.",
      goOn(found()),
    ],
    ["clock-lost-broken", "The chain ends before a boundary: a partial close bridges the loss.", broken()],
    [
      "clock-lost-nothing-read",
      "No reading until the clock is found: none from before it closes.",
      nothingSince,
    ],
    [
      "clock-lost-twice",
      "Two starts without a clock, and a manifest before the next reading.",
      startedTwice(),
    ],
    [
      "clock-lost-no-bridge",
      "A close of a device from before bridges begins at the loss.",
      goOn(unbridged(found()), 480),
    ],
  ];
  return rows.map(([variant, about, log]) =>
    good("batch", variant, { about, input: batchInput(log), expect: stateOf(log) }),
  );
}

function broken(): LogBuilder {
  const log = found();
  read(log, 410, 1_020_000);
  log.manifest({ samplingMs: 10_000, firmware: "2" });
  return goOn(log);
}

/** The close that is due next as a device from before bridges wrote it. */
function unbridged(log: LogBuilder): LogBuilder {
  const bridged = closeOf(found());
  const { chain } = log.state();
  if (chain === undefined) throw new Error("no chain");
  log.append({ ...bridged, t0Ms: withoutBridge(chain).t0Ms, shape: CLOSE_SHAPE.opensChain });
  return log;
}

/** The close that bridges the loss, at the minute that is over by now. */
function closeOf(log: LogBuilder): IntervalClose {
  return closeAt(log, 421);
}

function closeAt(log: LogBuilder, seconds: number): IntervalClose {
  log.timeMs = START_MS + seconds * 1000;
  const placed = log.closeDue()?.leaf;
  if (placed?.kind !== "intervalClose") throw new Error("no close");
  return placed;
}

function badBatches(): Draft[] {
  const close = closeOf(found());
  const refused = (name: string, about: string, change: Partial<IntervalClose>): Draft =>
    refusedBatch(`close-bridge-${name}`, {
      ...{ about, code: "leaf-mismatch", begin: found, right: closeOf },
      wrong: (log) => force(log, { ...close, ...change }),
    });
  return [
    refused("begin", "A bridge that begins 1 ms behind the close before it.", { t0Ms: close.t0Ms + 1 }),
    refused("moved", "A bridge that begins where the clock was lost.", { t0Ms: START_MS + 390_000 }),
    refused("not-coarse", "A bridge over minutes that is not marked coarse.", { shape: 18 }),
    refused("unsaid", "A close that spans the loss without the bit that says so.", { shape: 3 }),
    refusedBatch("close-bridge-nothing", {
      ...{ about: "A bridge where no clock was lost.", code: "leaf-mismatch" },
      ...{ begin: () => readOn(meteredLog(), 0, 60), right: (log) => closeAt(log, 61) },
      wrong: (log) => force(log, { ...closeAt(readOn(meteredLog(), 0, 60), 61), shape: 18 }),
    }),
    refusedBatch("close-bridge-adrift", {
      ...{ about: "A bridge that ends at a reading from before the loss.", code: "close-unexpected" },
      ...{ begin: adrift, right: () => undefined },
      wrong: (log) => force(log, { ...adriftClose(log), ...log.time() }),
    }),
  ];
}

/** No reading since the loss; a minute has ended since the clock was found. */
function adrift(): LogBuilder {
  const log = lost();
  log.stepClock(START_MS + 410_000, TIME_QUALITY.ntp);
  log.timeMs = START_MS + 421_000;
  return log;
}

function adriftClose(log: LogBuilder): Omit<IntervalClose, "seq" | "salt"> {
  const { manifest, manifestHash, last, lastCloseSeq, lastClockStepSeq } = log.state();
  const at = last?.seq ?? 0;
  return {
    ...{ kind: "intervalClose", ...log.time(), channel: 1, count: 0, shape: 19 },
    ...{ t0Ms: START_MS + 40_000, t1Ms: START_MS + 420_000, openingSeq: at, closingSeq: at },
    ...{ openingImportMwh: last?.importMwh ?? 0, closingImportMwh: last?.importMwh ?? 0 },
    ...{ manifestSeq: manifest.seq, manifestHash },
    ...(lastCloseSeq === undefined ? {} : { previousCloseSeq: lastCloseSeq }),
    ...(lastClockStepSeq === undefined ? {} : { lastClockStepSeq }),
  };
}

/** A device that claims what it counted over the loss for the minute in which it found its clock. */
function falseBegin(): Draft {
  const log = goOn(found());
  const closes = seqsOf(log, "intervalClose");
  const [before = 0, bridged = 0] = closes;
  const all = Array.from({ length: bridged - before + 1 }, (_, at) => before + at);
  return fault("close-begin-bridge", {
    about: "A bridge that begins elsewhere than where the channel stood.",
    fault: shownLeaves(alter(log, bridged, { t0Ms: START_MS + 390_000 }), all),
    policy: trustingDevice,
    expect: { rule: "close-begin" },
  });
}
