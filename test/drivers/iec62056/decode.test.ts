import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { READING_STATUS } from "../../../attest/reading.ts";
import { iec62056Decoder } from "../../../drivers/iec62056/decoder.ts";
import { iec62056Protocol } from "../../../drivers/iec62056/protocol.ts";
import { decodeReadout } from "../../../drivers/iec62056/telegram.ts";
import type { MeterTelegram } from "../../../drivers/telegram/protocol.ts";
import { telegrams } from "../telegram/framed.ts";
import { answered, ascii, block, frame, join, pushed } from "./kit.ts";

function read(bytes: Uint8Array, registerUnit?: "kWh" | "Wh"): MeterTelegram {
  const telegram = iec62056Protocol({ registerUnit }).decode(bytes);
  if (telegram === undefined) throw new Error("nothing was decoded");
  return telegram;
}

// What users print of their meters. Each is a fact of that meter; the values are theirs.
describe("readouts as public documents print them", () => {
  // volkszaehler wiki, hardware/channels/meters/power/edl-ehz/landisgyr_e350
  it("Landis+Gyr E350: short codes, a number with blanks", () => {
    const telegram = read(
      answered(
        "LGZ4ZMF100AC.M23",
        ...["F.F(00)", "C.1.0(12314330)", "0.0(00188123        )", "C.1.1(        )"],
        ...[
          "1.8.1(001234.120*kWh)",
          "1.8.0(001234.120*kWh)",
          "2.8.0(000000.000*kWh)",
          "15.8.0(001234.120*kWh)",
        ],
        ...["C.7.0(0005)", "32.7(229*V)", "52.7(230*V)", "72.7(230*V)", "31.7(000.03*A)", "51.7(000.04*A)"],
        ...["71.7(000.09*A)", "C.5.0(0400)", "0.2.0(M23)", "16.7(000.00*kW)"],
      ),
    );
    expect(telegram.identity).toEqual({
      make: "LGZ",
      model: "ZMF100AC.M23",
      serial: "12314330",
      firmware: "M23",
    });
    expect(telegram.readings).toEqual([
      {
        channel: "grid",
        importMwh: 1_234_120_000,
        exportMwh: 0,
        resolutionMwh: 1_000,
        activePowerMw: 0,
        voltageMv: [229_000, 230_000, 230_000],
        currentMa: [30, 40, 90],
      },
    ]);
    expect(telegram.channels[0]).toMatchObject({
      quantities: ["import", "export", "power"],
      signVerified: false,
    });
  });

  // mqtt-bitweaving/thrx-arduino-home-project and others: firmware V3.03 has 1.7.255, V3.04 has 1.7.0
  it.each(["1.7.255", "1.7.0"])("EasyMeter Q3D: net power with its sign under %s", (code) => {
    const lines = (power: string): readonly string[] => [
      ...[
        "1-0:0.0.0*255(0273033000044)",
        "1-0:1.8.0*255(00014869.2594317*kWh)",
        "1-0:21.7.255*255(-000128.41*W)",
      ],
      ...[`1-0:${code}*255(${power}*W)`, "1-0:96.5.5*255(80)", "0-0:96.1.255*255(1ESY1334001444)"],
    ];
    const taken = read(pushed("ESY5Q3DA1004 V3.03", ...lines("000247.37")));
    const given = read(pushed("ESY5Q3DA1004 V3.03", ...lines("-000116.77")));
    expect(taken.readings[0]).toMatchObject({
      importMwh: 14_869_259_431,
      resolutionMwh: 1,
      activePowerMw: 247_370,
    });
    expect(given.readings[0]).toMatchObject({ activePowerMw: -116_770 });
    expect(given.identity).toMatchObject({ make: "ESY", model: "Q3DA1004 V3.03", serial: "1ESY1334001444" });
  });

  // hdwinkel/emlog-reader and marq24/tibber-lokal
  it("eBZ DD3: eight decimals, cut to a milliwatt-hour", () => {
    const { readings } = read(
      pushed(
        "EBZ5DD32R06ETA_107",
        ...["1-0:0.0.0*255(1EBZ0100539123)", "1-0:1.8.0*255(002714.12830185*kWh)"],
        ...["1-0:2.8.0*255(000001.20600000*kWh)", "1-0:16.7.0*255(-000458.90*W)", "1-0:32.7.0*255(227.5*V)"],
      ),
    );
    expect(readings[0]).toMatchObject({ importMwh: 2_714_128_301, exportMwh: 1_206_000, resolutionMwh: 1 });
    expect(readings[0]).toMatchObject({ activePowerMw: -458_900, voltageMv: [227_500] });
  });

  // volkszaehler/vzlogger, tests/MeterD0.cpp
  it("Hager eHZ: registers without a unit are refused until somebody says which", () => {
    const telegram = pushed(
      "HAG5eHZ010C_EHZ1ZA22",
      ...["1-0:0.0.0*255(1095110000140890)", "1-0:1.8.1*255(001720.4816)", "1-0:2.8.1*255(000001.9160)"],
      ...["1-0:21.7.0*255(+00115*W)", "0-0:96.1.255*255(0000140890)"],
    );
    expect(() => read(telegram)).toThrow(expect.objectContaining({ code: "iec62056-unit" }));
    expect(read(telegram, "kWh").readings[0]).toMatchObject({
      importMwh: 1_720_481_600,
      exportMwh: 1_916_000,
      resolutionMwh: 100,
      status: READING_STATUS.tariffSum,
    });
  });

  // the same: Landis+Gyr ZMD120
  it("Landis+Gyr ZMD120: the total is the register, not the sum of what stands beside it", () => {
    const { readings, identity } = read(
      answered(
        "LGZ52ZMD120APt.G03",
        ...["F.F(00000000)", "0.0.0(   20000)", "1.8.1(001846.0*kWh)", "1.8.2(000000.0*kWh)"],
        ...[
          "2.8.1(004329.6*kWh)",
          "1.8.0(001846.0*kWh)",
          "2.8.0(004329.6*kWh)",
          "1.8.0*12(001700.3*kWh)",
          "1.8.0&11(001600.0*kWh)",
        ],
      ),
    );
    expect(readings[0]).toEqual({
      channel: "grid",
      importMwh: 1_846_000_000,
      exportMwh: 4_329_600_000,
      resolutionMwh: 100_000,
    });
    expect(identity?.serial).toBe("20000");
  });

  // pwitab/iec62056-21, issue 19: Norax, three letters, the mark of HDLC
  it("Norax 3: stored values of earlier periods are none of now", () => {
    const { readings, identity } = read(
      answered(
        "APA5\\2NORAX30",
        ...["0-0:C.1.0(72432595)", "0-0:1.0.0(2021-07-12 22:20:17)", "1-0:1.8.1(00000000001.329*kWh)"],
        ...[
          "1-0:1.8.1*101(00000000001.300*kWh)",
          "1-0:1.8.2(00000000000.000*kWh)",
          "1-0:2.8.1(00000000000.501*kWh)",
        ],
      ),
    );
    expect(readings[0]).toMatchObject({
      importMwh: 1_329_000,
      exportMwh: 501_000,
      status: READING_STATUS.tariffSum,
    });
    expect(identity).toMatchObject({ make: "APA", model: "NORAX30" });
  });

  // lvzon/dsmr-p1-parser, doc/IEC-62056-21-notes.md: Iskra MT171
  it("Iskra MT171: a blank where the standard has an asterisk", () => {
    expect(read(answered("ISk5MT171-0133", "1-0:1.8.1*255(0000123 kWh)")).readings[0]).toMatchObject({
      importMwh: 123_000_000,
      resolutionMwh: 1_000_000,
    });
  });

  // aquaticus/piggymeter_esphome_yaml, issue 4: a heat meter with decimal commas, `!` behind the last data set
  it("Kamstrup heat meter: nothing of electricity, refused", () => {
    const telegram = answered("KAM 685-382-QR-10", "0.0(12345678)", "1.20(0083038*kWh)", "1.6(000007,4*kW)");
    expect(() => read(telegram)).toThrow(expect.objectContaining({ code: "telegram-empty" }));
    expect(decodeReadout(telegram).values.at(-1)).toMatchObject({
      text: "000007,4",
      scaled: { digits: 74n, exponent: -1 },
    });
  });
});

