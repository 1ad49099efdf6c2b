/**
 * The cryptography that verifying needs, injected so that the same code runs natively on a node and unchanged
 * in a browser. `attest/portable.ts` and `attest/native.ts` are the two implementations.
 */
export interface Suite {
  /** SHA-256 (FIPS 180-4): any bytes in, 32 bytes out. */
  sha256(bytes: Uint8Array): Uint8Array;
  /**
   * The same for many at a time: writes the hash of `prefix` followed by each part to `out`, 32 bytes each, back to
   * back. Missing, or false and nothing written, where one after another is as fast.
   */
  sha256Parts?(prefix: number, parts: Parts, out: Uint8Array): boolean;
  /**
   * The once-per-key half of profile S: 32 bytes, canonical encoding of a point of prime order that is not
   * the identity.
   */
  checkPublicKey(publicKey: Uint8Array): boolean;
  /**
   * The per-signature half of profile S: exactly 64 bytes, S < L, R not the identity's encoding, and the
   * cofactorless equation by comparing encodings. False, never an exception, for anything else. Says nothing
   * about the key: callers check it once with {@link checkPublicKey}.
   */
  verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

/** Byte strings back to back, in one that holds nothing else. */
export interface Parts {
  readonly bytes: Uint8Array;
  /** Offset behind each part, in order. */
  readonly ends: Uint32Array;
}
