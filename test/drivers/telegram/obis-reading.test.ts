import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { gridChannel, obisReading } from "../../../drivers/telegram/obis-reading.ts";
import type { TelegramValue } from "../../../drivers/telegram/telegram.ts";

type Given = readonly [code: string, digits: number | bigint, exponent: number, unit: string];

function value([code, digits, exponent, unit]: Given): TelegramValue {
  return { code, text: `${digits}e${exponent}`, unit, scaled: { digits: BigInt(digits), exponent } };
}

const reading = (...given: Given[]): ReturnType<typeof obisReading> => obisReading(given.map(value));

function codeOf(...given: Given[]): string {
  try {
    reading(...given);
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
  return "none";
}

describe("a reading out of OBIS codes", () => {
  it("has both registers, the power of both directions, phases and frequency", () => {
    const { values, absent } = reading(
      ["1-0:1.8.0*255", 12_345_678, -1, "Wh"],
      ["1-0:2.8.0*255", 5, 3, "Wh"],
      ["1-0:1.7.0*255", 0, 0, "W"],
      ["1-0:2.7.0*255", 1234, -3, "kW"],
      ["1-0:32.7.0*255", 2301, -1, "V"],
      ["1-0:52.7.0*255", 2302, -1, "V"],
      ["1-0:72.7.0*255", 2303, -1, "V"],
      ["1-0:31.7.0*255", -120, -2, "A"],
      ["1-0:14.7.0*255", 4998, -2, "Hz"],
    );
    expect(values).toEqual({
      ...{
        importMwh: 1_234_567_800,
        exportMwh: 5_000_000,
        resolutionMwh: 1_000_000,
        activePowerMw: -1_234_000,
      },
      ...{ voltageMv: [230_100, 230_200, 230_300], currentMa: [1_200], frequencyMhz: 49_980 },
    });
    expect(absent).toEqual([]);
  });

  it("takes the printed total, else the sum of all tariffs, and says which", () => {
    const tariffs: Given[] = [
      ["1-0:1.8.1*255", 10, 3, "Wh"],
      ["1-0:1.8.2*255", 2005, 1, "Wh"],
    ];
    expect(reading(...tariffs).values).toEqual({
      importMwh: 30_050_000,
      resolutionMwh: 1_000_000,
      status: 8,
    });
    expect(reading(...tariffs, ["1-0:1.8.0*255", 7, 3, "Wh"]).values).toEqual({
      importMwh: 7_000_000,
      resolutionMwh: 1_000_000,
    });
  });

  it("never sums some of the tariffs", () => {
    const six: Given[] = [1, 2, 3, 4, 5, 6].map((tariff) => [`1-0:1.8.${tariff}*255`, tariff, 3, "Wh"]);
    expect(reading(...six).values).toMatchObject({ importMwh: 21_000_000, status: 8 });
    const broken = { code: "1-0:1.8.7*255", text: "------", unit: "Wh" };
    const power: Given = ["1-0:16.7.0*255", 5, 0, "W"];
    const { values, absent } = obisReading([...six.map(value), broken, value(power)]);
    expect(values).toEqual({ activePowerMw: 5_000 });
    expect(absent).toEqual(['1-0:1.8.7*255 is no number: "------"']);
  });

  it("prefers the signed power, and never invents one direction", () => {
    expect(reading(["1-0:16.7.0*255", -3, 0, "W"], ["1-0:1.7.0*255", 9, 0, "W"]).values.activePowerMw).toBe(
      -3_000,
    );
    const oneWay = reading(["1-0:1.7.0*255", 0, 0, "W"], ["1-0:2.8.0*255", 1, 0, "Wh"]);
    expect(oneWay.values.activePowerMw).toBeUndefined();
    expect(oneWay.absent).toEqual(["activePowerMw: 1.7.0 is 0, and 2.7.0 is not there"]);
    expect(reading(["1.7.0", 0, 0, "W"]).values.activePowerMw).toBe(0);
  });

  it("does not move a phase into the place of a missing one", () => {
    const { values, absent } = reading(["1-0:1.8.0*255", 1, 0, "Wh"], ["1-0:52.7.0*255", 230, 0, "V"]);
    expect(values.voltageMv).toBeUndefined();
    expect(absent).toHaveLength(1);
  });

  it("knows codes without medium and of any channel, and no values of the past or of other media", () => {
    expect(reading(["1.8.0", 1, 0, "kWh"]).values.importMwh).toBe(1_000_000);
    expect(reading(["1-1:1.8.0", 1, 0, "kWh"]).values.importMwh).toBe(1_000_000);
    for (const code of ["1-0:1.8.0*1", "7-0:1.8.0*255", "0-0:1.8.0", "1-0:1.29.0", "abc"])
      expect(codeOf([code, 1, 0, "kWh"]), code).toBe("telegram-empty");
  });

  it("refuses what contradicts itself or is beyond any meter", () => {
    expect(codeOf(["1-0:1.8.0*255", 1, 0, "W"])).toBe("telegram-unit");
    expect(codeOf(["1-0:1.8.0*255", 1, 0, "varh"])).toBe("telegram-unit");
    expect(codeOf(["1-0:1.8.0*255", -1, 0, "Wh"])).toBe("telegram-range");
    expect(codeOf(["1-0:1.8.0*255", 0, 18, "Wh"])).toBe("telegram-range");
    expect(codeOf(["1-0:1.8.0*255", 2n ** 63n, 0, "Wh"])).toBe("telegram-range");
    expect(codeOf(["1-0:1.8.0*255", 1, 127, "Wh"])).toBe("telegram-range");
    expect(codeOf(["1-0:1.8.0*255", 1, 0, "Wh"], ["1-0:1.8.0*255", 2, 0, "Wh"])).toBe("telegram-conflict");
    expect(codeOf(["1-0:1.8.0*255", 1, 0, "Wh"], ["1-0:1.8.0*255", 1, 0, "Wh"])).toBe("none");
    expect(codeOf(["1.8.0", 1, 0, "Wh"], ["0.0", 1, 0, ""], ["0.0.0", 2, 0, ""])).toBe("none");
    const top = 9_007_199_254_740;
    expect(codeOf(["1.8.1", top, 0, "Wh"], ["1.8.2", top, 0, "Wh"])).toBe("telegram-range");
  });

  it("is the exact product for every width, and never more than what was sent", () => {
    const digits = fc.bigInt({ min: 0n, max: 10n ** 12n });
    fc.assert(
      fc.property(digits, fc.integer({ min: -6, max: 0 }), (sent, exponent) => {
        const { importMwh = 0 } = reading(["1.8.0", sent, exponent, "Wh"]).values;
        const scaledUp = BigInt(importMwh) * 10n ** 3n;
        const exact = sent * 10n ** BigInt(6 + exponent);
        expect(exact - scaledUp).toBeGreaterThanOrEqual(0n);
        expect(exact - scaledUp).toBeLessThan(1000n);
      }),
    );
  });

  it("describes the grid's channel by what it saw or what the meter has", () => {
    const { values } = reading(["1.8.0", 12, 3, "Wh"]);
    const sign = { signSource: "the standard", signVerified: true };
    expect(gridChannel(values, sign)).toEqual({
      ...{ name: "grid", role: "grid", quantities: ["import"], resolutionMwh: 1_000_000 },
      ...sign,
    });
    expect(gridChannel({}, { ...sign, quantities: ["power"] }).quantities).toEqual(["power"]);
  });
});
