import { concatBytes } from "../../../attest/bytes.ts";
import { type CborMap, type CborValue, encodeCbor } from "../../../attest/cbor.ts";

/** Signed objects put together by hand, so that any part of one can be wrong and all the others right. */
export const TYPES = {
  acceptance: "kilowitness/1 rotation-acceptance",
  checkpoint: "kilowitness/1 checkpoint",
  countersignature: "kilowitness/1 enrolment-countersignature",
  enrolment: "kilowitness/1 enrolment",
  hello: "kilowitness/1 hello",
  receipt: "kilowitness/1 receipt",
  revocation: "kilowitness/1 revocation",
  rotation: "kilowitness/1 rotation",
} as const;

/** Who signs: a key and what makes 64 bytes of a message. */
export interface Signing {
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

/** What is sealed, and what is unusual about it. */
export interface Sealing {
  readonly type: string;
  /** The signer's key unless given. */
  readonly kid?: Uint8Array;
  readonly payload: CborMap | Uint8Array;
  /** The protected header, whole, where it is not the usual one. */
  readonly header?: CborMap | Uint8Array;
}

/** A COSE_Sign1 over the payload, signed. Bytes given as header or payload are taken as they are. */
export function sealed(signer: Signing, sealing: Sealing): Uint8Array {
  const { type, kid = signer.publicKey, payload } = sealing;
  const header = bytesFor(sealing.header ?? usualHeader(type, kid));
  const body = bytesFor(payload);
  const signature = signer.sign(encodeCbor(["Signature1", header, new Uint8Array(0), body]));
  return assembled(header, body, signature);
}

/** Tag 18 and an array of four, the unprotected header empty. */
export function assembled(header: Uint8Array, payload: Uint8Array, signature: Uint8Array): Uint8Array {
  const [protectedPart, payloadPart, signaturePart] = [header, payload, signature].map((part) =>
    encodeCbor(part),
  );
  if (!protectedPart || !payloadPart || !signaturePart) throw new Error("three parts");
  return concatBytes(
    Uint8Array.of(0xd2, 0x84),
    protectedPart,
    Uint8Array.of(0xa0),
    payloadPart,
    signaturePart,
  );
}

/** {1: -19, 4: kid, 16: type}, with some keys set to other values, or left out by `undefined`. */
export function usualHeader(
  type: string,
  kid: Uint8Array,
  changes: Readonly<Record<number, CborValue | undefined>> = {},
): CborMap {
  return changed(
    new Map<number, CborValue>([
      [1, -19],
      [4, kid],
      [16, type],
    ]),
    changes,
  );
}

/** A copy of a map with some keys set to other values, or left out by `undefined`. */
export function changed(
  map: CborMap,
  changes: Readonly<Record<number, CborValue | undefined>>,
): Map<number, CborValue> {
  const copy = new Map(map);
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) copy.delete(Number(key));
    else copy.set(Number(key), value);
  }
  return copy;
}

/** A copy of bytes in which one byte is another one; counted from the end below 0. */
export function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice();
  const place = at < 0 ? bytes.length + at : at;
  copy[place] = (copy[place] ?? 0) ^ 1;
  return copy;
}

function bytesFor(part: CborMap | Uint8Array): Uint8Array {
  return part instanceof Uint8Array ? part : encodeCbor(part);
}
