import type { CborMap } from "../../../attest/cbor.ts";
import { signCheckpoint } from "../../../attest/checkpoint.ts";
import { OBJECT_TYPES, type ObjectType, signObject } from "../../../attest/cose.ts";
import { signEnrolment } from "../../../attest/enrolment.ts";
import { signHello } from "../../../attest/hello.ts";
import { logIdOf } from "../../../attest/identity.ts";
import { nativeSigner, nativeSuite } from "../../../attest/native.ts";
import { signRotation } from "../../../attest/rotation.ts";
import type { Signer } from "../../../attest/signature.ts";

const hash = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const NETWORK = "n".repeat(64);
const NEXT = nativeSigner(hash(9));
const LARGEST = Number.MAX_SAFE_INTEGER;

/** A signer that keeps what it was given to sign. */
function listening(signer: Signer, heard: Uint8Array[]): Signer {
  return {
    publicKey: signer.publicKey,
    sign: (message) => {
      heard.push(message.slice());
      return signer.sign(message);
    },
  };
}

/** What the key of a device signs in its life, every field at its longest; the whole objects, by name. */
export const DEVICE_OBJECTS: Readonly<Record<string, (signer: Signer) => Promise<Uint8Array>>> = {
  checkpoint: (signer) =>
    signCheckpoint(signer, hash(1), {
      ...{ size: LARGEST, root: hash(2), lastLeafMs: LARGEST, issuedAtMs: LARGEST, timeQuality: 4 },
      ...{ bootCount: LARGEST, manifestHash: hash(3) },
    }),
  hello: (signer) =>
    signHello(signer, "device", {
      ...{ network: NETWORK, deviceKey: signer.publicKey, nodeKey: NEXT.publicKey },
      ...{ deviceNonce: hash(4), nodeNonce: hash(5) },
    }),
  enrolment: (signer) =>
    signEnrolment(nativeSuite, signer, {
      ...{ network: NETWORK, nodeKey: NEXT.publicKey, nodeNonce: hash(4), manifestHash: hash(5) },
      ...{ assuranceTier: 2, softwareVersion: "v".repeat(128), nextKeyHash: hash(6) },
      recoveryKey: nativeSigner(hash(8)).publicKey,
    }),
  rotation: (signer) => signRotation(nativeSuite, { old: signer, new: NEXT }, termsOf(signer)),
  acceptance: (signer) => signRotation(nativeSuite, { old: NEXT, new: signer }, termsOf(NEXT)),
};

/** A rotation away from the key of `old`. */
function termsOf({ publicKey: deviceKey }: Signer): Parameters<typeof signRotation>[2] {
  const lastEpoch = 0xffff_ffff;
  return {
    ...{ network: NETWORK, nextKeyHash: hash(6), rotatedAtMs: LARGEST, lastEpoch, lastSize: LARGEST },
    lastLogId: logIdOf(nativeSuite, { network: NETWORK, deviceKey, epoch: lastEpoch }),
  };
}

/** The bytes that each of the objects has signed. */
export async function deviceMessages(signer: Signer): Promise<ReadonlyMap<string, Uint8Array>> {
  const messages = new Map<string, Uint8Array>();
  for (const [name, make] of Object.entries(DEVICE_OBJECTS)) {
    const heard: Uint8Array[] = [];
    await make(listening(signer, heard));
    const [message] = heard;
    if (message !== undefined) messages.set(name, message);
  }
  return messages;
}

/** The bytes that an object of any type, kid and payload has signed. */
export async function messageOf(
  type: ObjectType,
  kid: Uint8Array,
  payload: CborMap = new Map([[1, 5]]),
): Promise<Uint8Array> {
  const heard: Uint8Array[] = [];
  await signObject(listening(NEXT, heard), { type, kid, payload });
  return heard[0] ?? new Uint8Array(0);
}

export const ALL_TYPES: readonly ObjectType[] = Object.keys(OBJECT_TYPES) as ObjectType[];
