import { expect, it } from "vitest";
import { z } from "zod";
import { parseLoad } from "../../../agent/cli/flex-baseline-load.ts";
import { energiesOf, type IntervalEnergy } from "../../../attest/baseline/energies.ts";
import { dayNumber, dayStart, dayText } from "../../../attest/baseline/zone.ts";
import { settle } from "../../../attest/flexibility/settle.ts";
import type { Settled } from "../../../attest/flexibility/settle-types.ts";
import { SETTLEMENT } from "../../../attest/leaf-flexibility.ts";
import { describeVectors, readText, readVectors, reportCount } from "../../kit/vectors.ts";
import { ZONES } from "../baseline/kit.ts";
import { evidenceOf, HOUR, QUARTER, type Scene, type Stretch } from "./settle-kit.ts";

const mwh = z.array(z.int());
const cases = z.array(
  z.looseObject({
    event: z.looseObject({ date: z.string(), start: z.int(), end: z.int() }),
    method: z.string(),
    days: z.array(z.string()),
    baseline_mWh: mwh,
    actual_mWh: mwh,
    delivered_mWh: mwh,
    totals: z.strictObject({ baseline_mWh: z.int(), actual_mWh: z.int(), delivered_mWh: z.int() }),
  }),
);

const zone = ZONES.losAngeles;
const terms = { zone, intervalMs: QUARTER };
const EVENT = "2013-09-23";
const at = (date: string, hour: number): number => dayStart(zone, dayNumber(date)) + hour * HOUR;

describeVectors("settlements of a real building", () => {
  const load = parseLoad(readText("flex/load-2013.csv"), "load-2013.csv", terms);
  const [first, last] = [load[0]?.startMs ?? 0, load.at(-1)?.startMs ?? 0];

  /** What the curve lacks is dark, stretch by stretch. */
  function darkOf(energyAt: (startMs: number) => number | undefined): Stretch[] {
    const dark: Stretch[] = [];
    for (let ms = first; ms <= last; ms += QUARTER) {
      if (energyAt(ms) !== undefined) continue;
      const before = dark.at(-1);
      if (before?.toMs === ms) dark[dark.length - 1] = { ...before, toMs: ms + QUARTER };
      else dark.push({ fromMs: ms, toMs: ms + QUARTER });
    }
    return dark;
  }

  interface Asked {
    readonly method: string;
    readonly date: string;
    readonly hours: readonly [from: number, to: number];
    readonly issuedAtMs?: number;
    readonly of?: readonly IntervalEnergy[];
    readonly eachMwh?: number;
  }

  function settled({ method, date, hours, issuedAtMs, of = load, eachMwh = 400_000 }: Asked): Settled {
    const energyAt = energiesOf(of, QUARTER);
    const [fromMs, toMs] = [at(date, hours[0]), at(date, hours[1])];
    const scene: Scene = {
      ...{ fromMs, shownFromMs: first, shownToMs: last + QUARTER, dark: darkOf(energyAt), load: energyAt },
      issuedAtMs: issuedAtMs ?? fromMs - HOUR,
      deltaMwh: Array.from({ length: (toMs - fromMs) / QUARTER }, () => -eachMwh),
      terms: {
        ...{ timeZone: zone.name, baselineMethod: method, noticeMs: 0 },
        ...{ holidays: [dayNumber("2013-09-02")], excludedDays: [dayNumber(EVENT)] },
      },
    };
    return settle(evidenceOf(scene));
  }

  it("have the baselines, days and energies of the golden cases, and none from before and after", () => {
    const list = readVectors("flex/baseline-cases.json", cases);
    let settledCases = 0;
    for (const { event, method, days, totals, ...golden } of list) {
      const asked = { date: event.date, hours: [event.start, event.end] as const };
      if (method.startsWith("before-after")) {
        const got = settled({ ...asked, method: "before-after/1" });
        expect([got.result, got.reason?.code]).toEqual([SETTLEMENT.unavailable, "baseline-telemetry"]);
        continue;
      }
      const got = settled({ ...asked, method });
      expect({
        days: got.days.flatMap(({ usedDays }) => usedDays.map(dayText)),
        baseline_mWh: got.intervals.map(({ baselineMwh }) => baselineMwh),
        actual_mWh: got.intervals.map(({ actualMwh }) => actualMwh),
        delivered_mWh: got.intervals.map(({ deliveredMwh }) => deliveredMwh),
      }).toEqual({
        days,
        ...{ baseline_mWh: golden.baseline_mWh, actual_mWh: golden.actual_mWh },
        delivered_mWh: golden.delivered_mWh,
      });
      expect(got.totals).toMatchObject({
        ...{ baselineMwh: totals.baseline_mWh, actualMwh: totals.actual_mWh },
        deliveredMwh: totals.delivered_mWh,
      });
      settledCases += 1;
    }
    expect(settledCases).toBeGreaterThanOrEqual(6);
    reportCount("settled baseline cases", settledCases);
  });

  it("count by interval: 2.78 kWh of 3.2 kWh are delivered and 2.05 kWh count", () => {
    const got = settled({ method: "h10/1", date: EVENT, hours: [14, 16] });
    // Delivered: 120850 686475 861625 618950 279500 164225 -31450 78400; at most 480000 each.
    expect(got.intervals.map(({ countedMwh }) => countedMwh)).toEqual([
      ...[120_850, 480_000, 480_000, 480_000],
      ...[279_500, 164_225, -31_450, 78_400],
    ]);
    expect(got.totals).toMatchObject({
      ...{ committedMwh: 3_200_000, deliveredMwh: 2_778_575, countedMwh: 2_051_525, shortfallMwh: 1_148_475 },
    });
    expect(got.result).toBe(SETTLEMENT.partial);
  });

  it("do not pay for 15 kWh burnt after the notice", () => {
    const burnt = load.map(({ startMs, energyMwh }) => {
      const isBurnt = startMs >= at(EVENT, 10) && startMs < at(EVENT, 13);
      return { startMs, energyMwh: isBurnt ? energyMwh + 1_250_000 : energyMwh };
    });
    const asked = { method: "h10-sda20/1", date: EVENT, hours: [14, 16] as const };
    const early = { ...asked, issuedAtMs: at(EVENT, 10) };
    expect(settled({ ...early, of: burnt })).toEqual(settled(early));
    // Burnt before a notice of one hour it does pay, to the clamp, and everybody sees it.
    const [honest, gamed] = [settled(asked), settled({ ...asked, of: burnt })];
    expect([honest, gamed].map(({ totals }) => Math.round(totals.deliveredMwh / 10_000) / 100)).toEqual([
      3.35, 9.18,
    ]);
    expect([honest, gamed].map(({ remarks }) => remarks.map(({ code }) => code))).toEqual([
      ["days-incomplete"],
      ["adjustment-at-limit", "days-incomplete"],
    ]);
  });
});
