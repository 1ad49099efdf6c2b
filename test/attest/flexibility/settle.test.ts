import { describe, expect, it } from "vitest";
import { settle } from "../../../attest/flexibility/settle.ts";
import type { Settled } from "../../../attest/flexibility/settle-types.ts";
import { SETTLEMENT } from "../../../attest/leaf-flexibility.ts";
import { refusalOf } from "../refusal.ts";
import { evidenceOf, HOUR, NOTICE, QUARTER, type Scene, START } from "./settle-kit.ts";

/** 1 kWh is the baseline of every interval, and half of it is to be delivered, unless a test says otherwise. */
function settledOf(scene: Scene): Settled {
  return settle(evidenceOf(scene));
}

function nameOf({ result }: Settled): string | undefined {
  return Object.entries(SETTLEMENT).find(([, number]) => number === result)?.[0];
}

function counted({ intervals }: Settled): number[] {
  return intervals.map(({ countedMwh }) => countedMwh);
}

describe("delivered energy", () => {
  it("is baseline less actual for reduce", () => {
    const settled = settledOf({ actualMwh: [500_000, 450_000, 600_000, 490_000] });
    expect(nameOf(settled)).toBe("delivered");
    expect(settled.intervals[2]).toEqual({
      ...{ startMs: START + 2 * QUARTER, called: true, committedMwh: 500_000 },
      ...{ baselineMwh: 1_000_000, actualMwh: 600_000, deliveredMwh: 400_000, countedMwh: 400_000 },
    });
    expect(settled.totals).toEqual({
      ...{ committedMwh: 2_000_000, baselineMwh: 4_000_000, actualMwh: 2_040_000 },
      ...{ deliveredMwh: 1_960_000, countedMwh: 1_960_000, shortfallMwh: 40_000, reboundMwh: 0 },
    });
    expect(settled).toMatchObject({ called: true, method: "h10/1", completenessPpm: 1_000_000, remarks: [] });
    expect(settled.reason).toBeUndefined();
  });

  it("is actual less baseline for increase", () => {
    const settled = settledOf({
      terms: { direction: 2 },
      deltaMwh: [300_000, 300_000],
      actualMwh: [1_300_000, 1_240_000],
    });
    expect(nameOf(settled)).toBe("delivered");
    expect(settled.intervals.map(({ deliveredMwh }) => deliveredMwh)).toEqual([300_000, 240_000]);
  });

  it("is the same where a boundary exports", () => {
    const settled = settledOf({
      load: (ms) => (ms < START ? -200_000 : -700_000),
      deltaMwh: [-500_000, -500_000],
    });
    expect(nameOf(settled)).toBe("delivered");
    expect(settled.totals).toMatchObject({
      baselineMwh: -400_000,
      actualMwh: -1_400_000,
      countedMwh: 1_000_000,
    });
  });

  it.each([
    ["90 % in all", [550_000, 550_000, 550_000, 550_000], "delivered", 1_800_000],
    ["1 mWh less", [550_000, 550_000, 550_000, 550_001], "partial", 1_799_999],
    ["50 % in one", [750_000, 450_000, 450_000, 500_000], "delivered", 1_850_000],
    ["1 mWh less in one", [750_001, 450_000, 450_000, 500_000], "partial", 1_849_999],
    ["120 % in one", [400_000, 500_000, 600_000, 700_000], "delivered", 1_800_000],
    ["more than that", [0, 500_000, 600_000, 700_000], "delivered", 1_800_000],
    ["which does not make up for others", [0, 0, 700_000, 700_001], "partial", 1_799_999],
    ["1 mWh in all", [999_999, 1_000_000, 1_000_000, 1_000_000], "partial", 1],
    ["none in all", [900_000, 1_100_000, 1_000_000, 1_000_000], "notDelivered", 0],
    ["the opposite", [1_000_000, 2_500_000, 400_000, 400_000], "notDelivered", -300_000],
  ])("%s", (_, actualMwh, name, countedMwh) => {
    const settled = settledOf({ actualMwh });
    expect([nameOf(settled), settled.totals.countedMwh]).toEqual([name, countedMwh]);
    expect(settled.totals.shortfallMwh).toBe(2_000_000 - countedMwh);
  });

  it("counts to 120 %, rounded down", () => {
    expect(counted(settledOf({ deltaMwh: [-7, -4, -5], actualMwh: [0, 0, 0] }))).toEqual([8, 4, 6]);
  });

  it("above what was committed leaves no shortfall", () => {
    const { totals } = settledOf({ actualMwh: [450_000, 450_000, 450_000, 450_000] });
    expect(totals).toMatchObject({ countedMwh: 2_200_000, shortfallMwh: 0 });
  });
});

