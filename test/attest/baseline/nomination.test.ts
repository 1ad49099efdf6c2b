import { describe, expect, it } from "vitest";
import {
  type BaselineRequest,
  baselineOf,
  deliveryOf,
  pastError,
} from "../../../attest/baseline/baseline.ts";
import type { NominationAt } from "../../../attest/baseline/nomination.ts";
import { dayNumber, dayStart, localDay } from "../../../attest/baseline/zone.ts";
import { problemOf, refusalOf } from "../refusal.ts";
import { HOUR, plainRequest, QUARTER, ZONES } from "./kit.ts";

const zone = ZONES.berlin;
const EVENT_DAY = dayNumber("2026-06-17");
const MIDNIGHT = dayStart(zone, EVENT_DAY);
const START = MIDNIGHT + 14 * HOUR;
const inEvent = (ms: number): boolean => ms >= START && ms < START + 2 * HOUR;
const dayOf = (ms: number): number => localDay(zone, ms);

/** A charger that takes 1000 mWh a quarter, and 250 in the event; nominated as `nominate` says, an hour before each day. */
function charger(
  nominate: (startMs: number) => number = () => 1000,
  receipt: (startMs: number) => number = (ms) => dayStart(zone, dayOf(ms)) - HOUR,
): BaselineRequest {
  return {
    ...plainRequest("nom/1", (ms) => (inEvent(ms) ? 250 : 1000)),
    nominationAt: (ms) => ({ energyMwh: nominate(ms), receiptedMs: receipt(ms) }),
  };
}

const codeOf = (request: BaselineRequest): string | undefined => refusalOf(() => baselineOf(request));
/** Only in the event's hours of past days. */
const past = (mwh: number) => (ms: number) => (dayOf(ms) < EVENT_DAY ? mwh : 1000);
const inHours = (day: number, mwh: number) => (ms: number) =>
  dayOf(ms) === day && (ms - START) % (24 * HOUR) === 0 ? mwh : 1000;