describe("data sets", () => {
  it("has several on one line, several values behind one address, and values without one", () => {
    const { values } = decodeReadout(
      answered("KWT5SIM", "1.6.1(00.12*kW)(2605011200)1.8.0(1*kWh)", "(7)(8)"),
    );
    expect(values.map(({ code, text }) => `${code} ${text}`)).toEqual([
      ...["1.6.1 00.12", "1.6.1(2) 2605011200", "1.8.0 1", "1.8.0(2) 7", "1.8.0(3) 8"],
    ]);
  });

  it("takes a comma for a point, a sign, and neither `?` nor text for a number", () => {
    const texts = ["000007,4", "-000115.94", "+00115", "12?4.5", "--", "", "1.2.3"];
    const { values } = decodeReadout(answered("KWT5SIM", ...texts.map((text) => `1.8.0(${text}*kWh)`)));
    const scaled = values.map((value) =>
      value.scaled === undefined ? "none" : `${value.scaled.digits}e${value.scaled.exponent}`,
    );
    expect(scaled).toEqual(["74e-1", "-11594e-2", "115e0", "none", "none", "none", "none"]);
    expect(values.map(({ unit }) => unit)).toEqual(texts.map(() => "kWh"));
  });

  it("has no unit where none stands behind the asterisk", () => {
    expect(decodeReadout(answered("KWT5SIM", "1.8.0(013925.5*)")).values[0]).not.toHaveProperty("unit");
  });

  it("says of a checked block which lines are none, and refuses them where nothing vouches", () => {
    const telegram = answered("KWT5SIM", "1.8.0(1.5*kWh)", "nonsense");
    expect(read(telegram).absent).toEqual(['telegram offset 27: no data set: "nonsense"']);
    expect(Buffer.from(telegram).indexOf("nonsense")).toBe(27);
    expect(() => decodeReadout(pushed("KWT5SIM", "1.8.0(1.5*kWh)", "nonsense"))).toThrow(
      expect.objectContaining({ code: "iec62056-line" }),
    );
  });

  it("is read right whatever the check character is", () => {
    // Some of them are `!`, ETX or STX.
    for (let number = 0; number < 600; number += 1) {
      const telegram = answered(
        "KWT5SIM",
        `1.8.0(${String(number).padStart(4, "0")}.5*kWh)`,
        `X(${"a".repeat(number % 3)})`,
      );
      expect(read(telegram).readings[0]).toMatchObject({ importMwh: number * 1_000_000 + 500_000 });
      const withoutEnd = join(
        ascii("/KWT5SIM\r\n"),
        block(`1.8.0(${String(number).padStart(4, "0")}.5*kWh)\r\n`),
      );
      expect(read(withoutEnd)).toMatchObject({
        absent: [],
        readings: [{ importMwh: number * 1_000_000 + 500_000 }],
      });
    }
  });

  it("gives no reading for a negative register and for a register beyond what a meter shows", () => {
    expect(() => read(answered("KWT5SIM", "1.8.0(-1*kWh)"))).toThrow(
      expect.objectContaining({ code: "telegram-range" }),
    );
    expect(() => read(answered("KWT5SIM", "1.8.0(99999999999999999999*kWh)"))).toThrow(
      expect.objectContaining({ code: "telegram-range" }),
    );
    expect(() => read(answered("KWT5SIM", "1.7.0(-1*kW)", "2.7.0(1*kW)"))).toThrow(
      expect.objectContaining({ code: "telegram-range" }),
    );
  });

  it("throws nothing but problems, whatever a telegram says", () => {
    const characters = fc.string({
      unit: fc.constantFrom(..."0123456789.-:*()&+ kWhACF\r\n"),
      maxLength: 120,
    });
    fc.assert(
      fc.property(characters, fc.boolean(), (text, isPushed) => {
        const telegram = isPushed ? pushed("KWT5SIM", text) : answered("KWT5SIM", text);
        for (const bytes of telegrams(frame(telegram)))
          try {
            iec62056Decoder.decode(bytes, {});
            read(bytes);
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching(/^(?:iec62056|telegram)-/) });
          }
      }),
      { numRuns: 500 },
    );
  });
});

