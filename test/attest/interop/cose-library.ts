import { registerHooks } from "node:module";
import type { CborMap } from "../../../attest/cbor.ts";

/**
 * @ldclabs/cose-ts, which shares nothing with attest/: CBOR by cborg, Ed25519 by @noble/curves. It was written
 * before RFC 9864 and gives an Ed25519 key the algorithm -8 (EdDSA); the key's own `alg` (RFC 9052, 7.1) is public
 * and settable, so that -19 is one assignment, and nothing of the library is changed.
 *
 * Its files import each other without the extension that Node asks for, as bundlers allow.
 */
const hooks = registerHooks({
  resolve: (specifier, context, next) => {
    const inside = context.parentURL?.includes("/@ldclabs/cose-ts/dist/") === true;
    return next(inside && specifier.startsWith("./") ? `${specifier}.js` : specifier, context);
  },
});
const { Ed25519Key } = await import("@ldclabs/cose-ts/ed25519");
const { Header } = await import("@ldclabs/cose-ts/header");
const { Sign1Message } = await import("@ldclabs/cose-ts/sign1");
const { decodeCBOR, encodeCBOR } = await import("@ldclabs/cose-ts/utils");
hooks.deregister();

/** RFC 9864, 2.2. */
export const ED25519 = -19;
/** RFC 9053, 2.2: what the library takes for its own. */
export const EDDSA = -8;

/** What the library found in an object whose signature it has verified. */
export interface LibraryObject {
  readonly header: unknown;
  readonly unprotected: unknown;
  readonly payload: unknown;
}

/** Verifies a COSE_Sign1 of an Ed25519 key; throws the library's own errors. */
export function libraryVerify(
  publicKey: Uint8Array,
  bytes: Uint8Array,
  algorithm: number = ED25519,
): LibraryObject {
  const key = Object.assign(Ed25519Key.fromPublic(publicKey), { alg: algorithm });
  const message = Sign1Message.fromBytes(key, bytes);
  return {
    header: message.protected?.toRaw(),
    unprotected: message.unprotected?.toRaw(),
    payload: decodeCBOR(message.payload),
  };
}

/** Signs a payload under {1: -19, 4: kid, 16: type}: the tagged COSE_Sign1 as the library writes it. */
export function librarySign(
  seed: Uint8Array,
  object: { readonly type: string; readonly kid: Uint8Array; readonly payload: CborMap },
): Uint8Array {
  const key = Object.assign(Ed25519Key.fromSecret(seed), { alg: ED25519 });
  // Given in another order than it is signed in: to sort is the library's own work.
  const parameters = new Map<number, number | string | Uint8Array>([
    [16, object.type],
    [4, object.kid],
    [1, ED25519],
  ]);
  const message = new Sign1Message(encodeCBOR(object.payload), new Header(parameters), new Header());
  return Sign1Message.withTag(message.toBytes(key));
}
