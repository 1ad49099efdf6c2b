import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, equalBytes, toHex } from "../../attest/bytes.ts";
import { type CborValue, encodeCbor } from "../../attest/cbor.ts";
import type { Field } from "../../attest/field.ts";
import { LEAF_KINDS, type Leaf, type ReadingLeaf, TIME_QUALITY } from "../../attest/leaf.ts";
import { decodeLeaf, decodeLeafAt, encodeLeaf, MAX_LEAF_BYTES } from "../../attest/leaf-codec.ts";
import { COMMON_FIELDS, KIND_FIELDS } from "../../attest/leaf-fields.ts";
import { Problem } from "../../attest/problem.ts";
import { refusalOf } from "./refusal.ts";

const SALT = new Uint8Array(16).fill(0xa5);
const definedKinds = Object.keys(KIND_FIELDS) as (keyof typeof KIND_FIELDS)[];

const anyOf: Readonly<Record<Field["type"], fc.Arbitrary<CborValue>>> = {
  uint: fc.maxSafeNat(),
  int: fc.maxSafeInteger(),
  text: fc.string({ unit: "grapheme", maxLength: 12 }),
  longText: fc.string({ unit: "grapheme", maxLength: 12 }),
  bytes16: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  bytes32: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  bytes: fc.uint8Array({ maxLength: 40 }),
  byteStrings: fc.array(fc.uint8Array({ maxLength: 8 }), { minLength: 1, maxLength: 8 }),
  uints: fc.array(fc.maxSafeNat(), { minLength: 1, maxLength: 8 }),
  dayOfInts: fc.array(fc.maxSafeInteger(), { minLength: 1, maxLength: 12 }),
};
const extensions = fc
  .array(fc.tuple(fc.integer({ min: 64, max: 100_000 }), fc.uint8Array({ maxLength: 20 })), {
    minLength: 1,
    maxLength: 4,
  })
  .map((pairs) => new Map(pairs));

/** Any leaf of a kind, each property of the kind's table present or, where it may be, absent. */
function leafOf(kind: keyof typeof KIND_FIELDS): fc.Arbitrary<Leaf> {
  const required: Record<string, fc.Arbitrary<unknown>> = { kind: fc.constant(kind) };
  const optional: Record<string, fc.Arbitrary<unknown>> = { extensions };
  for (const [name, field] of Object.entries<Field>({ ...COMMON_FIELDS, ...KIND_FIELDS[kind] }))
    (field.optional ? optional : required)[name] = anyOf[field.type];
  required["timeQuality"] = fc.nat(4);
  optional["status"] = fc.integer({ min: 1, max: 0xffff_ffff });
  // The record mirrors the table, which mirrors the interfaces.
  return fc
    .tuple(fc.record(required), fc.record(optional, { requiredKeys: [] }))
    .map(([must, may]) => ({ ...must, ...may }) as unknown as Leaf);
}

const opaqueLeaf: fc.Arbitrary<Leaf> = fc.record({
  kind: fc.constant("opaque" as const),
  number: fc.integer({ min: 32, max: 63 }),
  seq: fc.maxSafeNat(),
  timeMs: fc.maxSafeNat(),
  timeQuality: fc.nat(4),
  salt: fc.constant(SALT),
  body: fc
    .array(
      fc.tuple(fc.integer({ min: 16, max: 63 }), fc.oneof(fc.maxSafeInteger(), fc.string({ maxLength: 5 }))),
      { maxLength: 4 },
    )
    .map((pairs) => new Map<number, CborValue>(pairs)),
});

const common: [number, CborValue][] = [
  [1, 5],
  [2, 1_767_614_400_000],
  [3, 3],
  [15, SALT],
];
const readingMap: [number, CborValue][] = [...common, [4, 1], [6, 1000]];
const encoded = (...pairs: [number, CborValue][]): Uint8Array => encodeCbor(new Map(pairs));

