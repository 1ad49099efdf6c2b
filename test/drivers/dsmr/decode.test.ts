import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseMeterTime } from "../../../drivers/dsmr/meter-time.ts";
import { encodeP1Telegram } from "../../../drivers/simulated/p1-telegram.ts";
import { codeOf, decodeAll, decodeOne, plainTelegram, STATE, TELEGRAM } from "./kit.ts";

const POWER = ["1-0:1.7.0(0001.01*kW)", "1-0:2.7.0(0000.00*kW)"];

describe("P1 decoding", () => {
  it("reads back what the simulated meter shows", () => {
    const { reading, absent } = decodeOne(TELEGRAM);
    expect(absent).toEqual([]);
    expect(reading).toMatchObject({
      channel: "grid",
      importMwh: 2_375_582_000,
      exportMwh: 17_003_000,
      activePowerMw: -1_234_000,
      voltageMv: [229_900, 229_200, 222_900],
      currentMa: [120, 0, 5_370],
      meterTimeMs: Date.UTC(2026, 6, 1, 12, 0, 5),
      resolutionMwh: 1_000,
      status: 8,
    });
  });

  it("reads back any state to the printed digit", () => {
    const register = fc.integer({ min: 0, max: 999_999_999 });
    const power = fc.integer({ min: -99_999, max: 99_999 });
    const second = fc.integer({ min: 946_684_800, max: 4_102_440_000 });
    fc.assert(
      fc.property(register, register, power, second, (importWh, exportWh, powerW, time) => {
        const state = {
          ...STATE,
          importT1Mwh: importWh * 1_000,
          exportT2Mwh: exportWh * 1_000,
          activePowerMw: powerW * 1_000,
          timeMs: time * 1_000,
        };
        expect(decodeOne(encodeP1Telegram(state)).reading).toMatchObject({
          importMwh: importWh * 1_000 + STATE.importT2Mwh,
          exportMwh: exportWh * 1_000 + STATE.exportT1Mwh,
          activePowerMw: powerW * 1_000,
          meterTimeMs: time * 1_000,
        });
      }),
    );
  });

  it("prefers a printed total to the sum of the tariffs", () => {
    const lines = ["1-0:1.8.0(006545766*Wh)", "1-0:1.8.1(005017120*Wh)", "1-0:1.8.2(001528646*Wh)"];
    const { reading } = decodeOne(plainTelegram(...lines));
    expect(reading).toMatchObject({ importMwh: 6_545_766_000, resolutionMwh: 1_000 });
    expect(reading).not.toHaveProperty("status");
    expect(reading).not.toHaveProperty("exportMwh");
    expect(reading).not.toHaveProperty("activePowerMw");
  });

  it("sums all four tariffs and takes the coarser step", () => {
    const tariffs = [1, 2, 3, 4].map((tariff) => `1-0:1.8.${tariff}(0000${tariff}.00*kWh)`);
    const { reading } = decodeOne(plainTelegram(...tariffs, "1-0:2.8.0(00001.001*kWh)"));
    expect(reading).toMatchObject({
      importMwh: 10_000_000,
      exportMwh: 1_001_000,
      resolutionMwh: 10_000,
      status: 8,
    });
  });

  it("continues an object on the next line", () => {
    const gas = ["0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)", "(00001.001)"];
    expect(decodeOne(plainTelegram(...POWER, ...gas)).reading.activePowerMw).toBe(1_010_000);
  });

  it("keeps an export-capable meter's unknown power absent", () => {
    const { reading, absent } = decodeOne(plainTelegram("1-0:1.7.0(0000.00*kW)", "1-0:2.8.1(00001.001*kWh)"));
    expect(reading).not.toHaveProperty("activePowerMw");
    expect(absent.join()).toContain("2.7.0");
    expect(decodeOne(plainTelegram("1-0:1.7.0(0000.00*kW)")).reading.activePowerMw).toBe(0);
  });

  it("keeps a list with a hole absent", () => {
    const { reading, absent } = decodeOne(
      plainTelegram(...POWER, "1-0:32.7.0(230.0*V)", "1-0:72.7.0(231.0*V)"),
    );
    expect(reading).not.toHaveProperty("voltageMv");
    expect(absent.join()).toContain("voltageMv");
  });

  it.each([
    ["a unit of another quantity", "1-0:1.8.0(00001.001*kW)", "dsmr-value"],
    ["no unit", "1-0:1.8.0(00001.001)", "dsmr-value"],
    ["no value", "1-0:1.8.0()", "dsmr-value"],
    ["a garbled digit", "1-0:1.8.0(000O1.001*kWh)", "dsmr-value"],
    ["a sign", "1-0:1.8.0(-0001.001*kWh)", "dsmr-value"],
    ["an inherited name as unit", "1-0:1.8.0(1*toString)", "dsmr-value"],
    ["two values", "1-0:1.8.0(1*kWh)(2*kWh)", "dsmr-value"],
    ["digits below a thousandth", "1-0:1.8.0(1.0000001*kWh)", "dsmr-value"],
    ["more than 2^53", "1-0:1.8.0(9007199254.740992*kWh)", "dsmr-range"],
    ["no object", "1-0:1.8.0(00001.001*kWh", "dsmr-line"],
    ["nothing to read", "0-0:96.13.0()", "dsmr-empty"],
  ])("refuses a register with %s", (_, line, code) => {
    expect(codeOf(() => decodeAll(plainTelegram(line)))).toBe(code);
  });

  it("takes 2^53 - 1 exactly and names the offset of what it refuses", () => {
    const most = plainTelegram("1-0:1.8.0(9007199254.740991*kWh)");
    expect(decodeOne(most).reading.importMwh).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => decodeAll(plainTelegram("1-0:1.8.0(1*kvarh)"))).toThrow(/offset 21, 1-0:1\.8\.0/);
  });

  it("refuses an object that is printed twice with different values", () => {
    const twice = ["1-0:1.8.0(00001.001*kWh)", "1-0:1.8.0(00001.002*kWh)"];
    expect(codeOf(() => decodeAll(plainTelegram(...twice)))).toBe("dsmr-conflict");
  });

  it("refuses a lost digit that no checksum shows", () => {
    const lost = ["1-0:1.8.1(00001.001*kWh)", "1-0:1.8.2(0001.001*kWh)"];
    expect(codeOf(() => decodeAll(plainTelegram(...lost)))).toBe("dsmr-value");
  });
});

describe("P1 meter time", () => {
  it("tells the two passes through the repeated hour apart", () => {
    expect(parseMeterTime("261025023000S", 60)).toBe(Date.UTC(2026, 9, 25, 0, 30));
    expect(parseMeterTime("261025023000W", 60)).toBe(Date.UTC(2026, 9, 25, 1, 30));
    expect(parseMeterTime("261025023000W", 120)).toBe(Date.UTC(2026, 9, 25, 0, 30));
  });

  it.each([
    "261325023000S",
    "260230000000W",
    "632525252525W",
    "261025023060W",
    "261025023000",
    "",
    "26102502300XW",
  ])("does not invent a time for %j", (printed) => {
    expect(parseMeterTime(printed, 60)).toBeUndefined();
  });

  it("leaves an unset clock absent and says so", () => {
    const { reading, absent } = decodeOne(plainTelegram(...POWER, "0-0:1.0.0(632525252525W)"));
    expect(reading).not.toHaveProperty("meterTimeMs");
    expect(absent.join()).toContain("632525252525W");
  });
});
