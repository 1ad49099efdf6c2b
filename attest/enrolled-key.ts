import { equalBytes, toHex } from "./bytes.ts";
import { type Countersignature, DECISIONS, openCountersignature } from "./countersignature.ts";
import type { Enrolment } from "./enrolment.ts";
import { commitsToAny, signerHint } from "./key-checks.ts";
import { Problem } from "./problem.ts";
import { openRotation, type Rotation } from "./rotation.ts";
import type { Suite } from "./suite.ts";

/** A yearly rotation fits a lifetime; each one costs two signatures and the check of a key. */
export const MAX_ROTATIONS = 64;

/** What a device's owner hands over so that a stranger who trusts a node can trust the device. */
export interface EnrolmentRecord {
  /** The device's statement. */
  readonly statement: Uint8Array;
  /** The node's answer to it. */
  readonly countersignature: Uint8Array;
  /** Since then, oldest first. */
  readonly rotations?: readonly Uint8Array[];
}

/** A key that the device has left, and how far what it signed goes. */
export type FormerKey = Pick<Rotation, "lastLogId" | "lastEpoch" | "lastSize" | "rotatedAtMs"> & {
  readonly deviceKey: Uint8Array;
};

/** The key that a trusted node enrolled, as it stands after the rotations shown. */
export interface EnrolledKey {
  readonly deviceKey: Uint8Array;
  /** The caller compares it with the network that it means. */
  readonly network: string;
  /** The trusted node whose word this is. */
  readonly nodeKey: Uint8Array;
  /** By the node's clock. */
  readonly enrolledAtMs: number;
  /** SHA-256 of the key that may come next. */
  readonly nextKeyHash: Uint8Array;
  /** May revoke any key of this device. */
  readonly recoveryKey: Uint8Array;
  readonly enrolment: Enrolment;
  readonly formerKeys: readonly FormerKey[];
}

/**
 * Which device key one of `nodeKeys` stands for. The countersignature must be by a trusted node, accept exactly this
 * statement, and each rotation must lead from the key before it. Says nothing of revocations, nor of rotations that
 * were not handed over. Throws `enrolled-untrusted`, `enrolled-refused`, `rotation-…` and what
 * {@link openCountersignature} and {@link openRotation} do.
 */
export function enrolledKey(
  suite: Suite,
  record: EnrolmentRecord,
  nodeKeys: readonly Uint8Array[],
): EnrolledKey {
  const nodeKey = signerHint(record.countersignature, "countersignature");
  if (!nodeKeys.some((key) => equalBytes(key, nodeKey)))
    throw new Problem("enrolled-untrusted", "the device was enrolled by a node that you do not trust", {
      got: toHex(nodeKey),
    });
  const expected = { statement: record.statement, nodeKey };
  const { enrolment, countersignature } = openCountersignature(suite, record.countersignature, expected);
  requireAccepted(countersignature);
  const enrolled: EnrolledKey = {
    deviceKey: enrolment.deviceKey,
    network: enrolment.network,
    nodeKey,
    enrolledAtMs: countersignature.decidedAtMs,
    nextKeyHash: enrolment.nextKeyHash,
    recoveryKey: enrolment.recoveryKey,
    enrolment,
    formerKeys: [],
  };
  return rotated(suite, enrolled, record.rotations ?? []);
}

function requireAccepted({ decision }: Countersignature): void {
  if (decision === DECISIONS.accepted) return;
  throw new Problem("enrolled-refused", "the node has refused to enrol the device");
}

function rotated(suite: Suite, enrolled: EnrolledKey, rotations: readonly Uint8Array[]): EnrolledKey {
  if (rotations.length > MAX_ROTATIONS)
    throw new Problem("rotation-count", "too many rotations", {
      expected: `at most ${MAX_ROTATIONS}`,
      got: String(rotations.length),
    });
  return rotations.reduce((current, bytes) => afterRotation(suite, current, bytes), enrolled);
}

function afterRotation(suite: Suite, current: EnrolledKey, bytes: Uint8Array): EnrolledKey {
  const { network, deviceKey: oldKey, nextKeyHash } = current;
  const rotation = openRotation(suite, bytes, { network, oldKey, nextKeyHash });
  requireUnused(suite, current, rotation);
  const { lastLogId, lastEpoch, lastSize, rotatedAtMs } = rotation;
  const former: FormerKey = { deviceKey: oldKey, lastLogId, lastEpoch, lastSize, rotatedAtMs };
  return {
    ...current,
    deviceKey: rotation.newKey,
    nextKeyHash: rotation.nextKeyHash,
    formerKeys: [...current.formerKeys, former],
  };
}

/** A key that was left does not come back, the recovery key and the node's never sign logs, and time goes on. */
function requireUnused(suite: Suite, current: EnrolledKey, rotation: Rotation): void {
  const former = current.formerKeys.map(({ deviceKey }) => deviceKey);
  const taken = [...former, current.recoveryKey, current.nodeKey];
  const used = taken.some((key) => equalBytes(key, rotation.newKey));
  if (used || commitsToAny(suite, rotation.nextKeyHash, taken))
    throw new Problem("rotation-used-key", "a rotation leads to a key that has had another use");
  const previousMs = current.formerKeys.at(-1)?.rotatedAtMs ?? 0;
  if (rotation.rotatedAtMs >= previousMs) return;
  throw new Problem("rotation-time", "a rotation is older than the one before it", {
    expected: `${previousMs} ms or later`,
    got: String(rotation.rotatedAtMs),
  });
}
