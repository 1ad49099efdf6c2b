import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeDlms } from "../../../drivers/dlms/telegram.ts";
import type { DlmsValue } from "../../../drivers/dlms/values.ts";
import { floatOf } from "../../../drivers/telegram/float.ts";
import { decimalText } from "../../../drivers/telegram/text.ts";
import { hex, join, KEY, LIST, notification, problemOf, telegram } from "./kit.ts";

/** A body of one entry: a value under 1-0:1.8.0, in Wh with this scaler. */
function entry(value: string, scaler = "00", unit = "1e"): string {
  return `01 01 02 03 09 06 01 00 01 08 00 ff ${value} 02 02 0f ${scaler} 16 ${unit}`;
}

function first(body: string): DlmsValue | undefined {
  return decodeDlms(notification(body)).values[0];
}

function codeOf(body: string): string {
  return problemOf(() => decodeDlms(notification(body))).code;
}

describe("values", () => {
  it("have code, exact text, unit and scaled number", () => {
    const { values, meterId, invokeId } = decodeDlms(telegram(LIST));
    expect({ meterId, invokeId }).toEqual({ meterId: "12345678", invokeId: 0x40000000 });
    expect(values).toEqual([
      { code: "0-0:96.1.0*255", text: "12345678" },
      { code: "1-0:1.8.0*255", text: "123456", unit: "Wh", scaled: { digits: 123456n, exponent: 0 } },
      { code: "1-0:32.7.0*255", text: "230.9", unit: "V", scaled: { digits: 2309n, exponent: -1 } },
    ]);
  });

  it.each([
    ["05 ff ff ff ff", "-1"],
    ["06 ff ff ff ff", "4294967295"],
    ["0f 80", "-128"],
    ["11 ff", "255"],
    ["10 80 00", "-32768"],
    ["12 ff ff", "65535"],
    ["14 80 00 00 00 00 00 00 00", "-9223372036854775808"],
    ["15 ff ff ff ff ff ff ff ff", "18446744073709551615"],
    ["17 43 66 19 9a", "230.100006103515625"],
    ["18 40 6c c3 33 33 33 33 33", "230.099999999999994315658113919198513031005859375"],
  ])("of type %s are read exactly", (value, text) => {
    expect(first(entry(value))?.text.replace(/0+$/, "")).toBe(
      text.includes(".") ? text.replace(/0+$/, "") : text,
    );
  });

  it.each([
    ["01", "1234560", 1],
    ["fd", "123.456", -3],
    ["f6", "0.0000123456", -10],
  ])("with scaler %s keep their digits", (scaler, text, exponent) => {
    const scaled = { digits: 123456n, exponent };
    expect(first(entry("06 00 01 e2 40", scaler))).toEqual({
      code: "1-0:1.8.0*255",
      text,
      unit: "Wh",
      scaled,
    });
  });

  it("that are null are absent", () => {
    expect(
      decodeDlms(notification(`02 04 09 06 01 00 01 08 00 ff 00 09 06 01 00 02 08 00 ff 11 07`)).values,
    ).toEqual([{ code: "1-0:2.8.0*255", text: "7" }]);
  });

  it("of an unknown unit have none, and no scaled number", () => {
    expect(first(entry("11 07", "00", "63"))).toEqual({ code: "1-0:1.8.0*255", text: "7" });
    expect(first(entry("11 07", "fe", "ff"))).toEqual({
      code: "1-0:1.8.0*255",
      text: "0.07",
      scaled: { digits: 7n, exponent: -2 },
    });
  });

  it.each([
    ["03 01", "true"],
    ["16 07", "7"],
    ["04 0a a5 c0", "1010010111"],
    ["0a 03 41 42 43", "ABC"],
    ["09 04 41 42 00 00", "AB"],
    ["09 02 ff 41", "FF41"],
  ])("that are no numbers stand as text: %s", (value, text) => {
    expect(first(`01 01 02 02 09 06 00 00 60 01 07 ff ${value}`)).toEqual({ code: "0-0:96.1.7*255", text });
  });

  it("of any digits and exponent are the same number as text", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }),
        fc.integer({ min: -20, max: 20 }),
        (digits, exponent) => {
          const [whole = "", fraction = ""] = decimalText({ digits, exponent }).split(".");
          expect(fraction.length).toBe(Math.max(0, -exponent));
          expect(BigInt(whole + fraction)).toBe(digits * 10n ** BigInt(Math.max(0, exponent)));
        },
      ),
    );
  });

  it("of floating point are what JavaScript makes of the same bits", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        const view = new DataView(new ArrayBuffer(8));
        view.setFloat64(0, number);
        const exact = floatOf(view.getBigUint64(0), 8);
        expect(exact === undefined ? undefined : Number(decimalText(exact))).toBe(number === 0 ? 0 : number);
      }),
    );
    expect(floatOf(0x7fc00000n, 4)).toBeUndefined();
    expect(floatOf(0xff800000n, 4)).toBeUndefined();
  });
});

