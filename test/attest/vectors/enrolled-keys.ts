import { bad, type Draft, good } from "./draft.ts";
import { answerBytes, statementBytes } from "./enrolments.ts";
import {
  device,
  fourthKey,
  logIdOf,
  NETWORK,
  nodeA,
  nodeB,
  recovery,
  START_MS,
  secondKey,
  sha256,
  thirdKey,
} from "./keys.ts";
import { rotationBytes } from "./rotations.ts";
import type { Signing } from "./sealing.ts";

/** Which key stands for a device: what a trusted node enrolled, and the rotations since. */
const first = { statement: statementBytes(), countersignature: answerBytes() };
const policy = { nodeKeys: [nodeA.publicKey] };
const enrolled = {
  ...{ network: NETWORK, nodeKey: nodeA.publicKey, enrolledAtMs: START_MS, recoveryKey: recovery.publicKey },
};

export function enrolledKeyDrafts(): Draft[] {
  const none = good("enrolled-key", "", {
    about: "The key that a trusted node enrolled.",
    input: { ...first, rotations: [] },
    policy,
    expect: {
      ...{ ...enrolled, deviceKey: device.publicKey, nextKeyHash: sha256(secondKey.publicKey) },
      formerKeys: [],
    },
  });
  const twice = good("enrolled-key", "rotated", {
    about: "Two rotations since: the third key stands for the device.",
    input: { ...first, rotations: [toSecond(), toThird()] },
    policy,
    expect: {
      ...{ ...enrolled, deviceKey: thirdKey.publicKey, nextKeyHash: sha256(fourthKey.publicKey) },
      formerKeys: [formerKey(device, 0), formerKey(secondKey, 1)],
    },
  });
  return [none, twice, ...faults(none, twice)];
}

/** One rotation of the device. */
export interface Step {
  readonly old: Signing;
  readonly next: Signing;
  /** The key after the new one. */
  readonly following: Signing;
  /** Milliseconds after the start. */
  readonly at: number;
  readonly lastSize?: number;
}

export function rotated({ old, next, following, at, lastSize = 10 }: Step): Uint8Array {
  const terms = {
    ...{ 2: old.publicKey, 3: next.publicKey, 4: sha256(following.publicKey), 5: START_MS + at },
    ...{ 6: logIdOf(NETWORK, old.publicKey, 1), 7: 1, 8: lastSize },
  };
  return rotationBytes({ terms, old, next });
}

function formerKey(key: Signing, at: number): object {
  const lastLogId = logIdOf(NETWORK, key.publicKey, 1);
  return { deviceKey: key.publicKey, lastLogId, lastEpoch: 1, lastSize: 10, rotatedAtMs: START_MS + at };
}

/** From the device's first key to its second. */
export function toSecond(following: Signing = thirdKey, at = 0): Uint8Array {
  return rotated({ old: device, next: secondKey, following, at });
}

function toThird(following: Signing = fourthKey, at = 1): Uint8Array {
  return rotated({ old: secondKey, next: thirdKey, following, at });
}

function faults(none: Draft, twice: Draft): Draft[] {
  const rows: readonly (readonly [string, string, string, object])[] = [
    [
      "time",
      "rotation-time",
      "The second rotation is older than the first.",
      {
        rotations: [toSecond(thirdKey, 2), toThird()],
      },
    ],
    [
      "used-recovery",
      "rotation-used-key",
      "The next key is the recovery key.",
      {
        rotations: [toSecond(), toThird(recovery)],
      },
    ],
    ["left-out", "cose-kid", "A rotation between the two keys is left out.", { rotations: [toThird()] }],
    [
      "not-committed",
      "rotation-not-committed",
      "A second key that the first did not commit to.",
      {
        rotations: [toSecond(fourthKey), toThird()],
      },
    ],
  ];
  return [
    bad(none, "untrusted", {
      ...{ about: "Enrolled by a node that is not trusted.", code: "enrolled-untrusted" },
      policy: { nodeKeys: [nodeB.publicKey] },
    }),
    bad(none, "refused", {
      ...{ about: "The node refused to enrol the device.", code: "enrolled-refused" },
      input: { countersignature: answerBytes({ 5: 2 }) },
    }),
    ...rows.map(([fault, code, about, input]) => bad(twice, fault, { about, code, input })),
  ];
}