describe("leaf codec", () => {
  it("knows time qualities 0 to 4 and no other, both ways", () => {
    const pairs = readingMap.filter(([key]) => key !== 3);
    expect(decodeLeaf(encoded(...pairs, [3, 4])).timeQuality).toBe(4);
    expect(refusalOf(() => decodeLeaf(encoded(...pairs, [3, 5])))).toBe("leaf-time-quality");
    const leaf = decodeLeaf(encoded(...readingMap));
    expect(refusalOf(() => encodeLeaf({ ...leaf, timeQuality: 5 }))).toBe("leaf-time-quality");
  });

  it("knows nineteen kinds, each with its fields", () => {
    expect(definedKinds).toEqual(Object.keys(LEAF_KINDS));
    expect(Object.values(LEAF_KINDS)).toEqual(Array.from({ length: 19 }, (_, number) => number));
  });

  it.each(definedKinds)("reads every %s leaf back as it was written, to the same bytes", (kind) => {
    fc.assert(
      fc.property(leafOf(kind), (leaf) => {
        const bytes = encodeLeaf(leaf);
        expect(decodeLeaf(bytes)).toEqual(leaf);
        expect(encodeLeaf(decodeLeaf(bytes))).toEqual(bytes);
      }),
    );
  });

  it("reads every leaf of kinds 32 to 63 back without knowing what it says", () => {
    fc.assert(
      fc.property(opaqueLeaf, (leaf) => {
        expect(decodeLeaf(encodeLeaf(leaf))).toEqual(leaf);
      }),
    );
  });

  it("takes only bytes that encode to themselves, whichever byte is another one", () => {
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(...definedKinds.map(leafOf)), fc.nat(), fc.nat(255), (leaf, place, byte) => {
        const bytes = encodeLeaf(leaf);
        bytes[place % bytes.length] = byte;
        const decoded = decodedOrRefused(bytes);
        if (decoded === undefined) return;
        taken += 1;
        expect(toHex(encodeLeaf(decoded))).toBe(toHex(bytes));
      }),
      { numRuns: 3000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it("finds the ends of leaves back to back", () => {
    const one = encoded(...readingMap);
    const bytes = concatBytes(one, one);
    expect(decodeLeafAt(bytes, 0).end).toBe(one.length);
    expect(equalBytes(bytes.subarray(decodeLeafAt(bytes, 0).end), one)).toBe(true);
    expect(refusalOf(() => decodeLeaf(bytes))).toBe("leaf-trailing");
  });
});

describe("size of a reading", () => {
  /** Ten years from now, a meter at 100 MWh, a log of a hundred million leaves, 250 channels. */
  const reading: ReadingLeaf = {
    kind: "reading",
    seq: 100_000_000,
    timeMs: Date.UTC(2036, 0, 1),
    timeQuality: TIME_QUALITY.anchored,
    channel: 250,
    status: 1,
    importMwh: 100_000_000_000,
    exportMwh: 100_000_000_000,
    activePowerMw: -17_000_000,
    salt: SALT,
  };

  it("is at most 70 bytes without the digest of its frame and 88 with it", () => {
    expect(encodeLeaf(reading).length).toBeLessThanOrEqual(70);
    expect(encodeLeaf({ ...reading, evidence: SALT }).length).toBeLessThanOrEqual(88);
    console.log(
      `reading: ${encodeLeaf(reading).length} bytes, ${encodeLeaf({ ...reading, evidence: SALT }).length} with the digest`,
    );
  });
});

describe("decodeLeaf refuses", () => {
  it("takes the leaf that the refusals below are changed from", () => {
    expect(decodeLeaf(encoded(...readingMap))).toMatchObject({ kind: "reading", seq: 5, importMwh: 1000 });
  });

  it.each([
    ["kind 0 written out", encoded([0, 0], ...readingMap), "leaf-kind"],
    ["a kind that is text", encoded([0, "reading"], ...readingMap), "leaf-kind"],
    ["a negative kind", encoded([0, -1], ...common), "leaf-kind"],
    ["kind 64", encoded([0, 64], ...common), "leaf-kind"],
    ["status 0 written out", encoded(...readingMap, [5, 0]), "leaf-zero-status"],
    ["an unknown key below 64", encoded(...readingMap, [17, 0]), "leaf-unknown-key"],
    ["key 63", encoded(...readingMap, [63, new Uint8Array(1)]), "leaf-unknown-key"],
    [
      "a channel in a leaf that has none",
      encoded([0, LEAF_KINDS.tamper], ...common, [4, 1], [6, "lid"], [7, 1]),
      "leaf-unknown-key",
    ],
    ["an extension that is a number", encoded(...readingMap, [64, 1]), "leaf-extension"],
    ["an extension that is text", encoded(...readingMap, [70, "x"]), "leaf-extension"],
    ["no seq", encoded(...readingMap.filter(([key]) => key !== 1)), "field"],
    ["no salt", encoded(...readingMap.filter(([key]) => key !== 15)), "field"],
    [
      "a salt of 15 bytes",
      encoded(...readingMap.filter(([key]) => key !== 15), [15, SALT.slice(1)]),
      "field",
    ],
    ["a reading without channel", encoded(...common, [6, 1]), "field"],
    ["a negative register", encoded(...common, [4, 1], [6, -1]), "field"],
    ["a register that is text", encoded(...common, [4, 1], [6, "1"]), "field"],
    ["an empty list of voltages", encoded(...readingMap, [10, []]), "field"],
    ["nine voltages", encoded(...readingMap, [10, [1, 2, 3, 4, 5, 6, 7, 8, 9]]), "field"],
    [
      "text above 128 bytes",
      encoded([0, LEAF_KINDS.tamper], ...common, [6, "é".repeat(65)], [7, 1]),
      "field",
    ],
    ["an array", encodeCbor([1]), "leaf-type"],
    ["an integer", encodeCbor(1), "leaf-type"],
    ["more than 4 KiB", encoded(...readingMap, [64, new Uint8Array(MAX_LEAF_BYTES)]), "leaf-size"],
    ["a tail", concatBytes(encoded(...readingMap), Uint8Array.of(0)), "leaf-trailing"],
    ["an opaque leaf with status 0", encoded([0, 40], ...common, [5, 0]), "leaf-zero-status"],
    ["an opaque leaf with a number as an extension", encoded([0, 40], ...common, [64, 0]), "leaf-extension"],
    ["an opaque leaf whose channel is text", encoded([0, 40], ...common, [4, "1"]), "field"],
  ])("%s", (_, bytes, code) => {
    expect(refusalOf(() => decodeLeaf(bytes))).toBe(code);
  });

  it.each(Array.from({ length: 13 }, (_, at) => at + 19))("kind %i, which is not assigned", (kind) => {
    expect(refusalOf(() => decodeLeaf(encoded([0, kind], ...common)))).toBe("leaf-kind");
  });

  it("nothing of kinds 32 to 63, which it hashes and gives back byte by byte", () => {
    for (let kind = 32; kind < 64; kind++) {
      const bytes = encoded(
        [0, kind],
        ...common,
        [4, 1],
        [6, [1, new Map([[1, "deep"]])]],
        [63, "x"],
        [64, SALT],
      );
      const leaf = decodeLeaf(bytes);
      expect(leaf).toMatchObject({ kind: "opaque", number: kind, channel: 1, seq: 5 });
      expect(encodeLeaf(leaf)).toEqual(bytes);
    }
  });
});

describe("encodeLeaf refuses", () => {
  const reading = decodeLeaf(encoded(...readingMap));
  const opaque = { kind: "opaque", seq: 5, timeMs: 0, timeQuality: 0, salt: SALT, number: 40 } as const;

  it.each<[string, Leaf, string]>([
    ["status 0", { ...reading, status: 0 }, "leaf-zero-status"],
    [
      "an extension below 64, which would stand for another property",
      { ...reading, extensions: new Map([[6, SALT]]) },
      "leaf-extension",
    ],
    ["an opaque leaf of an assigned kind", { ...opaque, number: 3, body: new Map() }, "leaf-kind"],
    ["an opaque leaf of kind 64", { ...opaque, number: 64, body: new Map() }, "leaf-kind"],
    ["an opaque body with a common key", { ...opaque, body: new Map([[1, 9]]) }, "leaf-unknown-key"],
    ["an opaque body with a kind", { ...opaque, body: new Map([[0, 3]]) }, "leaf-unknown-key"],
    ["an opaque body with an extension", { ...opaque, body: new Map([[64, 9]]) }, "leaf-unknown-key"],
    [
      "a leaf above 4 KiB",
      { ...reading, extensions: new Map([[64, new Uint8Array(MAX_LEAF_BYTES)]]) },
      "leaf-size",
    ],
    ["an integer above 2^53-1", { ...reading, timeMs: 2 ** 53 }, "field"],
    ["a fraction", { ...reading, timeMs: 0.5 }, "field"],
  ])("%s", (_, leaf, code) => {
    expect(refusalOf(() => encodeLeaf(leaf))).toBe(code);
  });
});

function decodedOrRefused(bytes: Uint8Array): Leaf | undefined {
  try {
    return decodeLeaf(bytes);
  } catch (thrown) {
    if (thrown instanceof Problem) return undefined;
    throw thrown;
  }
}
