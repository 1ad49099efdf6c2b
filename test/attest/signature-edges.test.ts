import { Point } from "@noble/ed25519";
import { sha512 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asciiBytes, concatBytes, fromHex, toHex } from "../../attest/bytes.ts";
import * as native from "../../attest/native.ts";
import * as portable from "../../attest/portable.ts";
import { accepts, flip, oneVerdict, suites, type Triple } from "./signature-kit.ts";

/** Order 8: generates the torsion subgroup. */
const TORSION = Point.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a");
const ORDER = Point.CURVE().n;
const scalar = fc.bigInt({ min: 1n, max: ORDER - 1n });
const torsion = fc.integer({ min: 0, max: 7 });

function withTorsion(point: Point, times: number): Uint8Array {
  return point.add(TORSION.multiplyUnsafe(BigInt(times))).toBytes();
}

/** S + L: the same equation, refused because one message would have two signatures. */
function addOrder(signature: Uint8Array): Uint8Array {
  const s = BigInt(`0x${toHex(signature.slice(32).reverse())}`) + ORDER;
  return concatBytes(signature.subarray(0, 32), fromHex(s.toString(16).padStart(64, "0"), "S").reverse());
}

describe("keys", () => {
  it("accepts a point exactly if it has no torsion component", () => {
    fc.assert(
      fc.property(scalar, torsion, (a, times) => {
        const key = withTorsion(Point.BASE.multiply(a), times);
        expect(portable.portableSuite.checkPublicKey(key)).toBe(times === 0);
      }),
      { numRuns: 40 },
    );
  });

  it("refuses the eight points of small order, the identity among them", () => {
    for (let times = 0; times < 8; times++) {
      expect(portable.portableSuite.checkPublicKey(withTorsion(Point.ZERO, times))).toBe(false);
    }
  });

  it("refuses encodings that are not canonical", () => {
    const field = Point.CURVE().p;
    for (let excess = 0n; excess < 19n; excess++) {
      const low = fromHex((field + excess).toString(16).padStart(64, "0"), "y").reverse();
      expect(portable.portableSuite.checkPublicKey(low)).toBe(false);
      expect(portable.portableSuite.checkPublicKey(flip(low, 255))).toBe(false);
    }
    const negativeZero = flip(Point.ZERO.toBytes(), 255);
    expect(portable.portableSuite.checkPublicKey(negativeZero)).toBe(false);
  });

  it("refuses every other length", () => {
    const { publicKey } = native.nativeSigner(new Uint8Array(32));
    expect(native.nativeSuite.checkPublicKey(publicKey)).toBe(true);
    for (const key of [publicKey.subarray(1), concatBytes(publicKey, Uint8Array.of(0)), new Uint8Array(0)]) {
      expect(native.nativeSuite.checkPublicKey(key)).toBe(false);
      oneVerdict({ key, message: new Uint8Array(0), signature: new Uint8Array(64) });
    }
  });
});

describe("one verdict of both suites", () => {
  const signer = native.nativeSigner(new Uint8Array(32).fill(5));
  const signedMessage = fc.uint8Array({ maxLength: 120 }).map((message) => ({
    key: signer.publicKey,
    message,
    signature: signer.sign(message),
  }));
  const bit = fc.integer({ min: 0, max: 511 });

  it("accepts what was signed and refuses every flipped bit of signature, key and message", () => {
    fc.assert(
      fc.property(signedMessage, bit, (triple, at) => {
        expect(oneVerdict(triple)).toBe(true);
        expect(oneVerdict({ ...triple, signature: flip(triple.signature, at) })).toBe(false);
        expect(oneVerdict({ ...triple, key: flip(triple.key, at % 256) })).toBe(false);
        expect(oneVerdict({ ...triple, message: concatBytes(triple.message, Uint8Array.of(0)) })).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  it("refuses S + L, other lengths, the identity as R, and random signatures", () => {
    fc.assert(
      fc.property(signedMessage, fc.uint8Array({ minLength: 64, maxLength: 64 }), (triple, random) => {
        const { signature } = triple;
        const identity = concatBytes(Point.ZERO.toBytes(), signature.subarray(32));
        const others = [addOrder(signature), signature.subarray(0, 63), identity, random, new Uint8Array(0)];
        for (const other of others) expect(oneVerdict({ ...triple, signature: other })).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  it("sees torsion in R and in the key that a cofactored verifier would not", () => {
    fc.assert(
      fc.property(scalar, torsion, torsion, (a, inKey, inR) => {
        const triple = signWithTorsion(a, inKey, inR);
        const verdict = oneVerdict(triple);
        if (inKey === 0) expect(verdict).toBe(inR === 0);
        for (const [, suite] of suites) expect(accepts(suite, triple)).toBe(inKey === 0 && inR === 0);
      }),
      { numRuns: 60 },
    );
  });

  it("gives the same verdict after the imported key was dropped for many others", () => {
    const message = Uint8Array.of(7);
    const first = { key: signer.publicKey, message, signature: signer.sign(message) };
    expect(oneVerdict(first)).toBe(true);
    for (let i = 0; i < 1100; i++) {
      const key = new Uint8Array(32).fill(i % 251, 2);
      key[0] = i % 256;
      key[1] = Math.floor(i / 256);
      expect(native.nativeSuite.verifySignature(key, message, first.signature)).toBe(false);
    }
    expect(oneVerdict(first)).toBe(true);
  });
});

/** Solves the cofactored equation for a key and an R that carry torsion: S = r + k a. */
function signWithTorsion(a: bigint, inKey: number, inR: number): Triple {
  const message = asciiBytes(`torsion ${inKey} ${inR}`, "message");
  const key = withTorsion(Point.BASE.multiply(a), inKey);
  const nonce = (a * 7n + 1n) % ORDER || 1n;
  const r = withTorsion(Point.BASE.multiply(nonce), inR);
  const digest = sha512(concatBytes(r, key, message));
  const k = BigInt(`0x${toHex(digest.reverse())}`) % ORDER;
  const s = (nonce + k * a) % ORDER;
  return {
    key,
    message,
    signature: concatBytes(r, fromHex(s.toString(16).padStart(64, "0"), "S").reverse()),
  };
}
