import { existsSync, readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeSml, type SmlTelegram } from "../../../drivers/sml/decode.ts";
import { refusals, said, telegrams } from "../telegram/framed.ts";
import { decodeOne, frame, join, textOf } from "./kit.ts";

const FOLDER = "../shared/corpora/sml";

interface Capture {
  /** Whole files in it with a right checksum. */
  readonly good: number;
  /** What is refused before the last file, which the capture cut off; the collection says why. */
  readonly refused?: readonly string[];
  readonly meterId?: string;
}

const CAPTURES: Readonly<Record<string, Capture>> = {
  "DZG_DVS-7420.2V.G2_mtr1_error": {
    good: 0,
    refused: [0, 227, 708, 950, 1191, 1433, 1596].map((offset) => `sml-truncated at ${offset}`),
  },
  "DZG_DVS-7420.2V.G2_mtr2_neg": { good: 3, meterId: "1 DZG00 6069 4611" },
  "DrNeuhaus_SMARTY_ix-130": { good: 12, meterId: "1 DNT01 0000 8240" },
  "EMH_eHZ-GW8E2A500AK2": { good: 16, meterId: "3032323830383136" },
  "EMH_mME40-AE6AKF0K0": { good: 12, meterId: "1 EMH00 1059 9732" },
  EasyMeter_Q3A_A1064V1009: {
    good: 4,
    refused: [445, 1953, 2452].map((offset) => `sml-checksum at ${offset}`),
    meterId: "1 ESY11 6223 2997",
  },
  "HOLLEY_DTZ541-ZDBA": { good: 7, meterId: "1 HLY02 0023 9888" },
  "ISKRA_MT631-D1A52-K0z-H01_with_PIN": { good: 5, meterId: "1 ISK00 7512 6084" },
  "ISKRA_MT631-D1A52-K0z-H01_without_PIN": { good: 5, meterId: "1 ISK00 7512 6084" },
  "ITRON_OpenWay-3.HZ_with_PIN": { good: 5, meterId: "1 ITR00 5504 6208" },
  dzg_dwsb20_2th_3byte: {
    good: 14,
    refused: [504, 3021].map((offset) => `sml-checksum at ${offset}`),
    meterId: "1 DZG00 4005 1478",
  },
  "eBZ_DD3_DD32R06DTA-SMZ1": { good: 4, meterId: "1 EBZ01 0019 1547" },
};

const NAMES = existsSync(FOLDER)
  ? readdirSync(FOLDER)
      .filter((name) => name.endsWith(".bin"))
      .map((name) => name.slice(0, -".bin".length))
  : [];

function read(name: string): Uint8Array {
  return new Uint8Array(readFileSync(`${FOLDER}/${name}.bin`));
}

function files(name: string): readonly Uint8Array[] {
  return telegrams(frame(read(name)));
}

function first(name: string): SmlTelegram {
  return decodeOne(files(name)[0] ?? new Uint8Array());
}

/** The digits of a value, for sums. */
function digits(telegram: SmlTelegram, code: string): bigint {
  return telegram.values.find((value) => value.code === code)?.scaled?.digits ?? -1n;
}

