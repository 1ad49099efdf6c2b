import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { networkMs, tcpPorts } from "../../../drivers/discovery/network.ts";
import { Pace } from "../../../drivers/discovery/pace.ts";
import { Progress, type ProgressState } from "../../../drivers/discovery/progress.ts";
import { formatFrom } from "../../../drivers/discovery/serial-format.ts";
import {
  planSweep,
  probeMs,
  probeRanges,
  sweepFormats,
  sweepMs,
} from "../../../drivers/discovery/sweep-plan.ts";
import {
  nextUnit,
  SERIAL_UNITS,
  serialUnits,
  tcpUnits,
  type UnitOutcome,
  type UnitPlan,
} from "../../../drivers/discovery/units.ts";
import { formatText } from "../../../drivers/line/address.ts";
import { lineTiming } from "../../../drivers/modbus/line-timing.ts";
import { CODED, KNOWN, NAMED, RANGED, SPOKEN } from "./profiles.ts";

const TRANSPORTS = KNOWN.map(({ compiled }) => compiled.profile.transport);
const unit = fc.integer({ min: 0, max: 255 });
const outcome = fc.constantFrom<UnitOutcome>("present", "absent", "alike");

/** All units that a plan asks for, with what they turn out to be. */
function walk(plan: UnitPlan, grow: boolean, is: (unit: number) => UnitOutcome): readonly number[] {
  const outcomes = new Map<number, UnitOutcome>();
  for (let next = nextUnit(plan, outcomes, grow); next !== undefined; next = nextUnit(plan, outcomes, grow)) {
    if (outcomes.has(next)) throw new Error(`unit ${next} twice`);
    outcomes.set(next, is(next));
  }
  return [...outcomes.keys()];
}

describe("units", () => {
  it("are asked once each, the likely ones first and in order", () => {
    fc.assert(
      fc.property(fc.uniqueArray(unit), fc.boolean(), fc.array(outcome), (likely, grow, outcomes) => {
        const plan = { likely, all: false, range: [0, 255] as const };
        const asked = walk(plan, grow, (one) => outcomes[one] ?? "absent");
        expect(asked.slice(0, likely.length)).toEqual(likely);
        if (!grow) expect(asked).toEqual(likely);
      }),
    );
  });

  it("are all asked when that is wanted", () => {
    const plan = { likely: serialUnits([5]), all: true, range: SERIAL_UNITS };
    expect(walk(plan, false, () => "absent").toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 247 }, (_, at) => at + 1),
    );
  });

  it("go on behind the ones that are there, and no further than three in vain", () => {
    const plan = { likely: [1, 2], all: false, range: SERIAL_UNITS };
    const there = new Set([1, 2, 3, 5, 8]);
    expect(walk(plan, true, (one) => (there.has(one) ? "present" : "absent"))).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
    ]);
    expect(walk(plan, true, () => "alike")).toEqual([1, 2]);
  });

  it("of a line are 1, 2, 3 and then what devices are delivered with", () => {
    expect(serialUnits([1, 33, 5, 33, 0, 255])).toEqual([1, 2, 3, 33, 5]);
  });

  it("of a host are what devices are delivered with, then where SunSpec was seen", () => {
    expect(tcpUnits([247, 1, 3])).toEqual([1, 3, 247, 2, 126, 200, 240, 71, 100, 255, 0]);
  });
});

describe("the sweep of a line", () => {
  it("begins with the settings that most devices are delivered with", () => {
    const formats = sweepFormats(TRANSPORTS, false).map(formatText);
    expect(formats.slice(0, 3)).toEqual(["9600 8N1", "19200 8E1", "9600 8E1"]);
    expect(new Set(formats).size).toBe(formats.length);
    const thorough = sweepFormats(TRANSPORTS, true).map(formatText);
    expect(thorough.slice(0, formats.length)).toEqual(formats);
    expect(thorough.length).toBeGreaterThan(2 * formats.length);
  });

  it.each([{ allUnits: false }, { allUnits: true }])("asks nobody the same twice, %o", ({ allUnits }) => {
    const stops = planSweep(KNOWN, { allUnits, thorough: false });
    const asks = stops.flatMap(({ format, asks }) =>
      asks.map((ask) => `${formatText(format)} ${JSON.stringify(ask)}`),
    );
    expect(new Set(asks).size).toBe(asks.length);
    const units = new Set(stops.flatMap((stop) => stop.asks.map((ask) => ask.unit)));
    expect(units.size).toBe(allUnits ? 247 : 4);
  });

  it("asks unit 1 at every setting before a less likely one at any", () => {
    const stops = planSweep(KNOWN, { allUnits: true, thorough: false });
    const formats = new Set(stops.map(({ format }) => formatText(format))).size;
    expect(stops.slice(0, formats).every(({ asks }) => asks[0]?.unit === 1)).toBe(true);
    expect(stops.slice(formats).every(({ asks }) => asks.every((ask) => ask.unit !== 2))).toBe(true);
  });

  it("asks for registers that the devices with these settings have", () => {
    expect(probeRanges(formatFrom("9600 8N1"), KNOWN)).toEqual([{ table: "input", start: 0, count: 1 }]);
    expect(probeRanges(formatFrom("1200 8O1"), [])).toEqual([{ table: "holding", start: 0, count: 1 }]);
  });

  it("takes so long as bytes, silences and waiting take", () => {
    const slow = formatFrom("2400 8E1");
    // 17 characters of 11 bits at 2400 baud, twice 3.5 of them as silence, and 200 ms of patience.
    expect(probeMs(slow, 200)).toBeCloseTo(200 + (17 + 7) * (11_000 / 2400), 6);
    expect(lineTiming(slow).silenceMs).toBeCloseTo(16.04, 2);
    const stops = planSweep(KNOWN, { allUnits: false, thorough: false });
    const requests = stops.reduce((sum, { asks }) => sum + asks.length, 0);
    expect(sweepMs(stops, 200)).toBeGreaterThan(requests * 200);
  });
});

describe("the network", () => {
  it("is tried on the usual ports and those of profiles", () => {
    expect(tcpPorts([NAMED, SPOKEN, CODED, RANGED])).toEqual([502, 1502, 15_503]);
  });

  it("takes so long as nobody answers", () => {
    const times = { connectMs: 1000, replyMs: 3000, width: 32, pace: new Pace(100) };
    expect(networkMs(254, 3, times)).toBe(24_000);
  });
});

describe("progress", () => {
  it("is the share of all work, and the time of the longest job", () => {
    const told: ProgressState[] = [];
    const progress = new Progress((state) => told.push(state));
    const [a, b] = [progress.job(1000), progress.job(3000)];
    a(500);
    b(500);
    a(2000);
    b(3000);
    expect(told).toEqual([
      { fraction: 0.125, remainingMs: 3000 },
      { fraction: 0.25, remainingMs: 2500 },
      { fraction: 0.375, remainingMs: 2500 },
      { fraction: 1, remainingMs: 0 },
    ]);
  });
});
