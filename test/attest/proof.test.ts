import { describe, expect, it } from "vitest";
import { DISCONTINUITY } from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { portableSuite } from "../../attest/portable.ts";
import { buildProof } from "../../attest/proof-build.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import type { EnergyVerdict } from "../../attest/verdict.ts";
import { EPOCH_MS, type LogBuilder } from "../kit/log-builder.ts";
import {
  energyVerdict,
  leafOf,
  openedLog,
  proofOf,
  quarter,
  RISE_MWH,
  readQuarters,
  trusting,
} from "./proof-kit.ts";
import { refusalOf } from "./refusal.ts";

const WHOLE_REGISTER_MWH = 1_000_000;

function verdictOf(log: LogBuilder, bytes: Uint8Array): EnergyVerdict {
  const native = energyVerdict(bytes, trusting(log), nativeSuite);
  expect(energyVerdict(bytes, trusting(log), portableSuite)).toEqual(native);
  return native;
}

/** Wh as any reader would work them out: the whole Wh that the register showed at both ends. */
function whBetween(fromQuarter: number, toQuarter: number): number {
  const shown = (quarters: number): number =>
    Math.floor((WHOLE_REGISTER_MWH + quarters * 60 * RISE_MWH) / 1000);
  return shown(toQuarter) - shown(fromQuarter);
}

