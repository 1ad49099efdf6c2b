import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, toHex } from "../../attest/bytes.ts";
import { type CborValue, encodeCbor } from "../../attest/cbor.ts";
import { type Leaf, REGISTER, type ReadingLeaf } from "../../attest/leaf.ts";
import { decodeAnyLeafAt, decodeLeafAt, encodeAnyLeaf, encodeLeaf } from "../../attest/leaf-codec.ts";
import { decodeReadingAt, encodeReading, endOfReading } from "../../attest/reading-codec.ts";
import { type ReadingFacts, ReadingScan } from "../../attest/reading-scan.ts";
import { outcomeOf } from "./refusal.ts";

/** Integers on both sides of every length of a CBOR head. */
const EDGES = [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1];
const uint = fc.oneof(fc.constantFrom(...EDGES), fc.maxSafeNat(), fc.nat(300));
const int = fc.oneof(
  uint,
  uint.map((value) => (value === 0 ? -1 : -value)),
  fc.constant(-(2 ** 53 - 1)),
);
const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
const uints = fc.array(uint, { minLength: 1, maxLength: 8 });
const optional = {
  ...{ status: uint, importMwh: uint, exportMwh: uint, activePowerMw: int, stateOfChargePpm: uint },
  ...{ voltageMv: uints, currentMa: uints, frequencyMhz: uint, meterTimeMs: uint },
  ...{ evidence: bytes16, resolutionMwh: uint },
};
const reading: fc.Arbitrary<ReadingLeaf> = fc.record(
  {
    ...{ kind: fc.constant("reading" as const), seq: uint, timeMs: uint, timeQuality: fc.nat(4) },
    ...{ salt: bytes16, channel: uint, ...optional, status: fc.integer({ min: 1, max: 0xffff_ffff }) },
  },
  { requiredKeys: ["kind", "seq", "timeMs", "timeQuality", "salt", "channel"] },
);

/** What stands in no sound reading, or only under another key. */
const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(-0, Number.NaN, Infinity, 0.5, -1, 2 ** 53, -(2 ** 53), 5, null, undefined, "1", true, {}),
  fc.uint8Array({ maxLength: 20 }),
  fc.array(fc.constantFrom<unknown>(0, -0, -1, 2 ** 53, "1", undefined), { maxLength: 9 }),
);
const extensions = fc.constantFrom(
  new Map<number, Uint8Array>(),
  new Map([[64, new Uint8Array(3)]]),
  new Map([[63, new Uint8Array(3)]]),
);
const names = ["seq", "timeMs", "timeQuality", "salt", "channel", ...Object.keys(optional)];
const oddReading: fc.Arbitrary<Leaf> = fc.oneof(
  fc
    .tuple(reading, fc.constantFrom(...names), odd)
    .map(([leaf, name, value]) => ({ ...leaf, [name]: value }) as unknown as Leaf),
  fc.tuple(reading, extensions).map(([leaf, map]) => ({ ...leaf, extensions: map })),
);

type Change = (bytes: Uint8Array) => Uint8Array;
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(fc.nat(), fc.nat(255)).map(([place, byte]): Change => {
    return (bytes) => bytes.with(place % bytes.length, byte);
  }),
  fc.tuple(fc.nat(), fc.nat(7)).map(([place, bit]): Change => {
    return (bytes) => bytes.map((byte, at) => (at === place % bytes.length ? byte ^ (1 << bit) : byte));
  }),
  fc.nat().map((place): Change => {
    return (bytes) => bytes.slice(0, place % bytes.length);
  }),
  fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 9 })).map(([place, more]): Change => {
    return (bytes) =>
      concatBytes(bytes.slice(0, place % bytes.length), more, bytes.slice(place % bytes.length));
  }),
  fc.nat().map((place): Change => {
    return (bytes) =>
      concatBytes(bytes.slice(0, place % bytes.length), bytes.slice((place % bytes.length) + 1));
  }),
);

describe("a reading, written straight to bytes", () => {
  it("has the bytes that the general encoder gives it", () => {
    fc.assert(
      fc.property(reading, (leaf) => {
        const bytes = encodeReading(leaf);
        expect(bytes).toBeDefined();
        expect(toHex(bytes ?? new Uint8Array(0))).toBe(toHex(encodeAnyLeaf(leaf)));
      }),
      { numRuns: 1000 },
    );
  });

  it("is refused as the general encoder refuses it, whatever one of its properties is", () => {
    fc.assert(
      fc.property(oddReading, (leaf) => {
        expect(outcomeOf(() => toHex(encodeLeaf(leaf)))).toEqual(outcomeOf(() => toHex(encodeAnyLeaf(leaf))));
      }),
      { numRuns: 2000 },
    );
  });

  it("keeps its bytes when more readings are written after it", () => {
    fc.assert(
      fc.property(fc.array(reading, { minLength: 200, maxLength: 200 }), (leaves) => {
        const encoded = leaves.map(encodeLeaf);
        expect(encoded.map(toHex)).toEqual(leaves.map((leaf) => toHex(encodeAnyLeaf(leaf))));
      }),
      { numRuns: 5 },
    );
  });
});

