import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dayIntervals } from "../../../attest/baseline/history.ts";
import {
  dayNumber,
  dayStart,
  dayText,
  instantOf,
  instants,
  localDay,
  openZone,
  timeOfDay,
  weekdayOf,
  type Zone,
} from "../../../attest/baseline/zone.ts";
import { isoTime } from "../../../attest/iso-time.ts";
import { refusalOf } from "../refusal.ts";
import { QUARTER, ZONES } from "./kit.ts";

const iso = (ms: number): string => isoTime(ms).replace(":00.000Z", "Z");

/** Beginning and end of days by Python's zoneinfo (PEP 615), which reads the same database in another way. */
const DAYS: readonly (readonly [zone: string, day: string, from: string, to: string, quarters: number])[] = [
  ["Europe/Berlin", "2026-03-29", "2026-03-28T23:00Z", "2026-03-29T22:00Z", 92],
  ["Europe/Berlin", "2026-10-25", "2026-10-24T22:00Z", "2026-10-25T23:00Z", 100],
  ["America/Los_Angeles", "2026-03-08", "2026-03-08T08:00Z", "2026-03-09T07:00Z", 92],
  ["America/Los_Angeles", "2026-11-01", "2026-11-01T07:00Z", "2026-11-02T08:00Z", 100],
  ["Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00Z", "2026-04-05T13:30Z", 98],
  ["Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30Z", "2026-10-04T13:00Z", 94],
  ["America/Nuuk", "2026-03-28", "2026-03-28T02:00Z", "2026-03-29T01:00Z", 92],
  ["America/Nuuk", "2026-10-24", "2026-10-24T01:00Z", "2026-10-25T02:00Z", 100],
  ["Africa/Cairo", "2026-04-24", "2026-04-23T22:00Z", "2026-04-24T21:00Z", 92],
  ["Pacific/Apia", "2011-12-30", "2011-12-30T10:00Z", "2011-12-30T10:00Z", 0],
  ["Asia/Kathmandu", "2026-05-05", "2026-05-04T18:15Z", "2026-05-05T18:15Z", 96],
];

function quarters(zone: Zone, day: number): number[] {
  const calendar = { zone, holidays: new Set<number>(), excluded: new Set<number>() };
  return dayIntervals({ energyAt: () => 0, intervalMs: QUARTER, calendar }, day);
}

describe("a local day", () => {
  it.each(DAYS)("%s %s is from %s to %s", (name, text, from, to, count) => {
    const [zone, day] = [openZone(name), dayNumber(text)];
    expect([dayStart(zone, day), dayStart(zone, day + 1)].map(iso)).toEqual([from, to]);
    expect(quarters(zone, day)).toHaveLength(count);
  });

  it("owns each of its intervals, and each is where its time of day says", () => {
    for (const zone of Object.values(ZONES))
      for (let day = dayNumber("2026-03-01"); day < dayNumber("2026-11-15"); day += 1)
        if (dayStart(zone, day + 1) - dayStart(zone, day) !== 96 * QUARTER)
          for (const startMs of quarters(zone, day)) {
            expect(localDay(zone, startMs)).toBe(day);
            expect(instantOf(zone, day, timeOfDay(zone, startMs))).toBe(startMs);
          }
  });

  it("is named and numbered as days since 1970 are", () => {
    expect(dayNumber("1970-01-01")).toBe(0);
    expect(dayNumber("2026-01-01")).toBe(20_454);
    expect(weekdayOf(dayNumber("2013-09-02"))).toBe(1); // Labor Day
    expect(weekdayOf(dayNumber("1969-12-28"))).toBe(0); // a Sunday before the count begins
    fc.assert(
      fc.property(fc.integer({ min: -700_000, max: 2_900_000 }), (day) => dayNumber(dayText(day)) === day),
    );
    for (const text of ["2026-02-29", "2026-2-1", "20260201", "", "2026-13-01"])
      expect(refusalOf(() => dayNumber(text))).toBe("baseline-day");
  });
});

describe("the same time of day", () => {
  const at = (hours: number, minutes = 0): number => (hours * 60 + minutes) * 60_000;
  const { berlin, lordHowe } = ZONES;

  it("is the later one where the clock skips it", () => {
    const day = dayNumber("2026-03-29");
    const start = (clockMs: number): string => iso(instantOf(berlin, day, { clockMs, repeat: 0 }));
    expect([at(1, 45), at(2), at(2, 30), at(3), at(3, 30)].map(start)).toEqual([
      ...[
        "2026-03-29T00:45Z",
        "2026-03-29T01:00Z",
        "2026-03-29T01:30Z",
        "2026-03-29T01:00Z",
        "2026-03-29T01:30Z",
      ],
    ]);
  });

  it("stays in its day where the clock skips the day's end", () => {
    const nuuk = openZone("America/Nuuk");
    const day = dayNumber("2026-03-28");
    expect(iso(instantOf(nuuk, day, { clockMs: at(23, 15), repeat: 0 }))).toBe("2026-03-29T00:15Z");
    expect(localDay(nuuk, Date.parse("2026-03-29T00:15Z"))).toBe(day);
  });

  it("is the first of two, or the second for what was the second", () => {
    const day = dayNumber("2026-10-25");
    const [first, second] = instants(berlin, Date.parse("2026-10-25T02:30Z"));
    expect([first, second].map((ms) => iso(ms ?? 0))).toEqual(["2026-10-25T00:30Z", "2026-10-25T01:30Z"]);
    expect(timeOfDay(berlin, second ?? 0)).toEqual({ clockMs: at(2, 30), repeat: 1 });
    expect(instantOf(berlin, day, { clockMs: at(2, 30), repeat: 1 })).toBe(second);
    const plain = instantOf(berlin, day + 1, { clockMs: at(2, 30), repeat: 1 });
    expect(iso(plain)).toBe("2026-10-26T01:30Z");
  });

  it("knows a clock that is set by half an hour", () => {
    const [spring, autumn] = [dayNumber("2026-10-04"), dayNumber("2026-04-05")];
    expect(iso(instantOf(lordHowe, spring, { clockMs: at(2, 15), repeat: 0 }))).toBe("2026-10-03T15:45Z");
    expect(instants(lordHowe, Date.parse("2026-04-05T01:45Z")).map(iso)).toEqual([
      "2026-04-04T14:45Z",
      "2026-04-04T15:15Z",
    ]);
    expect(iso(instantOf(lordHowe, autumn, { clockMs: at(1, 45), repeat: 1 }))).toBe("2026-04-04T15:15Z");
  });
});

describe("a zone", () => {
  it("is one of the IANA database, and never the machine's own", () => {
    for (const name of ["", "+01:00", "Mars/Olympus", "-05", " UTC"])
      expect(refusalOf(() => openZone(name))).toBe("baseline-zone");
    expect(openZone("europe/berlin").name).toBe("Europe/Berlin");
  });
});