describe("a proof", () => {
  it("shows the energy of one interval, of several, and of each part of them so that the parts add up", async () => {
    const log = readQuarters(openedLog(), 6);
    await log.checkpoint();
    for (const [from, to] of [
      [0, 1],
      [3, 4],
      [1, 5],
      [0, 6],
    ] as const) {
      const verdict = verdictOf(log, proofOf(log, from, to));
      expect(verdict.import).toMatchObject({
        openingMwh: WHOLE_REGISTER_MWH + from * 60 * RISE_MWH,
        closingMwh: WHOLE_REGISTER_MWH + to * 60 * RISE_MWH,
        wh: whBetween(from, to),
      });
      expect(verdict).toMatchObject({
        fromMs: quarter(from),
        toMs: quarter(to),
        segments: 1,
        coarse: false,
        gaps: [],
      });
      expect(verdict.export).toBeUndefined();
    }
    const parts = [0, 1, 2, 3, 4, 5].map((at) => verdictOf(log, proofOf(log, at, at + 1)).import?.wh ?? 0);
    expect(parts.reduce((sum, wh) => sum + wh)).toBe(whBetween(0, 6));
  });

  it("claims what lies on both sides of a discontinuity, and states the gap between", async () => {
    const log = openedLog().readMany(30, { stepMs: 15_000, risesMwh: RISE_MWH });
    const before = log.state().last?.importMwh ?? 0;
    log.timeMs += 60_000;
    log.read({ importMwh: 500 }); // the meter came back at zero and had counted half a Wh since
    log.readMany(26, { stepMs: 15_000, risesMwh: 2000 });
    log.timeMs += 5000;
    log.closeDue();
    await log.checkpoint();
    const verdict = verdictOf(log, proofOf(log, 0, 1));
    const wh = Math.floor(before / 1000) - 1000 + Math.floor(52_500 / 1000) - 0;
    expect(verdict.import).toMatchObject({ openingMwh: 1_000_000, closingMwh: 52_500, wh });
    expect(verdict).toMatchObject({
      segments: 2,
      gaps: [{ fromMs: EPOCH_MS + 450_000, toMs: EPOCH_MS + 510_000 }],
      clockSteps: [],
    });
  });

  it("goes through a manifest change without a gap, under the manifest that is then in force", async () => {
    const log = openedLog().readMany(30, { stepMs: 15_000, risesMwh: RISE_MWH });
    log.manifest({ firmware: "2", name: "meter/renamed" });
    readQuarters(log, 0).readMany(30, { stepMs: 15_000, risesMwh: RISE_MWH });
    readQuarters(log, 2);
    await log.checkpoint();
    const across = verdictOf(log, proofOf(log, 0, 1));
    expect(across).toMatchObject({
      segments: 2,
      gaps: [],
      clockSteps: [],
      channel: { name: "meter/renamed" },
    });
    expect(across.import?.wh).toBe(whBetween(0, 1));
    expect(verdictOf(log, proofOf(log, 1, 3)).import?.wh).toBe(whBetween(1, 3));
  });

  it("goes through several breaks, two discontinuities in a row among them", async () => {
    const log = openedLog();
    for (let round = 0; round < 5; round++) {
      log.readMany(10, { stepMs: 15_000, risesMwh: 1000 });
      log.discontinuity({}, { classification: DISCONTINUITY.counterDowntime });
      log.discontinuity({ importMwh: round }, { classification: DISCONTINUITY.registerReset });
      log.read({ importMwh: round });
    }
    log.readMany(10, { stepMs: 15_000, risesMwh: 1000 });
    log.timeMs += 5000;
    log.closeDue();
    await log.checkpoint();
    const verdict = verdictOf(log, proofOf(log, 0, 1));
    expect(verdict).toMatchObject({ segments: 6, import: { wh: 60 } });
    expect(verdict.gaps).toHaveLength(5);
  });

  it("says that the clock was set inside, and counts on", async () => {
    const log = openedLog().readMany(30, { stepMs: 15_000, risesMwh: RISE_MWH });
    log.stepClock(log.timeMs + 120_000);
    log.readMany(22, { stepMs: 15_000, risesMwh: RISE_MWH });
    log.timeMs += 5000;
    log.closeDue();
    await log.checkpoint();
    const verdict = verdictOf(log, proofOf(log, 0, 1));
    expect(verdict).toMatchObject({ segments: 2, gaps: [] });
    expect(verdict.clockSteps).toEqual([{ fromMs: EPOCH_MS + 450_000, toMs: EPOCH_MS + 570_000 }]);
    expect(verdict.import?.wh).toBe(Math.floor((1_000_000 + 52 * RISE_MWH) / 1000) - 1000);
  });

  it("says that the clock was set in a gap, whose ends are then by two clocks", async () => {
    const log = openedLog().readMany(40, { stepMs: 15_000, risesMwh: RISE_MWH });
    log.stepClock(log.timeMs - 60_000);
    log.timeMs += 15_000;
    log.read({ importMwh: 500 });
    log.readMany(23, { stepMs: 15_000, risesMwh: 2000 });
    log.timeMs += 5000;
    log.closeDue();
    await log.checkpoint();
    const verdict = verdictOf(log, proofOf(log, 0, 1));
    const gap = { fromMs: EPOCH_MS + 600_000, toMs: EPOCH_MS + 555_000, clockSet: true };
    expect(verdict).toMatchObject({ segments: 2, gaps: [gap], clockSteps: [] });
  });

  it("takes the later one of two equal times where the clock was set back", async () => {
    const log = readQuarters(openedLog(), 3);
    log.stepClock(quarter(0) + 60_000);
    readQuarters(log, 3);
    log.readMany(1, { stepMs: 15_000, risesMwh: 0 });
    await log.checkpoint();
    const { claim } = verifyProof(nativeSuite, proofOf(log, 1, 2));
    if (claim.kind !== "energy") throw new Error("not a proof of energy");
    expect(claim.segments).toHaveLength(1);
    expect(claim.segments[0].first.lastClockStepSeq).toBe(leafOf(log, "clockStep").seq);
  });

  it("is not built over a time at which the clock was elsewhere, and says so", async () => {
    const log = readQuarters(openedLog(), 1);
    log.stepClock(log.timeMs + 14 * 86_400_000);
    readQuarters(log, 1);
    log.stepClock(quarter(1) + 120_000);
    readQuarters(log, 2);
    await log.checkpoint();
    expect(() => proofOf(log, 0, 2)).toThrow("the clock was set meanwhile");
  });

  it("is not built where no close begins or ends, nor before a checkpoint covers it", async () => {
    const log = readQuarters(openedLog(), 2);
    const build = (from: number, to: number): string | undefined => refusalOf(() => proofOf(log, from, to));
    expect(build(0, 1)).toBe("proof-unsigned");
    await log.checkpoint();
    expect(build(0, 1)).toBeUndefined();
    expect(build(0.5, 1)).toBe("proof-no-interval");
    expect(build(0, 1.5)).toBe("proof-no-interval");
    expect(build(4, 5)).toBe("proof-no-interval");
    expect(
      refusalOf(() => buildProof(log.proofSource(), { channel: 2, fromMs: quarter(0), toMs: quarter(1) })),
    ).toBe("proof-no-interval");
    readQuarters(log, 1);
    expect(build(0, 3)).toBe("proof-unsigned");
  });
});