describe("layouts", () => {
  it("Kaifa's list of one value needs Kaifa's date-time before it", () => {
    const time = "0c 07 e3 02 04 01 17 34 16 ff 80 00 00";
    const { values } = decodeDlms(notification("02 01 06 00 00 16 dc", `09 ${time}`));
    expect(values).toEqual([
      { code: "1-0:1.7.0*255", text: "5852", unit: "W", scaled: { digits: 5852n, exponent: 0 } },
    ]);
    expect(problemOf(() => decodeDlms(notification("02 01 06 00 00 16 dc", time))).code).toBe("dlms-layout");
  });

  it("Kaifa's single phase list has current and voltage of one phase", () => {
    const head = "09 07 4b464d5f303031 09 02 3132 09 02 4d41";
    const numbers = [1, 2, 3, 4, 1500, 2301].map((n) => `06 ${n.toString(16).padStart(8, "0")}`).join(" ");
    const { values, meterId } = decodeDlms(notification(`02 09 ${head} ${numbers}`));
    expect(meterId).toBe("12");
    expect(values.slice(3).map(({ code, text, unit }) => [code, text, unit])).toEqual([
      ["1-0:1.7.0*255", "1", "W"],
      ["1-0:2.7.0*255", "2", "W"],
      ["1-0:3.7.0*255", "3", "var"],
      ["1-0:4.7.0*255", "4", "var"],
      ["1-0:31.7.0*255", "1.500", "A"],
      ["1-0:32.7.0*255", "230.1", "V"],
    ]);
    expect(codeOf(`02 08 ${head} ${numbers.slice(0, -12)}`)).toBe("dlms-layout");
    expect(codeOf(`02 09 ${head} ${numbers.replace("06", "05")}`)).toBe("dlms-layout");
  });

  const version = "0a 0e 4b616d73747275705f5630303031";
  const pairs = "09 06 01 01 01 08 00 ff 06 00 00 00 07 09 06 01 01 20 07 00 ff 12 00 e6";
  const type = (digits: string): string =>
    `09 06 01 01 60 01 01 ff 0a 03 ${Buffer.from(digits).toString("hex")}`;

  it("Kamstrup's energy is in 10 Wh, unless it hangs behind current transformers", () => {
    const read = (digits: string): unknown =>
      decodeDlms(notification(`02 07 ${version} ${type(digits)} ${pairs}`))
        .values.slice(2)
        .map(({ code, text, unit }) => [code, text, unit]);
    const voltage = ["1-1:32.7.0*255", "230", "V"];
    expect(read("686")).toEqual([["1-1:1.8.0*255", "70", "Wh"], voltage]);
    expect(read("685")).toEqual([["1-1:1.8.0*255", "7", undefined], voltage]);
  });

  it("pairs of a meter that states no units stay bare", () => {
    const time = "09 0c 07e6 02 15 01 11 25 1e 00 8000 00";
    const { values, meterTimeText } = decodeDlms(
      notification(`02 03 ${time} 09 06 01 00 01 08 00 ff 06 00 43 45 a0`),
    );
    expect(meterTimeText).toBe("2022-02-21T17:37:30");
    expect(values.map(({ code, text, unit }) => [code, text, unit])).toEqual([
      ["0-0:1.0.0*255", "2022-02-21T17:37:30", undefined],
      ["1-0:1.8.0*255", "4408736", undefined],
    ]);
  });

  it("flat triples end with the meter's number", () => {
    const time = "09 0c 07e5 09 1b 01 09 2f 0f 00 ff88 80";
    const triple = "09 06 01 00 20 07 00 ff 12 09 21 02 02 0f ff 16 23";
    const telegram = decodeDlms(notification(`02 05 ${time} ${triple} 09 03 313233`));
    expect(telegram.meterId).toBe("123");
    expect(telegram.meterTimeMs).toBe(Date.UTC(2021, 8, 27, 7, 47, 15));
    expect(telegram.values[1]?.text).toBe("233.7");
  });

  it.each([
    ["a number for a body", "11 01", "dlms-layout"],
    ["an empty list", "01 00", "dlms-layout"],
    ["a value without a code", "02 03 11 01 11 02 11 03", "dlms-layout"],
    ["an entry without a value", "01 01 02 01 09 06 01 00 01 08 00 ff", "dlms-layout"],
    ["a list for a value", "01 01 02 02 09 06 01 00 01 08 00 ff 01 00", "dlms-layout"],
    ["a scaler that cannot be", entry("11 01", "7f"), "dlms-scaler"],
    [
      "two values under one code",
      "02 04 09 06 01 00 01 08 00 ff 11 01 09 06 01 00 01 08 00 ff 11 02",
      "dlms-duplicate",
    ],
    ["an unknown type", "01 01 63", "dlms-type"],
    ["not a number", entry("17 7f c0 00 00"), "dlms-value"],
    ["lists too deep", `${"02 01 ".repeat(20)} 00`, "dlms-depth"],
    ["more items than bytes", "01 82 ff ff 00", "dlms-truncated"],
    ["a length of a length of four", "09 84 00 00 00 01 41", "dlms-length"],
    ["bytes behind the body", `${LIST} 00`, "dlms-trailing"],
  ])("%s is refused", (_, body, code) => {
    expect(codeOf(body)).toBe(code);
  });

  it("any other APDU is refused", () => {
    expect(problemOf(() => decodeDlms(hex("c4 01 c1 00 06 00 00 00 01")))).toMatchObject({
      code: "dlms-apdu",
    });
    expect(problemOf(() => decodeDlms(new Uint8Array(0)))).toMatchObject({ code: "dlms-apdu" });
  });
});

describe("any bytes", () => {
  it("give values or a Problem with a stable code", () => {
    const body = notification(LIST);
    const mutated = fc
      .array(fc.tuple(fc.nat(body.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((changes) => changes.reduce((bytes, [place, value]) => bytes.with(place, value), body));
    const random = fc.uint8Array({ maxLength: 200 }).map((bytes) => join(hex("0f 40000000 00"), bytes));
    fc.assert(
      fc.property(fc.oneof(mutated, random, fc.uint8Array({ maxLength: 60 })), (bytes) => {
        expect(problemOf(() => decodeDlms(bytes, { key: KEY })).code).toMatch(/^(?:dlms-|nothing)/);
      }),
      { numRuns: 1000 },
    );
  });
});
