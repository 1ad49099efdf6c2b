import { concatBytes, equalBytes, toHex } from "./bytes.ts";
import { type CborMap, type CborValue, decodeCborAt, decodeCborMap, encodeCbor } from "./cbor.ts";
import { Problem } from "./problem.ts";
import type { Signer } from "./signature.ts";
import type { Suite } from "./suite.ts";

/**
 * COSE_Sign1 (RFC 9052, 4.2) in the one shape that evidence uses:
 *
 *     D2                       tag 18
 *     84                       array of 4
 *       bstr                   protected header {1: -19 (Ed25519, RFC 9864), 4: kid, 16: type}
 *       A0                     unprotected header, empty
 *       bstr                   payload, a deterministic CBOR map
 *       58 40 …                signature over Sig_structure("Signature1", protected, "", payload)
 */
const ALG = 1;
const KID = 4;
const TYPE = 16;
const ED25519 = -19;
const TAG_18 = 0xd2;
const ARRAY_OF_4 = 0x84;
const EMPTY_MAP = 0xa0;
const MAX_OBJECT_BYTES = 8192;
const OBJECT_LIMITS = { maxDepth: 4, maxLength: MAX_OBJECT_BYTES };
const NOTHING = new Uint8Array(0);

/** The registered text types. A signature over one type can never be taken for another. */
export const OBJECT_TYPES = {
  acceptance: "kilowitness/1 rotation-acceptance",
  challenge: "kilowitness/1 flexibility-challenge",
  checkpoint: "kilowitness/1 checkpoint",
  commitment: "kilowitness/1 flexibility-commitment",
  countersignature: "kilowitness/1 enrolment-countersignature",
  dispatch: "kilowitness/1 flexibility-dispatch",
  dispatchList: "kilowitness/1 flexibility-dispatch-list",
  enrolment: "kilowitness/1 enrolment",
  hello: "kilowitness/1 hello",
  receipt: "kilowitness/1 receipt",
  revocation: "kilowitness/1 revocation",
  rotation: "kilowitness/1 rotation",
} as const;
export type ObjectType = keyof typeof OBJECT_TYPES;

