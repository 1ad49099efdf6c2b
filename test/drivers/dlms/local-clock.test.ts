import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readDateTime } from "../../../drivers/dlms/date-time.ts";
import { CLOCK_NAMES, type ClockName, utcMsIn } from "../../../drivers/dlms/local-clock.ts";
import { hex } from "./kit.ts";

/** What the tz database says a clock in one of these places shows. */
const PLACES: Partial<Record<ClockName, string>> = {
  UTC: "UTC",
  "WET/WEST": "Europe/Lisbon",
  "CET/CEST": "Europe/Oslo",
  "EET/EEST": "Europe/Helsinki",
};

function shownAt(utcMs: number, place: string): string {
  const text = new Date(utcMs).toLocaleString("sv-SE", { timeZone: place });
  return text.replace(" ", "T");
}

describe("clocks that do not say how far they are from UTC", () => {
  it.each(Object.entries(PLACES))("%s goes as in %s", (name, place) => {
    const hour = fc.integer({ min: Date.UTC(2015, 0) / 3_600_000, max: Date.UTC(2035, 0) / 3_600_000 });
    fc.assert(
      fc.property(hour, fc.nat(3_599), (hours, seconds) => {
        const utcMs = hours * 3_600_000 + seconds * 1_000;
        const localText = shownAt(utcMs, place);
        const repeated = [-3_600_000, 3_600_000].some((other) => shownAt(utcMs + other, place) === localText);
        const known = CLOCK_NAMES.find((one) => one === name) ?? "UTC";
        expect(utcMsIn({ localText }, known)).toBe(repeated ? undefined : utcMs);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ["CET", 60],
    ["WET", 0],
    ["EET", 120],
  ] as const)("%s stays the same all year", (name, minutes) => {
    expect(utcMsIn({ localText: "2026-07-01T12:00:00" }, name)).toBe(Date.UTC(2026, 6, 1, 12, -minutes));
    expect(utcMsIn({ localText: "2026-01-01T12:00:00" }, name)).toBe(Date.UTC(2026, 0, 1, 12, -minutes));
  });

  it("have an hour twice, which only the meter's summer time bit tells apart, and one not at all", () => {
    const at = (status: string): ReturnType<typeof readDateTime> =>
      readDateTime(hex(`07ea 0a 19 07 02 1e 00 00 8000 ${status}`));
    const summer = at("80");
    expect(summer && utcMsIn(summer, "CET/CEST")).toBe(Date.UTC(2026, 9, 25, 0, 30));
    const unsaid = at("ff");
    expect(unsaid && utcMsIn(unsaid, "CET/CEST")).toBeUndefined();
    expect(utcMsIn({ localText: "2026-03-29T02:30:00" }, "CET/CEST")).toBeUndefined();
  });
});