describe("real SML captures", () => {
  it(`are there, or this says why not: ${NAMES.length} of them`, ({ skip }) => {
    if (NAMES.length === 0) skip(`no captures at ${FOLDER}`);
    const found = NAMES.map((name) => files(name).length).reduce((sum, count) => sum + count, 0);
    console.info(`sml: ${NAMES.length} real captures with ${found} whole files`);
    expect(NAMES.toSorted()).toEqual(Object.keys(CAPTURES).toSorted());
    expect(found).toBe(87);
  });

  it.each(NAMES)("%s: its whole files are found, the others refused", (name) => {
    const outcomes = frame(read(name));
    expect(telegrams(outcomes)).toHaveLength(CAPTURES[name]?.good ?? -1);
    const cutOff = refusals(frame(read(name))).filter(
      (refusal) => !CAPTURES[name]?.refused?.includes(refusal),
    );
    expect(refusals(outcomes).slice(0, refusals(outcomes).length - cutOff.length)).toEqual(
      CAPTURES[name]?.refused ?? [],
    );
    expect(cutOff.length).toBeLessThanOrEqual(1);
    for (const refusal of cutOff) expect(refusal).toMatch(/^sml-truncated at/);
  });

  it.each(NAMES)("%s: every file decodes to one list of the same meter", (name) => {
    for (const bytes of files(name)) {
      const telegram = decodeOne(bytes);
      expect(telegram.meterId).toBe(CAPTURES[name]?.meterId);
      expect(telegram.values.length).toBeGreaterThan(3);
      expect(telegram.values.every(({ doubt }) => doubt === undefined)).toBe(true);
    }
  });

  it.each(NAMES)("%s: reads the same whole, in chunks of 64 bytes and byte by byte", (name) => {
    const whole = said(frame(read(name)));
    expect(said(frame(read(name), 64))).toEqual(whole);
    expect(said(frame(read(name), 1))).toEqual(whole);
  });

  it.each(NAMES)("%s: each different file is found between any noise", (name) => {
    const noise = fc.uint8Array({ maxLength: 60 });
    for (const bytes of files(name).slice(0, 3)) {
      fc.assert(
        fc.property(noise, noise, fc.integer({ min: 1, max: 300 }), (before, between, size) => {
          expect(telegrams(frame(join(before, bytes, between, bytes), size))).toEqual([bytes, bytes]);
        }),
        { numRuns: 20 },
      );
    }
  });

  it.each(NAMES)("%s: a file with any one bit flipped is refused", (name) => {
    const [bytes = new Uint8Array()] = files(name);
    for (let at = 0; at < bytes.length; at += 1) {
      const flipped = bytes.map((byte, index) => (index === at ? byte ^ (1 << (at % 8)) : byte));
      expect(() => decodeSml(flipped)).toThrow();
    }
  });

  it.for([
    // The values that README.md of devZer0/libsml-testing prints for this capture, decoded by libsml.
    ["EMH_eHZ-GW8E2A500AK2", "1-0:1.8.1*255", "14798112.9 Wh"],
    ["EMH_eHZ-GW8E2A500AK2", "1-0:1.8.2*255", "2012.4 Wh"],
    ["EMH_eHZ-GW8E2A500AK2", "1-0:1.7.0*255", "13.8 W"],
    ["EMH_eHZ-GW8E2A500AK2", "1-0:0.0.0*255", "02280816"],
    // By hand from the bytes: 53 D6 CA and 54 FE CB FD, both with scaler -2.
    ["DZG_DVS-7420.2V.G2_mtr2_neg", "1-0:16.7.0*255", "-105.50 W"],
    ["dzg_dwsb20_2th_3byte", "1-0:16.7.0*255", "-788.51 W"],
    // The same meter, unlocked and locked: 65 01 37 C0 C7 with scaler -1, and whole kWh.
    ["ISKRA_MT631-D1A52-K0z-H01_with_PIN", "1-0:1.8.0*255", "2043104.7 Wh"],
    ["ISKRA_MT631-D1A52-K0z-H01_without_PIN", "1-0:1.8.0*255", "2043000 Wh"],
  ] as const)("%s says %s %s", ([name, code, text], { skip }) => {
    if (!NAMES.includes(name)) skip(`no capture ${name}`);
    expect(textOf(first(name), code)).toBe(text);
  });

  it("say in another place what was read in one", ({ skip }) => {
    if (NAMES.length === 0) skip(`no captures at ${FOLDER}`);
    const easy = first("EasyMeter_Q3A_A1064V1009");
    expect(easy.meterId?.replaceAll(" ", "")).toBe(textOf(easy, "1-0:0.0.0*255"));
    const ebz = first("eBZ_DD3_DD32R06DTA-SMZ1");
    expect(digits(ebz, "1-0:1.8.1*255") + digits(ebz, "1-0:1.8.2*255")).toBe(digits(ebz, "1-0:1.8.0*255"));
    const emh = first("EMH_mME40-AE6AKF0K0");
    const phases = ["1-0:36.7.0*255", "1-0:56.7.0*255", "1-0:76.7.0*255"].map((code) => digits(emh, code));
    expect(phases.reduce((sum, power) => sum + power)).toBe(digits(emh, "1-0:16.7.0*255"));
    const locked = first("ISKRA_MT631-D1A52-K0z-H01_without_PIN").values.filter(({ unit }) => unit === "Wh");
    expect(locked.map(({ scaled }) => scaled?.exponent)).toEqual([3, 3]);
  });
});
