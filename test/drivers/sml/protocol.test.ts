import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { READING_STATUS } from "../../../attest/reading.ts";
import { meterTelegram, smlProtocol } from "../../../drivers/sml/protocol.ts";
import { provenStep } from "../../../drivers/sml/resolution.ts";
import type { MeterTelegram, UnprovenReading } from "../../../drivers/telegram/protocol.ts";
import { telegrams } from "../telegram/framed.ts";
import {
  ascii,
  CLOSE,
  entry,
  file,
  frame,
  IMPORT,
  join,
  list,
  OPEN,
  octets,
  POWER,
  SERVER,
  TELEGRAM,
  valueList,
} from "./kit.ts";

const FOLDER = "../shared/corpora/sml";
/** Status words of a basic meter: above the starting current, bit 11 for the way out; below it. */
const [IMPORTING, EXPORTING, IDLE, BROKEN] = ["65001c0104", "65001c7904", "65001c0004", "65001e0104"];

interface Fields {
  readonly name: string;
  readonly status?: string | undefined;
  readonly unit?: string;
  readonly scaler?: string;
  readonly value: string;
}

function value({ status, ...fields }: Fields): string {
  return entry({ ...fields, ...(status === undefined ? {} : { status }) });
}

/** A register 1.8.0 in 0.1 Wh. */
function register(digits: number, status?: string): string {
  const bytes = digits.toString(16).padStart(16, "0");
  return value({ name: "0100010800ff", status, unit: "621e", scaler: "52ff", value: `59${bytes}` });
}

/** A power 16.7.0 in 0.01 W. */
function power(bytes: string): string {
  return value({ name: "0100100700ff", unit: "621b", scaler: "52fe", value: bytes });
}

function decoded(entries: readonly string[], server: string = SERVER, time?: string): MeterTelegram {
  const timed = time === undefined ? {} : { time };
  return required(meterTelegram(file(join(OPEN, valueList({ server, entries, ...timed }), CLOSE))));
}

function required(telegram: MeterTelegram | undefined): MeterTelegram {
  if (telegram === undefined) throw new Error("a file without a list");
  return telegram;
}

function readingOf(entries: readonly string[], server?: string): UnprovenReading | undefined {
  return decoded(entries, server).readings[0];
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown.code;
    throw thrown;
  }
  return "nothing was thrown";
}

/** The first whole file of a capture, decoded. */
function captured(name: string): MeterTelegram {
  const [bytes = new Uint8Array()] = telegrams(frame(new Uint8Array(readFileSync(`${FOLDER}/${name}.bin`))));
  return required(meterTelegram(bytes));
}

describe("SML identity", () => {
  it.each([
    [SERVER, [], { make: "KIL", serial: "1 KIL00 1234 5678" }],
    [
      "06454d48010271",
      [entry({ name: "8181c78203ff", value: ascii("EMH") })],
      { make: "EMH", serial: "06454D48010271" },
    ],
    ["3032323830383136", [], { make: "", serial: "02280816" }],
    ["", [entry({ name: "0100600100ff", value: octets(SERVER) })], { make: "", serial: "1 KIL00 1234 5678" }],
  ])("of %s", (server, more, expected) => {
    expect(decoded([IMPORT, ...more], server).identity).toEqual({ model: "", firmware: "", ...expected });
  });

  it("names maker and firmware where the meter prints them", () => {
    const maker = entry({ name: "010060320101", value: ascii("HLY") });
    const firmware = entry({ name: "010000020000", value: ascii("1.02.007") });
    expect(decoded([IMPORT, maker, firmware], "06454d48010271").identity).toMatchObject({
      make: "HLY",
      firmware: "1.02.007",
    });
  });

  it("is left out where the file names no meter", () => {
    expect(decoded([IMPORT], "")).not.toHaveProperty("identity");
    expect(decoded([IMPORT], "").readings).toHaveLength(1);
  });
});

