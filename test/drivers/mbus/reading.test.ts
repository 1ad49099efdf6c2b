import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { identityOf, requireElectricity } from "../../../drivers/mbus/identity.ts";
import { type MbusReading, readingOf } from "../../../drivers/mbus/reading.ts";
import { decodeMbus } from "../../../drivers/mbus/telegram.ts";
import { bytes, long } from "./kit.ts";

const KAM = "2D 2C";
const ABB = "42 04";
const SEC = "A3 4C";

/** A telegram of an electricity meter of this maker. */
function telegram(records: string, maker = KAM): Uint8Array {
  return long(bytes(`08 01 72 78 56 34 12 ${maker} 02 02 2A 00 00 00`), bytes(records));
}

function reading(...telegrams: Uint8Array[]): MbusReading {
  const decoded = telegrams.map(decodeMbus);
  return readingOf({ telegrams: decoded.map(({ values }) => values), header: decoded[0]?.header ?? {} });
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown.code;
    throw thrown;
  }
  return "none";
}

describe("an electricity meter's readout", () => {
  it.for([
    ["a total in Wh", "04 03 E8 03 00 00", { importMwh: 1_000_000, resolutionMwh: 1_000 }],
    ["a total in kWh", "04 06 E8 03 00 00", { importMwh: 1_000_000_000, resolutionMwh: 1_000_000 }],
    ["a total in mWh", "04 00 E8 03 00 00", { importMwh: 1_000, resolutionMwh: 1 }],
    ["twelve digits", "0E 04 56 34 12 00 00 00", { importMwh: 1_234_560_000, resolutionMwh: 10_000 }],
    [
      "backward flow as export",
      "04 03 01 00 00 00 04 83 3C 02 00 00 00",
      { importMwh: 1_000, exportMwh: 2_000, resolutionMwh: 1_000 },
    ],
    [
      "forward flow before what has no direction",
      "04 03 09 00 00 00 04 83 3B 01 00 00 00",
      { importMwh: 1_000, resolutionMwh: 1_000 },
    ],
    [
      "the sum of tariffs where there is no total",
      "8C 10 04 10 00 00 00 8C 20 04 05 00 00 00",
      { importMwh: 150_000, resolutionMwh: 10_000, status: 8 },
    ],
    [
      "the total and not its tariffs",
      "04 03 07 00 00 00 84 10 03 05 00 00 00",
      { importMwh: 7_000, resolutionMwh: 1_000 },
    ],
    ["power with a sign", "04 03 01 00 00 00 04 2B 38 FF FF FF", { activePowerMw: -200_000 }],
    ["power with a sign in BCD", "04 03 01 00 00 00 0B 2B 00 02 F0", { activePowerMw: -200_000 }],
    ["powers of two directions", "04 AB 3B 64 00 00 00 04 AB 3C 14 00 00 00", { activePowerMw: 80_000 }],
    [
      "phases that say which",
      "04 03 01 00 00 00 02 FD C8 FC 01 FD 08 02 FD C8 FC 02 08 09 02 FD D9 FC 01 E8 03",
      { voltageMv: [230_100, 231_200], currentMa: [1_000] },
    ],
    ["frequency", "04 03 01 00 00 00 02 FB 2E 88 13", { frequencyMhz: 500_000 }],
  ] as const)("reads %s", ([, records, expected]) => {
    expect(reading(telegram(records)).values).toMatchObject(expected);
  });

  it.for([
    ["a maximum", "14 03 01 00 00 00"],
    ["a stored value", "44 03 01 00 00 00"],
    ["another subunit", "84 40 03 01 00 00 00"],
    ["a phase of it", "04 83 FC 01 01 00 00 00"],
    ["joules", "04 0B 01 00 00 00"],
    ["bad digits", "0C 03 AA BB 00 00"],
    ["a maker's code that is not known", "04 83 FF 55 01 00 00 00"],
    ["an error of the record", "04 83 15 01 00 00 00"],
    ["an increment per pulse", "04 83 28 01 00 00 00"],
  ] as const)("does not take %s for a register", ([, record]) => {
    expect(codeOf(() => reading(telegram(record)))).toBe("mbus-no-energy");
    expect(reading(telegram(`${record} 04 2B 05 00 00 00`)).values).toEqual({ activePowerMw: 5_000 });
  });

  it("never sums tariffs where the total or one of them is bad, and says so", () => {
    const power = "04 2B 05 00 00 00";
    for (const records of [
      "0C 03 AA BB 00 00 8C 10 03 05 00 00 00",
      "8C 10 03 05 00 00 00 8C 20 03 AA BB 00 00",
      "8C 10 03 05 00 00 00 8C 20 83 15 00 00 00 00",
    ]) {
      const { values, absent } = reading(telegram(`${power} ${records}`));
      expect(values).toEqual({ activePowerMw: 5_000 });
      expect(absent).toHaveLength(1);
    }
    // A fifth tariff would be left out of the sum.
    const five = ["10", "20", "30", "80 10"].map((dife) => `8C ${dife} 03 05 00 00 00`).join(" ");
    expect(reading(telegram(five)).values.importMwh).toBe(20_000);
    expect(codeOf(() => reading(telegram(`${five} 8C 90 10 03 05 00 00 00`)))).toBe("mbus-no-energy");
  });

  it("knows ABB's export and phases, and leaves its reactive energy alone", () => {
    const records =
      "0E 84 00 01 00 00 00 00 00 8E 40 84 00 02 00 00 00 00 00 8E 80 40 84 00 03 00 00 00 00 00 " +
      "04 A9 00 10 27 00 00 04 A9 FF 81 00 11 27 00 00 02 FD C8 FF 81 00 FD 08";
    expect(reading(telegram(records, ABB)).values).toEqual({
      ...{ importMwh: 10_000, exportMwh: 20_000, resolutionMwh: 10_000, activePowerMw: 100_000 },
      voltageMv: [230_100],
    });
    const phase = telegram("04 03 01 00 00 00 8E 40 84 FF 81 00 02 00 00 00 00 00", ABB);
    expect(reading(phase).values.exportMwh).toBeUndefined();
    // Of another maker subunit 1 says nothing.
    expect(reading(telegram(records)).values.exportMwh).toBeUndefined();
  });

  it("knows Schneider's export, and does not take its partial register or its reals for one", () => {
    const first = telegram("07 03 0A 6C FD 01 00 00 00 00 05 AE FF 01 00 00 80 3F 05 2E 00 00 20 40 1F", SEC);
    const second = telegram(
      "07 83 FF 09 11 00 00 00 00 00 00 00 07 83 FF 0D 05 00 00 00 00 00 00 00 1F",
      SEC,
    );
    const third = telegram("05 03 7F 69 02 47 05 83 FF 09 0A D7 8B 3C", SEC);
    expect(reading(first, second, third).values).toEqual({
      importMwh: 33_385_482_000,
      exportMwh: 17_000,
      resolutionMwh: 1_000,
      activePowerMw: 2_500_000,
    });
    expect(codeOf(() => reading(third))).toBe("mbus-no-energy");
    // Its tariffs are 0 where they are not used.
    const resting = telegram("87 10 03 00 00 00 00 00 00 00 00 05 2E 00 00 20 40", SEC);
    expect(reading(resting).values).toEqual({ activePowerMw: 2_500_000 });
  });

  it("says the step of a real, which grows with it", () => {
    // 16,384.001953125 kWh as real in kWh: one binary digit is 1.953125 Wh.
    const { values } = reading(telegram("05 06 01 00 80 46"));
    expect(values.resolutionMwh).toBe(1_954);
    expect(values.importMwh).toBe(16_384_001_953);
    expect(reading(telegram("05 06 00 00 80 46 04 03 01 00 00 00")).values.importMwh).toBe(1_000);
  });

  it("refuses two values for one register in one telegram, and keeps the first of two telegrams", () => {
    const [one, two] = ["04 03 01 00 00 00", "04 03 02 00 00 00"];
    expect(codeOf(() => reading(telegram(`${one} ${two}`)))).toBe("telegram-conflict");
    expect(reading(telegram(one), telegram(two)).values.importMwh).toBe(1_000);
  });

  it("refuses a register below zero", () => {
    expect(codeOf(() => reading(telegram("04 03 FF FF FF FF")))).toBe("telegram-range");
  });

  it("wraps where its BCD digits do, if both registers do so", () => {
    expect(reading(telegram("0C 03 01 00 00 00")).rolloverMwh).toBe(10 ** 11);
    expect(reading(telegram("0C 03 01 00 00 00 0C 83 3C 01 00 00 00")).rolloverMwh).toBe(10 ** 11);
    expect(reading(telegram("0C 03 01 00 00 00 0B 83 3C 01 00 00")).rolloverMwh).toBeUndefined();
    expect(reading(telegram("04 03 01 00 00 00")).rolloverMwh).toBeUndefined();
    expect(reading(telegram("8C 10 04 10 00 00 00")).rolloverMwh).toBeUndefined();
  });

  it("carries the error that the meter's header reports, and no low battery", () => {
    const statusOf = (status: number): number | undefined => {
      const head = bytes(`08 01 72 78 56 34 12 ${KAM} 02 02 2A`);
      const tail = bytes("00 00 8C 10 03 05 00 00 00");
      return reading(long(head, Uint8Array.of(status), tail)).values.status;
    };
    expect([0x00, 0x04, 0x08, 0x10, 0x24].map(statusOf)).toEqual([8, 8, 10, 10, 8]);
  });

  it("names model and firmware where records do", () => {
    const records = "0D FD 0C 03 43 42 41 0D FD 0E 03 33 32 31 04 03 01 00 00 00";
    const { header = {}, values } = decodeMbus(telegram(records));
    expect(identityOf({ header, telegrams: [values] })).toEqual({
      ...{ make: "KAM", model: "ABC", serial: "12345678", firmware: "123" },
    });
    expect(identityOf({ header, telegrams: [] }).model).toBe("version 02");
  });

  it("is of electricity, or refused", () => {
    expect(codeOf(() => requireElectricity({ medium: 2 }, ""))).toBe("none");
    for (const medium of [0, 4, 7, 12, 13, 32])
      expect(codeOf(() => requireElectricity({ medium }, ""))).toBe("mbus-not-electricity");
    expect(codeOf(() => requireElectricity({}, ""))).toBe("mbus-not-electricity");
  });
});

