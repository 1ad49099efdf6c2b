import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { kilowattsToMw } from "../../../agent/config/units.ts";
import {
  durationText,
  energyText,
  powerText,
  powerWords,
  registerWords,
  stateOfChargeWords,
  stepText,
  voltageText,
} from "../../../agent/words.ts";
import { nearest } from "../../../runtime/nearest.ts";

describe("values in words", () => {
  it.each([
    [powerWords(1_200_000, "grid"), "importing 1.2 kW"],
    [powerWords(-350_000, "grid"), "exporting 350 W"],
    [powerWords(-2_100_000, "generation"), "generating 2.1 kW"],
    [powerWords(12_000, "generation"), "consuming 12 W"],
    [powerWords(3_000_000, "storage"), "charging 3 kW"],
    [powerWords(-3_000_000, "storage"), "discharging 3 kW"],
    [powerWords(0, "load"), "0 W"],
    [powerText(1_234_567_890), "1,234.567 kW"],
    [powerText(-500), "-0.5 W"],
    [registerWords("import", 12_345_678_901), "import 12,345.678 kWh"],
    [registerWords("export", 0), "export 0.000 kWh"],
    [energyText(1_234_567_000_000), "1,234,567.000 kWh"],
    [stepText(1000), "1 Wh"],
    [stepText(100), "0.1 Wh"],
    [stepText(1_000_000), "1,000 Wh"],
    [stateOfChargeWords(540_000), "state of charge 54 %"],
    [stateOfChargeWords(543_210), "state of charge 54.321 %"],
    [voltageText([230_100, 229_900]), "230.1 / 229.9 V"],
    [durationText(999), "999 ms"],
    [durationText(5000), "5 s"],
    [durationText(600_000), "10 min"],
    [durationText(86_400_000), "24 h"],
  ])("%s", (words, expected) => {
    expect(words).toBe(expected);
  });
});

describe("kilowatts", () => {
  it("become exact milliwatts", () => {
    expect([17.25, 0.1, 8, 0.000001, 4.35].map(kilowattsToMw)).toEqual([
      17_250_000, 100_000, 8_000_000, 1, 4_350_000,
    ]);
    expect([1e-7, 0.1234567, -1, 1e21].map(kilowattsToMw)).toEqual(Array(4).fill(undefined));
  });

  it("come back from any number of mW", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000_000_000 }), (mw) => {
        const text = String(mw).padStart(7, "0");
        const kw = Number(`${text.slice(0, -6)}.${text.slice(-6)}`);
        // Below 0.000001 kW JavaScript writes numbers with an exponent.
        if (mw !== 0 && kw < 1e-6) return;
        expect(kilowattsToMw(kw)).toBe(mw);
      }),
    );
  });
});

describe("a suggestion", () => {
  it.each([
    ["prot", "port"],
    ["Port", "port"],
    ["por", "port"],
    ["unti", "unit"],
    ["devicse", "devices"],
    ["zzz", undefined],
    ["", undefined],
  ])("for %j is %j", (word, meant) => {
    expect(nearest(word, ["port", "unit", "devices", "host"])).toBe(meant);
  });
});
