import { existsSync, readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { identityOf } from "../../../drivers/dsmr/identity.ts";
import { decodeAll, decodeOne, frame, join, parsed, refusals, text } from "./kit.ts";

const FOLDER = "../shared/corpora/dsmr-p1";
const NAMES = existsSync(FOLDER)
  ? readdirSync(FOLDER).filter((name) => name.startsWith("TELEGRAM_") && name.endsWith(".txt"))
  : [];

function read(name: string): Uint8Array {
  return new Uint8Array(readFileSync(`${FOLDER}/${name}`));
}

/** Thousandths of the base unit, from the printed digits alone. */
function printed(capture: string, code: string): number | undefined {
  const line = new RegExp(`^${code.replaceAll(".", "\\.")}\\(([0-9.]+)\\*(k?)[A-Za-z]+\\)`, "m").exec(
    capture,
  );
  if (line === null) return undefined;
  const [whole = "", fraction = ""] = (line[1] ?? "").split(".");
  return Number(whole + fraction.padEnd(line[2] === "k" ? 6 : 3, "0"));
}

function register(capture: string, prefix: string): number | undefined {
  const tariffs = [1, 2, 3, 4].map((tariff) => printed(capture, `${prefix}.${tariff}`));
  const known = tariffs.filter((value) => value !== undefined);
  return printed(capture, `${prefix}.0`) ?? (known.length === 0 ? undefined : known.reduce((a, b) => a + b));
}

function meterTime(capture: string): number | undefined {
  const stamp = /0-0:1\.0\.0\((..)(..)(..)(..)(..)(..)([WS])\)/.exec(capture);
  if (stamp === null) return undefined;
  const [, year, month, day, hour, minute, second, season] = stamp;
  const zone = season === "S" ? "+02:00" : "+01:00";
  return Date.parse(`20${year}-${month}-${day}T${hour}:${minute}:${second}${zone}`);
}

function phases(capture: string, first: number): number[] | undefined {
  const values = [0, 20, 40].map((step) => printed(capture, `1-0:${first + step}.7.0`));
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : known;
}

describe("real P1 telegrams", () => {
  it(`are there, or this says why not: ${NAMES.length} of them`, ({ skip }) => {
    if (NAMES.length === 0) skip(`no captures at ${FOLDER}`);
    console.info(`dsmr-p1: ${NAMES.length} real telegrams`);
    expect(NAMES).toHaveLength(7);
  });

  it.each(NAMES)("%s decodes to what it prints", (name) => {
    const capture = text(read(name));
    const { reading } = decodeOne(read(name));
    const power = (printed(capture, "1-0:1.7.0") ?? 0) - (printed(capture, "1-0:2.7.0") ?? 0);
    expect(reading.importMwh).toBe(register(capture, "1-0:1.8"));
    expect(reading.exportMwh).toBe(register(capture, "1-0:2.8"));
    expect(reading.activePowerMw).toBe(power);
    expect(reading.voltageMv).toEqual(phases(capture, 32));
    expect(reading.currentMa).toEqual(phases(capture, 31));
    expect(reading.frequencyMhz).toBe(printed(capture, "1-0:14.7.0"));
    expect(reading.meterTimeMs).toBe(meterTime(capture));
    expect(reading.resolutionMwh).toBe(1_000);
    expect(reading.status).toBe(capture.includes("1-0:1.8.0(") ? undefined : 8);
  });

  it.each(NAMES)("%s reads the same whole, in chunks of 64 bytes and byte by byte", (name) => {
    const stream = join(read(name), read(name));
    const whole = decodeAll(stream);
    expect(whole).toHaveLength(2);
    expect(decodeAll(stream, 64)).toEqual(whole);
    expect(decodeAll(stream, 1)).toEqual(whole);
  });

  it.each(NAMES)("%s is found between any noise", (name) => {
    const telegram = read(name);
    const clean = decodeOne(telegram);
    const noise = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(noise, noise, fc.integer({ min: 1, max: 300 }), (before, between, size) => {
        const found = decodeAll(join(before, telegram, between, telegram), size);
        expect(found).toEqual([clean, clean]);
      }),
    );
  });

  it.each(NAMES.filter((name) => !name.includes("V2_2")))(
    "%s with any one bit flipped is refused",
    (name) => {
      const telegram = read(name);
      const end = text(telegram).lastIndexOf("!");
      for (let bit = 0; bit < (end + 1) * 8; bit += 1) {
        const damaged = telegram.map((byte, at) => (at === bit >>> 3 ? byte ^ (1 << (bit & 7)) : byte));
        expect(decodeAll(damaged)).toEqual([]);
      }
      const middle = telegram.map((byte, at) => (at === end >>> 1 ? byte ^ 1 : byte));
      expect(refusals(middle)).toEqual(["dsmr-checksum"]);
    },
  );

  it.for([
    ["FLUVIUS_V171", { make: "FLU", model: "53769484_A", serial: "1SAG3101021605", firmware: "50217" }],
    ["SAGEMCOM_T210_D_R", { make: "EST", model: "53710000_A", serial: "", firmware: "50" }],
    ["V2_2", { make: "ISk", model: "MT382-1004", serial: "00000000000000", firmware: "" }],
    [
      "V4_2",
      { make: "KFM", model: "KAIFA-METER", serial: "3960221976967177082151037881335713", firmware: "42" },
    ],
    ["V5", { make: "ISk", model: "MT382-1000", serial: "K8EG004046395507", firmware: "50" }],
    ["V5_EON_HU", { make: "SAG", model: "SAG-METER", serial: "890082200002160", firmware: "" }],
    ["V5_TWO_MBUS", { make: "ISK", model: "M550T-1012", serial: "E0044007382246019", firmware: "50" }],
  ] as const)("%s says who it is", ([name, identity], { skip }) => {
    const file = `TELEGRAM_${name}.txt`;
    if (!NAMES.includes(file)) skip(`no capture ${file}`);
    const [outcome] = frame(read(file));
    expect(outcome?.kind === "telegram" && identityOf(parsed(outcome.bytes))).toEqual(identity);
  });
});
