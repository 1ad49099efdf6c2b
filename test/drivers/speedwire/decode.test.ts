import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { speedwireSpeaker } from "../../../drivers/simulated/speedwire-telegram.ts";
import { speedwireDecoder } from "../../../drivers/speedwire/decoder.ts";
import { speedwireProtocol } from "../../../drivers/speedwire/protocol.ts";
import type { MeterTelegram } from "../../../drivers/telegram/protocol.ts";
import { codeOf, METER, type Published, telegram } from "./kit.ts";

/** Read by a protocol that knows which meter is meant, so that it does not wait for others. */
function read(published: Published): MeterTelegram | undefined {
  return speedwireProtocol({ serial: published.serial }).decode(telegram(published));
}

/** Values of published telegrams; what they mean was worked out by hand: W from 0.1 W, Wh from Ws by 3600. */
const PUBLISHED = [
  {
    source: "mlasch/speedwire, tests/captured_packets.c, pkt0 (cde9c9de)",
    published: {
      susyId: 349,
      serial: 1_901_429_669,
      tickerMs: 1_985_149_010,
      values: {
        ...{ "1.4": 10_546, "1.8": 89_935_560, "2.4": 0, "2.8": 1_302_120 },
        ...{ "21.4": 3_443, "22.4": 0, "31.4": 1_556, "32.4": 226_278 },
        ...{ "41.4": 5_927, "42.4": 0, "51.4": 2_870, "52.4": 225_997 },
        ...{ "61.4": 1_176, "62.4": 0, "71.4": 691, "72.4": 224_927 },
      },
      version: "02001252",
    },
    identity: { make: "SMA", model: "Energy Meter EMETER-20", serial: "1901429669", firmware: "2.0.18.R" },
    reading: {
      ...{ importMwh: 24_982_100, exportMwh: 361_700, activePowerMw: 1_054_600 },
      ...{ voltageMv: [226_278, 225_997, 224_927], currentMa: [1_556, 2_870, 691] },
    },
  },
  {
    source: "sdeigm/uni-meter, issue 36",
    published: {
      susyId: 372,
      serial: 3_011_842_589,
      tickerMs: 4_123_694_627,
      values: {
        ...{ "1.4": 6_143, "1.8": 36_415_091_160, "2.4": 0, "2.8": 170_581_762_800, "14.4": 50_001 },
        ...{ "31.4": 1_655, "32.4": 233_277, "51.4": 1_259, "52.4": 229_727, "71.4": 1_359, "72.4": 231_397 },
      },
      version: "020f0752",
    },
    identity: { make: "SMA", model: "Sunny Home Manager 2.0", serial: "3011842589", firmware: "2.15.7.R" },
    reading: {
      ...{ importMwh: 10_115_303_100, exportMwh: 47_383_823_000, activePowerMw: 614_300 },
      ...{ voltageMv: [233_277, 229_727, 231_397], currentMa: [1_655, 1_259, 1_359], frequencyMhz: 50_001 },
    },
  },
  {
    source: "nymea-plugins, sma/speedwirediscovery.cpp",
    published: {
      susyId: 270,
      serial: 1_900_243_374,
      tickerMs: 3_860_374_550,
      values: {
        ...{ "1.4": 0, "1.8": 142_691_412_240, "2.4": 17_429, "2.8": 92_167_813_080 },
        ...{ "21.4": 0, "22.4": 5_394, "41.4": 0, "42.4": 6_785, "61.4": 0, "62.4": 5_250 },
      },
      version: "01020852",
    },
    identity: { make: "SMA", model: "Energy Meter EMETER-10", serial: "1900243374", firmware: "1.2.8.R" },
    reading: { importMwh: 39_636_503_400, exportMwh: 25_602_170_300, activePowerMw: -1_742_900 },
  },
] as const;

