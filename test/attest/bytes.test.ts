import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  asciiBytes,
  concatBytes,
  equalBytes,
  fromHex,
  readU32be,
  readU64be,
  toHex,
  u32be,
  u64be,
} from "../../attest/bytes.ts";

describe("hexadecimal", () => {
  it("reads back what it wrote, in either case, as Node does", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(toHex(bytes)).toBe(Buffer.from(bytes).toString("hex"));
        expect(fromHex(toHex(bytes), "text")).toEqual(bytes);
        expect(fromHex(toHex(bytes).toUpperCase(), "text")).toEqual(bytes);
      }),
    );
  });

  it.each([
    ["abc", "3 digits"],
    ["0x12", '"x" at offset 1'],
    ["12 34", '" " at offset 2'],
    ["12\n", '"\\n" at offset 2'],
    ["zz", '"z" at offset 0'],
  ])("refuses %j and says where", (text, got) => {
    const problem = expect.objectContaining({ code: "bytes-hex", message: expect.stringContaining(got) });
    expect(() => fromHex(text, "key")).toThrow(problem);
    expect(() => fromHex(text, "key")).toThrow(/^key: /);
  });
});

describe("integers", () => {
  it("are big-endian and come back, up to 2^53-1", () => {
    expect(toHex(u32be(0x01020304))).toBe("01020304");
    expect(toHex(u64be(2 ** 32))).toBe("0000000100000000");
    expect(toHex(u64be(Number.MAX_SAFE_INTEGER))).toBe("001fffffffffffff");
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.uint8Array({ maxLength: 5 }), (value, before) => {
        expect(readU64be(concatBytes(before, u64be(value)), before.length)).toBe(value);
        expect(readU32be(concatBytes(before, u32be(value % 2 ** 32)), before.length)).toBe(value % 2 ** 32);
      }),
    );
  });

  it("are read from a view at its own offset", () => {
    const whole = concatBytes(new Uint8Array(3), u64be(77), new Uint8Array(2));
    expect(readU64be(whole.subarray(3, 11))).toBe(77);
  });

  it("are refused outside their range, never wrapped", () => {
    const refused = expect.objectContaining({ code: "bytes-integer" });
    for (const value of [-1, 0.5, 2 ** 32, Number.NaN]) expect(() => u32be(value)).toThrow(refused);
    for (const value of [-1, 0.5, 2 ** 53, Number.NaN]) expect(() => u64be(value)).toThrow(refused);
    expect(() => readU64be(fromHex("0020000000000000", "2^53"))).toThrow(refused);
  });

  it("are refused when they are cut short", () => {
    const refused = expect.objectContaining({ code: "bytes-short" });
    expect(() => readU32be(new Uint8Array(3))).toThrow(refused);
    expect(() => readU64be(new Uint8Array(9), 2)).toThrow(refused);
    expect(() => readU64be(new Uint8Array(9), -1)).toThrow(refused);
  });
});

describe("bytes", () => {
  it("are equal only with the same length and content", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        expect(equalBytes(a, b)).toBe(toHex(a) === toHex(b));
        expect(equalBytes(a, a.slice())).toBe(true);
        expect(equalBytes(a, concatBytes(a, b))).toBe(b.length === 0);
      }),
    );
  });

  it("of text are refused beyond ASCII", () => {
    expect(asciiBytes("log\0", "tag")).toEqual(Uint8Array.of(108, 111, 103, 0));
    const refused = expect.objectContaining({ code: "bytes-ascii" });
    expect(() => asciiBytes("caf\u00e9", "network")).toThrow(refused);
  });
});