describe("telegrams that nothing vouches for", () => {
  const lines = (register: string): Uint8Array =>
    pushed("KWT5SIM", `1.8.0(${register}*kWh)`, "1.8.1(000009.9*kWh)");

  it.each([
    ["a lost digit", lines("00012.5")],
    ["a lost point", lines("0000125")],
    ["a lost register", pushed("KWT5SIM", "1.8.1(000009.9*kWh)")],
  ])("are refused after %s, and taken again when two are alike", (_, spoilt) => {
    const protocol = iec62056Protocol({});
    expect(protocol.decode(lines("000012.4"))).toBeDefined();
    expect(() => protocol.decode(spoilt)).toThrow(expect.objectContaining({ code: "iec62056-form" }));
    expect(() => protocol.decode(lines("000012.6"))).toThrow(
      expect.objectContaining({ code: "iec62056-form" }),
    );
    expect(protocol.decode(lines("000012.7"))?.readings[0]).toMatchObject({ importMwh: 12_700_000 });
  });

  it("may have numbers that grow where no zeros fill them", () => {
    const protocol = iec62056Protocol({});
    expect(protocol.decode(pushed("KWT5SIM", "1.8.0(999.9*kWh)"))).toBeDefined();
    expect(protocol.decode(pushed("KWT5SIM", "1.8.0(1000.0*kWh)"))).toBeDefined();
    protocol.forget();
    expect(protocol.decode(lines("000999.9"))).toBeDefined();
    expect(protocol.decode(lines("001000.0"))).toBeDefined();
  });

  it("are not held against another meter's", () => {
    const protocol = iec62056Protocol({});
    expect(protocol.decode(lines("000012.4"))).toBeDefined();
    protocol.forget();
    expect(protocol.decode(lines("00012.4"))).toBeDefined();
  });
});
