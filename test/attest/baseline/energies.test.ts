import { describe, expect, it } from "vitest";
import { closedEnergies, energiesOf } from "../../../attest/baseline/energies.ts";
import type { IntervalClose } from "../../../attest/leaf.ts";
import { refusalOf } from "../refusal.ts";
import { QUARTER } from "./kit.ts";

const T0 = 1_800_000_000_000;

function close(change: Partial<IntervalClose>): IntervalClose {
  return {
    ...{ kind: "intervalClose", seq: 5, timeMs: T0 + QUARTER, timeQuality: 3, salt: new Uint8Array(16) },
    ...{ channel: 1, t0Ms: T0, t1Ms: T0 + QUARTER, openingSeq: 1, closingSeq: 4, count: 3 },
    ...{ manifestSeq: 0, manifestHash: new Uint8Array(32) },
    ...change,
  };
}

const imported = { openingImportMwh: 1000, closingImportMwh: 1700 };
const exported = { openingExportMwh: 50, closingExportMwh: 2050 };

describe("energies of interval closes", () => {
  it.each([
    ["import alone", imported, 700],
    ["export alone", exported, -2000],
    ["both", { ...imported, ...exported }, -1300],
  ])("%s", (_, registers, energyMwh) => {
    expect(closedEnergies([close(registers)], QUARTER)).toEqual([{ startMs: T0, energyMwh }]);
  });

  it.each([
    ["without registers", {}],
    ["with one end of a register", { openingImportMwh: 1000 }],
    ["that began late", { ...imported, t0Ms: T0 + 1000 }],
    ["that ended early", { ...imported, t1Ms: T0 + QUARTER - 1000 }],
    ["over two intervals", { ...imported, t1Ms: T0 + 2 * QUARTER }],
    ["of the right length off the grid", { ...imported, t0Ms: T0 + 1000, t1Ms: T0 + QUARTER + 1000 }],
  ])("none from a close %s", (_, change) => {
    expect(closedEnergies([close(change)], QUARTER)).toEqual([]);
  });
});

describe("energies of a list", () => {
  it("are found by their start, and others are missing", () => {
    const energyAt = energiesOf(
      [
        { startMs: T0 + QUARTER, energyMwh: -5 },
        { startMs: T0, energyMwh: 0 },
      ],
      QUARTER,
    );
    expect([T0, T0 + QUARTER, T0 + 2 * QUARTER].map(energyAt)).toEqual([0, -5, undefined]);
  });

  it("are refused off the grid, twice, and in parts of a mWh", () => {
    const refused = (...intervals: { startMs: number; energyMwh: number }[]): string | undefined =>
      refusalOf(() => energiesOf(intervals, QUARTER));
    expect(refused({ startMs: T0 + 1, energyMwh: 1 })).toBe("baseline-energy");
    expect(refused({ startMs: T0, energyMwh: 0.5 })).toBe("baseline-energy");
    expect(refused({ startMs: T0, energyMwh: 1 }, { startMs: T0, energyMwh: 1 })).toBe("baseline-energy");
  });
});