describe("a reading, read straight from bytes", () => {
  it("is the leaf that the general decoder gives, in the same order, with the same end", () => {
    fc.assert(
      fc.property(reading, fc.uint8Array({ maxLength: 5 }), fc.uint8Array({ maxLength: 5 }), (leaf, a, b) => {
        const bytes = concatBytes(a, encodeAnyLeaf(leaf), b);
        const general = decodeAnyLeafAt(bytes, a.length);
        const fast = decodeReadingAt(bytes, a.length);
        expect(fast).toStrictEqual(general.leaf);
        expect(endOfReading()).toBe(general.end);
        expect(Object.keys(fast ?? {})).toEqual(Object.keys(general.leaf));
      }),
      { numRuns: 1000 },
    );
  });

  it("is taken or refused as the general decoder says, in the same words, whatever was changed", () => {
    let taken = 0;
    fc.assert(
      fc.property(reading, fc.array(change, { minLength: 1, maxLength: 2 }), (leaf, changes) => {
        const bytes = changes.reduce((at, next) => (at.length === 0 ? at : next(at)), encodeAnyLeaf(leaf));
        const outcome = outcomeOf(() => decodeLeafAt(bytes, 0));
        if (decodeReadingAt(bytes, 0) !== undefined) taken += 1;
        expect(outcome).toEqual(outcomeOf(() => decodeAnyLeafAt(bytes, 0)));
      }),
      { numRuns: 5000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it("is refused alike when any map of plain values stands where it should", () => {
    const value: fc.Arbitrary<CborValue> = fc.oneof(int, bytes16, uints, fc.string({ maxLength: 3 }));
    const map = fc
      .array(fc.tuple(fc.oneof(fc.nat(17), fc.integer({ min: 60, max: 70 })), value), { maxLength: 25 })
      .map((pairs) => new Map(pairs));
    fc.assert(
      fc.property(map, (values) => {
        const bytes = encodeCbor(values);
        expect(outcomeOf(() => decodeLeafAt(bytes, 0))).toEqual(outcomeOf(() => decodeAnyLeafAt(bytes, 0)));
      }),
      { numRuns: 2000 },
    );
  });

  it("shows the rules what the leaf shows them", () => {
    fc.assert(
      fc.property(reading, (leaf) => {
        const scan = new ReadingScan();
        expect(scan.read(encodeAnyLeaf(leaf), 0)).toBe(true);
        expect(factsOf(scan)).toEqual(factsOf(new ReadingScan().of(leaf)));
        expect(factsOf(scan)).toEqual({
          ...{ seq: leaf.seq, timeMs: leaf.timeMs, timeQuality: leaf.timeQuality, channel: leaf.channel },
          status: leaf.status ?? 0,
          importMwh: leaf.importMwh ?? "none",
          exportMwh: leaf.exportMwh ?? "none",
          activePowerMw: leaf.activePowerMw ?? "none",
        });
      }),
      { numRuns: 500 },
    );
  });

  it("does not change when the bytes that it was read from do", () => {
    const leaf = { kind: "reading", seq: 1, timeMs: 2, timeQuality: 3, channel: 4 } as const;
    const salt = new Uint8Array(16).fill(5);
    const bytes = encodeLeaf({ ...leaf, salt, evidence: salt }).slice();
    const decoded = decodeLeafAt(bytes, 0).leaf;
    bytes.fill(0);
    expect(decoded).toEqual({ ...leaf, salt, evidence: salt });
  });
});

/** As a leaf has them: what is not there has no number. */
function factsOf(facts: ReadingFacts): Readonly<Record<string, number | string>> {
  const { seq, timeMs, timeQuality, channel, status, registers, hasPower } = facts;
  return {
    ...{ seq, timeMs, timeQuality, channel, status },
    importMwh: (registers & REGISTER.import) === 0 ? "none" : facts.importMwh,
    exportMwh: (registers & REGISTER.export) === 0 ? "none" : facts.exportMwh,
    activePowerMw: hasPower ? facts.activePowerMw : "none",
  };
}
