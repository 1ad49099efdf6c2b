import { createHash } from "node:crypto";
import { Point } from "@noble/ed25519";
import { concatBytes, fromHex, toHex } from "../../../attest/bytes.ts";
import { type CborMap, type CborValue, encodeCbor } from "../../../attest/cbor.ts";
import { checkpoint } from "./checkpoints.ts";
import { bad, type Draft } from "./draft.ts";
import { logIdOf, NETWORK, START_MS, someHash } from "./keys.ts";
import { assembled, TYPES, usualHeader } from "./sealing.ts";

/**
 * Where implementations of Ed25519 disagree: keys and signatures that satisfy the equation of some verifiers, and
 * that profile S refuses. The arithmetic is that of RFC 8032 over secret scalars made of names.
 */
const ORDER = Point.CURVE().n;
/** Order 8: generates all points of small order. */
const TORSION = Point.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a");

export function signatureEdgeDrafts(): Draft[] {
  return [...signatureEdges(), ...smallKeys(), ...otherKeys()];
}

/** One who signs by hand: secret scalar, nonce, and what is added to key and R. */
interface Hand {
  readonly secret: bigint;
  readonly nonce: bigint;
  readonly key: Uint8Array;
  readonly r: Uint8Array;
  /** Times L is added to S. */
  readonly orders?: bigint;
  /** Goes on until k is a multiple of it, so that torsion in the key does not show. */
  readonly multiple?: bigint;
}

function scalarOf(name: string): bigint {
  return BigInt(`0x${toHex(someHash(name))}`) % ORDER;
}

const secret = scalarOf("secret");
const nonce = scalarOf("nonce");
const honest = {
  ...{ secret, nonce, key: Point.BASE.multiply(secret).toBytes() },
  r: Point.BASE.multiply(nonce).toBytes(),
};

/** A checkpoint of the hand's key and the input that goes with it. */
function signed(hand: Hand): object {
  for (let issuedAtMs = START_MS; ; issuedAtMs++) {
    const header = encodeCbor(usualHeader(TYPES.checkpoint, logIdOf(NETWORK, hand.key, 1)));
    const payload = encodeCbor(payloadAt(issuedAtMs));
    const message = encodeCbor(["Signature1", header, new Uint8Array(0), payload]);
    const digest = createHash("sha512")
      .update(concatBytes(hand.r, hand.key, message))
      .digest();
    const k = BigInt(`0x${digest.reverse().toString("hex")}`) % ORDER;
    if (k % (hand.multiple ?? 1n) !== 0n) continue;
    const s = ((hand.nonce + k * hand.secret) % ORDER) + (hand.orders ?? 0n) * ORDER;
    const bytes = fromHex(s.toString(16).padStart(64, "0"), "S").reverse();
    const whole = assembled(header, payload, concatBytes(hand.r, bytes));
    return { deviceKey: hand.key, checkpoint: whole };
  }
}

function payloadAt(issuedAtMs: number): CborMap {
  return new Map<number, CborValue>([
    [1, 8],
    [2, someHash("root")],
    [3, START_MS],
    [4, issuedAtMs],
    [5, 3],
    [6, 7],
    [7, someHash("manifest")],
  ]);
}

function withTorsion(point: Point, times: bigint): Uint8Array {
  return point.add(TORSION.multiplyUnsafe(times)).toBytes();
}

/** The honest hand is in place of the device here, so that only what an edge is about differs. */
function edge(fault: string, about: string, code: string, hand: Partial<Hand>): Draft {
  const { object, input } = checkpoint;
  const whole = bad({ object, input }, fault, { about, code, input: signed({ ...honest, ...hand }) });
  const good = bad({ object, input }, fault, { about, code, input: signed(honest) });
  return { ...whole, mended: { object, input: good.input } };
}

function signatureEdges(): Draft[] {
  const code = "cose-signature";
  const negative = concatBytes(Point.ZERO.toBytes().subarray(0, 31), Uint8Array.of(0x80));
  return [
    edge("s-plus-order", "S + L: the same equation, and a second signature of one message.", code, {
      orders: 1n,
    }),
    edge("r-identity", "R is the identity; the equation holds.", code, {
      ...{ nonce: 0n, r: Point.ZERO.toBytes() },
    }),
    edge("r-identity-sign", "R is the identity with a sign.", code, { nonce: 0n, r: negative }),
    edge("r-identity-large", "R is the identity with y = p + 1.", code, {
      ...{ nonce: 0n, r: fromHex(`ee${"ff".repeat(30)}7f`, "R") },
    }),
    edge("r-small", "R has order 8; only a verifier that multiplies by the cofactor accepts.", code, {
      ...{ nonce: 0n, r: withTorsion(Point.ZERO, 1n) },
    }),
    edge("r-torsion", "R has a part of order 8; only a verifier with the cofactor accepts.", code, {
      r: withTorsion(Point.BASE.multiply(nonce), 1n),
    }),
    edge("r-torsion-2", "R has a part of order 2; only a verifier with the cofactor accepts.", code, {
      r: withTorsion(Point.BASE.multiply(nonce), 4n),
    }),
  ];
}

function smallKeys(): Draft[] {
  const small = (fault: string, about: string, key: Uint8Array): Draft =>
    edge(fault, about, "key-invalid", { secret: 0n, key, multiple: 8n });
  return [
    small("key-identity", "The key is the identity; the equation holds.", Point.ZERO.toBytes()),
    small("key-order-2", "A key of order 2; the equation holds.", withTorsion(Point.ZERO, 4n)),
    small("key-order-4", "A key of order 4; the equation holds.", withTorsion(Point.ZERO, 2n)),
    small("key-order-8", "A key of order 8; the equation holds.", withTorsion(Point.ZERO, 1n)),
    small("key-identity-large", "The identity with y = p + 1.", fromHex(`ee${"ff".repeat(30)}7f`, "key")),
    small("key-identity-sign", "The identity with a sign.", fromHex(`01${"00".repeat(30)}80`, "key")),
  ];
}

function otherKeys(): Draft[] {
  const mixed = (times: bigint): Partial<Hand> => ({
    ...{ key: withTorsion(Point.BASE.multiply(secret), times), multiple: 8n },
  });
  return [
    edge("key-mixed-8", "A key with a part of order 8; the equation holds.", "key-invalid", mixed(1n)),
    edge("key-mixed-2", "A key with a part of order 2; the equation holds.", "key-invalid", mixed(4n)),
    edge("key-large", "A key with y = p + 3, above the prime.", "key-invalid", {
      key: fromHex(`f0${"ff".repeat(30)}7f`, "key"),
    }),
    edge("key-no-point", "A key that is no point: y = 2.", "key-invalid", {
      key: fromHex(`02${"00".repeat(31)}`, "key"),
    }),
    edge("key-short", "A key of 31 bytes.", "key-invalid", { key: honest.key.slice(1) }),
  ];
}