describe("SML resolution", () => {
  it.each([
    [100, [31_604_275_100], 100],
    [100, [31_604_275_000], 1_000],
    [100, [31_604_000_000], 1_000_000],
    [100, [31_604_000_000, 500], 100],
    [100, [31_604_000_000, 0], 1_000_000],
    [100, [0, 0], 1_000_000],
    [1_000_000, [2_043_000_000], 1_000_000],
    [1_000_000_000, [5_000_000_000], 1_000_000_000],
    [1, [2_941_646_161], 1],
  ])("of registers sent in %d mWh that show %j is %d mWh", (sent, shown, step) => {
    expect(provenStep(sent, shown)).toBe(step);
  });

  it("is never finer than what was sent or shown, and as fine as both prove", () => {
    const registers = fc.array(fc.integer({ min: 0, max: 10 ** 9 }), { minLength: 1, maxLength: 2 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 6 }), registers, (exponent, digits) => {
        const sent = 10 ** exponent;
        const shown = digits.map((digit) => digit * sent);
        const step = provenStep(sent, shown);
        expect(step).toBeGreaterThanOrEqual(sent);
        expect(shown.every((register) => register % step === 0)).toBe(true);
        if (step > sent)
          expect(shown.some((register) => register % (10 * step) !== 0) || step === 10 ** 6).toBe(true);
        expect(step > 10 ** 6).toBe(false);
      }),
    );
  });

  it("of a meter that sends zeros where it was locked is whole kWh in that telegram", () => {
    expect(readingOf([register(316_042_751)])?.resolutionMwh).toBe(100);
    expect(readingOf([register(316_040_000)])?.resolutionMwh).toBe(1_000_000);
  });

  it("is the channel's as it was sent, that the channel stays the same, and whole kWh where it is locked", () => {
    const steps = [316_042_751, 316_042_750, 316_042_000, 316_040_000].map((digits) => {
      const { channels, readings } = decoded([register(digits)]);
      return [channels[0]?.resolutionMwh, readings[0]?.resolutionMwh];
    });
    expect(steps).toEqual([
      [100, 100],
      [100, 1_000],
      [100, 100_000],
      [1_000_000, 1_000_000],
    ]);
  });

  it.skipIf(!existsSync(FOLDER)).each([
    ["ISKRA_MT631-D1A52-K0z-H01_with_PIN", 100],
    ["ISKRA_MT631-D1A52-K0z-H01_without_PIN", 1_000_000],
    ["eBZ_DD3_DD32R06DTA-SMZ1", 1_000_000],
    ["EasyMeter_Q3A_A1064V1009", 1],
  ])("of the real %s is %d mWh", (name, step) => {
    expect(captured(name).readings[0]?.resolutionMwh).toBe(step);
  });
});

describe("SML power", () => {
  const [DRAWN, GIVEN] = ["5500013404", "55fffecbfc"];
  /** 356.24 W and -299.12 W, written alike by meters that are known for it. */
  const NARROW = "538b28";
  const EARLY_DZG = "0a01445a47000282225e";

  it.each([
    ["drawn, as the status word says", [register(7, IMPORTING), power(DRAWN)], 788_520],
    ["given, as the status word says", [register(7, EXPORTING), power(GIVEN)], -788_520],
    ["given, and the status word says drawn", [register(7, IMPORTING), power(GIVEN)], undefined],
    ["drawn, and the status word says given", [register(7, EXPORTING), power(DRAWN)], undefined],
    ["given below the starting current", [register(7, IDLE), power(GIVEN)], -788_520],
    ["none, whatever the status word says", [register(7, EXPORTING), power("5200")], 0],
    ["given, and no status word", [register(7), power(GIVEN)], -788_520],
    ["drawn, and another kind of status word", [register(7, "65001c0914"), power(DRAWN)], 788_520],
    ["given, and a status word of the older kind", [register(7, "630182"), power(GIVEN)], -788_520],
  ])("%s", (_, entries, expected) => {
    const { readings, absent, channels } = decoded(entries);
    expect(readings[0]?.activePowerMw).toBe(expected);
    expect(absent).toEqual(expected === undefined ? [expect.stringContaining("status word")] : []);
    expect(channels[0]?.quantities).toContain("power");
  });

  it.each([
    ["and no status word", undefined, SERVER, -299_120],
    ["of such a meter, and no status word", undefined, EARLY_DZG, undefined],
    ["of such a meter that draws", IMPORTING, EARLY_DZG, undefined],
    ["of such a meter below the starting current", IDLE, EARLY_DZG, undefined],
    ["of such a meter that gives", EXPORTING, EARLY_DZG, -299_120],
  ])("is sealed only where its sign is sure: negative in two bytes %s", (_, status, server, expected) => {
    const { readings, absent } = decoded([register(7, status), power(NARROW)], server);
    expect(readings[0]?.activePowerMw).toBe(expected);
    expect(absent).toHaveLength(expected === undefined ? 1 : 0);
  });

  it("is left out where the meter sends a magnitude only", () => {
    const magnitude = value({ name: "01000f0700ff", unit: "621b", scaler: "52ff", value: "630539" });
    const { readings, absent, channels } = decoded([register(7, "630182"), magnitude]);
    expect(readings[0]).not.toHaveProperty("activePowerMw");
    expect(absent).toEqual([expect.stringContaining("15.7.0")]);
    expect(channels[0]?.quantities).toEqual(["import"]);
  });

  it("has a verified sign where each power can be checked", () => {
    expect(decoded([register(7, IMPORTING), power(DRAWN)]).channels[0]?.signVerified).toBe(true);
    expect(decoded([register(7), power(DRAWN)]).channels[0]?.signVerified).toBe(false);
    expect(decoded([register(7, "630182"), power(DRAWN)]).channels[0]?.signVerified).toBe(false);
  });

  it("comes with the fault that the meter reports of itself", () => {
    expect(readingOf([register(7, BROKEN)])?.status).toBe(READING_STATUS.deviceFault);
    expect(readingOf([register(7, IMPORTING)])).not.toHaveProperty("status");
  });

  it.skipIf(!existsSync(FOLDER)).each([
    ["DZG_DVS-7420.2V.G2_mtr2_neg", -105_500, true],
    ["dzg_dwsb20_2th_3byte", -788_510, true],
    ["EMH_mME40-AE6AKF0K0", 2_623_000, true],
    ["EMH_eHZ-GW8E2A500AK2", 13_800, false],
    ["DrNeuhaus_SMARTY_ix-130", undefined, false],
  ])("of the real %s is %s mW", (name, expected, verified) => {
    const { readings, channels } = captured(name);
    expect(readings[0]?.activePowerMw).toBe(expected);
    expect(channels[0]?.signVerified).toBe(verified);
  });
});

