import { encodeFault, type Fault, joinObjects } from "../../../attest/fault.ts";
import type { LogIdentity } from "../../../attest/identity.ts";
import type { LogBuilder } from "../../kit/log-builder.ts";
import { type Draft, good } from "./draft.ts";
import { rotated } from "./enrolled-keys.ts";
import { answerBytes, statementBytes } from "./enrolments.ts";
import {
  device,
  logIdOf,
  NETWORK,
  nodeA,
  recovery,
  registrar,
  secondKey,
  someHash,
  thirdKey,
} from "./keys.ts";
import { checkpointOver, force, forceBytes, meteredLog, newLog, read, readOn } from "./logs.ts";
import { partOf } from "./proof-parts.ts";
import { revocationBytes } from "./revocations.ts";
import type { Signing } from "./sealing.ts";

/** Fault proofs that show a fault: forks, epochs, leaves as bytes, and the use of keys. */
export function faultDrafts(): Draft[] {
  return [fork, forkedLeaves, twoEpochs, ...rawLeaves(), ...keyUses()];
}

export const head: LogIdentity = { network: NETWORK, deviceKey: device.publicKey, epoch: 1 };
export const trustingDevice: object = { deviceKeys: [device.publicKey], nodeKeys: [], witnesses: 1 };

/** What is said of a fault, where it is the trusted device's. */
export interface SaidFault {
  readonly about: string;
  readonly fault: Fault;
  readonly policy?: object;
  readonly expect: { readonly rule: string } & Readonly<Record<string, unknown>>;
}

export function fault(variant: string, { about, fault: file, policy, expect }: SaidFault): Draft {
  return good("fault", variant, {
    ...{ about, input: { fault: encodeFault(file) }, policy: policy ?? trustingDevice },
    expect: {
      ...{ fault: file.fault, guilty: "device key", ...head, trust: "device", networkMeant: true },
      ...expect,
    },
  });
}

/** Leaves of a log with their place under its checkpoint. */
export function shownLeaves(
  log: LogBuilder,
  seqs: readonly number[],
  checkpoint: Uint8Array = checkpointOver(log),
): Fault {
  const { leaves, hashes } = partOf(log, { leaves: seqs });
  return { fault: "false-leaf", ...head, checkpoint, leaves, hashes };
}

/** One leaf as it stands at an index. */
export function rawLeaf(log: LogBuilder, index: number): Fault {
  const { leaves, hashes } = partOf(log, { leaves: [index] });
  return { fault: "false-leaf", ...head, checkpoint: checkpointOver(log), leaves, hashes, index };
}

export function shortLog(importMwh = 1_000_000): LogBuilder {
  const log = meteredLog();
  read(log, 0, importMwh);
  return log;
}

export const fork: Draft = fault("fork", {
  about: "Two roots for one size.",
  fault: {
    ...{ fault: "fork", ...head, checkpoint: checkpointOver(shortLog()) },
    otherCheckpoint: checkpointOver(shortLog(2_000_000)),
  },
  expect: { rule: "two-roots" },
});

/** Leaf 2 of a log of three leaves, and leaf 2 of another one of four. */
export function forkOf(index = 2): Fault {
  const [one, other] = [shortLog(), shortLog(2_000_000)];
  read(other, 20, 2_001_000);
  const [first, second] = [one, other].map((log) => partOf(log, { leaves: [index] }));
  if (!first || !second) throw new Error("two logs");
  return {
    ...{ fault: "fork", ...head, checkpoint: first.checkpoint, otherCheckpoint: second.checkpoint },
    ...{ leaf: first.leaves, otherLeaf: second.leaves, hashes: first.hashes, otherHashes: second.hashes },
    index,
  };
}

export const forkedLeaves: Draft = fault("fork-leaves", {
  about: "Two leaves at one index, under checkpoints of two sizes.",
  ...{ fault: forkOf(), expect: { rule: "two-leaves" } },
});

