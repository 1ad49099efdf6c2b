import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ShownByMeter } from "../../../drivers/simulated/speaking.ts";
import {
  CHANGE_AFTER_MS,
  type MeterFaultName,
  TELEGRAM_FAULTS,
  TelegramFaults,
  telegramFaultNamed,
  type WireFaultName,
  withMeterFaults,
  withTelegramFault,
} from "../../../drivers/simulated/telegram-faults.ts";

const TELEGRAM = Uint8Array.from({ length: 40 }, (_, at) => at + 100);
const none = (): undefined => undefined;
const WIRE: readonly WireFaultName[] = [
  "noise",
  "lost-bytes",
  "wrong-checksum",
  "truncated",
  "repeated-telegram",
];

const SHOWN: ShownByMeter = {
  serial: "12345679",
  importT1Mwh: 10_000_000,
  importT2Mwh: 20_000_000,
  exportT1Mwh: 5_000_000,
  exportT2Mwh: 0,
  activePowerMw: 1_000_000,
  timeMs: Date.UTC(2026, 6, 15, 12),
  voltageMv: [230_000],
  currentMa: [4_348],
  frequencyMhz: 50_000,
};

function faulty(faults: readonly MeterFaultName[], elapsedMs: number, timeMs = SHOWN.timeMs): ShownByMeter {
  const first = { ...SHOWN, timeMs };
  const now = { ...first, timeMs: timeMs + elapsedMs, importT1Mwh: first.importT1Mwh + elapsedMs };
  return withMeterFaults(now, { faults, elapsedMs, first });
}

describe("what arrives instead of a telegram", () => {
  const first = Uint8Array.of(1, 2, 3);

  it("is nothing in silence, and all of it twice", () => {
    expect(withTelegramFault([first, TELEGRAM], "silence", none)).toEqual([]);
    const twice = withTelegramFault([first, TELEGRAM], "repeated-telegram", none);
    expect(twice).toEqual([first, TELEGRAM, first, TELEGRAM]);
  });

  it("begins with noise and is whole behind it", () => {
    const [noisy, second, ...more] = withTelegramFault([first, TELEGRAM], "noise", none) ?? [];
    expect(noisy?.subarray(-first.length)).toEqual(first);
    expect(noisy?.length).toBeGreaterThan(first.length);
    expect([second, ...more]).toEqual([TELEGRAM]);
  });

  it("ends in its middle, or lacks seven bytes there", () => {
    expect(withTelegramFault([first, TELEGRAM], "truncated", none)).toEqual([first, TELEGRAM.slice(0, 20)]);
    const lost = withTelegramFault([TELEGRAM], "lost-bytes", none);
    expect(lost).toEqual([Uint8Array.of(...TELEGRAM.subarray(0, 20), ...TELEGRAM.subarray(27))]);
  });

  it("has another checksum only where the protocol has one", () => {
    const other = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 1);
    expect(withTelegramFault([first, TELEGRAM], "wrong-checksum", other)).toEqual([first, other(TELEGRAM)]);
    expect(withTelegramFault([TELEGRAM], "wrong-checksum", none)).toBeUndefined();
  });

  it("never touches the telegram itself, however short", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), fc.constantFrom(...WIRE), (bytes, fault) => {
        const before = bytes.slice();
        const arrives = withTelegramFault([bytes], fault, (telegram) => telegram.slice());
        expect(bytes).toEqual(before);
        expect(arrives).toBeDefined();
      }),
    );
  });
});

describe("the schedule of faults", () => {
  it("hits the first one and one in ten, each fault in turn", () => {
    const faults = new TelegramFaults(["noise", "truncated"]);
    const picked = Array.from({ length: 1000 }, () => faults.next(0));
    expect(picked[0]).toBe("noise");
    const hit = picked.filter((fault) => fault !== undefined);
    expect(hit.slice(0, 4)).toEqual(["noise", "truncated", "noise", "truncated"]);
    expect(hit.length).toBeGreaterThan(70);
    expect(hit.length).toBeLessThan(130);
  });

  it("hits nothing without a fault of the wire", () => {
    const faults = new TelegramFaults(["meter-swap"]);
    expect(Array.from({ length: 50 }, () => faults.next(60_000))).toEqual(new Array(50).fill(undefined));
  });

  it.each([
    [0, undefined],
    [29_999, undefined],
    [30_000, "silence"],
    [69_999, "silence"],
    [70_000, undefined],
    [120_000, "silence"],
  ])("is silent at %i ms: %s", (elapsedMs, expected) => {
    expect(new TelegramFaults(["silence"]).next(elapsedMs)).toBe(expected);
  });

  it("knows its names, and says them", () => {
    for (const name of Object.keys(TELEGRAM_FAULTS)) expect(telegramFaultNamed(name)).toBe(name);
    expect(() => telegramFaultNamed("toString")).toThrow(
      expect.objectContaining({ code: "simulate-fault", message: expect.stringContaining("meter-swap") }),
    );
  });
});

describe("a meter", () => {
  it("without faults shows what it measures", () => {
    expect(faulty([], 5_000)).toMatchObject({ serial: SHOWN.serial, timeMs: SHOWN.timeMs + 5_000 });
  });

  it.each([
    ["summer", Date.UTC(2026, 6, 15, 12), "2026-07-14T22:00:00.000Z"],
    ["winter", Date.UTC(2026, 0, 15, 12), "2026-01-14T23:00:00.000Z"],
    ["the day on which summer time begins", Date.UTC(2026, 2, 29, 12), "2026-03-28T23:00:00.000Z"],
    ["the day on which it ends", Date.UTC(2026, 9, 25, 12), "2026-10-24T22:00:00.000Z"],
  ])("passes midnight of Central Europe in %s", (_when, timeMs, midnight) => {
    expect(new Date(faulty(["midnight"], 10_000, timeMs).timeMs).toISOString()).toBe(midnight);
    expect(faulty(["midnight"], 12_500, timeMs).timeMs).toBe(Date.parse(midnight) + 2_500);
  });

  it.each([
    [Date.UTC(2026, 6, 15, 12), "2025-10-26T01:00:00.000Z"],
    [Date.UTC(2026, 10, 15, 12), "2026-10-25T01:00:00.000Z"],
  ])("repeats the last hour of summer time", (timeMs, end) => {
    const local = (elapsedMs: number): string =>
      new Date(faulty(["dst-hour"], elapsedMs, timeMs).timeMs).toLocaleTimeString("en-GB", {
        timeZone: "Europe/Amsterdam",
      });
    expect(new Date(faulty(["dst-hour"], 10_000, timeMs).timeMs).toISOString()).toBe(end);
    expect([local(9_000), local(10_000)]).toEqual(["02:59:59", "02:00:00"]);
  });

  it("is another one from an instant on, whose registers count on from their own", () => {
    expect(faulty(["meter-swap"], CHANGE_AFTER_MS - 1)).toMatchObject({ serial: "12345679" });
    const swapped = faulty(["meter-swap"], CHANGE_AFTER_MS);
    const later = faulty(["meter-swap"], CHANGE_AFTER_MS + 700);
    expect(swapped.serial).toBe("12345670");
    expect(swapped.importT1Mwh).toBeLessThan(SHOWN.importT1Mwh);
    expect(later.importT1Mwh - swapped.importT1Mwh).toBe(700);
    expect(later.importT2Mwh).toBe(swapped.importT2Mwh);
  });
});
