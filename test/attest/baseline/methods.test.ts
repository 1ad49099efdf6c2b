import { describe, expect, it } from "vitest";
import { type BaselineRequest, baselineOf, deliveryOf } from "../../../attest/baseline/baseline.ts";
import type { EnergyAt } from "../../../attest/baseline/energies.ts";
import { dayNumber, dayStart, dayText, localDay, openZone } from "../../../attest/baseline/zone.ts";
import { problemOf, refusalOf } from "../refusal.ts";
import { HOUR, noisyLoad, plainRequest, QUARTER, windowOf, ZONES } from "./kit.ts";

const EVENT_DAY = dayNumber("2026-06-17");
const START = windowOf(ZONES.berlin, "2026-06-17", 14, 2).fromMs;

/** The load of `energyAt` without some intervals. */
function without(energyAt: EnergyAt, isMissing: (startMs: number) => boolean): EnergyAt {
  return (startMs) => (isMissing(startMs) ? undefined : energyAt(startMs));
}

describe("the day that the clock is set", () => {
  /** Every interval has its own start as its energy, in quarters: what is taken for which is read off the baseline. */
  const ordinal: EnergyAt = (startMs) => startMs / QUARTER;

  it("counts as a candidate when all of its 92 or 100 quarters are there, and not otherwise", () => {
    for (const [zone, sunday, event] of [
      [ZONES.berlin, "2026-03-29", "2026-04-11"],
      [ZONES.losAngeles, "2026-11-01", "2026-11-14"],
      [ZONES.lordHowe, "2026-10-04", "2026-10-17"],
    ] as const) {
      const request: BaselineRequest = {
        ...plainRequest("h10/1", noisyLoad(3)),
        calendar: { zone, holidays: new Set(), excluded: new Set() },
        windows: [windowOf(zone, event, 10, 1)],
      };
      expect(baselineOf(request).days.used.map(dayText)).toContain(sunday);
      const lastMs = dayStart(zone, dayNumber(sunday) + 1) - QUARTER;
      const { days } = baselineOf({ ...request, energyAt: without(request.energyAt, (ms) => ms === lastMs) });
      expect(days.excluded).toContainEqual({ day: dayNumber(sunday), reason: "incomplete" });
    }
  });

  it("gives its first 02:15 for a plain day's, and both of its own take the plain day's one", () => {
    const zone = ZONES.berlin;
    const meanOf = (fromMs: number, usedDays: number): number[] => {
      const { exactMwh, days } = baselineOf({
        ...plainRequest("h10/1", ordinal),
        calendar: { zone, holidays: new Set(), excluded: new Set() },
        windows: [{ fromMs, toMs: fromMs + QUARTER }],
      });
      expect(days.used).toHaveLength(usedDays);
      return exactMwh.map(
        ({ numerator, denominator }) => (Number(numerator) / Number(denominator)) * QUARTER,
      );
    };
    // Saturday 31 October 2026, 02:15; like days: 25 (the clock goes back), 24, 18 and 17 October.
    const utc = (text: string): number => Date.parse(`${text}Z`);
    const before = ["2026-10-25T00:15", "2026-10-24T00:15", "2026-10-18T00:15", "2026-10-17T00:15"].map(utc);
    expect(meanOf(utc("2026-10-31T01:15"), 4)).toEqual([before.reduce((sum, ms) => sum + ms, 0) / 4]);
    // Sunday 25 October 2026, 02:15 the first and the second time; like days: 24, 18, 17 and 11 October.
    const plain = ["2026-10-24T00:15", "2026-10-18T00:15", "2026-10-17T00:15", "2026-10-11T00:15"].map(utc);
    const expected = [plain.reduce((sum, ms) => sum + ms, 0) / 4];
    expect(meanOf(utc("2026-10-25T00:15"), 4)).toEqual(expected);
    expect(meanOf(utc("2026-10-25T01:15"), 4)).toEqual(expected);
  });

  it("refuses intervals that a half-hour change does not keep", () => {
    const zone = ZONES.lordHowe;
    const fromMs = Date.parse("2026-04-10T01:00Z");
    const request: BaselineRequest = {
      ...plainRequest("h10/1", noisyLoad(5)),
      ...{ intervalMs: HOUR, windows: [{ fromMs, toMs: fromMs + HOUR }] },
      calendar: { zone, holidays: new Set(), excluded: new Set() },
    };
    expect(problemOf(() => baselineOf(request)).message).toContain("Australia/Lord_Howe, 2026-04-03");
    expect(refusalOf(() => baselineOf(request))).toBe("baseline-interval");
  });
});