/** Epoch 2 says that epoch 1 was signed as far as two leaves. */
export function epochsFault(
  signed: number | undefined,
  oldLogId: Uint8Array = logIdOf(NETWORK, device.publicKey, 1),
): Fault {
  const later = newLog({ epoch: 2 });
  later.append({
    ...{ kind: "epochOpen", ...later.time(), oldLogId, oldSize: 2, oldRoot: someHash("old root") },
    ...{ reason: "moved", ...(signed === undefined ? {} : { oldSignedSize: signed }) },
  });
  const { checkpoint, leaves, hashes } = partOf(later, { leaves: [1] });
  return {
    ...{ fault: "two-epochs", ...head, checkpoint: checkpointOver(shortLog()), laterEpoch: 2 },
    ...{ laterCheckpoint: checkpoint, leaf: leaves, hashes },
  };
}

export const twoEpochs: Draft = fault("two-epochs", {
  about: "A checkpoint beyond the size that the next epoch says was signed.",
  ...{ fault: epochsFault(2), expect: { rule: "signed-after-close" } },
});

function rawLeaves(): Draft[] {
  const unlawful = forceBytes(shortLog(), Uint8Array.of(0xa1, 0x01));
  const misplaced = shortLog();
  force(misplaced, { kind: "tamper", ...misplaced.time(), input: "lid", state: 1 }, 9);
  return [
    fault("leaf-unlawful", {
      about: "What stands at index 3 of the log is no leaf.",
      ...{ fault: rawLeaf(unlawful, 3), expect: { rule: "leaf-unlawful" } },
    }),
    fault("leaf-seq", {
      about: "The leaf at index 3 of the log says that it is leaf 9.",
      ...{ fault: rawLeaf(misplaced, 3), expect: { rule: "leaf-seq" } },
    }),
  ];
}

export const enrolment: Readonly<Record<string, Uint8Array>> = {
  statement: statementBytes(),
  countersignature: answerBytes(),
};

/** The plain use of the key, with what is shown of its life. */
export function keyUse(shown: object = {}, log: LogBuilder = readOn(meteredLog(), 0, 40)): Fault {
  return { fault: "key", ...head, checkpoint: checkpointOver(log), ...shown };
}

/** A revocation of epoch 1 beyond a size. */
export function revocationOf(cutSize: number, by: Signing = recovery): Uint8Array {
  return revocationBytes({ 3: logIdOf(NETWORK, device.publicKey, 1), 4: 1, 5: cutSize }, {}, by);
}

export function leftAt(lastSize: number): Uint8Array {
  const step = { old: device, next: secondKey, following: thirdKey, at: 0, lastSize };
  return joinObjects([rotated(step)]);
}

export const trustingNode: object = { deviceKeys: [], nodeKeys: [nodeA.publicKey], witnesses: 1 };
const nobody = { guilty: "nobody" };

export const revokedKey: Draft = fault("revoked-key", {
  about: "The owner's recovery key revoked the key beyond size 4, and here is size 5.",
  fault: keyUse({ ...enrolment, revocations: [revocationOf(4)] }),
  ...{ policy: trustingNode, expect: { ...nobody, rule: "revoked-key", trust: "enrolled" } },
});

export const retiredKey: Draft = fault("retired-key", {
  about: "A rotation left the key at size 4, and here is size 5.",
  fault: keyUse({ ...enrolment, rotations: leftAt(4) }),
  policy: trustingNode,
  expect: { guilty: "holder of the retired key", rule: "retired-key", trust: "enrolled" },
});

function keyUses(): Draft[] {
  return [
    revokedKey,
    retiredKey,
    fault("revoked-by-registrar", {
      about: "A registrar whom the reader trusts revoked the key.",
      fault: keyUse({ revocations: [revocationOf(0, registrar)] }),
      policy: { ...trustingDevice, registrarKeys: [registrar.publicKey] },
      expect: { ...nobody, rule: "revoked-key" },
    }),
    fault("unknown-key", {
      about: "A key that nobody vouches for.",
      ...{ fault: keyUse(), policy: trustingNode, expect: { ...nobody, rule: "unknown-key", trust: "none" } },
    }),
    fault("wrong-network", {
      about: "Evidence of another network than the one that is meant.",
      ...{ fault: keyUse(), policy: { ...trustingDevice, network: "other-grid" } },
      expect: { ...nobody, rule: "wrong-network", networkMeant: false },
    }),
  ];
}
