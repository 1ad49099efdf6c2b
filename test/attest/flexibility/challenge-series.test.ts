import { describe, expect, it } from "vitest";
import { challengeSeries, challengeStart } from "../../../attest/flexibility/challenge-series.ts";
import type { Leaf, ReadingLeaf } from "../../../attest/leaf.ts";
import { ACKNOWLEDGEMENT } from "../../../attest/leaf-flexibility.ts";
import { READING_STATUS } from "../../../attest/reading.ts";

const common = { timeQuality: 3, salt: new Uint8Array(16) };
const ORDER = { steps: 14, stepMs: 1000 };

function reading(seq: number, timeMs: number, change: Partial<ReadingLeaf> = {}): Leaf {
  return { ...common, kind: "reading", seq, timeMs, channel: 2, activePowerMw: 10 * seq, ...change };
}

function answer(seq: number, orderSeq: number, state: number): Leaf {
  return { ...common, kind: "acknowledgement", seq, timeMs: 100 * seq, channel: 2, orderSeq, state };
}

describe("the series of a challenge, out of its log", () => {
  it("begin with the first leaf that says started, of this challenge", () => {
    const { accepted, started } = ACKNOWLEDGEMENT;
    const leaves = [
      answer(5, 4, accepted),
      answer(6, 3, started),
      answer(7, 4, started),
      answer(8, 4, started),
    ];
    expect(challengeStart(leaves, 4)).toEqual({ startedSeq: 7, startedMs: 700 });
    expect(challengeStart(leaves, 9)).toBeUndefined();
    const unknown = leaves.map((leaf) => ({ ...leaf, timeQuality: 1 }));
    expect(challengeStart(unknown, 4)).toBeUndefined();
  });

  it("hold what the log has behind the start, of one channel, by ascending time", () => {
    const start = { startedSeq: 10, startedMs: 1000 };
    const leaves = [
      reading(9, 1500),
      reading(11, 999),
      reading(12, 1000, { importMwh: 7, exportMwh: 8, stateOfChargePpm: 9 }),
      reading(13, 1100, { channel: 1 }),
      reading(14, 1200, { status: READING_STATUS.stale }),
      reading(15, 1300, { timeQuality: 1 }),
      reading(16, 1400),
      reading(17, 1400),
      reading(18, 1350),
      reading(19, 14_999),
      reading(20, 15_000),
    ];
    expect(challengeSeries(leaves, 2, { start, order: ORDER })).toEqual([
      { atMs: 1000, powerMw: 120, importMwh: 7, exportMwh: 8, stateOfChargePpm: 9 },
      { atMs: 1400, powerMw: 160 },
      { atMs: 14_999, powerMw: 190 },
    ]);
  });

  it("leave out readings without power", () => {
    const { activePowerMw, ...silent } = reading(11, 1000) as ReadingLeaf;
    expect(activePowerMw).toBe(110);
    const start = { startedSeq: 10, startedMs: 1000 };
    expect(challengeSeries([silent], 2, { start, order: ORDER })).toEqual([]);
  });
});
