import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { decodeSml } from "../../../drivers/sml/decode.ts";
import { identityText, meterIdText } from "../../../drivers/sml/identity.ts";
import {
  ABSENT,
  ascii,
  CLOSE,
  decodeOne,
  type Entry,
  entry,
  file,
  hex,
  IMPORT,
  join,
  list,
  listBody,
  message,
  OPEN,
  octets,
  POWER,
  sealed,
  TELEGRAM,
  textOf,
  valueList,
} from "./kit.ts";

const NAME = "0100100700ff";

function decodedValue(
  field: Omit<Entry, "name">,
): ReturnType<typeof decodeOne>["values"][number] | undefined {
  return decodeOne(file(valueList({ entries: [entry({ name: NAME, ...field })] }))).values[0];
}

function timeOf(time: string): ReturnType<typeof decodeOne> {
  return decodeOne(file(valueList({ time, entries: [] })));
}

function refusal(bytes: Uint8Array): Problem {
  try {
    decodeSml(bytes);
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown;
    throw thrown;
  }
  throw new Error("it was decoded");
}

describe("SML decoding", () => {
  it("gives one telegram for each list of values, with code, unit, scale and status", () => {
    expect(decodeSml(TELEGRAM)).toEqual([
      {
        meterId: "1 KIL00 1234 5678",
        serverId: hex("0a014b494c0000bc614e"),
        listName: "1-0:98.10.255*255",
        values: [
          {
            code: "1-0:1.8.0*255",
            text: "31604275.1",
            unit: "Wh",
            unitCode: 30,
            status: 0xff82n,
            scaled: { digits: 316042751n, exponent: -1 },
          },
          {
            code: "1-0:16.7.0*255",
            text: "-788.51",
            unit: "W",
            unitCode: 27,
            scaled: { digits: -78851n, exponent: -2 },
          },
        ],
      },
    ]);
    const twice = file(join(OPEN, valueList({ entries: [IMPORT] }), valueList({ entries: [POWER] }), CLOSE));
    expect(decodeSml(twice).map(({ values }) => values.map(({ code }) => code))).toEqual([
      ["1-0:1.8.0*255"],
      ["1-0:16.7.0*255"],
    ]);
    expect(decodeSml(file(join(OPEN, CLOSE)))).toEqual([]);
  });

  it("extends the sign from the width that was sent, for every width", () => {
    for (let width = 1; width <= 8; width += 1) {
      const ones = "ff".repeat(width);
      const half = `80${"00".repeat(width - 1)}`;
      expect(decodedValue({ value: `5${width + 1}${ones}` })?.scaled?.digits).toBe(-1n);
      expect(decodedValue({ value: `5${width + 1}${half}` })?.scaled?.digits).toBe(
        -(1n << BigInt(8 * width - 1)),
      );
      expect(decodedValue({ value: `6${width + 1}${ones}` })?.scaled?.digits).toBe(
        (1n << BigInt(8 * width)) - 1n,
      );
    }
  });

  it("writes any number out exactly", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
        fc.integer({ min: -20, max: 20 }),
        (n, s) => {
          const value = `59${BigInt.asUintN(64, n).toString(16).padStart(16, "0")}`;
          const scaler = `52${(s & 0xff).toString(16).padStart(2, "0")}`;
          const text = decodedValue({ scaler, value })?.text ?? "";
          const [whole = "", fraction = ""] = text.split(".");
          expect(fraction).toHaveLength(Math.max(-s, 0));
          expect(BigInt(whole + fraction)).toBe(s > 0 ? n * 10n ** BigInt(s) : n);
          expect(text).toMatch(/^-?(0|[1-9]\d*)(\.\d+)?$/);
        },
      ),
    );
  });

  it("keeps the resolution of a locked meter as it was sent", () => {
    const value = decodedValue({ unit: "621e", scaler: "5203", value: "6307fb" });
    expect(value).toMatchObject({ text: "2043000", unit: "Wh", scaled: { digits: 2043n, exponent: 3 } });
  });

  it("reads octet strings as text where they are, and names absent values as such", () => {
    expect(decodedValue({ value: ascii("EMH") })?.text).toBe("EMH");
    expect(decodedValue({ value: octets("00ff") })?.text).toBe("00FF");
    expect(decodedValue({ value: octets("0a01454d480000bc614e") })?.text).toBe("1 EMH00 1234 5678");
    expect(decodedValue({ value: octets("c3".repeat(48)) })?.octets).toEqual(new Uint8Array(48).fill(0xc3));
    expect(decodedValue({ value: "4201" })?.text).toBe("true");
    expect(decodedValue({ value: ABSENT, unit: "621b" })).toEqual({ code: "1-0:16.7.0*255", text: "" });
  });

  it("names units by the table, and those it does not have by their number", () => {
    const named = ["621b", "621e", "6221", "6223", "622c", "6208", "620d", "6263", "62ff"].map(
      (unit) => decodedValue({ unit, value: "6201" })?.unit,
    );
    expect(named).toEqual(["W", "Wh", "A", "V", "Hz", "°", "m³", "unit 99", undefined]);
    expect(decodedValue({ unit: "62ff", value: "6201" })?.unitCode).toBe(255);
  });

  it("tells a second index from a time of day", () => {
    const index = timeOf(list("6201", "6500000e10"));
    expect(index.sensorTime).toEqual({ kind: "second-index", seconds: 3600 });
    expect(index.meterTimeMs).toBeUndefined();
    const stamp = timeOf(list("6202", "6568656c70"));
    expect(stamp.meterTimeMs).toBe(0x68656c70 * 1_000);
    const local = timeOf(list("6203", list("6568656c70", "53003c", "52c4")));
    expect(local.meterTimeMs).toBe(0x68656c70 * 1_000);
    expect(local.sensorTime).toMatchObject({ zoneMinutes: 60, seasonMinutes: -60 });
    expect(decodedValue({ time: "6500000e10", value: "6201" })?.valueTime).toEqual(index.sensorTime);
  });

  it("names the meter by its server, else by its identification among the values", () => {
    const named = entry({ name: "0100600100ff", value: octets("0a014b494c0000bc614e") });
    expect(decodeOne(file(valueList({ server: "", entries: [IMPORT, named] }))).meterId).toBe(
      "1 KIL00 1234 5678",
    );
    expect(decodeOne(file(valueList({ server: "", entries: [IMPORT] }))).meterId).toBeUndefined();
    expect(decodeOne(file(valueList({ server: "06454d48010271", entries: [] }))).meterId).toBe(
      "06454D48010271",
    );
  });

  it.each([
    ["0a01454d480000bc614e", "1 EMH00 1234 5678"],
    ["0a01454d48ff05f5e0ff", "1 EMHFF 9999 9999"],
    ["0a0745464700 00000001", "7 EFG00 0000 0001"],
    ["0a01454d480005f5e100", undefined],
    ["0a00454d480000bc614e", undefined],
    ["0a01456d480000bc614e", undefined],
    ["0601454d480000bc614e", undefined],
    ["0a01454d480000bc61", undefined],
  ])("reads the identification %s as %s", (bytes, text) => {
    expect(identityText(hex(bytes))).toBe(text);
    expect(meterIdText(hex(bytes))).toBe(text ?? bytes.toUpperCase());
  });

  it("doubts the sign of a narrow negative power only of meters known for it", () => {
    const power = (value: string): string => entry({ name: NAME, unit: "621b", scaler: "52fe", value });
    const doubts = (server: string, value: string): string | undefined =>
      decodeOne(file(valueList({ server, entries: [power(value)] }))).values[0]?.doubt;
    const early = "0a01445a47000282224e";
    const late = "0a01445a4700039e2053";
    expect(identityText(hex(early))).toBe("1 DZG00 4208 2894");
    expect([doubts(early, "538b28"), doubts(early, "530b28"), doubts(early, "55ffffd6ca")]).toEqual([
      "sign",
      undefined,
      undefined,
    ]);
    expect(doubts(late, "53d6ca")).toBeUndefined();
  });

  it("takes the checksum of a message by either algorithm, and without its leading zero", () => {
    const kermit = file(valueList({ entries: [POWER] }, { algorithm: "kermit" }));
    expect(textOf(decodeOne(kermit), "1-0:16.7.0*255")).toBe("-788.51 W");
    const short = Array.from({ length: 2_000 }, (_, at) => at.toString(16).padStart(8, "0"))
      .map((count) => valueList({ entries: [entry({ name: NAME, value: `65${count}` })] }, { short: true }))
      .filter((bytes) => bytes.at(-3) === 0x62);
    expect(short.length).toBeGreaterThan(0);
    for (const bytes of short) expect(decodeSml(file(bytes))).toHaveLength(1);
  });

  it.each([
    ["no file at all", new Uint8Array(), "sml-truncated"],
    ["half a file", TELEGRAM.subarray(0, 60), "sml-truncated"],
    ["a file and more", join(TELEGRAM, hex("00")), "sml-truncated"],
    ["a wrong checksum", TELEGRAM.map((byte, at) => (at === 30 ? byte ^ 1 : byte)), "sml-checksum"],
    ["a start within", sealed(hex("1b1b1b1b01010101 7600 1b1b1b1b01010101 7600 1b1b1b1b1a00")), "sml-escape"],
    ["no message", file(hex("62006200")), "sml-element"],
    ["a message without end", file(CLOSE.subarray(0, -1)), "sml-element"],
    ["a body that is no choice", file(message("630701", "")), "sml-element"],
    ["a list that runs past the end", file(hex("76 ff0f 01")), "sml-element"],
    ["a length that never ends", file(hex("76 8f8f8f8f8f01")), "sml-element"],
    ["a length below its own field", file(hex("76 8000 01")), "sml-element"],
    ["an unknown type", file(hex("76 2201 01")), "sml-element"],
    [
      "a number of nine bytes",
      file(valueList({ entries: [entry({ name: NAME, value: `5a${"00".repeat(9)}` })] })),
      "sml-element",
    ],
    ["lists within lists", file(message("630701", `${"71".repeat(40)}01`)), "sml-element"],
    [
      "a code of five bytes",
      file(valueList({ entries: [entry({ name: "0100100700", value: "6201" })] })),
      "sml-list",
    ],
    ["a time that is none", file(valueList({ time: "4201", entries: [] })), "sml-list"],
    ["an entry of six", file(valueList({ entries: [list("01", "01", "01", "01", "01", "01")] })), "sml-list"],
    [
      "a scaler that is no integer",
      file(valueList({ entries: [entry({ name: NAME, scaler: "6201", value: "6201" })] })),
      "sml-list",
    ],
  ])("says of %s where it is wrong", (_, bytes, code) => {
    const problem = refusal(bytes);
    expect(problem.code).toBe(code);
    expect(problem.message).toMatch(/offset \d+/);
  });

  it("refuses a message whose own checksum is wrong, at its place in the file behind escapes", () => {
    const value = entry({ name: NAME, value: octets("1b1b1b1b") });
    const good = valueList({ entries: [value] });
    const wrong = good.map((byte, at) => (at === good.length - 2 ? byte ^ 1 : byte));
    const problem = refusal(file(wrong));
    expect(problem.code).toBe("sml-message-checksum");
    expect(problem.detail.where).toBe(`file offset ${8 + good.length - 4 + 4}`);
  });

  it("throws nothing but problems for any content of a file", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 120 }),
      fc
        .array(fc.constantFrom("76", "77", "72", "01", "00", "62", "63", "07", "f1", "83", "05", "52"), {
          maxLength: 60,
        })
        .map((parts) => hex(parts.join(""))),
    );
    const tried = fc
      .tuple(bytes, fc.boolean())
      .map(([content, asBody]) =>
        asBody ? message("630701", Buffer.from(content).toString("hex")) : content,
      );
    fc.assert(
      fc.property(tried, (content) => onlyProblems(file(content))),
      { numRuns: 2_000 },
    );
  });

  it("throws nothing but problems for a list of values with any bytes changed", () => {
    const body = listBody({ time: list("6201", "6500000e10"), entries: [IMPORT, POWER] });
    const change = fc.tuple(fc.nat(body.length / 2 - 1), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const changed = hex(body);
        for (const [at, byte] of changes) changed[at] = byte;
        onlyProblems(file(message("630701", Buffer.from(changed).toString("hex"))));
      }),
      { numRuns: 2_000 },
    );
  });
});

function onlyProblems(bytes: Uint8Array): void {
  try {
    for (const { values } of decodeSml(bytes)) expect(Array.isArray(values)).toBe(true);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(Problem);
    expect(thrown).toHaveProperty("code", expect.stringMatching(/^sml-/));
  }
}
