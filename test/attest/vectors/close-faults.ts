import type { Discontinuity, IntervalClose, Leaf } from "../../../attest/leaf.ts";
import type { LogBuilder } from "../../kit/log-builder.ts";
import { type Fault, forceReading, refusedBatch } from "./batch-faults.ts";
import type { Draft } from "./draft.ts";
import { START_MS, someHash } from "./keys.ts";
import { force, meteredLog, newLog, read, readOn } from "./logs.ts";

/** Closes and discontinuities that are missing, out of place, or that say something else than the leaves before. */
export function closeFaultDrafts(): Draft[] {
  return [
    ...missingCloses(),
    ...unexpectedCloses(),
    ...closeMismatches(),
    ...referenceMismatches(),
    ...discontinuityMismatches(),
    ...missingReasons(),
    ...flexibilityMismatches(),
  ];
}

function refused(
  fault: string,
  about: string,
  code: string,
  steps: Pick<Fault, "begin" | "right" | "wrong">,
): Draft {
  return refusedBatch(fault, { about, code, ...steps });
}

function missingCloses(): Draft[] {
  const code = "close-missing";
  const over = (): LogBuilder => readOn(meteredLog(), 0, 60);
  const within = (): LogBuilder => readOn(meteredLog(), 0, 20);
  return [
    refused("close-missing", "A reading behind a minute that was not closed.", code, {
      ...{ begin: over, right: (log) => read(log, 80, 1_004_000) },
      wrong: (log) => forceReading(log, 80, 1_004_000),
    }),
    refused("close-missing-gap", "A discontinuity without the partial close before it.", code, {
      ...{ begin: within, right: (log) => log.discontinuity({}, { classification: 6 }) },
      wrong: (log) =>
        force(log, {
          ...{ kind: "discontinuity", channel: 1, classification: 6, ...log.time() },
          ...{ oldImportMwh: 1_001_000, gapFromMs: log.timeMs, gapToMs: log.timeMs },
        }),
    }),
    refused("close-missing-manifest", "A manifest without the partial close before it.", code, {
      ...{ begin: within, right: (log) => log.manifest({ firmware: "2" }) },
      wrong: (log) => force(log, log.manifestLeaf({ firmware: "2" })),
    }),
    refused("close-missing-clock-step", "A clock step without the partial close before it.", code, {
      ...{ begin: within, right: (log) => log.stepClock(log.timeMs + 1000) },
      wrong: (log) => {
        const before = { beforeMs: log.timeMs, beforeQuality: log.timeQuality };
        log.timeMs += 1000;
        force(log, { kind: "clockStep", ...before, ...log.time() });
      },
    }),
  ];
}

/** The first close of the log that the kit's builder would write, or a later one. */
function closeOf(log: LogBuilder, at = 0): IntervalClose {
  const closes = log.leaves.flatMap(({ leaf }) => (leaf.kind === "intervalClose" ? [leaf] : []));
  const close = closes.at(at);
  if (close === undefined) throw new Error("no close");
  return close;
}

function unexpectedCloses(): Draft[] {
  const code = "close-unexpected";
  const close = closeOf(readOn(meteredLog(), 0, 80));
  const later = { ...close, timeMs: START_MS + 80_000 };
  const closed = (): LogBuilder => {
    const log = readOn(meteredLog(), 0, 60);
    log.timeMs = START_MS + 70_000;
    return log;
  };
  return [
    refused("close-early", "The close of a minute that is not over.", code, {
      ...{ begin: () => readOn(meteredLog(), 0, 60), right: () => undefined },
      wrong: (log) => force(log, { ...close, timeMs: START_MS + 60_000 }),
    }),
    refused("close-twice", "A second close of one minute.", code, {
      ...{ begin: closed, right: (log) => log.closeDue() },
      wrong: (log) => {
        log.closeDue();
        force(log, { ...later, previousCloseSeq: log.leaves.length - 1 });
      },
    }),
    refused("close-nothing", "A partial close where nothing was counted.", code, {
      ...{ begin: () => readOn(meteredLog(), 0, 0), right: () => undefined },
      wrong: (log) => force(log, { ...partialOfNothing(log), ...log.time() }),
    }),
  ];
}

function partialOfNothing(log: LogBuilder): Omit<IntervalClose, "seq" | "salt"> {
  const { manifest, manifestHash } = log.state();
  return {
    ...{ kind: "intervalClose", ...log.time(), channel: 1, t0Ms: START_MS, t1Ms: START_MS, count: 0 },
    ...{ openingSeq: 2, closingSeq: 2, openingImportMwh: 1_000_000, closingImportMwh: 1_000_000 },
    ...{ manifestSeq: manifest.seq, manifestHash, shape: 6 },
  };
}

/** A minute with both registers, powers and a status, as far as its close. */
export function fullMinute(): LogBuilder {
  const log = newLog();
  log.manifest({ samplingMs: 10_000, registers: 3, make: "", model: "", serial: "", name: "" });
  read(log, 0, { importMwh: 1000, exportMwh: 500, activePowerMw: 60 });
  read(log, 60, { importMwh: 2000, exportMwh: 500, activePowerMw: -60, status: 4 });
  log.timeMs = START_MS + 61_000;
  return log;
}

