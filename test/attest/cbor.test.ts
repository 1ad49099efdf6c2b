import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { concatBytes, equalBytes, fromHex, toHex } from "../../attest/bytes.ts";
import { type CborValue, decodeCbor, decodeCborAt, decodeCborMap, encodeCbor } from "../../attest/cbor.ts";
import { Problem } from "../../attest/problem.ts";
import { describeVectors, readVectors, reportCount } from "../kit/vectors.ts";
import { problemOf, refusalOf } from "./refusal.ts";

const hex = (text: string): Uint8Array => fromHex(text, "test");
const map = (...pairs: [number, CborValue][]): ReadonlyMap<number, CborValue> => new Map(pairs);

const integer = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(23, 24, 255, 256, 65_535, 65_536),
);
const leafValue: fc.Arbitrary<CborValue> = fc.oneof(
  integer,
  fc.uint8Array({ maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 30 }),
);
const { value: anyValue } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: "medium" },
    leafValue,
    fc.array(tie("value"), { maxLength: 5 }),
    fc
      .array(fc.tuple(fc.oneof(fc.nat(80), fc.maxSafeNat()), tie("value")), { maxLength: 5 })
      .map((pairs) => new Map(pairs)),
  ),
}));

const vectorShape = z.array(
  z.object({
    hex: z.string(),
    decoded: z.unknown().optional(),
    diagnostic: z.string().optional(),
    roundtrip: z.boolean(),
  }),
);

/** Why RFC 8949 appendix A's value is outside the subset, from its first bytes; undefined if it is inside. */
function outsideFor(bytes: string): string | undefined {
  if (bytes === "1bffffffffffffffff" || bytes === "3bffffffffffffffff") return "cbor-integer";
  if (/^[cdef]/.test(bytes)) return "cbor-type"; // tags, floats, simple values
  if (bytes.endsWith("ff") && /[579b]f/.test(bytes)) return "cbor-type"; // indefinite lengths
  if (bytes === "83019f0203ff820405") return "cbor-type"; // an indefinite array inside
  if (/^a[25]61|^826161a1/.test(bytes)) return "cbor-key"; // maps with text keys
  return undefined;
}

describeVectors("CBOR, RFC 8949 appendix A", () => {
  it("has exactly the appendix's bytes for what is inside the subset, and refuses the rest", () => {
    const vectors = readVectors("cbor/appendix_a.json", vectorShape);
    const inside = vectors.filter((vector) => outsideFor(vector.hex) === undefined);
    for (const vector of inside) {
      const value = decodeCbor(hex(vector.hex));
      expect(toHex(encodeCbor(value))).toBe(vector.hex);
      if (vector.diagnostic === undefined) expect(plain(value)).toEqual(vector.decoded);
      else expect(diagnostic(value)).toBe(vector.diagnostic);
    }
    const outside = vectors.filter((vector) => outsideFor(vector.hex) !== undefined);
    for (const vector of outside) {
      const code = refusalOf(() => decodeCbor(hex(vector.hex)));
      expect([vector.hex, code]).toEqual([vector.hex, outsideFor(vector.hex)]);
    }
    reportCount("CBOR appendix A inside the subset", inside.length);
    reportCount("CBOR appendix A outside the subset", outside.length);
    expect(inside.length).toBeGreaterThan(25);
    expect(outside.length).toBeGreaterThan(40);
  });
});

/** JSON has no empty map but an empty object. */
function plain(value: CborValue): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}

/** Diagnostic notation (RFC 8949, 8) of the two kinds of values that JSON cannot show. */
function diagnostic(value: CborValue): string {
  if (value instanceof Uint8Array) return `h'${toHex(value)}'`;
  if (!(value instanceof Map)) return String(value);
  return `{${[...value].map(([key, item]) => `${key}: ${diagnostic(item)}`).join(", ")}}`;
}