describe("the look-back", () => {
  it.each([
    ["h10/1", 45, 3],
    ["mid8of10/1", 60, 9],
  ])("of %s ends %i days before, that one included", (method, lookBack, nearDays) => {
    // All days but one candidate fewer than wanted are excluded, and the one that the look-back must reach.
    const request = plainRequest(method, noisyLoad(9));
    const sunday = dayNumber("2026-06-21");
    const near = Array.from({ length: nearDays }, (_, index) => sunday - 1 - index);
    const others = Array.from({ length: 90 }, (_, index) => sunday - 1 - index).filter(
      (day) => !near.includes(day),
    );
    const reaches = (back: number): string | undefined =>
      refusalOf(() =>
        baselineOf({
          ...{ ...request, windows: [windowOf(ZONES.berlin, "2026-06-21", 14, 1)] },
          calendar: {
            ...{ zone: ZONES.berlin, holidays: new Set([...near, sunday - back]) },
            excluded: new Set(others.filter((day) => day !== sunday - back)),
          },
        }),
      );
    expect([reaches(lookBack), reaches(lookBack + 1)]).toEqual([undefined, "baseline-days"]);
  });

  it("passes over a day that the zone has skipped", () => {
    const zone = openZone("Pacific/Apia"); // from 29 to 31 December 2011
    const { days } = baselineOf({
      ...plainRequest("h10/1", noisyLoad(4)),
      calendar: { zone, holidays: new Set(), excluded: new Set() },
      windows: [windowOf(zone, "2012-01-04", 14, 1)],
    });
    expect(days.used.map(dayText)).toContain("2011-12-29");
    expect(days.excluded).toContainEqual({ day: dayNumber("2011-12-30"), reason: "incomplete" });
  });
});

describe("days by their energy", () => {
  const request = (method: string, energyAt: EnergyAt): number[] =>
    [...baselineOf(plainRequest(method, energyAt)).days.used].map((day) => EVENT_DAY - day);

  it("rank a tie by the later day", () => {
    // Wednesday 17 June 2026: like days 1, 2, 5, 6, 7, 8, 9, 12, 13, 14 days before; from two days before also 15.
    expect(request("h5of10-sda20/1", () => 1000)).toEqual([2, 5, 6, 7, 8]);
    expect(request("h4of5-saa/1", () => 1000)).toEqual([1, 2, 5, 6]);
    expect(request("mid8of10/1", () => 1000)).toEqual([13, 12, 9, 8, 7, 6, 5, 2]);
  });

  it("rank by the event's hours alone", () => {
    const inEvent = (ms: number): boolean => localDay(ZONES.berlin, ms) === EVENT_DAY - 12 && isAfternoon(ms);
    const isAfternoon = (ms: number): boolean => (ms - START) % (24 * HOUR) === 0;
    expect(request("h5of10-sda20/1", (ms) => (inEvent(ms) ? 1001 : 1000))).toEqual([12, 2, 5, 6, 7]);
    const elsewhere = (ms: number): boolean =>
      localDay(ZONES.berlin, ms) === EVENT_DAY - 12 && !isAfternoon(ms);
    const before = (ms: number): boolean => elsewhere(ms) && ms % (24 * HOUR) < 11 * HOUR;
    expect(request("h5of10-sda20/1", (ms) => (before(ms) ? 9999 : 1000))).toEqual([2, 5, 6, 7, 8]);
  });
});

describe("the adjustment", () => {
  /** 1000 mWh always, but `windowMwh` on the event's day before the event. */
  const load =
    (windowMwh: number, usualMwh = 1000): EnergyAt =>
    (ms) =>
      localDay(ZONES.berlin, ms) === EVENT_DAY && ms < START ? windowMwh : usualMwh;
  const first = (method: string, energyAt: EnergyAt): number =>
    baselineOf(plainRequest(method, energyAt)).baselineMwh[0] ?? Number.NaN;

  it.each([
    [1100, 1100],
    [1200, 1200],
    [1201, 1200],
    [800, 800],
    [799, 800],
    [0, 800],
    [-5000, 800],
  ])("by the ratio: a window of %i mWh makes 1000 mWh into %i", (windowMwh, expected) => {
    for (const method of ["h10-sda20/1", "h5of10-sda20/1"])
      expect(first(method, load(windowMwh))).toBe(expected);
  });

  it("by the ratio: leaves alone what has nothing to divide by", () => {
    for (const usual of [0, -1000])
      expect(baselineOf(plainRequest("h10-sda20/1", load(500, usual)))).toMatchObject({
        adjustment: { kind: "none", why: "nothing to divide by" },
        baselineMwh: Array(8).fill(usual),
      });
  });

  it.each([
    [1500, 1500],
    [0, 0],
    [-1, 0],
    [5000, 5000],
  ])("by the difference: a window of %i mWh makes 1000 mWh into %i", (windowMwh, expected) => {
    expect(first("h4of5-saa/1", load(windowMwh))).toBe(expected);
  });

  const window = (noticeMs?: number): unknown => {
    const request = plainRequest("h10-sda20/1", load(1100));
    const { adjustment } = baselineOf(noticeMs === undefined ? request : { ...request, noticeMs });
    if (adjustment.kind !== "ratio") return adjustment;
    return [(START - adjustment.fromMs) / HOUR, (START - adjustment.toMs) / HOUR];
  };

  it("closes an hour before the start, or with the notice, and moves as a whole", () => {
    expect(window()).toEqual([4, 1]);
    expect(window(START - HOUR)).toEqual([4, 1]);
    expect(window(START - HOUR - 1)).toEqual([4.25, 1.25]);
    expect(window(START - 6 * HOUR)).toEqual([9, 6]);
    expect(window(START + HOUR)).toEqual([4, 1]);
  });

  it("stays in the event's day, and is none when nothing is left of it", () => {
    expect(window(START - 12 * HOUR)).toEqual([14, 12]);
    expect(window(START - 14 * HOUR)).toEqual({ kind: "none", why: "no window" });
    expect(window(START - 30 * HOUR)).toEqual({ kind: "none", why: "no window" });
  });

  it("refuses a window with a hole, on its own day alone", () => {
    const holed = without(load(1000), (ms) => ms === START - 2 * HOUR);
    expect(refusalOf(() => first("h10-sda20/1", holed))).toBe("baseline-window-missing");
    expect(first("h10/1", holed)).toBe(1000);
  });
});

