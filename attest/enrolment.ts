import { equalBytes } from "./bytes.ts";
import { openObject, signObject } from "./cose.ts";
import { type Field, must, type RecordCodec, recordCodec } from "./field.ts";
import { checkNetworkName } from "./identity.ts";
import { commitsToAny, refuse, requireKey, signerHint } from "./key-checks.ts";
import { Problem } from "./problem.ts";
import type { Signer } from "./signature.ts";
import type { Suite } from "./suite.ts";

/** 0 key in a file, 1 wrapped by hardware, 2 cannot leave its chip, 3 the meter signs its own readings. */
const MAX_TIER = 3;

/** What a device says of itself when it asks a node to enrol it. */
export interface Enrolment {
  readonly network: string;
  readonly deviceKey: Uint8Array;
  /** The node that is asked; no other can use the statement. */
  readonly nodeKey: Uint8Array;
  /** 32 random bytes of that node, once. */
  readonly nodeNonce: Uint8Array;
  /** Leaf hash of the log manifest, as in a checkpoint. */
  readonly manifestHash: Uint8Array;
  readonly assuranceTier: number;
  readonly softwareVersion: string;
  /** SHA-256 of the key that the device will rotate to, made now and kept apart. */
  readonly nextKeyHash: Uint8Array;
  /** The owner's key, kept away from the device, that may revoke the device's. */
  readonly recoveryKey: Uint8Array;
}

/** What a node expects: who talks to it, and its own name and nonce. */
export type EnrolmentTerms = Pick<Enrolment, "network" | "deviceKey" | "nodeKey" | "nodeNonce"> &
  Partial<Pick<Enrolment, "manifestHash">>;

/** The fields of the payload, by property name. */
export const ENROLMENT_FIELDS: Readonly<Record<keyof Enrolment, Field>> = {
  network: must(1, "text"),
  deviceKey: must(2, "bytes32"),
  nodeKey: must(3, "bytes32"),
  nodeNonce: must(4, "bytes32"),
  manifestHash: must(5, "bytes32"),
  assuranceTier: must(6, "uint"),
  softwareVersion: must(7, "text"),
  nextKeyHash: must(8, "bytes32"),
  recoveryKey: must(9, "bytes32"),
};
const codec: RecordCodec<Enrolment> = recordCodec<Enrolment>("enrolment", ENROLMENT_FIELDS);

/** Signs the statement as COSE_Sign1 with kid = device key. Throws what {@link openEnrolment} would refuse. */
export async function signEnrolment(
  suite: Suite,
  signer: Signer,
  terms: Omit<Enrolment, "deviceKey">,
): Promise<Uint8Array> {
  const enrolment: Enrolment = { ...terms, deviceKey: signer.publicKey };
  requireSound(suite, enrolment);
  return signObject(signer, { type: "enrolment", kid: signer.publicKey, payload: codec.toMap(enrolment) });
}

/**
 * Verifies a statement under the device key that it names: signature and what it says by itself, not whether it
 * is fresh. Throws `cose-…`, `field`, `key-invalid`, `network-name` or `enrolment-…`.
 */
export function openEnrolment(suite: Suite, bytes: Uint8Array): Enrolment {
  const key = signerHint(bytes, "enrolment");
  requireKey(suite, key, "device key");
  const enrolment = codec.fromMap(openObject(suite, bytes, { type: "enrolment", key }));
  if (!equalBytes(key, enrolment.deviceKey)) throw refuse("enrolment-device-key", key, enrolment.deviceKey);
  requireSound(suite, enrolment);
  return enrolment;
}

/**
 * What a node checks before it countersigns: {@link openEnrolment}, and every term that it knows. Throws as that
 * does, and `enrolment-network`, `-device-key`, `-node-key`, `-nonce` or `-manifest` for a term that differs.
 */
export function checkEnrolment(suite: Suite, bytes: Uint8Array, terms: EnrolmentTerms): Enrolment {
  const enrolment = openEnrolment(suite, bytes);
  const { network, deviceKey, nodeKey, nodeNonce, manifestHash = enrolment.manifestHash } = terms;
  if (network !== enrolment.network) throw refuse("enrolment-network", network, enrolment.network);
  if (!equalBytes(deviceKey, enrolment.deviceKey))
    throw refuse("enrolment-device-key", deviceKey, enrolment.deviceKey);
  if (!equalBytes(nodeKey, enrolment.nodeKey)) throw refuse("enrolment-node-key", nodeKey, enrolment.nodeKey);
  if (!equalBytes(nodeNonce, enrolment.nodeNonce))
    throw refuse("enrolment-nonce", nodeNonce, enrolment.nodeNonce);
  if (!equalBytes(manifestHash, enrolment.manifestHash))
    throw refuse("enrolment-manifest", manifestHash, enrolment.manifestHash);
  return enrolment;
}

/** What must hold of every statement, whoever reads it: three keys apart from each other and from the node's. */
function requireSound(suite: Suite, enrolment: Enrolment): void {
  const { deviceKey, recoveryKey, nextKeyHash, assuranceTier } = enrolment;
  checkNetworkName(enrolment.network);
  requireKey(suite, recoveryKey, "recovery key");
  if (assuranceTier > MAX_TIER)
    throw new Problem("enrolment-tier", "there is no such assurance tier", {
      expected: `0 to ${MAX_TIER}`,
      got: String(assuranceTier),
    });
  if (equalBytes(enrolment.nodeKey, deviceKey))
    throw new Problem("enrolment-own", "a device cannot enrol itself");
  if (equalBytes(recoveryKey, deviceKey))
    throw new Problem("enrolment-recovery-key", "the recovery key is the device key", {
      hint: "make it elsewhere and keep it away from the device",
    });
  if (commitsToAny(suite, nextKeyHash, [deviceKey, recoveryKey]))
    throw new Problem("enrolment-next-key", "the next key is the device key or the recovery key");
}
