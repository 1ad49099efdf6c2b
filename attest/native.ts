import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { concatBytes, fromHex } from "./bytes.ts";
import { LruCache } from "./lru-cache.ts";
import { Sha256Lanes } from "./sha256-lanes.ts";
import {
  isPrimeOrderKey,
  isWellFormed,
  type LocalSigner,
  requireSame,
  requireSeed,
  requireVerified,
} from "./signature.ts";
import type { Parts, Suite } from "./suite.ts";

/** DER before the 32 bytes of a public key and of a seed (RFC 8410, sections 4 and 7). */
const SPKI_PREFIX = fromHex("302a300506032b6570032100", "SPKI prefix");
const PKCS8_PREFIX = fromHex("302e020100300506032b657004220420", "PKCS #8 prefix");

/** Enough for the devices that stream to one process at a time; beyond it a key is imported again. */
const KEPT_KEYS = 1024;

const keyObjects = new LruCache<string, KeyObject>(KEPT_KEYS);
/** Whether a key is of prime order costs several times a signature, and never changes. */
const checkedKeys = new LruCache<string, boolean>(KEPT_KEYS);

/** The suite for Node: OpenSSL's SHA-256 and cofactorless Ed25519, the same verdicts as the portable one. */
export const nativeSuite: Suite = {
  sha256: nativeSha256,
  sha256Parts,
  checkPublicKey: (key) => checkedKeys.getOrCompute(nameOf(key), () => isPrimeOrderKey(key)),
  verifySignature,
};

/** By way of a Latin-1 ("binary") string, which costs less than half of what a Buffer per hash does. */
function nativeSha256(bytes: Uint8Array): Uint8Array {
  const text = hash("sha256", bytes, "binary");
  const digest = new Uint8Array(32);
  for (let i = 0; i < 32; i++) digest[i] = text.charCodeAt(i);
  return digest;
}

/** Fewer hashes than this come faster one after another. */
const FEWEST_PARTS = 3;
/** Null until it is needed, undefined where there is none. */
let lanes: Sha256Lanes | undefined | null = null;

/** OpenSSL is the faster for one hash, but a call of it costs several times the hashing. */
function sha256Parts(prefix: number, parts: Parts, out: Uint8Array): boolean {
  if (parts.ends.length < FEWEST_PARTS) return false;
  if (lanes === null) lanes = Sha256Lanes.open(nativeSha256);
  lanes?.hash(prefix, parts, out);
  return lanes !== undefined;
}

function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!isWellFormed(publicKey, signature)) return false;
  return verify(null, message, keyObject(publicKey), signature);
}

/** The key as OpenSSL wants it: importing it again for each signature would cost a good part of the check. */
function keyObject(publicKey: Uint8Array): KeyObject {
  return keyObjects.getOrCompute(nameOf(publicKey), () => importPublicKey(publicKey));
}

function nameOf({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString("binary");
}

function importPublicKey(publicKey: Uint8Array): KeyObject {
  const der = concatBytes(SPKI_PREFIX, publicKey);
  return createPublicKey({ key: Buffer.from(der.buffer), format: "der", type: "spki" });
}

/**
 * Signs as RFC 8032 5.1.6 says; the seed is handed to OpenSSL and not kept here.
 * @throws Problem `signer-seed`; from `sign`, `signer-fault`
 */
export function nativeSigner(seed: Uint8Array): LocalSigner {
  requireSeed(seed);
  const privateKey = importSeed(seed);
  const publicKey = exportPublicKey(privateKey);
  return {
    publicKey,
    sign: (message) =>
      requireVerified(nativeSuite, {
        publicKey,
        message,
        signature: new Uint8Array(sign(null, message, privateKey)),
      }),
  };
}

/** Of so many signatures one is verified as well. */
const VERIFIED_EVERY = 64;

/**
 * A signer for whoever signs thousands of times a second, such as a node its receipts: each signature is made twice, with keys
 * that were imported apart, and compared, which costs a third of a verification and shows what happens to either; the first
 * one and every 64th are verified, too, which shows what happens to both.
 * @throws Problem `signer-seed`; from `sign`, `signer-fault`
 */
export function nativeBusySigner(seed: Uint8Array): LocalSigner {
  const { publicKey, sign: signVerified } = nativeSigner(seed);
  const keys = [importSeed(seed), importSeed(seed)] as const;
  let signed = 0;
  return {
    publicKey,
    sign: (message) => {
      signed += 1;
      if (signed % VERIFIED_EVERY === 1) return signVerified(message);
      const [signature, again] = [sign(null, message, keys[0]), sign(null, message, keys[1])];
      return requireSame(new Uint8Array(signature), again);
    },
  };
}

function importSeed(seed: Uint8Array): KeyObject {
  const der = concatBytes(PKCS8_PREFIX, seed);
  try {
    return createPrivateKey({ key: Buffer.from(der.buffer), format: "der", type: "pkcs8" });
  } finally {
    der.fill(0); // the seed should be in as few places as can be
  }
}

function exportPublicKey(privateKey: KeyObject): Uint8Array {
  const der = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return new Uint8Array(der.subarray(SPKI_PREFIX.length));
}

/** HMAC-SHA-256 (RFC 2104): 32 bytes. */
export function hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(data).digest());
}
