import { describe, expect, it } from "vitest";
import { baselineOf, pastError } from "../../../attest/baseline/baseline.ts";
import type { EnergyAt } from "../../../attest/baseline/energies.ts";
import { dayNumber, localDay } from "../../../attest/baseline/zone.ts";
import { HISTORY_METHODS, HOUR, noisyLoad, plainRequest, windowOf, ZONES } from "./kit.ts";

const zone = ZONES.berlin;
const EVENT_DAY = dayNumber("2026-06-17");
const since =
  (days: number, energyAt: EnergyAt): EnergyAt =>
  (ms) =>
    localDay(zone, ms) < EVENT_DAY - days ? undefined : energyAt(ms);

describe("the error of a method on past days", () => {
  it("is none on a load that never changes", () => {
    for (const method of HISTORY_METHODS)
      expect(pastError(plainRequest(method, () => 700)).error).toMatchObject({
        biasPpm: 0,
        relativeRmsePpm: 0,
      });
  });

  it("is what the method itself says of each of those days, and what was metered then", () => {
    for (const method of HISTORY_METHODS) {
      const load = noisyLoad(77);
      const request = { ...plainRequest(method, load), noticeMs: windowOf(zone, "2026-06-17", 11, 1).fromMs };
      const { days, error } = pastError(request);
      const pairs = days.flatMap((day) => {
        const [shift, date] = [(EVENT_DAY - day) * 24 * HOUR, day];
        expect(date).toBeGreaterThan(dayNumber("2026-03-29")); // no clock is set in between
        const windows = request.windows.map(({ fromMs, toMs }) => ({
          fromMs: fromMs - shift,
          toMs: toMs - shift,
        }));
        const { exactMwh, startsMs } = baselineOf({
          ...request,
          windows,
          noticeMs: request.noticeMs - shift,
        });
        return exactMwh.map(({ numerator, denominator }, at) => ({
          baseline: Number(numerator) / Number(denominator),
          actual: load(startsMs[at] ?? 0) ?? 0,
        }));
      });
      const scale = pairs.reduce((sum, { actual }) => sum + actual, 0) / pairs.length;
      const bias =
        pairs.reduce((sum, { baseline, actual }) => sum + baseline - actual, 0) / pairs.length / scale;
      const square =
        pairs.reduce((sum, { baseline, actual }) => sum + (baseline - actual) ** 2, 0) / pairs.length;
      expect(pairs.length).toBeGreaterThan(200);
      expect(error?.biasPpm).toBe(Math.round(bias * 1e6));
      expect(error?.relativeRmsePpm).toBe(Math.round((Math.sqrt(square) / scale) * 1e6));
    }
  });

  it("has the sign of a baseline that is too high", () => {
    // Each day takes 1 % less than the day before it.
    const falling: EnergyAt = (ms) => Math.round(1_000_000 * 0.99 ** (localDay(zone, ms) - EVENT_DAY));
    expect(pastError(plainRequest("h10/1", falling)).error?.biasPpm).toBeGreaterThan(50_000);
    expect(pastError(plainRequest("h10-sda20/1", falling)).error?.biasPpm).toBe(0); // the ratio takes it all back
  });

  it("leaves excluded days out, and says on which the method lacks history", () => {
    const request = plainRequest("h10/1", since(30, noisyLoad(5)));
    const excluded = new Set([EVENT_DAY - 1, EVENT_DAY - 5]);
    const { days, refusedDays } = pastError({ ...request, calendar: { ...request.calendar, excluded } });
    const back = (each: readonly number[]): number[] => each.map((day) => EVENT_DAY - day);
    // 20 weekdays lie 2 to 30 days before; the last ten of them have fewer than ten before themselves.
    expect(back(days)).toEqual([2, 6, 7, 8, 9, 12, 13, 14, 15, 16].slice(0, days.length));
    expect(back(refusedDays)).toEqual([...back(days), ...back(refusedDays)].slice(days.length));
    expect(days.length + refusedDays.length).toBe(20);
    expect(refusedDays).toHaveLength(10);
  });

  it("is not known without history, nor relative to nothing", () => {
    expect(
      pastError(
        plainRequest(
          "h10/1",
          since(12, () => 5),
        ),
      ).error,
    ).toBeUndefined();
    const once: EnergyAt = (ms) => (localDay(zone, ms) === EVENT_DAY - 58 ? 5 : 0);
    expect(pastError(plainRequest("h10/1", () => 0)).error?.biasPpm).toBe(0);
    expect(pastError(plainRequest("h10/1", once)).error).toBeUndefined();
  });

  it("is relative to a size where import and export alternate", () => {
    // ±1000 mWh: the mean is 0 and the mean magnitude 1000; a baseline that is off by 100 is off by 10 %.
    const sign = (ms: number): number => ((ms / 900_000) % 2 === 0 ? 1 : -1);
    const request = {
      ...plainRequest("nom/1", (ms: number) => 1000 * sign(ms)),
      nominationAt: (ms: number) => ({ energyMwh: 1000 * sign(ms) - 100, receiptedMs: 0 }),
    };
    expect(pastError(request).error).toMatchObject({ biasPpm: -100_000, relativeRmsePpm: 100_000 });
  });
});
