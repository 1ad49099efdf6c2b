import { concatBytes } from "../../../attest/bytes.ts";
import { parseObject } from "../../../attest/cose.ts";
import { DECISIONS, signCountersignature } from "../../../attest/countersignature.ts";
import { signEnrolment } from "../../../attest/enrolment.ts";
import { type HelloTerms, signHello } from "../../../attest/hello.ts";
import { encodeMessage } from "../../../attest/messages.ts";
import { signRevocation } from "../../../attest/revocation.ts";
import { type Rotation, signRotation } from "../../../attest/rotation.ts";
import type { LocalSigner } from "../../../attest/signature.ts";
import type { Suite } from "../../../attest/suite.ts";
import { EPOCH_MS, type LogBuilder } from "../../kit/log-builder.ts";
import { NETWORK, newest, type World } from "./world.ts";

/** The signed objects of the life of the device's key. */
export interface KeyLife {
  readonly statement: Uint8Array;
  readonly countersignature: Uint8Array;
  readonly refusal: Uint8Array;
  /** Of another version of its software, and the answer to that. */
  readonly otherStatement: Uint8Array;
  readonly otherCountersignature: Uint8Array;
  /** To the second key, and from there to the third. */
  readonly rotations: readonly [Uint8Array, Uint8Array];
  /** To the second key, but after all that the first one signed. */
  readonly lateRotation: Uint8Array;
  readonly byRecovery: Uint8Array;
  readonly byRegistrar: Uint8Array;
}

export const NONCE: Uint8Array = new Uint8Array(32).fill(0x31);

export async function keyLifeOf(world: World): Promise<KeyLife> {
  const { suite, people } = world;
  const { device, nodeA, recovery, registrar, secondKey } = people;
  const stated = (softwareVersion: string): Promise<Uint8Array> =>
    signEnrolment(suite, device, {
      ...{ network: NETWORK, nodeKey: nodeA.publicKey, nodeNonce: NONCE },
      ...{ manifestHash: world.first.rules.manifestHash, assuranceTier: 2, softwareVersion },
      ...{ recoveryKey: recovery.publicKey, nextKeyHash: hashOf(suite, secondKey) },
    });
  const decided = (statement: Uint8Array, decision: number): Promise<Uint8Array> =>
    signCountersignature(suite, nodeA, { statement, decidedAtMs: EPOCH_MS, decision });
  const [statement, otherStatement] = [await stated("1.2.3"), await stated("1.2.4")];
  const revoked = (signer: LocalSigner): Promise<Uint8Array> =>
    signRevocation(suite, signer, {
      ...{ network: NETWORK, deviceKey: device.publicKey, logId: world.first.rules.logId, epoch: 1 },
      ...{ cutSize: 5, revokedAtMs: EPOCH_MS + 1, reason: "gateway stolen" },
    });
  return {
    statement,
    otherStatement,
    countersignature: await decided(statement, DECISIONS.accepted),
    otherCountersignature: await decided(otherStatement, DECISIONS.accepted),
    refusal: await decided(statement, DECISIONS.refused),
    rotations: await rotationsOf(world),
    lateRotation: await rotated(world, device, {
      lastLogId: world.second.rules.logId,
      lastEpoch: 2,
      lastSize: 99,
    }),
    byRecovery: await revoked(recovery),
    byRegistrar: await revoked(registrar),
  };
}

async function rotationsOf(world: World): Promise<readonly [Uint8Array, Uint8Array]> {
  const { people, first, neighbour } = world;
  const last = { lastEpoch: 1, lastSize: 5 };
  return [
    await rotated(world, people.device, { ...last, lastLogId: first.rules.logId }),
    await rotated(world, people.secondKey, { ...last, lastLogId: neighbour.rules.logId }),
  ];
}

type LastLog = Pick<Rotation, "lastLogId" | "lastEpoch" | "lastSize">;

/** From the first key to the second, or from the second to the third. */
function rotated({ suite, people }: World, old: LocalSigner, last: LastLog): Promise<Uint8Array> {
  const { device, secondKey, thirdKey } = people;
  const [next, nextKeyHash] = old === device ? [secondKey, hashOf(suite, thirdKey)] : [thirdKey, NONCE];
  const terms = { network: NETWORK, rotatedAtMs: EPOCH_MS + 1000, nextKeyHash, ...last };
  return signRotation(suite, { old, new: next }, terms);
}

export function hashOf(suite: Suite, { publicKey }: LocalSigner): Uint8Array {
  return suite.sha256(publicKey);
}

export function helloTerms({ people }: World): HelloTerms {
  return {
    ...{ network: NETWORK, deviceKey: people.device.publicKey, nodeKey: people.nodeA.publicKey },
    ...{ deviceNonce: NONCE, nodeNonce: NONCE.map((byte) => byte + 1) },
  };
}

export interface Hellos {
  readonly device: Uint8Array;
  readonly node: Uint8Array;
}

export async function hellosOf(world: World): Promise<Hellos> {
  const terms = helloTerms(world);
  return {
    device: await signHello(world.people.device, "device", terms),
    node: await signHello(world.people.nodeA, "node", terms),
  };
}

/** All leaves of a log and its newest checkpoint, as the device sends them. */
function batchOf(log: LogBuilder): Uint8Array {
  const leaves = concatBytes(...log.leaves.map(({ bytes }) => bytes));
  const { epoch } = log.rules.identity;
  return encodeMessage({ type: "batch", epoch, firstSeq: 0, leaves, checkpoint: newest(log).bytes });
}

/** One message of each type, with and without what may be absent. */
export function messagesOf(world: World, hellos: Hellos): readonly Uint8Array[] {
  const { first, people } = world;
  const { bytes: checkpoint, receipts } = newest(first);
  const [receipt = checkpoint] = receipts;
  const { network, deviceKey, nodeKey, deviceNonce, nodeNonce } = helloTerms(world);
  return [
    encodeMessage({ type: "open", network, deviceKey, deviceNonce, agentVersion: "0.1.0" }),
    encodeMessage({ type: "nodeHello", nodeKey, nodeNonce, hello: hellos.node }),
    encodeMessage({ type: "deviceHello", hello: hellos.device }),
    encodeMessage({ type: "welcome" }),
    encodeMessage({ type: "welcome", epoch: 1, checkpoint, receipt }),
    batchOf(first),
    encodeMessage({ type: "receipt", receipt }),
    encodeMessage({ type: "refusal", code: "batch-gap", message: people.device.publicKey.join() }),
  ];
}

/** The device's own acceptance of the second key, as it stands in the first rotation. */
export function acceptanceIn(rotation: Uint8Array): Uint8Array {
  const acceptance = parseObject(rotation).payload.get(1);
  if (acceptance instanceof Uint8Array) return acceptance;
  throw new Error("the rotation holds no acceptance");
}
