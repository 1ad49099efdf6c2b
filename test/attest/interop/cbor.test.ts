import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../../attest/bytes.ts";
import { type CborMap, decodeCbor, encodeCbor } from "../../../attest/cbor.ts";
import { decodeLeaf, encodeLeaf } from "../../../attest/leaf-codec.ts";
import { refusalOf } from "../refusal.ts";
import { chooserOf, damaged, sloppy } from "./cbor-changes.ts";
import { anyMap, anyValue } from "./cbor-values.ts";
import { askCbor2, describeValue, python } from "./cbor2.ts";
import { DEFINED_KINDS, type DefinedKind, type LeafSample, leafOf, opaqueLeaf } from "./leaf-samples.ts";

/** What cbor2 writes of each of these is refused, for this reason. */
const OUTSIDE: Readonly<Record<string, string>> = {
  false: "cbor-type",
  true: "cbor-type",
  null: "cbor-type",
  undefined: "cbor-type",
  "a simple value": "cbor-type",
  "a float": "cbor-type",
  "a whole float": "cbor-type",
  "not a number": "cbor-type",
  "an integer of 54 bits": "cbor-integer",
  "an integer of 64 bits": "cbor-integer",
  "a negative integer of 54 bits": "cbor-integer",
  "a negative integer of 64 bits": "cbor-integer",
  "a big number": "cbor-type",
  "a negative big number": "cbor-type",
  "a tag": "cbor-type",
  "an instant": "cbor-type",
  "a decimal": "cbor-type",
  "a fraction": "cbor-type",
  "a UUID": "cbor-type",
  "a set": "cbor-type",
  "a text as key": "cbor-key",
  "bytes as key": "cbor-key",
  "a negative key": "cbor-key",
  "a list as key": "cbor-depth",
  "a key of 54 bits": "cbor-integer",
  "a boolean as key": "cbor-type",
  "five levels": "cbor-depth",
  "a list that is too long": "cbor-length",
  "bytes that are too long": "cbor-length",
  "a list shared by two": "cbor-type",
};

const choices = fc.array(fc.nat(), { minLength: 20, maxLength: 60 }).map(chooserOf);

function samplesOf(kind: DefinedKind): LeafSample[] {
  return [...fc.sample(leafOf(kind, true), 10), ...fc.sample(leafOf(kind, false), 50)];
}

/** Other bytes for the same value, and bytes that may be anything. */
function changesOf(samples: readonly LeafSample[]): Uint8Array[] {
  const same = fc.tuple(fc.oneof(anyValue, fc.constantFrom(...samples.map(({ pairs }) => pairs))), choices);
  return fc.sample(same, 1500).flatMap(([value, choose]) => {
    const bytes = sloppy(value, choose);
    return [bytes, damaged(bytes, choose), damaged(encodeCbor(value), choose)];
  });
}

/** The map with its pairs the other way round. */
function turned(map: CborMap): CborMap {
  return new Map([...map].reverse());
}

describe("CBOR against cbor2", () => {
  if (python === undefined) return void it.skip("cbor2 is not installed");
  const leaves = [...DEFINED_KINDS.flatMap(samplesOf), ...fc.sample(opaqueLeaf, 100)];
  const changes = changesOf(leaves);
  const values = [...fc.sample(anyValue, 600), ...fc.sample(anyMap, 400)];
  const maps = fc.sample(anyMap, 400).map(turned);
  const encoded = leaves.map(({ leaf }) => encodeLeaf(leaf));
  const { read, write, outside } = askCbor2(python, {
    read: [...encoded, ...changes],
    write: [...leaves.map(({ pairs }) => turned(pairs)), ...values, ...maps],
  });
  const [ofLeaves, ofChanges] = [read.slice(0, leaves.length), read.slice(leaves.length)];
  const [leavesWritten, valuesWritten] = [write.slice(0, leaves.length), write.slice(leaves.length)];

  it("reads every leaf of every kind as its field table says, and writes the same bytes", () => {
    for (const [at, { pairs }] of leaves.entries()) {
      const hex = toHex(encoded[at] ?? new Uint8Array(0));
      expect(ofLeaves[at], hex).toEqual({ value: describeValue(pairs), canonical: hex });
    }
    console.log(`cbor2: ${leaves.length} leaves of ${DEFINED_KINDS.length} kinds and of opaque ones`);
  });

  it("writes what a field table says as the leaf that we read", () => {
    for (const [at, { leaf }] of leaves.entries())
      expect(decodeLeaf(bytesOf(leavesWritten[at]?.canonical))).toEqual(leaf);
  });

  it("writes any value of the subset as we do, and we read it", () => {
    for (const [at, value] of [...values, ...maps].entries()) {
      const hex = valuesWritten[at]?.canonical;
      expect(toHex(encodeCbor(value))).toBe(hex);
      expect(decodeCbor(bytesOf(hex))).toEqual(value);
    }
    console.log(`cbor2: ${valuesWritten.length} values of the subset, both ways`);
  });

  it("writes maps in the order given, when not asked for the canonical one, and then we refuse them", () => {
    const refused = write.filter(({ canonical, plain }) => {
      const code = refusalOf(() => decodeCbor(bytesOf(plain)));
      expect(code, plain).toBe(plain === canonical ? undefined : "cbor-key-order");
      return code !== undefined;
    });
    expect(refused.length).toBeGreaterThan(leaves.length);
    console.log(`cbor2: ${refused.length} of ${write.length} in another order, refused`);
  });

  it("writes what is outside the subset, which we refuse for the right reason", () => {
    const reasons = outside.map(([name, hex]) => [name, refusalOf(() => decodeCbor(bytesOf(hex)))]);
    expect(Object.fromEntries(reasons)).toEqual(OUTSIDE);
  });

  it("decides as we do what is the one encoding of a value of the subset, whatever the bytes", () => {
    const counts = { taken: 0, otherwise: 0, outside: 0, unreadable: 0 };
    for (const [at, { canonical, value }] of ofChanges.entries()) {
      const bytes = changes[at] ?? new Uint8Array(0);
      const hex = toHex(bytes);
      const inside = value !== undefined;
      expect(refusalOf(() => decodeCbor(bytes)) === undefined, hex).toBe(inside && canonical === hex);
      if (inside) expect(describeValue(decodeCbor(bytesOf(canonical))), hex).toEqual(value);
      if (inside) counts[canonical === hex ? "taken" : "otherwise"] += 1;
      else counts[canonical === undefined ? "unreadable" : "outside"] += 1;
    }
    console.log(`cbor2: ${changes.length} changed encodings, ${JSON.stringify(counts)}`);
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(50);
  });
});

function bytesOf(hex: string | undefined): Uint8Array {
  return fromHex(hex ?? "", "cbor2");
}