describe("whatever records say", () => {
  it("gives whole numbers in range or a reason", () => {
    const dif = fc.constantFrom(
      "01",
      "02",
      "04",
      "05",
      "07",
      "0B",
      "0C",
      "0E",
      "8C 10",
      "8C 20",
      "84 40",
      "44",
    );
    const vif = fc.constantFrom(
      "03",
      "07",
      "00",
      "83 3C",
      "83 FF 09",
      "2B",
      "28",
      "FD C8 FC 01",
      "FB 01",
      "83 15",
    );
    const sizes = { "01": 1, "02": 2, "04": 4, "05": 4, "07": 8, "0B": 3, "0C": 4, "0E": 6 };
    const record = fc.tuple(dif, vif, fc.uint8Array({ minLength: 8, maxLength: 8 })).map(([d, v, data]) => {
      const size = new Map(Object.entries(sizes)).get(d) ?? 4;
      return `${d} ${v} ${Buffer.from(data.subarray(0, size)).toString("hex")}`;
    });
    let read = 0;
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(KAM, ABB, SEC),
        (records, maker) => {
          const code = codeOf(() => {
            const { importMwh, exportMwh, activePowerMw, resolutionMwh } = reading(
              telegram(records.join(" "), maker),
            ).values;
            for (const register of [importMwh, exportMwh, resolutionMwh]) {
              expect(register ?? 0).toBeGreaterThanOrEqual(0);
              expect(Number.isSafeInteger(register ?? 0)).toBe(true);
            }
            expect(Number.isSafeInteger(activePowerMw ?? 0)).toBe(true);
            read += 1;
          });
          expect(code).toMatch(/^(?:none|mbus-no-energy|telegram-(?:range|conflict))$/);
        },
      ),
      { numRuns: 500 },
    );
    expect(read).toBeGreaterThan(50);
  });
});