/** A parsed object whose signature has NOT been verified. */
export interface SignedObject {
  readonly type: string;
  /** 32 bytes: the signer's key, or the log id of a checkpoint. */
  readonly kid: Uint8Array;
  readonly payload: CborMap;
  /** The bytes that the signature covers. */
  readonly signedBytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** Signs `payload` as an object of `type`; returns the whole COSE_Sign1. */
export async function signObject(
  signer: Signer,
  object: { readonly type: ObjectType; readonly kid: Uint8Array; readonly payload: CborMap },
): Promise<Uint8Array> {
  const header = encodeCbor(protectedHeader(OBJECT_TYPES[object.type], object.kid));
  const payload = encodeCbor(object.payload);
  const signature = await signer.sign(sigStructure(header, payload));
  return assemble(header, payload, signature);
}

/** The bytes of an object whose signature is known already; nothing is verified. */
export function assembleObject(object: Omit<SignedObject, "signedBytes">): Uint8Array {
  const header = encodeCbor(protectedHeader(object.type, object.kid));
  return assemble(header, encodeCbor(object.payload), object.signature);
}

/** RFC 9052 4.4: `["Signature1", protected, external_aad = h'', payload]`. */
export function sigStructure(protectedBytes: Uint8Array, payload: Uint8Array): Uint8Array {
  return encodeCbor(["Signature1", protectedBytes, NOTHING, payload]);
}

/**
 * Parses a COSE_Sign1 strictly. Throws `cose-…` with the reason: another tag, algorithm, header or shape, a
 * payload that is not a deterministic map, trailing bytes. Verifies nothing.
 */
export function parseObject(bytes: Uint8Array): SignedObject {
  if (bytes.length > MAX_OBJECT_BYTES)
    throw shape("object is too large", `at most ${MAX_OBJECT_BYTES} bytes`, bytes.length);
  if (bytes[0] !== TAG_18 || bytes[1] !== ARRAY_OF_4)
    throw shape("not a COSE_Sign1", "d2 84", bytes.subarray(0, 2));
  const header = byteString(bytes, 2, "protected header");
  if (bytes[header.end] !== EMPTY_MAP)
    throw shape("unprotected header is not empty", "a0", bytes[header.end]);
  const payload = byteString(bytes, header.end + 1, "payload");
  const signature = byteString(bytes, payload.end, "signature");
  if (signature.end !== bytes.length)
    throw shape("bytes after the object", "none", bytes.length - signature.end);
  if (signature.value.length !== 64)
    throw shape("signature has the wrong length", "64 bytes", signature.value.length);
  const { type, kid } = readHeader(header.value);
  return {
    type,
    kid,
    payload: decodeCborMap(payload.value, OBJECT_LIMITS),
    signedBytes: sigStructure(header.value, payload.value),
    signature: signature.value,
  };
}

/**
 * Parses and verifies under profile S: the object must be of `type`, carry `kid`, and be signed by `key` (which
 * the caller has checked once). Throws `cose-type`, `cose-kid`, `cose-signature`, or what {@link parseObject} does.
 */
export function openObject(
  suite: Suite,
  bytes: Uint8Array,
  expected: { readonly type: ObjectType; readonly key: Uint8Array; readonly kid?: Uint8Array },
): CborMap {
  const object = parseObject(bytes);
  requireType(object, expected.type);
  const kid = expected.kid ?? expected.key;
  if (!equalBytes(object.kid, kid))
    throw new Problem("cose-kid", `${expected.type} names another signer or log`);
  if (suite.verifySignature(expected.key, object.signedBytes, object.signature)) return object.payload;
  throw new Problem(
    "cose-signature",
    `the signature of the ${expected.type} is not valid under the expected key`,
  );
}

/** Throws `cose-type` unless the object is of `type`. */
export function requireType(object: SignedObject, type: ObjectType): void {
  if (object.type === OBJECT_TYPES[type]) return;
  throw new Problem("cose-type", "signed object is of another type", {
    expected: OBJECT_TYPES[type],
    got: describeValue(object.type),
  });
}

function protectedHeader(type: string, kid: Uint8Array): CborMap {
  return new Map<number, number | string | Uint8Array>([
    [ALG, ED25519],
    [KID, kid],
    [TYPE, type],
  ]);
}

function readHeader(bytes: Uint8Array): { readonly type: string; readonly kid: Uint8Array } {
  const header = decodeCborMap(bytes, OBJECT_LIMITS);
  const type = header.get(TYPE);
  const kid = header.get(KID);
  if (header.get(ALG) !== ED25519) {
    throw new Problem("cose-algorithm", "algorithm is not allowed", {
      expected: "-19 (Ed25519)",
      got: describeValue(header.get(ALG)),
    });
  }
  if (typeof type !== "string") throw new Problem("cose-type", "protected header has no type");
  if (!(kid instanceof Uint8Array) || kid.length !== 32)
    throw new Problem("cose-kid", '"kid" expected 32 bytes');
  if (header.size !== 3) throw new Problem("cose-header", "protected header has other keys than 1, 4 and 16");
  return { type, kid };
}

function assemble(header: Uint8Array, payload: Uint8Array, signature: Uint8Array): Uint8Array {
  return concatBytes(
    Uint8Array.of(TAG_18, ARRAY_OF_4),
    encodeCbor(header),
    Uint8Array.of(EMPTY_MAP),
    encodeCbor(payload),
    encodeCbor(signature),
  );
}

function byteString(
  bytes: Uint8Array,
  offset: number,
  name: string,
): { readonly value: Uint8Array; readonly end: number } {
  const { value, end } = decodeCborAt(bytes, offset, OBJECT_LIMITS);
  if (value instanceof Uint8Array) return { value, end };
  throw shape(`${name} is not a byte string`, "bstr", `offset ${offset}`);
}

/** For a message: what a stranger sent, short and on one line. */
function describeValue(value: CborValue | undefined): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 64));
  return typeof value === "number" ? String(value) : value === undefined ? "nothing" : "another type";
}

function shape(what: string, expected: string, got: unknown): Problem {
  const found = got instanceof Uint8Array ? toHex(got) : String(got);
  return new Problem("cose-shape", what, { expected, got: found });
}