describe("what is delivered", () => {
  const load: EnergyAt = (ms) => (ms >= START && ms < START + 2 * HOUR ? 400 : 1000);

  it("is counted in the direction that was asked for", () => {
    const reduce = deliveryOf(plainRequest("h10/1", load));
    expect(reduce.deliveredMwh).toEqual(Array(8).fill(600));
    expect(reduce.totals).toEqual({ baselineMwh: 8000, actualMwh: 3200, deliveredMwh: 4800 });
    const increase = deliveryOf({ ...plainRequest("h10/1", load), direction: "increase" });
    expect(increase.deliveredMwh).toEqual(Array(8).fill(-600));
    const nothing = deliveryOf({ ...plainRequest("h10/1", () => 0), direction: "increase" });
    expect(Object.is(nothing.deliveredMwh[0], 0)).toBe(true);
  });

  it("covers several windows of one day", () => {
    const windows = [
      windowOf(ZONES.berlin, "2026-06-17", 14, 1),
      windowOf(ZONES.berlin, "2026-06-17", 18, 0.5),
    ];
    expect(deliveryOf({ ...plainRequest("h10/1", load), windows }).deliveredMwh).toEqual([
      600, 600, 600, 600, 0, 0,
    ]);
  });
});

describe("a request is refused", () => {
  const good = plainRequest("h10/1", noisyLoad(1));
  const window = good.windows[0] ?? { fromMs: 0, toMs: 0 };
  const berlin = (fromHour: number, hours: number): BaselineRequest["windows"] => [
    windowOf(ZONES.berlin, "2026-06-17", fromHour, hours),
  ];
  const since = START - 12 * 24 * HOUR;
  const cases: readonly (readonly [code: string, why: string, change: Partial<BaselineRequest>])[] = [
    ["baseline-method", "unknown", { method: "h10/2" }],
    ["baseline-method", "a property of every object", { method: "toString" }],
    ["baseline-interval", "no divisor of a day", { intervalMs: 7 * 60_000 }],
    ["baseline-interval", "no integer", { intervalMs: 900_000.5 }],
    ["baseline-event", "no window", { windows: [] }],
    ["baseline-event", "off the grid", { windows: [{ ...window, fromMs: window.fromMs + 1 }] }],
    ["baseline-event", "empty", { windows: [{ fromMs: window.fromMs, toMs: window.fromMs }] }],
    ["baseline-event", "backwards", { windows: [{ fromMs: window.toMs, toMs: window.fromMs }] }],
    ["baseline-event", "overlapping", { windows: [window, window] }],
    ["baseline-event", "over midnight", { windows: berlin(23, 2) }],
    ["baseline-event", "years long", { windows: [{ ...window, toMs: window.toMs + 1000 * 24 * HOUR }] }],
    ["baseline-event", "not a number", { windows: [{ fromMs: Number.NaN, toMs: Number.NaN }] }],
    ["baseline-event", "a notice that is no time", { noticeMs: Number.NaN }],
    ["baseline-days", "too little history", { energyAt: without(good.energyAt, (ms) => ms < since) }],
    [
      "baseline-event-missing",
      "a hole in it",
      { energyAt: without(good.energyAt, (ms) => ms === START + QUARTER) },
    ],
    ["baseline-energy", "half a mWh", { energyAt: (ms) => (ms === START ? 0.5 : 1) }],
    ["baseline-nomination-missing", "nothing was nominated", { method: "nom/1" }],
  ];

  it.each(cases)("%s: %s", (code, _, change) => {
    expect(refusalOf(() => deliveryOf({ ...good, ...change }))).toBe(code);
  });

  it("before the intervals of a window without end are counted out", () => {
    const windows = [{ ...window, toMs: window.toMs + 3 * 24 * HOUR }];
    expect(problemOf(() => baselineOf({ ...good, windows })).detail.expected).toContain(
      "at most 2 days later",
    );
  });

  it("in words that name the interval", () => {
    const energyAt = without(good.energyAt, (ms) => ms === START + QUARTER);
    expect(problemOf(() => deliveryOf({ ...good, energyAt })).message).toContain("2026-06-17 14:15");
    expect(baselineOf({ ...good, energyAt }).baselineMwh).toHaveLength(8);
  });
});