describe("a nominated baseline", () => {
  it("is what was nominated", () => {
    const got = deliveryOf(charger());
    expect(got.baselineMwh).toEqual(Array(8).fill(1000));
    expect(got.totals.deliveredMwh).toBe(8 * 750);
    expect(got.days.used.map((day) => EVENT_DAY - day)).toEqual([1, 2, 5, 6, 7, 8, 9, 12, 13, 14]);
  });

  it("needs a small bias on past days: 5 % and not a mWh more", () => {
    expect(codeOf(charger(past(1050)))).toBeUndefined();
    expect(codeOf(charger(past(950)))).toBeUndefined();
    for (const mwh of [1051, 949]) expect(codeOf(charger(past(mwh)))).toBe("baseline-nomination-error");
  });

  it("needs a small relative RMSE: 20 % and not a mWh more", () => {
    // Too high in one quarter and too low in the next: no bias, and the same error in each.
    const swinging = (mwh: number) => (ms: number) =>
      dayOf(ms) < EVENT_DAY ? 1000 + ((ms / QUARTER) % 2 === 0 ? mwh : -mwh) : 1000;
    expect(codeOf(charger(swinging(200)))).toBeUndefined();
    expect(codeOf(charger(swinging(201)))).toBe("baseline-nomination-error");
    expect(pastError(charger(swinging(201))).error).toMatchObject({ biasPpm: 0, relativeRmsePpm: 201_000 });
  });

  it("of nothing is met by nothing, and by nothing else", () => {
    const idle = (nominated: number): BaselineRequest => ({
      ...charger((ms) => (dayOf(ms) < EVENT_DAY ? nominated : 0)),
      energyAt: () => 0,
    });
    expect(codeOf(idle(0))).toBeUndefined();
    expect(codeOf(idle(1))).toBe("baseline-nomination-error");
    expect(pastError(idle(1)).error).toBeUndefined();
  });

  it("is there for every interval from the oldest past day on, dispatched or not, whatever day it is", () => {
    const lacking = (isMissing: (ms: number) => boolean): BaselineRequest => {
      const request = charger();
      const nominationAt: NominationAt = (ms) => (isMissing(ms) ? undefined : request.nominationAt?.(ms));
      return { ...request, nominationAt };
    };
    const saturdayNight = dayStart(zone, dayNumber("2026-06-06")) + 3 * HOUR;
    for (const missing of [START, START + 8 * HOUR, saturdayNight, dayStart(zone, EVENT_DAY - 14)])
      expect(codeOf(lacking((ms) => ms === missing))).toBe("baseline-nomination-missing");
    expect(codeOf(lacking((ms) => dayOf(ms) < EVENT_DAY - 14))).toBeUndefined();
    const { message } = problemOf(() => baselineOf(lacking((ms) => ms === saturdayNight)));
    expect(message).toContain("2026-06-06 03:00");
  });

  it("is receipted before its local day begins, and the event's before the notice", () => {
    const at = (ms: number, late: number, receiptedMs: number) =>
      charger(undefined, (each) => (each === late ? receiptedMs : dayStart(zone, dayOf(each)) - ms));
    expect(codeOf(at(0, START, MIDNIGHT))).toBeUndefined();
    expect(codeOf(at(0, START, MIDNIGHT + 1))).toBe("baseline-nomination-late");
    const quarter = START - 7 * 24 * HOUR + 3 * HOUR;
    expect(codeOf(at(0, quarter, MIDNIGHT - 7 * 24 * HOUR + 1))).toBe("baseline-nomination-late");
    const noticeMs = MIDNIGHT - 6 * HOUR;
    expect(codeOf({ ...at(7 * HOUR, START, noticeMs), noticeMs })).toBeUndefined();
    expect(codeOf({ ...at(7 * HOUR, START, noticeMs + 1), noticeMs })).toBe("baseline-nomination-late");
  });

  it("never lies beyond what really happened: the 9th of ten when it is to be reduced", () => {
    // The same quarter of ten past days: 1001, 1002 ... 1010; nominated as it was.
    const used = [1, 2, 5, 6, 7, 8, 9, 12, 13, 14];
    const actual = (ms: number): number => {
      const rank = used.indexOf(EVENT_DAY - dayOf(ms));
      return rank === -1 ? 1000 : 1001 + rank;
    };
    const nominated = (mwh: number, direction: "reduce" | "increase"): BaselineRequest => ({
      ...charger((ms) => (dayOf(ms) === EVENT_DAY ? mwh : actual(ms))),
      ...{ energyAt: actual, direction },
    });
    expect(codeOf(nominated(1009, "reduce"))).toBeUndefined();
    expect(codeOf(nominated(1010, "reduce"))).toBe("baseline-nomination-extreme");
    expect(codeOf(nominated(0, "reduce"))).toBeUndefined();
    expect(codeOf(nominated(1002, "increase"))).toBeUndefined();
    expect(codeOf(nominated(1001, "increase"))).toBe("baseline-nomination-extreme");
    expect(problemOf(() => baselineOf(nominated(1010, "reduce"))).message).toContain("at most 1009 mWh");
  });

  it("is held against each quarter by itself, and outside the event's hours against nothing", () => {
    expect(codeOf(charger(inHours(EVENT_DAY, 1001)))).toBe("baseline-nomination-extreme");
    expect(codeOf(charger((ms) => (inEvent(ms) ? 1000 : 9000)))).toBe("baseline-nomination-error");
    expect(codeOf(charger((ms) => (ms >= START + 3 * HOUR ? 9000 : 1000)))).toBeUndefined();
  });

  it("has whole numbers, and the history that it is held against", () => {
    expect(codeOf(charger(() => 999.5))).toBe("baseline-energy");
    const request = charger();
    expect(codeOf({ ...request, energyAt: (ms) => (ms < START - 10 * 24 * HOUR ? undefined : 1000) })).toBe(
      "baseline-days",
    );
  });
});