/** [from, to) in hours since the start of the event, and ms to the end. */
const dark = (from: number, to: number, ms = 0): Scene => ({
  dark: [{ fromMs: START + from * HOUR, toMs: START + to * HOUR + ms }],
});
const half = [500_000, 500_000, 500_000, 500_000];

describe("a missing interval", () => {
  it("makes the data of an hour invalid, and every interval counts against the device", () => {
    const settled = settledOf({ ...dark(0.1, 0.2), actualMwh: half });
    expect([nameOf(settled), settled.reason?.code]).toEqual(["dataInvalid", "incomplete"]);
    expect(settled.completenessPpm).toBe(750_000);
    expect(counted(settled)).toEqual([-500_000, -500_000, -500_000, -500_000]);
    expect(settled.intervals[0]).toMatchObject({ baselineMwh: 1_000_000, missing: "gap" });
    expect(settled.intervals[0]).not.toHaveProperty("actualMwh");
    expect(settled.totals).toMatchObject({
      ...{ baselineMwh: 4_000_000, actualMwh: 1_500_000, deliveredMwh: 1_500_000 },
      ...{ countedMwh: -2_000_000, shortfallMwh: 4_000_000 },
    });
  });

  it("of a hundred counts against the device by itself: 99 % are enough", () => {
    const deltaMwh = Array.from({ length: 100 }, () => -500_000);
    const actualMwh = deltaMwh.map(() => 500_000);
    const settled = settledOf({ ...dark(3, 3.1), deltaMwh, actualMwh });
    expect([nameOf(settled), settled.completenessPpm]).toEqual(["partial", 990_000]);
    expect(counted(settled).filter((mwh) => mwh !== 500_000)).toEqual([-500_000]);
    expect(settled.totals.countedMwh).toBe(98 * 500_000);
    const twice = settledOf({ ...dark(3, 3.3), deltaMwh, actualMwh });
    expect([nameOf(twice), twice.completenessPpm]).toEqual(["dataInvalid", 980_000]);
  });

  it("counts nothing where nothing was read since before the notice", () => {
    const all = settledOf(dark(-4, 1));
    expect([nameOf(all), all.reason?.code, counted(all)]).toEqual([
      "unavailable",
      "dark-before-notice",
      [0, 0, 0, 0],
    ]);
    expect(all.totals.shortfallMwh).toBe(2_000_000);
    const some = settledOf({ ...dark(-5, 0.5, 1), actualMwh: half });
    expect(some.intervals.map(({ missing }) => missing)).toEqual([
      ...["gap-before-notice", "gap-before-notice", "gap-before-notice"],
      undefined,
    ]);
    expect([nameOf(some), counted(some)]).toEqual(["dataInvalid", [0, 0, 0, -500_000]]);
  });

  it("is since before the notice up to the ms", () => {
    const from = (fromMs: number): Scene => ({ dark: [{ fromMs, toMs: START + HOUR }] });
    expect(nameOf(settledOf(from(NOTICE)))).toBe("unavailable");
    expect(nameOf(settledOf(from(NOTICE + 1)))).toBe("dataInvalid");
  });

  it("is not since before the notice when something was read in between", () => {
    const scene = { dark: [...(dark(-5, -3).dark ?? []), ...(dark(-2.9, 1).dark ?? [])] };
    expect([nameOf(settledOf(scene)), counted(settledOf(scene))]).toEqual([
      "dataInvalid",
      [-500_000, -500_000, -500_000, -500_000],
    ]);
  });

  it("is not since before the notice when a close shows that something was read, whatever is stated", () => {
    const evidence = evidenceOf({ shownToMs: START });
    const [stated] = evidenceOf({ dark: [{ fromMs: NOTICE, toMs: START + HOUR }] }).discontinuities;
    if (stated === undefined) throw new Error("no gap is stated");
    const missing = (closes: typeof evidence.closes): unknown =>
      settle({ ...evidence, closes, discontinuities: [stated] }).intervals.map((each) => each.missing);
    const gaps = (word: string): string[] => [word, word, word, word];
    expect(missing(evidence.closes)).toEqual(gaps("gap"));
    const since = evidence.closes.filter(({ t1Ms }) => t1Ms <= NOTICE);
    expect(missing(since)).toEqual(gaps("gap-before-notice"));
  });

  it("is not since before the notice when what was stated is over as the interval begins", () => {
    const until = (toMs: number): unknown =>
      settledOf({ dark: [{ fromMs: NOTICE, toMs }], shownToMs: toMs }).intervals[0]?.missing;
    expect([until(START), until(START + QUARTER)]).toEqual(["gap", "gap-before-notice"]);
  });

  it("is not since before the notice while nothing states how long it was dark", () => {
    const settled = settledOf({ dark: [{ fromMs: START - 5 * HOUR, toMs: START + 9 * HOUR }] });
    expect(nameOf(settled)).toBe("dataInvalid");
  });

  it("is one without a close of its own, or with two", () => {
    const evidence = evidenceOf({ actualMwh: half });
    const at = evidence.closes.findIndex(({ t0Ms }) => t0Ms === START);
    const [first, second] = [evidence.closes[at], evidence.closes[at + 1]];
    if (first === undefined || second === undefined) throw new Error("the event is not shown");
    const coarse = {
      ...{ ...second, shape: 1, t0Ms: first.t0Ms, previousCloseSeq: first.previousCloseSeq ?? 0 },
      ...{ openingImportMwh: first.openingImportMwh ?? 0 },
    };
    const again = { ...second, t0Ms: first.t0Ms, t1Ms: first.t1Ms };
    const missing = [coarse, again].map((close, which) => {
      const closes = evidence.closes.toSpliced(at + which, 2 - which, close);
      return settle({ ...evidence, closes }).intervals.map((each) => each.missing);
    });
    expect(missing).toEqual([
      ["gap", "gap", undefined, undefined],
      ["gap", "gap", undefined, undefined],
    ]);
  });

  it("is one after the last close that is shown", () => {
    const settled = settledOf({ shownToMs: START + 3 * QUARTER, actualMwh: half });
    expect(settled.intervals.map(({ missing }) => missing)).toEqual([undefined, undefined, undefined, "gap"]);
  });
});

