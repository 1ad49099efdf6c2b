import { createHash } from "node:crypto";
import { asciiBytes, concatBytes, u32be } from "../../../attest/bytes.ts";
import { nativeSigner } from "../../../attest/native.ts";
import type { LocalSigner } from "../../../attest/signature.ts";

/** Who signs in the vectors. The seeds are named in `attest/vectors/README.md`; nothing else may use these keys. */
export function signerOf(seed: number): LocalSigner {
  return nativeSigner(new Uint8Array(32).fill(seed));
}

export const device: LocalSigner = signerOf(1);
export const nodeA: LocalSigner = signerOf(0xa);
export const nodeB: LocalSigner = signerOf(0xb);
export const recovery: LocalSigner = signerOf(3);
export const registrar: LocalSigner = signerOf(4);
export const secondKey: LocalSigner = signerOf(5);
export const thirdKey: LocalSigner = signerOf(6);
export const fourthKey: LocalSigner = signerOf(7);
export const stranger: LocalSigner = signerOf(9);

export const NETWORK = "example-grid";
/** A whole quarter of an hour, UTC. */
export const START_MS: number = Date.UTC(2026, 0, 5, 12);
export const MINUTE_MS = 60_000;
export const QUARTER_MS = 900_000;

/** SHA-256 by Node's own library. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(
    createHash("sha256")
      .update(concatBytes(...parts))
      .digest(),
  );
}

/** The id of a log, by its definition. */
export function logIdOf(network: string, key: Uint8Array, epoch: number): Uint8Array {
  return sha256(asciiBytes(`kilowitness/1 log\0${network}\0`, "tag"), key, u32be(epoch));
}

/** 16 bytes for the salt of a leaf that is in no log. */
export function saltOf(seq: number): Uint8Array {
  return sha256(asciiBytes(`salt ${seq}`, "salt")).slice(0, 16);
}

/** 32 bytes that stand for a hash of something. */
export function someHash(name: string): Uint8Array {
  return sha256(asciiBytes(name, "name"));
}