function closeMismatches(): Draft[] {
  const close = closeOf(closing(fullMinute()));
  const changes: readonly (readonly [string, string, Partial<IntervalClose>])[] = [
    ["t0", "It opens 1 ms late.", { t0Ms: close.t0Ms + 1 }],
    ["t1", "It ends 1 ms early.", { t1Ms: close.t1Ms - 1 }],
    ["opening-import", "Another opening import register.", { openingImportMwh: 999 }],
    ["closing-import", "Another closing import register.", { closingImportMwh: 2001 }],
    ["closing-seq", "Another closing reading.", { closingSeq: 2 }],
    ["count", "The opening reading is counted, too.", { count: 2 }],
    ["min-power", "A minimum that includes the opening reading's sign.", { minPowerMw: 60 }],
    ["max-power", "A maximum that includes the opening reading.", { maxPowerMw: 60 }],
    ["status", "Another union of the status bits.", { statusUnion: 5 }],
    ["shape", "It is said to be coarse.", { shape: 3 }],
    ["manifest-hash", "Another hash of the channel manifest.", { manifestHash: someHash("another") }],
  ];
  return changes.map(([name, about, change]) =>
    refused(`close-${name}`, `A close that does not say what the readings give. ${about}`, "leaf-mismatch", {
      ...{ begin: fullMinute, right: closing },
      wrong: (log) => force(log, { ...close, ...change }),
    }),
  );
}

function closing(log: LogBuilder): LogBuilder {
  log.closeDue();
  return log;
}

/** A close that names a clock step, a discontinuity, a former close and an unreadable leaf; each is left out once. */
function referenceMismatches(): Draft[] {
  const begin = (): LogBuilder => {
    const log = readOn(meteredLog(), 0, 20);
    log.stepClock(START_MS + 30_000);
    log.discontinuity({}, { classification: 6 });
    log.append({ kind: "opaque", number: 40, ...log.time(), body: new Map() });
    readOn(log, 40, 60);
    log.timeMs += 1000;
    return log;
  };
  const full = closeOf(closing(begin()), -1);
  const names = ["lastDiscontinuitySeq", "previousCloseSeq", "lastClockStepSeq", "lastOpaqueSeq"] as const;
  return names.map((name) => {
    const { [name]: _, ...rest } = full;
    const fault = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replace("-seq", "");
    const close: Leaf = rest;
    return refused(`close-without-${fault}`, `A close that leaves out ${name}.`, "leaf-mismatch", {
      ...{ begin, right: closing },
      wrong: (log) => force(log, close),
    });
  });
}

function discontinuityMismatches(): Draft[] {
  const begin = (): LogBuilder => {
    const log = readOn(meteredLog(), 0, 20);
    log.breakChain();
    log.timeMs += 10_000;
    return log;
  };
  const honest: Omit<Discontinuity, "seq" | "salt"> = {
    ...{ kind: "discontinuity", channel: 1, classification: 1, ...begin().time(), newImportMwh: 0 },
    ...{ oldImportMwh: 1_001_000, gapFromMs: START_MS + 20_000, gapToMs: START_MS + 30_000 },
  };
  const rows: readonly (readonly [string, string, Omit<Discontinuity, "seq" | "salt">])[] = [
    ["old", "Another register than was read last.", { ...honest, oldImportMwh: 1_000_999 }],
    ["to-after", "A gap that ends behind the leaf's own time.", { ...honest, gapToMs: START_MS + 30_001 }],
    ["previous", "A discontinuity before the first.", { ...honest, previousDiscontinuitySeq: 2 }],
  ];
  return rows.map(([name, about, leaf]) =>
    refused(`discontinuity-${name}`, about, "leaf-mismatch", {
      ...{ begin, right: (log) => force(log, honest), wrong: (log) => force(log, leaf) },
    }),
  );
}

function missingReasons(): Draft[] {
  const broken = (): LogBuilder => {
    const log = readOn(meteredLog(), 0, 20);
    log.breakChain();
    return log;
  };
  const swapped = (): LogBuilder => {
    const log = broken();
    log.manifest({ serial: "4712", samplingMs: 10_000 });
    return log;
  };
  const announced = (): LogBuilder => {
    const log = broken();
    log.discontinuity({ importMwh: 500 }, { classification: 1 });
    return log;
  };
  const explained = (log: LogBuilder): unknown => {
    log.timeMs = START_MS + 40_000;
    log.discontinuity({ importMwh: 1_002_000 }, { classification: 3 });
    return read(log, 40, 1_002_000);
  };
  const plain = (log: LogBuilder): unknown => forceReading(log, 40, 1_002_000);
  return [
    refused(
      "discontinuity-missing",
      "A reading behind a partial close, without a reason.",
      "discontinuity-missing",
      {
        ...{ begin: broken, right: explained, wrong: plain },
      },
    ),
    refused(
      "swap-unexplained",
      "A reading of another meter, without a discontinuity.",
      "discontinuity-missing",
      {
        ...{ begin: swapped, right: explained, wrong: plain },
      },
    ),
    refused("announced", "A reading that does not show the register that was announced.", "leaf-mismatch", {
      ...{ begin: announced, right: (log) => forceReading(log, 40, 500) },
      wrong: (log) => forceReading(log, 40, 501),
    }),
  ];
}

function flexibilityMismatches(): Draft[] {
  const begin = (): LogBuilder => readOn(meteredLog(), 0, 0);
  const right = (log: LogBuilder): unknown => log.flexibility();
  const { leaf } = begin().flexibility();
  if (leaf.kind !== "flexibility") throw new Error("a flexibility leaf");
  return [
    refused("flexibility-manifest", "A flexibility reading under another manifest.", "leaf-mismatch", {
      ...{ begin, right, wrong: (log) => force(log, { ...leaf, manifestSeq: 0 }) },
    }),
  ];
}
