import { asciiBytes, concatBytes, fromHex, toHex, u32be } from "../../attest/bytes.ts";
import type { CborMap } from "../../attest/cbor.ts";
import { type ObjectType, parseObject, signObject } from "../../attest/cose.ts";
import { DECISIONS, signCountersignature } from "../../attest/countersignature.ts";
import { type Enrolment, signEnrolment } from "../../attest/enrolment.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { type Revocation, signRevocation } from "../../attest/revocation.ts";
import { type Rotation, signRotation } from "../../attest/rotation.ts";
import type { Signer } from "../../attest/signature.ts";
import type { Suite } from "../../attest/suite.ts";

/** A whole quarter of an hour of 2026, UTC. */
export const EPOCH_MS: number = Date.UTC(2026, 0, 5, 12);

/** A signer whose seed is one number, repeated. */
export function signerOf(seed: number): Signer {
  return nativeSigner(new Uint8Array(32).fill(seed));
}

/** The people of a key's life. */
export const device: Signer = signerOf(1);
export const node: Signer = signerOf(2);
export const recovery: Signer = signerOf(3);
export const registrar: Signer = signerOf(4);
export const secondKey: Signer = signerOf(5);
export const thirdKey: Signer = signerOf(6);
export const fourthKey: Signer = signerOf(7);
export const stranger: Signer = signerOf(9);

export const NETWORK = "test-network";
export const NONCE: Uint8Array = new Uint8Array(32).fill(0x31);
export const MANIFEST: Uint8Array = new Uint8Array(32).fill(0x32);

/** Keys that profile S refuses: small order, a second encoding of the identity, above the prime, mixed order, no point. */
export const BAD_KEYS: readonly (readonly [string, Uint8Array])[] = [
  ["the identity", `01${"00".repeat(31)}`],
  ["of order 2", `ec${"ff".repeat(30)}7f`],
  ["of order 4", "00".repeat(32)],
  ["of order 8", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"],
  ["the identity with a sign", `01${"00".repeat(30)}80`],
  ["not canonical", `ee${"ff".repeat(30)}7f`],
  ["not canonical, y = p + 3", `f0${"ff".repeat(30)}7f`],
  ["no point", `02${"00".repeat(31)}`],
].map(([name = "", hex = ""]) => [name, fromHex(hex, name)] as const);

export function hashOf({ publicKey }: Pick<Signer, "publicKey">): Uint8Array {
  return nativeSuite.sha256(publicKey);
}

/** The id of a log, by its definition and not by the code under test. */
export function logId(network: string, key: Uint8Array, epoch: number): Uint8Array {
  return nativeSuite.sha256(
    concatBytes(asciiBytes(`kilowitness/1 log\0${network}\0`, "tag"), key, u32be(epoch)),
  );
}

export const enrolmentTerms: Omit<Enrolment, "deviceKey"> = {
  network: NETWORK,
  nodeKey: node.publicKey,
  nodeNonce: NONCE,
  manifestHash: MANIFEST,
  assuranceTier: 2,
  softwareVersion: "1.2.3",
  nextKeyHash: hashOf(secondKey),
  recoveryKey: recovery.publicKey,
};

export function statement(changes: Partial<Enrolment> = {}, signer: Signer = device): Promise<Uint8Array> {
  return signEnrolment(nativeSuite, signer, { ...enrolmentTerms, ...changes });
}

export async function countersigned(
  of?: Uint8Array,
  decision: number = DECISIONS.accepted,
): Promise<Uint8Array> {
  return signCountersignature(nativeSuite, node, {
    statement: of ?? (await statement()),
    ...{ decidedAtMs: EPOCH_MS, decision },
  });
}

export function rotationTerms(
  old: Signer = device,
  next: Signer = thirdKey,
): Omit<Rotation, "oldKey" | "newKey"> {
  return {
    network: NETWORK,
    nextKeyHash: hashOf(next),
    rotatedAtMs: EPOCH_MS + 1000,
    lastLogId: logId(NETWORK, old.publicKey, 3),
    ...{ lastEpoch: 3, lastSize: 500 },
  };
}

/** From the device's first key to its second, which commits to its third. */
export function rotation(changes: Partial<Rotation> = {}): Promise<Uint8Array> {
  const signers = { old: device, new: secondKey };
  return signRotation(nativeSuite, signers, { ...rotationTerms(), ...changes });
}

export const revocationTerms: Revocation = {
  network: NETWORK,
  deviceKey: device.publicKey,
  logId: logId(NETWORK, device.publicKey, 3),
  ...{ epoch: 3, cutSize: 500, revokedAtMs: EPOCH_MS + 5000, reason: "gateway stolen" },
};

export function revocation(
  changes: Partial<Revocation> = {},
  signer: Signer = recovery,
): Promise<Uint8Array> {
  return signRevocation(nativeSuite, signer, { ...revocationTerms, ...changes });
}

/** The payload of an object with some values exchanged, or taken away by `undefined`. */
export function payloadOf(bytes: Uint8Array, changes: Record<number, unknown> = {}): CborMap {
  const changed = new Map<number, unknown>([...parseObject(bytes).payload]);
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) changed.delete(Number(key));
    else changed.set(Number(key), value);
  }
  // Tests write only values of the subset.
  return changed as CborMap;
}

/** Signs any payload as any type, past every check that the honest signer makes. */
export function forged(signer: Signer, type: ObjectType, payload: CborMap): Promise<Uint8Array> {
  return signObject(signer, { type, kid: signer.publicKey, payload });
}

/** An object that names `key` and holds no valid signature of it, as nobody can make one. */
export function signedAs(key: Uint8Array, type: ObjectType, payload: CborMap): Promise<Uint8Array> {
  return forged({ publicKey: key, sign: () => new Uint8Array(64) }, type, payload);
}

const checkedKeys = new Map<string, boolean>();

/** The native suite that checks each key once, as profile S asks, so that every flipped bit can be tried. */
export const fast: Suite = {
  ...nativeSuite,
  checkPublicKey: (key) => {
    const known = checkedKeys.get(toHex(key)) ?? nativeSuite.checkPublicKey(key);
    checkedKeys.set(toHex(key), known);
    return known;
  },
};
