import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../../attest/bytes.ts";
import { type CborMap, encodeCbor } from "../../../attest/cbor.ts";
import { OBJECT_TYPES, type ObjectType, openObject, parseObject, signObject } from "../../../attest/cose.ts";
import { testSigner } from "../../kit/log-builder.ts";
import { flippedBits } from "../refusal.ts";
import { suites } from "../signature-kit.ts";
import { anyMap } from "./cbor-values.ts";
import { ED25519, EDDSA, librarySign, libraryVerify } from "./cose-library.ts";
import { type HonestObject, honestObjects } from "./cose-objects.ts";

const objects = await honestObjects();
const types = Object.keys(OBJECT_TYPES) as ObjectType[];
/** cborg 4.5.8 drops a U+FEFF at the front of a text when it reads; whoever reads so can still verify. */
const anyPayload = anyMap.filter((map) => !toHex(encodeCbor(map)).includes("efbbbf"));
const seedOf = (seed: number): Uint8Array => new Uint8Array(32).fill(seed);
const keyOf = (seed: number): Uint8Array => testSigner(seed).publicKey;

/** What an object of this format must look like to whoever reads it. */
function seenAs(type: ObjectType, kid: Uint8Array, payload: CborMap): unknown {
  const header = new Map<number, number | string | Uint8Array>([
    [1, ED25519],
    [4, kid],
    [16, OBJECT_TYPES[type]],
  ]);
  return { header, unprotected: new Map(), payload };
}

function accepts(key: Uint8Array, bytes: Uint8Array): boolean {
  try {
    libraryVerify(key, bytes);
    return true;
  } catch {
    return false; // the library throws whatever comes
  }
}

describe("signed objects against @ldclabs/cose-ts", () => {
  it("are one of every type that a device's life has", () => {
    expect(new Set(objects.map(({ type }) => type)).size).toBe(8);
  });

  it.each(objects)("it verifies our $name and reads in it what we wrote", ({ type, seed, kid, bytes }) => {
    expect(libraryVerify(keyOf(seed), bytes)).toEqual(seenAs(type, kid, parseObject(bytes).payload));
    expect(accepts(keyOf(9), bytes)).toBe(false);
  });

  it.each(objects)("it writes the same bytes for the $name, and we open them", (object: HonestObject) => {
    const { type, seed, kid, bytes, open } = object;
    const signed = { type: OBJECT_TYPES[type], kid, payload: parseObject(bytes).payload };
    const theirs = librarySign(seedOf(seed), signed);
    expect(toHex(theirs)).toBe(toHex(bytes));
    for (const [, suite] of suites) expect(() => open(suite, theirs)).not.toThrow();
  });

  it("takes an object of any payload, both ways", async () => {
    let count = 0;
    const run = async (type: ObjectType, seed: number, payload: CborMap): Promise<void> => {
      const kid = keyOf(seed);
      const ours = await signObject(testSigner(seed), { type, kid, payload });
      expect(libraryVerify(kid, ours)).toEqual(seenAs(type, kid, payload));
      const theirs = librarySign(seedOf(seed), { type: OBJECT_TYPES[type], kid, payload });
      expect(toHex(theirs)).toBe(toHex(ours));
      for (const [, suite] of suites) expect(openObject(suite, theirs, { type, key: kid })).toEqual(payload);
      count += 1;
    };
    const any = fc.asyncProperty(fc.constantFrom(...types), fc.integer({ min: 1, max: 8 }), anyPayload, run);
    await fc.assert(any, { numRuns: 100 });
    console.log(
      `cose-ts: ${objects.length} honest objects, ${count} of ${types.length} types with any payload`,
    );
  });

  it("is refused by it with any byte changed, so that its yes says something", () => {
    const receipt = objects.find(({ type }) => type === "receipt");
    if (receipt === undefined) throw new Error("no receipt");
    const changed = [...flippedBits(receipt.bytes)].filter((_, bit) => bit % 9 === 0);
    expect(changed.length).toBeGreaterThan(190);
    expect(changed.filter((bytes) => accepts(keyOf(receipt.seed), bytes))).toEqual([]);
  });

  it("still has to be told that -19 is Ed25519: by itself it names it -8", () => {
    for (const { seed, bytes } of objects)
      expect(() => libraryVerify(keyOf(seed), bytes, EDDSA)).toThrow("alg mismatch, expected -19, got -8");
  });
});