describe("SML time", () => {
  const at = (choice: string, seconds: number): MeterTelegram =>
    decoded([IMPORT], SERVER, list(choice, `65${seconds.toString(16).padStart(8, "0")}`));

  it("is the meter's where it is a time of day, and was set", () => {
    const seconds = Date.UTC(2026, 6, 1) / 1_000;
    expect(at("6202", seconds).readings[0]?.meterTimeMs).toBe(seconds * 1_000);
    expect(at("6201", seconds).readings[0]).not.toHaveProperty("meterTimeMs");
    const unset = at("6202", 4_711);
    expect(unset.readings[0]).not.toHaveProperty("meterTimeMs");
    expect(unset.absent).toEqual([expect.stringContaining("1970-01-01T01:18:31")]);
  });
});

describe("SML files of several lists", () => {
  const OTHER = "0a014b494c0000bc614f";
  const GAS = entry({ name: "0700030000ff", unit: "620d", scaler: "52fe", value: "6507d10cff" });
  const of = (...lists: Parameters<typeof valueList>[0][]): MeterTelegram | undefined =>
    meterTelegram(file(join(OPEN, ...lists.map((content) => valueList(content)), CLOSE)));

  it("give one reading of all that is said of one meter", () => {
    const both = required(of({ entries: [IMPORT] }, { entries: [POWER] }));
    expect(both.readings).toMatchObject([{ importMwh: 31_604_275_100, activePowerMw: -788_510 }]);
    const nameless = required(of({ entries: [IMPORT] }, { server: "", entries: [POWER] }));
    expect(nameless.readings).toEqual(both.readings);
  });

  it("leave out what is said of a meter that counts something else", () => {
    const telegram = required(of({ server: OTHER, entries: [GAS] }, { entries: [IMPORT] }));
    expect(telegram.identity?.serial).toBe("1 KIL00 1234 5678");
    expect(telegram.readings).toMatchObject([{ importMwh: 31_604_275_100 }]);
  });

  it("are refused where two electricity meters speak, or one says two things", () => {
    expect(codeOf(() => of({ entries: [IMPORT] }, { server: OTHER, entries: [IMPORT] }))).toBe("sml-meters");
    expect(codeOf(() => of({ entries: [register(7)] }, { entries: [register(8)] }))).toBe(
      "telegram-conflict",
    );
    expect(codeOf(() => of({ entries: [GAS] }))).toBe("telegram-empty");
  });

  it("are no reading without a list", () => {
    expect(of()).toBeUndefined();
  });
});

describe("SML protocol", () => {
  it("never makes a reading of a file with a wrong checksum, nor anything but problems of any bytes", () => {
    const protocol = smlProtocol();
    const change = fc.tuple(fc.nat(TELEGRAM.length - 1), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), (changes) => {
        const changed = TELEGRAM.slice();
        for (const [at, by] of changes) changed[at] = (changed[at] ?? 0) ^ by;
        fc.pre(changed.some((byte, at) => byte !== TELEGRAM[at]));
        expect(codeOf(() => protocol.decode(changed))).toMatch(/^sml-/);
      }),
      { numRuns: 1_000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(codeOf(() => protocol.decode(bytes))).toMatch(/^sml-/);
      }),
    );
  });

  it("throws nothing but problems for any list with right checksums", () => {
    const names = [
      "0100010800ff",
      "0100010801ff",
      "0100020800ff",
      "0100100700ff",
      "0100200700ff",
      "01001f0700ff",
    ];
    const anyEntry = fc
      .record({
        name: fc.constantFrom(...names),
        status: fc.constantFrom("01", "65001c0904", "65001c0104", "630182"),
        unit: fc.constantFrom("01", "621b", "621e", "6223", "6221", "62ff"),
        scaler: fc.constantFrom("01", "52ff", "5203", "527f", "5280"),
        value: fc.constantFrom(
          "01",
          "5200",
          "52ff",
          "538b28",
          "59ffffffffffffffff",
          "69ffffffffffffffff",
          "0241",
          "4201",
        ),
      })
      .map((fields) => entry(fields));
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 8 }), (entries) => {
        expect(codeOf(() => decoded(entries))).toMatch(/^(?:telegram-|nothing)/);
      }),
      { numRuns: 1_000 },
    );
  });

  it("remembers nothing", () => {
    const protocol = smlProtocol();
    const before = protocol.decode(TELEGRAM);
    protocol.decode(file(valueList({ entries: [register(40_000)] })));
    protocol.forget();
    expect(protocol.decode(TELEGRAM)).toEqual(before);
  });
});