describe("Speedwire readings", () => {
  it.each(PUBLISHED)("say what was published in $source", ({ published, identity, reading }) => {
    const found = read(published);
    expect(found?.identity).toEqual(identity);
    expect(found?.readings).toEqual([{ channel: "grid", resolutionMwh: 100, ...reading }]);
    expect(found).toMatchObject({ absent: [], doubts: [] });
    expect(found?.channels).toEqual([
      expect.objectContaining({
        ...{ name: "grid", role: "grid", quantities: ["import", "export", "power"] },
        ...{ resolutionMwh: 100, signVerified: true },
      }),
    ]);
  });

  it("is exact in steps of 0.1 Wh, and cuts finer counters to whole mWh from then on", () => {
    const protocol = speedwireProtocol({ serial: METER.serial });
    const energyAt = (tickerMs: number, wattSeconds: number) => {
      const values = { ...METER.values, "1.8": wattSeconds };
      const [reading] = protocol.decode(telegram({ ...METER, tickerMs, values }))?.readings ?? [];
      return [reading?.importMwh, reading?.resolutionMwh];
    };
    expect(energyAt(1_000, 720)).toEqual([200, 100]);
    // 721 Ws are 200.277… mWh.
    expect(energyAt(2_000, 721)).toEqual([200, 1]);
    expect(energyAt(3_000, 1_080)).toEqual([300, 1]);
    protocol.forget();
    expect(energyAt(4_000, 1_080)).toEqual([300, 100]);
  });

  it("never shows a register that falls while the watt-seconds rise", () => {
    const rising = fc.tuple(fc.nat(2 ** 40), fc.nat(100_000));
    fc.assert(
      fc.property(rising, ([from, more]) => {
        const protocol = speedwireProtocol({ serial: METER.serial });
        const energy = [from, from + more].map((ws, at) => {
          const values = { ...METER.values, "1.8": ws };
          return protocol.decode(telegram({ ...METER, tickerMs: 1_000 * at, values }))?.readings[0]
            ?.importMwh;
        });
        const [before = -1, after = -1] = energy;
        expect(after - before).toBeGreaterThanOrEqual(0);
        expect(Math.abs(after - ((from + more) * 1_000) / 3_600)).toBeLessThanOrEqual(100);
      }),
    );
  });

  it("takes values whose every bit is 1 for none", () => {
    const values = { ...METER.values, "1.4": 0xffff_ffff };
    expect(read({ ...METER, values })).toMatchObject({
      absent: [expect.stringMatching(/^1-0:1\.7\.0/), expect.anything()],
    });
    expect(read({ ...METER, values })?.readings[0]).not.toHaveProperty("activePowerMw");
  });

  it("doubts a power that the phases do not add up to", () => {
    const phases = { "21.4": 2_000, "22.4": 0, "41.4": 3_001, "42.4": 0, "61.4": 0, "62.4": 0 };
    expect(read({ ...METER, values: { ...METER.values, ...phases } })?.doubts).toEqual([]);
    const values = { ...METER.values, ...phases, "62.4": 900 };
    expect(read({ ...METER, values })?.doubts).toEqual([
      {
        channel: "grid",
        quantities: ["power"],
        message: "the phases add up to 410.1 W, the total is 500.0 W (tolerance 0.5 W)",
      },
    ]);
  });

  it("refuses a telegram that says nothing of energy or power", () => {
    expect(codeOf(() => read({ ...METER, values: { "32.4": 230_000 } }))).toBe("telegram-empty");
  });
});

describe("Speedwire decoder", () => {
  it("shows every record with its unit, exactly", () => {
    const values = { "1.4": 5, "1.8": 3_601, "13.4": 994, "14.4": 49_987, "32.4": 230_001, "77.4": 9 };
    const [decoded] = speedwireDecoder.decode(telegram({ ...METER, values }), {});
    expect(decoded?.meterId).toBe("1900000001");
    expect(decoded?.values.map(({ code, text, unit }) => [code, text, unit])).toEqual(
      expect.arrayContaining([
        ["SUSy-ID", "349", undefined],
        ["ticker", "1000", "ms"],
        ["144:0.0.0", "2.0.18.R", undefined],
        ["0:1.4.0", "0.5", "W"],
        ["0:1.8.0", "3601", "Ws"],
        ["0:13.4.0", "0.994", undefined],
        ["0:14.4.0", "49.987", "Hz"],
        ["0:32.4.0", "230.001", "V"],
        ["0:77.4.0", "9", undefined],
      ]),
    );
  });

  it("refuses anything else with a Problem, and never crashes", () => {
    const whole = telegram(METER);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(whole.length), (noise, at) => {
        const mutated = new Uint8Array([
          ...whole.subarray(0, at),
          ...noise,
          ...whole.subarray(at + noise.length),
        ]);
        for (const bytes of [mutated, mutated.subarray(0, at), noise])
          expect(["none", "speedwire-frame"]).toContain(codeOf(() => speedwireDecoder.decode(bytes, {})));
      }),
    );
  });
});

describe("simulated Speedwire meters", () => {
  it("show what comes back, cut to 0.1 Wh and 0.1 W", () => {
    const shown = fc.record({
      serial: fc.integer({ min: 1, max: 0xffff_ffff }).map(String),
      importT1Mwh: fc.nat(2 ** 31),
      importT2Mwh: fc.nat(2 ** 31),
      exportT1Mwh: fc.nat(2 ** 31),
      exportT2Mwh: fc.constant(0),
      activePowerMw: fc.integer({ min: -20_000_000, max: 20_000_000 }),
      timeMs: fc.nat(),
      voltageMv: fc.array(fc.integer({ min: 200_000, max: 250_000 }), { minLength: 1, maxLength: 3 }),
      currentMa: fc.array(fc.nat(63_000), { minLength: 3, maxLength: 3 }),
      frequencyMhz: fc.integer({ min: 49_000, max: 51_000 }),
    });
    fc.assert(
      fc.property(shown, (meter) => {
        const [sent = new Uint8Array()] = speedwireSpeaker({ device: "home-manager" }).telegrams(meter);
        const found = speedwireProtocol({ serial: Number(meter.serial) }).decode(sent);
        const cut = (value: number): number => Math.trunc(value / 100) * 100;
        expect(found?.readings[0]).toMatchObject({
          importMwh: cut(meter.importT1Mwh + meter.importT2Mwh),
          exportMwh: cut(meter.exportT1Mwh),
          frequencyMhz: meter.frequencyMhz,
        });
        expect((found?.readings[0]?.activePowerMw ?? 1) - cut(meter.activePowerMw)).toBe(0);
        expect(found?.doubts).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it("cannot say a telegram with a wrong checksum: there is none", () => {
    expect(speedwireSpeaker().withWrongChecksum(telegram(METER))).toBeUndefined();
  });
});
