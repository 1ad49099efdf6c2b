import { expect, it } from "vitest";
import { z } from "zod";
import { parseLoad } from "../../../agent/cli/flex-baseline-load.ts";
import { type BaselineRequest, type Delivery, deliveryOf } from "../../../attest/baseline/baseline.ts";
import { energiesOf, type IntervalEnergy } from "../../../attest/baseline/energies.ts";
import { dayNumber, dayStart, dayText } from "../../../attest/baseline/zone.ts";
import { describeVectors, readText, readVectors, reportCount } from "../../kit/vectors.ts";
import { daySet, HOUR, QUARTER, ZONES } from "./kit.ts";

const mwh = z.array(z.int());
const cases = z.array(
  z.strictObject({
    event: z.strictObject({
      date: z.string(),
      start: z.int(),
      end: z.int(),
      tz: z.literal("America/Los_Angeles local"),
    }),
    method: z.string(),
    days: z.array(z.string()),
    unadjusted_mWh: mwh,
    baseline_mWh: mwh,
    actual_mWh: mwh,
    delivered_mWh: mwh,
    totals: z.strictObject({ baseline_mWh: z.int(), actual_mWh: z.int(), delivered_mWh: z.int() }),
    ratio_num: z.string().optional(),
    ratio_den: z.string().optional(),
  }),
);
const BEFORE_AFTER = { "before-after (telemetry only)": "before-after/1" };

const zone = ZONES.losAngeles;
const terms = { zone, intervalMs: QUARTER };
const calendar = { zone, holidays: daySet("2013-09-02"), excluded: daySet("2013-09-23") };

describeVectors("baselines of a real building", () => {
  const load = parseLoad(readText("flex/load-2013.csv"), "load-2013.csv", terms);
  const at = (date: string, hour: number): number => dayStart(zone, dayNumber(date)) + hour * HOUR;
  const request = (method: string, date: string, [from, to]: readonly [number, number]): BaselineRequest => ({
    ...{ method, direction: "reduce", intervalMs: QUARTER, calendar, energyAt: energiesOf(load, QUARTER) },
    windows: [{ fromMs: at(date, from), toMs: at(date, to) }],
  });

  it("come out to the mWh, with the same days in the same order", () => {
    const list = readVectors("flex/baseline-cases.json", cases);
    for (const { event, method, ratio_num, ratio_den, ...expected } of list) {
      const name = new Map(Object.entries(BEFORE_AFTER)).get(method) ?? method;
      const got = deliveryOf(request(name, event.date, [event.start, event.end]));
      expect({ method, ...inTheirWords(got) }).toEqual({ method, ...expected });
      if (ratio_num !== undefined && ratio_den !== undefined)
        expect(got.adjustment).toMatchObject({
          ratio: { numerator: BigInt(ratio_num), denominator: BigInt(ratio_den) },
        });
    }
    expect(list.length).toBeGreaterThanOrEqual(7);
    reportCount("baseline cases", list.length);
  });

  /** 15 kWh spread over [10:00, 13:00) of the event's day. */
  const burnt = (): IntervalEnergy[] =>
    load.map(({ startMs, energyMwh }) => {
      const isBurnt = startMs >= at("2013-09-23", 10) && startMs < at("2013-09-23", 13);
      return { startMs, energyMwh: isBurnt ? energyMwh + 1_250_000 : energyMwh };
    });

  it("pay for 15 kWh burnt in the window of an adjustment, unless the notice came before", () => {
    const honest = request("h10-sda20/1", "2013-09-23", [14, 16]);
    const gamed = { ...honest, energyAt: energiesOf(burnt(), QUARTER) };
    const credit = (of: BaselineRequest): number => deliveryOf(of).totals.deliveredMwh;
    expect([credit(honest), credit(gamed)].map((each) => Math.round(each / 10_000) / 100)).toEqual([
      3.35, 9.18,
    ]);
    const noticeMs = at("2013-09-23", 10);
    expect(credit({ ...gamed, noticeMs })).toBe(credit({ ...honest, noticeMs }));
    expect(credit({ ...gamed, method: "h10/1" })).toBe(credit({ ...honest, method: "h10/1" }));
  });

  it("show why before and after is no settlement: 25.6 kWh on an evening without an event", () => {
    const { totals } = deliveryOf(request("before-after/1", "2013-09-18", [17, 20]));
    expect(Math.round(totals.deliveredMwh / 100_000)).toBe(256);
  });
});

function inTheirWords({ days, totals, ...got }: Delivery): object {
  return {
    days: days.used.map(dayText),
    unadjusted_mWh: got.unadjustedMwh,
    baseline_mWh: got.baselineMwh,
    actual_mWh: got.actualMwh,
    delivered_mWh: got.deliveredMwh,
    totals: {
      baseline_mWh: totals.baselineMwh,
      actual_mWh: totals.actualMwh,
      delivered_mWh: totals.deliveredMwh,
    },
  };
}