describe("rebound", () => {
  it("is what came back in as many intervals afterwards", () => {
    const actualMwh = [...half, 1_200_000, 1_100_000, 900_000, 1_000_001, 9_000_000];
    const settled = settledOf({ actualMwh, shownToMs: START + 3 * HOUR });
    expect(settled.totals.reboundMwh).toBe(200_001);
    expect(settled.lookedAheadToMs).toBe(START + 2 * HOUR);
    expect(settled.remarks).toEqual([]);
  });

  it("has the other sign for increase", () => {
    const actualMwh = [1_500_000, 1_500_000, 700_000, 1_100_000];
    const settled = settledOf({ terms: { direction: 2 }, deltaMwh: [500_000, 500_000], actualMwh });
    expect(settled.totals.reboundMwh).toBe(300_000 - 100_000);
  });

  it("is held against the days and the adjustment of the event", () => {
    // Like days: 1 kWh, and 2 kWh behind the event. Four hours ahead of it today: 10 % more.
    const isToday = (ms: number): boolean => ms >= START - 14 * HOUR;
    const isBehind = (ms: number): boolean => new Date(ms).getUTCHours() >= 13;
    const load = (ms: number): number =>
      isToday(ms) && ms >= START
        ? 2_500_000
        : ((isBehind(ms) ? 2_000_000 : 1_000_000) / 10) * (isToday(ms) ? 11 : 10);
    const settled = settledOf({ load, actualMwh: half, terms: { baselineMethod: "h10-sda20/1" } });
    expect(settled.totals.baselineMwh).toBe(4 * 1_100_000);
    expect(settled.totals.reboundMwh).toBe(4 * (2_500_000 - 2_200_000));
  });

  it("ends with the local day, and is of what is there", () => {
    const late = settledOf({ fromMs: START + 9 * HOUR, actualMwh: [...half, 3_000_000] });
    expect(late.totals.reboundMwh).toBe(0);
    expect(late.lookedAheadToMs).toBe(START + 10 * HOUR);
    expect(late.remarks.map(({ code }) => code)).toEqual(["rebound-incomplete"]);
    const gap = settledOf({
      ...dark(1.6, 1.7),
      actualMwh: [...half, 1_100_000, 1_100_000, 9_000_000, 1_100_000],
    });
    expect(gap.totals.reboundMwh).toBe(300_000);
    expect(gap.remarks.map(({ code }) => code)).toEqual(["rebound-incomplete"]);
    expect(nameOf(gap)).toBe("delivered");
  });
});

describe("sums", () => {
  it("are refused above 2^53 - 1", () => {
    const huge = Number.MAX_SAFE_INTEGER - 10;
    expect(refusalOf(() => settledOf({ deltaMwh: [-huge, -huge] }))).toBe("settlement-range");
    expect(refusalOf(() => settledOf({ deltaMwh: [-huge], actualMwh: [0] }))).toBeUndefined();
  });
});
