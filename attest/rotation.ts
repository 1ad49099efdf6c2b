import { equalBytes } from "./bytes.ts";
import { openObject, signObject } from "./cose.ts";
import { type Field, must, type RecordCodec, recordCodec } from "./field.ts";
import { commitsToAny, isLogOf, refuse, requireKey, signerHint } from "./key-checks.ts";
import { Problem } from "./problem.ts";
import type { Signer } from "./signature.ts";
import type { Suite } from "./suite.ts";

/**
 * A device's statement that it goes on under another key. Both keys sign it, one around the other:
 *
 *     COSE_Sign1 "kilowitness/1 rotation", kid = old key
 *       {1: COSE_Sign1 "kilowitness/1 rotation-acceptance", kid = new key
 *             {the terms below} }
 *
 * The new key is the one whose hash was signed before (pre-rotation), so whoever steals the old key alone cannot
 * choose its successor.
 */
export interface Rotation {
  readonly network: string;
  readonly oldKey: Uint8Array;
  readonly newKey: Uint8Array;
  /** SHA-256 of the key after the new one. */
  readonly nextKeyHash: Uint8Array;
  /** The device's clock, ms since 1970 UTC. */
  readonly rotatedAtMs: number;
  /** The old key's live log; it signs nothing beyond `lastSize` there, and no log after it. */
  readonly lastLogId: Uint8Array;
  readonly lastEpoch: number;
  readonly lastSize: number;
}

/** What was known before the rotation: the key so far, already checked, and what it committed to. */
export type RotationTerms = Pick<Rotation, "network" | "oldKey"> & {
  readonly nextKeyHash: Uint8Array;
};

interface Outer {
  readonly acceptance: Uint8Array;
}

/** The fields of a rotation's payload, by property name. */
export const ROTATION_FIELDS: Readonly<Record<"acceptance", Field>> = { acceptance: must(1, "bytes") };
const outerCodec: RecordCodec<Outer> = recordCodec<Outer>("rotation", ROTATION_FIELDS);

/** The fields of an acceptance's payload, by property name. */
export const ACCEPTANCE_FIELDS: Readonly<Record<keyof Rotation, Field>> = {
  network: must(1, "text"),
  oldKey: must(2, "bytes32"),
  newKey: must(3, "bytes32"),
  nextKeyHash: must(4, "bytes32"),
  rotatedAtMs: must(5, "uint"),
  lastLogId: must(6, "bytes32"),
  lastEpoch: must(7, "uint"),
  lastSize: must(8, "uint"),
};
const codec: RecordCodec<Rotation> = recordCodec<Rotation>("rotation acceptance", ACCEPTANCE_FIELDS);

/** Signs a rotation with the new key, and around that with the old one. Throws what {@link openRotation} would refuse. */
export async function signRotation(
  suite: Suite,
  signers: { readonly old: Signer; readonly new: Signer },
  terms: Omit<Rotation, "oldKey" | "newKey">,
): Promise<Uint8Array> {
  const [oldKey, newKey] = [signers.old.publicKey, signers.new.publicKey];
  const rotation: Rotation = { ...terms, oldKey, newKey };
  requireKey(suite, newKey, "new key");
  requireSound(suite, rotation);
  const payload = codec.toMap(rotation);
  const acceptance = await signObject(signers.new, { type: "acceptance", kid: newKey, payload });
  const outer = outerCodec.toMap({ acceptance });
  return signObject(signers.old, { type: "rotation", kid: oldKey, payload: outer });
}

/**
 * Verifies a rotation away from `terms.oldKey`, which the caller has checked under profile S: both signatures, the
 * new key, and that it is the one committed to. Throws `cose-…`, `field`, `key-invalid`, `network-name`,
 * `bytes-integer` or `rotation-…`.
 */
export function openRotation(suite: Suite, bytes: Uint8Array, terms: RotationTerms): Rotation {
  const outer = openObject(suite, bytes, { type: "rotation", key: terms.oldKey });
  const { acceptance } = outerCodec.fromMap(outer);
  const newKey = signerHint(acceptance, "acceptance");
  requireKey(suite, newKey, "new key");
  const rotation = codec.fromMap(openObject(suite, acceptance, { type: "acceptance", key: newKey }));
  if (rotation.network !== terms.network) throw refuse("rotation-network", terms.network, rotation.network);
  if (!equalBytes(rotation.oldKey, terms.oldKey))
    throw refuse("rotation-old-key", terms.oldKey, rotation.oldKey);
  if (!equalBytes(rotation.newKey, newKey)) throw refuse("rotation-new-key", newKey, rotation.newKey);
  requireSound(suite, rotation);
  if (commitsToAny(suite, terms.nextKeyHash, [newKey])) return rotation;
  throw new Problem("rotation-not-committed", "the new key is not the one that the device had committed to", {
    hint: "treat the old key as stolen",
  });
}

/** What must hold of every rotation: a new key, another one after it, and a log of the old key that holds leaves. */
function requireSound(suite: Suite, rotation: Rotation): void {
  const { network, oldKey, newKey, lastEpoch } = rotation;
  if (equalBytes(oldKey, newKey)) throw new Problem("rotation-same-key", "the new key is the old key");
  if (commitsToAny(suite, rotation.nextKeyHash, [oldKey, newKey]))
    throw new Problem("rotation-next-key", "the next key is the old or the new key");
  if (!isLogOf(suite, { network, deviceKey: oldKey, epoch: lastEpoch }, rotation.lastLogId))
    throw new Problem("rotation-log", "the log is not one of the old key in that epoch");
  if (rotation.lastSize > 0) return;
  throw new Problem("rotation-size", "the old key's log holds at least its manifest", {
    expected: "size 1 or more",
    got: "0",
  });
}