const FOLDER = "../shared/corpora/mbus/test-frames";
/** By hand from the XML of libmbus beside each frame and the meters' manuals. */
const REAL = {
  abb_delta: { importMwh: 0, resolutionMwh: 10_000 },
  berg_dz_plus: { importMwh: 0, resolutionMwh: 10_000 },
  "electricity-meter-1": {
    importMwh: 17_756_850_000,
    resolutionMwh: 10_000,
    status: 8,
    activePowerMw: 3_200_000,
    voltageMv: [237_000, 231_000, 228_000],
    currentMa: [3_200, 3_500, 6_900],
  },
  filler: { importMwh: 5_000_000, resolutionMwh: 1_000 },
  kamstrup_382_005: { importMwh: 0, resolutionMwh: 1_000_000, activePowerMw: 0 },
  nzr_dhz_5_63: { importMwh: 1_274_000, resolutionMwh: 1_000, activePowerMw: 0 },
} as const;

describe("real electricity meters", () => {
  it.for(Object.entries(REAL))("%s", ([name, expected], { skip }) => {
    const path = `${FOLDER}/${name}.hex`;
    if (!existsSync(path)) skip(`no ${path}`);
    const decoded = decodeMbus(bytes(readFileSync(path, "latin1")));
    requireElectricity(decoded.header ?? {}, name);
    expect(reading(bytes(readFileSync(path, "latin1"))).values).toEqual(expected);
  });
});
