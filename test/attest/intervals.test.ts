import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  boundaryAtOrAfter,
  boundaryToleranceMs,
  type Chain,
  closeAtBoundary,
  closeAtBreak,
  dueBoundary,
  longestPauseMs,
  needsBreakClose,
  openChain,
} from "../../attest/intervals.ts";
import { CLOSE_SHAPE } from "../../attest/leaf.ts";

const MINUTE = 60_000;
const QUARTER = 15 * MINUTE;
const rule = { intervalMs: QUARTER, samplingMs: 5000 };
const point = (seq: number, timeMs: number): { seq: number; timeMs: number; importMwh: number } => ({
  ...{ seq, timeMs, importMwh: seq * 1000 },
});
const running = (t0Ms: number): Chain => ({ ...openChain(point(1, t0Ms), t0Ms, true), opens: false });

describe("boundaries", () => {
  it.each([
    [{ intervalMs: QUARTER, samplingMs: 5000 }, 30_000],
    [{ intervalMs: QUARTER, samplingMs: 60_000 }, 120_000],
    [{ intervalMs: MINUTE, samplingMs: 60_000 }, 30_000],
    [{ intervalMs: 10_000, samplingMs: 1000 }, 5000],
    [{ intervalMs: 1001, samplingMs: 0 }, 500],
  ])("a reading of %o stands for a boundary up to %i ms later", (of, tolerance) => {
    expect(boundaryToleranceMs(of)).toBe(tolerance);
  });

  it("no reading ever stands for two boundaries", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1000, max: 10_000_000 }),
        fc.nat(10_000_000),
        (intervalMs, samplingMs) => {
          expect(2 * boundaryToleranceMs({ intervalMs, samplingMs })).toBeLessThanOrEqual(intervalMs);
        },
      ),
    );
  });

  it("are multiples of the interval, the first one at or after a time, exactly, up to 2^53", () => {
    const time = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 100_000_000 });
    fc.assert(
      fc.property(time, fc.integer({ min: 1000, max: 86_400_000 }), (timeMs, intervalMs) => {
        const boundary = BigInt(boundaryAtOrAfter(timeMs, intervalMs));
        const interval = BigInt(intervalMs);
        expect(boundary).toBe(((BigInt(timeMs) + interval - 1n) / interval) * interval);
      }),
    );
    // A quotient would be rounded to a whole number here and the boundary come out before the time.
    expect(boundaryAtOrAfter(9_000_000_000_000_001, 1000)).toBe(9_000_000_000_001_000);
  });

  it("a pause may last three intervals, and a minute where those are shorter", () => {
    expect(longestPauseMs(QUARTER)).toBe(3 * QUARTER);
    expect(longestPauseMs(1000)).toBe(MINUTE);
  });
});

describe("dueBoundary", () => {
  const chain = running(QUARTER);
  const due = (lastMs: number, nowMs: number): number | undefined =>
    dueBoundary(chain, point(2, lastMs), rule, nowMs);

  it("is the boundary behind the last reading once it is over", () => {
    expect(due(2 * QUARTER - 1, 2 * QUARTER)).toBeUndefined();
    expect(due(2 * QUARTER - 1, 2 * QUARTER + 1)).toBe(2 * QUARTER);
    expect(due(2 * QUARTER, 2 * QUARTER)).toBeUndefined();
    expect(due(2 * QUARTER, 2 * QUARTER + 1)).toBe(2 * QUARTER);
  });

  it("waits for a later boundary when the last reading lies too far before this one", () => {
    expect(due(2 * QUARTER - 30_000, 2 * QUARTER + 1)).toBe(2 * QUARTER);
    expect(due(2 * QUARTER - 30_001, 2 * QUARTER + 1)).toBeUndefined();
    expect(due(2 * QUARTER - 30_001, 9 * QUARTER)).toBeUndefined();
  });

  it("closes no boundary twice, and none on a clock that is not known", () => {
    expect(due(QUARTER - 1, 9 * QUARTER)).toBeUndefined();
    expect(due(QUARTER, 9 * QUARTER)).toBeUndefined();
    const unknown = { ...chain, t0Known: false };
    expect(dueBoundary(unknown, point(2, 2 * QUARTER - 1), rule, 9 * QUARTER)).toBeUndefined();
  });
});

describe("closes", () => {
  it("are plain between two boundaries, coarse over more, and say so when they open or end a chain", () => {
    const last = point(9, 3 * QUARTER);
    expect(closeAtBoundary(running(QUARTER), last, 2 * QUARTER, QUARTER).shape).toBeUndefined();
    expect(closeAtBoundary(running(QUARTER), last, 3 * QUARTER, QUARTER).shape).toBe(CLOSE_SHAPE.coarse);
    const opening = openChain(point(1, QUARTER + 7), QUARTER + 7, true);
    expect(closeAtBoundary(opening, last, 2 * QUARTER, QUARTER).shape).toBe(CLOSE_SHAPE.opensChain);
    expect(closeAtBoundary(opening, last, 2 * QUARTER + 8, QUARTER).shape).toBe(
      CLOSE_SHAPE.opensChain | CLOSE_SHAPE.coarse,
    );
    const ending = point(9, QUARTER + 8);
    expect(closeAtBreak(running(QUARTER), ending, QUARTER)).toMatchObject({
      t1Ms: QUARTER + 8,
      shape: CLOSE_SHAPE.endsChain,
    });
    expect(closeAtBreak(running(QUARTER), last, QUARTER).shape).toBe(
      CLOSE_SHAPE.endsChain | CLOSE_SHAPE.coarse,
    );
  });

  it("are due before a break as soon as there is a second register reading, even at the same instant", () => {
    const chain = openChain(point(5, QUARTER), QUARTER, true);
    expect(needsBreakClose(chain, point(5, QUARTER))).toBe(false);
    expect(needsBreakClose(chain, point(6, QUARTER))).toBe(true);
    expect(needsBreakClose({ ...chain, t0Known: false }, point(6, QUARTER + 9))).toBe(false);
  });

  it("carry only what was measured", () => {
    const close = closeAtBoundary(running(QUARTER), point(9, 2 * QUARTER), 2 * QUARTER, QUARTER);
    expect(close).toEqual({
      ...{ t0Ms: QUARTER, t1Ms: 2 * QUARTER, openingSeq: 1, closingSeq: 9, count: 0 },
      ...{ openingImportMwh: 1000, closingImportMwh: 9000 },
    });
  });
});
