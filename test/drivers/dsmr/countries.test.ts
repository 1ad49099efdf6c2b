import { describe, expect, it } from "vitest";
import { identityOf } from "../../../drivers/dsmr/identity.ts";
import { P1Protocol } from "../../../drivers/dsmr/protocol.ts";
import { checkedTelegram, codeOf, parsed, plainTelegram } from "./kit.ts";

function decode(bytes: Uint8Array, winterOffsetMinutes = 60) {
  const { readings, ...rest } = new P1Protocol({ winterOffsetMinutes }).decode(bytes);
  const [reading, ...more] = readings;
  expect(more).toEqual([]);
  return { reading, ...rest };
}

/** Telegrams made here, in the form that each country's meters print; the sources name forms, not values. */
describe("P1 telegrams of", () => {
  it("Lithuania: kV, kA and kHz, tariffs of export without their total, Eastern European time", () => {
    // github.com/esphome-libs/dsmr_parser pull request 17; specs/eso.lt energy provider Lithuania.pdf @ a200271.
    const { reading, absent } = decode(
      checkedTelegram(
        "/ESO5\\253700001_C",
        "0-0:1.0.0(260808113811S)",
        "1-0:1.8.0(00001548.086*kWh)",
        "1-0:1.8.1(00001548.086*kWh)",
        "1-0:1.8.2(00000000.000*kWh)",
        "1-0:2.8.1(00000251.697*kWh)",
        "1-0:2.8.2(00000001.000*kWh)",
        "1-0:32.7.0(0000.242*kV)",
        "1-0:32.24.0(0000.237*kV)",
        "1-0:31.7.0(0000.005*kA)",
        "1-0:14.7.0(0000.050*kHz)",
        "1-0:15.7.0(00000003.262*kW)",
        "1-0:13.7.0(00998)",
      ),
      120,
    );
    expect(absent).toEqual([]);
    expect(reading).toEqual({
      channel: "grid",
      importMwh: 1_548_086_000,
      exportMwh: 252_697_000,
      resolutionMwh: 1_000,
      status: 8,
      voltageMv: [242_000],
      currentMa: [5_000],
      frequencyMhz: 50_000,
      meterTimeMs: Date.parse("2026-08-08T11:38:11+03:00"),
    });
  });

  it("Sweden: winter time all the year, no number of the meter", () => {
    // Swedish HAN H1 port v2.0 specification, table 1 (same repository); github.com/dsmrreader/dsmr-reader issue 1394.
    const telegram = checkedTelegram(
      "/KFM5KAIFA-METER",
      "0-0:1.0.0(260624094210W)",
      "1-0:1.8.0(00000424.413*kWh)",
      "1-0:2.8.0(00000007.000*kWh)",
      "1-0:3.8.0(00000002.116*kVArh)",
      "1-0:1.7.0(0000.182*kW)",
      "1-0:2.7.0(0000.000*kW)",
      "1-0:31.7.0(000.4*A)",
    );
    const { reading, identity } = decode(telegram);
    expect(identity).toEqual({ make: "KFM", model: "KAIFA-METER", serial: "", firmware: "" });
    expect(reading).toMatchObject({
      importMwh: 424_413_000,
      exportMwh: 7_000_000,
      activePowerMw: 182_000,
      currentMa: [400],
      meterTimeMs: Date.parse("2026-06-24T09:42:10+01:00"),
    });
  });

  it("Switzerland: electricity of channel 1, in Wh or kWh", () => {
    // github.com/esphome-libs/dsmr_parser pull request 19.
    const first = "/LGF5E360";
    const registers = ["1-1:1.8.1(000000123*Wh)", "1-1:1.8.2(000.877*kWh)", "1-1:2.8.1(000001.000*kWh)"];
    const power = ["1-1:1.7.0(00.000*kW)", "1-1:2.7.0(01.500*kW)", "1-0:32.7.0(230.0*V)"];
    const { reading, channels } = decode(checkedTelegram(first, "0-0:96.1.4(50)", ...registers, ...power));
    expect(reading).toMatchObject({
      importMwh: 1_000_000,
      exportMwh: 1_000_000,
      activePowerMw: -1_500_000,
      voltageMv: [230_000],
    });
    expect(channels[0]?.quantities).toEqual(["import", "export", "power"]);
    const both = checkedTelegram(first, ...registers, "1-0:1.8.1(000000.123*kWh)");
    expect(codeOf(() => decode(both))).toBe("dsmr-conflict");
  });

  it("Hungary: a slash in the identification, values that nobody reads in forms of their own", () => {
    // github.com/ndokter/dsmr_parser issue 91; github.com/esphome/issues issue 3042.
    const { reading, identity, absent } = decode(
      checkedTelegram(
        "/HLY5/D545-METER",
        "1-3:0.2.8(50)",
        "0-0:1.0.0(260203113815W)",
        "0-0:96.14.0(TARIFF 1)",
        "0-0:96.50.68(ON)",
        "1-0:1.8.0(00003668.743*kWh)",
        "1-0:2.8.0(00003468.951*kWh)",
        "1-0:15.8.0(00007137.694*kWh )",
        "1-0:32.7.0(000238.20*V)",
        "1-0:31.7.0(000004.71*A)",
        "1-0:13.7.0(0.999)",
        "1-0:0.2.0((ER11))",
      ),
    );
    expect(absent).toEqual([]);
    expect(identity?.model).toBe("/D545-METER");
    expect(reading).toMatchObject({
      importMwh: 3_668_743_000,
      exportMwh: 3_468_951_000,
      voltageMv: [238_200],
      currentMa: [4_710],
    });
  });

  it("Luxembourg: the logical device name, and current limits of channel 1 with a sign", () => {
    // E-Meter P1 Specification of Luxmetering, 1.1.3, appendix A.
    const { reading, identity, absent } = decode(
      checkedTelegram(
        "/Lux5\\253600000_M",
        "1-3:0.2.8(42)",
        "0-0:1.0.0(260706104157S)",
        `0-0:42.0.0(${Buffer.from("SAG1030000000001").toString("hex")})`,
        "1-0:1.8.0(000025.653*kWh)",
        "1-0:2.8.0(000000.040*kWh)",
        "1-0:1.7.0(00.005*kW)",
        "1-0:2.7.0(00.000*kW)",
        "0-0:17.0.0(069.0*kVA)",
        "1-1:31.4.0(100*A)(-063*A)",
        "0-0:96.13.0()",
        "1-0:31.7.0(000*A)",
      ),
    );
    expect(absent).toEqual([]);
    expect(identity?.serial).toBe("SAG1030000000001");
    expect(reading).toMatchObject({ importMwh: 25_653_000, exportMwh: 40_000, activePowerMw: 5_000 });
  });

  it("the Netherlands and Belgium: gas, water and heat meters on the M-Bus disturb nothing", () => {
    const electricity = ["1-0:1.8.1(000001.001*kWh)", "1-0:2.8.1(000000.000*kWh)", "1-0:1.7.0(01.193*kW)"];
    const power = "1-0:2.7.0(00.000*kW)";
    const others = [
      "0-1:24.1.0(003)",
      "0-1:96.1.0(4730303031)",
      "0-1:24.2.1(260101010000W)(12785.123*m3)",
      "0-2:24.1.0(007)",
      "0-2:24.2.1(632525252525W)(00000.000)",
      "0-3:24.1.0(004)",
      "0-3:24.2.1(260101010000W)(00012.345*GJ)",
      "0-4:24.2.3(260101010000W)(00003.668*m3)",
      "0-4:96.1.2()",
    ];
    const first = "/FLU5\\253769484_A";
    const alone = decode(checkedTelegram(first, ...electricity, power));
    const among = decode(checkedTelegram(first, ...others, ...electricity, ...others.slice(4), power));
    expect(among).toEqual(alone);
    const twice = [...electricity, power, "0-1:24.2.1(260101020000W)(12786.000*m3)", ...others];
    expect(decode(checkedTelegram(first, ...twice)).reading).toEqual(alone.reading);
    expect(decode(plainTelegram(...electricity, power, ...others)).reading).toEqual(alone.reading);
  });

  it("a make and model in the identification that any bytes may follow", () => {
    const telegram = parsed(checkedTelegram("/EST5\\253710000_A", "1-0:1.8.0(006545766*Wh)"));
    expect(identityOf(telegram)).toMatchObject({ make: "EST", model: "53710000_A" });
  });
});
