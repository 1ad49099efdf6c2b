import { READING_STATUS } from "../../../attest/reading.ts";
import type { LogBuilder } from "../../kit/log-builder.ts";
import { refusedBatch } from "./batch-faults.ts";
import { type Draft, good } from "./draft.ts";
import { START_MS } from "./keys.ts";
import { batchInput, force, meteredLog, read, stateOf } from "./logs.ts";

/** Meters that send their registers behind the boundary that they are of. */
export function lateRegisterDrafts(): Draft[] {
  return [...goodBatches(), ...badBatches()];
}

const BOUNDARY_S = 60;

/** Registers of `ofS`, sent at `seconds`. */
function late(log: LogBuilder, seconds: number, [ofS, importMwh]: readonly [number, number]): LogBuilder {
  const status = READING_STATUS.registersAtMeterTime;
  read(log, seconds, { importMwh, status, meterTimeMs: START_MS + ofS * 1000 });
  return log;
}

function power(log: LogBuilder, seconds: number): LogBuilder {
  read(log, seconds, { activePowerMw: 1_000_000 });
  return log;
}

/** A chain that opens at 5 s, and powers up to behind the boundary. */
function opened(): LogBuilder {
  const log = late(meteredLog(), 5, [0, 1_000_000]);
  for (const seconds of [20, 40, 61]) power(log, seconds);
  return log;
}

function goodBatches(): Draft[] {
  const onTime = power(late(opened(), 70, [BOUNDARY_S, 1_016_000]), 80);
  const tooLate = power(late(opened(), 121, [BOUNDARY_S, 1_016_000]), 130);
  const beforeChain = late(late(meteredLog(), 5, [0, 1_000_000]), 50, [0, 1_016_000]);
  beforeChain.manifest({ samplingMs: 10_000, firmware: "2" });
  power(beforeChain, 55);
  const rows: readonly (readonly [string, string, LogBuilder])[] = [
    [
      "registers-late",
      "Registers of a boundary that come 10 s behind it close the interval there.",
      late(onTime, 131, [2 * BOUNDARY_S, 1_033_000]),
    ],
    [
      "registers-too-late",
      "Registers that come 61 s behind the instant that they are of count as of when they came.",
      tooLate,
    ],
    [
      "registers-before-chain",
      "Registers of before where the chain stands count as of where it stands: a partial close ends there.",
      beforeChain,
    ],
  ];
  return rows.map(([name, about, log]) =>
    good("batch", name, { about, input: batchInput(log), expect: stateOf(log) }),
  );
}

function badBatches(): Draft[] {
  const begin = (): LogBuilder => late(opened(), 70, [BOUNDARY_S, 1_016_000]);
  return [
    refusedBatch("close-late-registers-missing", {
      about: "No close behind registers of the boundary, before the next reading.",
      code: "close-missing",
      begin,
      right: (log) => power(log, 80),
      wrong: (log) => {
        log.timeMs = START_MS + 80_000;
        return force(log, { kind: "reading", channel: 1, ...log.time(), activePowerMw: 1_000_000 });
      },
    }),
    refusedBatch("close-late-registers-unstated", {
      about:
        "The close at the boundary, by registers of 10 s behind it that do not say of which instant they are.",
      code: "close-unexpected",
      begin: opened,
      right: (log) => power(late(log, 70, [BOUNDARY_S, 1_016_000]), 80),
      wrong: (log) => {
        const stated = power(late(opened(), 70, [BOUNDARY_S, 1_016_000]), 80);
        read(log, 70, 1_016_000);
        const close = stated.leaves[log.leaves.length]?.leaf;
        if (close?.kind !== "intervalClose") throw new Error("no close");
        const { seq: _seq, salt: _salt, statusUnion: _union, ...body } = close;
        return force(log, body);
      },
    }),
  ];
}
