import { nativeSigner, nativeSuite } from "../../../attest/native.ts";
import type { LocalSigner } from "../../../attest/signature.ts";
import type { Suite } from "../../../attest/suite.ts";

/** A world is its cryptography: the suite that checks and the keys that sign. */
export interface Cryptography {
  readonly suite: Suite;
  /** The key whose seed is one number, repeated. */
  signerOf(seed: number): LocalSigner;
}

const seedOf = (number: number): Uint8Array => new Uint8Array(32).fill(number);

const good = new Set<string>();

/** Keys and signatures of valid objects come in nearly every case; what is bad is new each time. */
function remembered(input: readonly Uint8Array[], check: () => boolean): boolean {
  const name = input.map((bytes) => String.fromCharCode(...bytes)).join("|");
  if (good.has(name)) return true;
  const verdict = check();
  if (verdict) good.add(name);
  return verdict;
}

/** Real cryptography, which checks no signature of a valid object and no key twice. */
export const real: Cryptography = {
  suite: {
    ...nativeSuite,
    checkPublicKey: (key) => remembered([key], () => nativeSuite.checkPublicKey(key)),
    verifySignature: (key, message, signature) =>
      remembered([key, message, signature], () => nativeSuite.verifySignature(key, message, signature)),
  },
  signerOf: (number) => nativeSigner(seedOf(number)),
};

const NO_HASH = new Uint8Array(32);
const NO_SIGNATURE = new Uint8Array(64).fill(1);
const isOfTree = (first: number | undefined): boolean => first === 0 || first === 1;

/**
 * A world in which every signature is good and all leaves and nodes have one hash. What a device, a node or an owner
 * might sign, if it meant ill, is here reached by changing bytes: nothing stops at a signature or at a root.
 */
export const hollow: Cryptography = {
  suite: {
    sha256: (bytes) => (isOfTree(bytes[0]) ? NO_HASH.slice() : nativeSuite.sha256(bytes)),
    checkPublicKey: (key) => key.length === 32,
    verifySignature: (key, _, signature) => key.length === 32 && signature.length === 64,
  },
  signerOf: (number) => ({ publicKey: real.signerOf(number).publicKey, sign: () => NO_SIGNATURE }),
};

/** What was asked of a suite. */
export interface Work {
  hashes: number;
  hashedBytes: number;
  keys: number;
  signatures: number;
}

/** A suite that says what was asked of it. */
export function counting(suite: Suite): { readonly suite: Suite; readonly work: Work } {
  const work: Work = { hashes: 0, hashedBytes: 0, keys: 0, signatures: 0 };
  const { sha256Parts } = suite;
  const counted: Suite = {
    sha256: (bytes) => {
      work.hashes += 1;
      work.hashedBytes += bytes.length;
      return suite.sha256(bytes);
    },
    checkPublicKey: (key) => {
      work.keys += 1;
      return suite.checkPublicKey(key);
    },
    verifySignature: (key, message, signature) => {
      work.signatures += 1;
      work.hashedBytes += message.length;
      return suite.verifySignature(key, message, signature);
    },
    ...(sha256Parts && {
      sha256Parts: (...given) => {
        const [, { bytes, ends }] = given;
        work.hashes += ends.length;
        work.hashedBytes += ends.length + bytes.length;
        return sha256Parts(...given);
      },
    }),
  };
  return { suite: counted, work };
}