describe("decodeCbor", () => {
  it("takes every value that encodeCbor writes", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const bytes = encodeCbor(value);
        expect(decodeCbor(bytes)).toEqual(value);
        expect(encodeCbor(decodeCbor(bytes))).toEqual(bytes);
      }),
    );
  });

  it("takes only bytes that encode to themselves, however they were changed", () => {
    let taken = 0;
    const edit = fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom("set", "insert", "drop"));
    fc.assert(
      fc.property(anyValue, fc.array(edit, { minLength: 1, maxLength: 3 }), (value, edits) => {
        let bytes = encodeCbor(value);
        for (const [place, byte, how] of edits)
          bytes = edited(bytes, { at: place % bytes.length, byte, how });
        const decoded = decodedOrRefused(bytes);
        if (decoded === undefined) return;
        taken += 1;
        expect(toHex(encodeCbor(decoded))).toBe(toHex(bytes));
      }),
      { numRuns: 3000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it("takes only bytes that encode to themselves among all of one or two bytes", () => {
    for (let n = 0; n < 0x1_0100; n++) {
      const bytes = n < 0x100 ? Uint8Array.of(n) : Uint8Array.of((n - 0x100) >> 8, n & 255);
      const decoded = decodedOrRefused(bytes);
      if (decoded !== undefined && !equalBytes(encodeCbor(decoded), bytes))
        expect(toHex(bytes)).toBe("refused");
    }
  });

  it.each([
    ["1817", "cbor-not-shortest", 0, "23 in two bytes"],
    ["190018", "cbor-not-shortest", 0, "24 in three bytes"],
    ["1a0000ffff", "cbor-not-shortest", 0, "65535 in five bytes"],
    ["1b00000000ffffffff", "cbor-not-shortest", 0, "2^32-1 in nine bytes"],
    ["3800", "cbor-not-shortest", 0, "-1 in two bytes"],
    ["8201580141", "cbor-not-shortest", 2, "a byte string's length inside an array"],
    ["7801ff", "cbor-not-shortest", 0, "a text's length"],
    ["9800", "cbor-not-shortest", 0, "an array's length"],
    ["b800", "cbor-not-shortest", 0, "a map's length"],
    ["a1180100", "cbor-not-shortest", 1, "a key"],
    ["a2020001 00", "cbor-key-order", 3, "keys that go down"],
    ["a2010001 00", "cbor-key-order", 3, "a key twice"],
    ["a12000", "cbor-key", 1, "a negative key"],
    ["a1410000", "cbor-key", 1, "a byte string as a key"],
    ["1b0020000000000000", "cbor-integer", 0, "2^53"],
    ["3b001fffffffffffff", "cbor-integer", 0, "-2^53"],
    ["1bffffffffffffffff", "cbor-integer", 0, "2^64-1"],
    ["1c", "cbor-type", 0, "reserved additional information"],
    ["1f", "cbor-type", 0, "an integer of indefinite length"],
    ["9fff", "cbor-type", 0, "an indefinite array"],
    ["a101bf00ff", "cbor-type", 2, "an indefinite map inside"],
    ["c0", "cbor-type", 0, "a tag"],
    ["f5", "cbor-type", 0, "true"],
    ["f90000", "cbor-type", 0, "a float"],
    ["62c328", "cbor-text", 0, "text that is not UTF-8"],
    ["63eda080", "cbor-text", 0, "a surrogate in UTF-8"],
    ["62c080", "cbor-text", 0, "NUL in two bytes of UTF-8"],
    ["4401020304 00", "cbor-trailing", 5, "a byte behind the value"],
    ["44010203", "cbor-truncated", 0, "a byte string cut short"],
    ["8201", "cbor-truncated", 2, "an array cut short"],
    ["19ff", "cbor-truncated", 2, "an argument cut short"],
    ["", "cbor-truncated", 0, "nothing"],
    ["5b001fffffffffffff", "cbor-length", 0, "a length beyond every limit"],
    ["9a7fffffff", "cbor-length", 0, "an array of two thousand million elements"],
    ["818181818100", "cbor-depth", 4, "five arrays in one another"],
  ])("refuses %s with %s at offset %i: %s", (text, code, offset) => {
    const problem = problemOf(() => decodeCbor(hex(text.replaceAll(" ", ""))));
    expect([problem.code, problem.detail.where]).toEqual([code, `offset ${offset}`]);
  });

  it("reads a sequence value by value, with offsets from its begin", () => {
    const bytes = concatBytes(encodeCbor(1), encodeCbor("two"), hex("1803"));
    const first = decodeCborAt(bytes, 0);
    const second = decodeCborAt(bytes, first.end);
    expect([first.value, second.value, second.end]).toEqual([1, "two", 5]);
    expect(problemOf(() => decodeCborAt(bytes, second.end)).detail.where).toBe("offset 5");
  });

  it("gives bytes of its own, not a view into the message", () => {
    const bytes = hex("420102");
    const value = decodeCbor(bytes);
    bytes.fill(0);
    expect(value).toEqual(Uint8Array.of(1, 2));
  });

  it("keeps a byte order mark as text", () => {
    expect(decodeCbor(hex("63efbbbf"))).toBe("\uFEFF");
  });

  it("asks for a map where a map is due", () => {
    expect(decodeCborMap(hex("a10102"))).toEqual(map([1, 2]));
    expect(refusalOf(() => decodeCborMap(hex("01")))).toBe("cbor-type");
  });
});

describe("encodeCbor", () => {
  it.each([
    ["2^53", 2 ** 53],
    ["-2^53", -(2 ** 53)],
    ["a fraction", 1.5],
    ["minus zero", -0],
    ["not a number", Number.NaN],
    ["infinity", Number.POSITIVE_INFINITY],
    ["half a surrogate pair", "\ud800"],
    ["a negative key", map([-1, 0])],
    ["a fraction as a key", map([0.5, 0])],
  ] satisfies [string, CborValue][])("refuses %s", (_, value) => {
    expect(refusalOf(() => encodeCbor(value))).toBe("cbor-encode");
  });

  it("writes the ends of the integer range and reads them back", () => {
    expect(toHex(encodeCbor(Number.MAX_SAFE_INTEGER))).toBe("1b001fffffffffffff");
    expect(toHex(encodeCbor(Number.MIN_SAFE_INTEGER))).toBe("3b001ffffffffffffe");
    expect(decodeCbor(hex("3b001ffffffffffffe"))).toBe(Number.MIN_SAFE_INTEGER);
  });

  it("sorts keys by number whatever order they were set in", () => {
    expect(toHex(encodeCbor(map([256, 0], [10, 0], [9, 0])))).toBe("a309000a0019010000");
  });
});

function decodedOrRefused(bytes: Uint8Array): CborValue | undefined {
  try {
    return decodeCbor(bytes);
  } catch (thrown) {
    if (thrown instanceof Problem && thrown.code.startsWith("cbor-")) return undefined;
    throw thrown;
  }
}

function edited(bytes: Uint8Array, edit: { at: number; byte: number; how: string }): Uint8Array {
  const { at, byte, how } = edit;
  const before = bytes.subarray(0, at);
  if (how === "drop" && bytes.length > 1) return concatBytes(before, bytes.subarray(at + 1));
  return concatBytes(before, Uint8Array.of(byte), bytes.subarray(how === "insert" ? at : at + 1));
}
