import { openCheckpoint } from "../../../attest/checkpoint.ts";
import { type ObjectType, openObject } from "../../../attest/cose.ts";
import { openCountersignature } from "../../../attest/countersignature.ts";
import { openEnrolment } from "../../../attest/enrolment.ts";
import { checkHello, type HelloRole, signHello } from "../../../attest/hello.ts";
import { openReceipt } from "../../../attest/receipt.ts";
import { openRevocation } from "../../../attest/revocation.ts";
import { openRotation } from "../../../attest/rotation.ts";
import type { Suite } from "../../../attest/suite.ts";
import { EPOCH_MS, LogBuilder, testSigner } from "../../kit/log-builder.ts";
import {
  countersigned,
  hashOf,
  NETWORK,
  NONCE,
  payloadOf,
  revocation,
  rotation,
  secondKey,
  statement,
} from "../key-life-kit.ts";

/** An object that attest/ has signed, who signed it, and how attest/ opens it. */
export interface HonestObject {
  readonly name: string;
  readonly type: ObjectType;
  /** One byte, 32 times the seed of the signer's key. */
  readonly seed: number;
  readonly kid: Uint8Array;
  readonly bytes: Uint8Array;
  readonly open: (suite: Suite, bytes: Uint8Array) => unknown;
}

const keyOf = (seed: number): Uint8Array => testSigner(seed).publicKey;
/** The seeds of the kits: the same ones for a log and for the life of its key. */
const [DEVICE, NODE, RECOVERY, SECOND_KEY] = [1, 2, 3, 5] as const;

/** One of each type that a device's life has, and the hello of either side. */
export async function honestObjects(): Promise<HonestObject[]> {
  return [
    ...(await logObjects()),
    await hello("device", DEVICE),
    await hello("node", NODE),
    ...(await keyLife()),
  ];
}

async function logObjects(): Promise<HonestObject[]> {
  const log = new LogBuilder({ signer: testSigner(DEVICE) });
  log.manifest();
  log.readMany(20, { stepMs: 60_000, risesMwh: 12_345 });
  const { bytes } = await log.checkpoint();
  const { logId } = log.rules;
  const deviceKey = keyOf(DEVICE);
  const nodeKey = keyOf(NODE);
  return [
    {
      ...{ name: "checkpoint", type: "checkpoint", seed: DEVICE, kid: logId, bytes },
      open: (suite, taken) => openCheckpoint(suite, taken, { deviceKey, logId }),
    },
    {
      ...{ name: "receipt", type: "receipt", seed: NODE, kid: nodeKey },
      bytes: await log.receive(testSigner(NODE), EPOCH_MS + 3_600_000),
      open: (suite, taken) => openReceipt(suite, taken, nodeKey),
    },
  ];
}

async function hello(role: HelloRole, seed: number): Promise<HonestObject> {
  const terms = {
    ...{ network: NETWORK, deviceKey: keyOf(DEVICE), nodeKey: keyOf(NODE) },
    ...{ deviceNonce: NONCE, nodeNonce: NONCE.map((byte) => byte ^ 0xff) },
  };
  return {
    ...{ name: `hello of a ${role}`, type: "hello", seed, kid: keyOf(seed) },
    bytes: await signHello(testSigner(seed), role, terms),
    open: (suite, taken) => checkHello(suite, taken, { role, terms }),
  };
}

async function keyLife(): Promise<HonestObject[]> {
  const enrolment = await statement();
  const turned = await rotation();
  const acceptance = payloadOf(turned).get(1);
  if (!(acceptance instanceof Uint8Array)) throw new Error("a rotation holds an acceptance");
  const nextKeyHash = hashOf(secondKey);
  return [
    {
      ...{ name: "enrolment", type: "enrolment", seed: DEVICE, kid: keyOf(DEVICE), bytes: enrolment },
      open: openEnrolment,
    },
    {
      ...{ name: "countersignature", type: "countersignature", seed: NODE, kid: keyOf(NODE) },
      bytes: await countersigned(enrolment),
      open: (suite, taken) =>
        openCountersignature(suite, taken, { statement: enrolment, nodeKey: keyOf(NODE) }),
    },
    {
      ...{ name: "rotation", type: "rotation", seed: DEVICE, kid: keyOf(DEVICE), bytes: turned },
      open: (suite, taken) =>
        openRotation(suite, taken, { network: NETWORK, oldKey: keyOf(DEVICE), nextKeyHash }),
    },
    {
      ...{ name: "acceptance in it", type: "acceptance", seed: SECOND_KEY, kid: keyOf(SECOND_KEY) },
      bytes: acceptance,
      open: (suite, taken) => openObject(suite, taken, { type: "acceptance", key: keyOf(SECOND_KEY) }),
    },
    {
      ...{ name: "revocation", type: "revocation", seed: RECOVERY, kid: keyOf(RECOVERY) },
      bytes: await revocation(),
      open: (suite, taken) =>
        openRevocation(suite, taken, {
          ...{ network: NETWORK, deviceKey: keyOf(DEVICE), recoveryKey: keyOf(RECOVERY), registrarKeys: [] },
        }),
    },
  ];
}
