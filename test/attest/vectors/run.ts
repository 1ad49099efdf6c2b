import { equalBytes } from "../../../attest/bytes.ts";
import { openCheckpoint } from "../../../attest/checkpoint.ts";
import { openCountersignature } from "../../../attest/countersignature.ts";
import { enrolledKey } from "../../../attest/enrolled-key.ts";
import { checkEnrolment, openEnrolment } from "../../../attest/enrolment.ts";
import { checkHello, type HelloRole } from "../../../attest/hello.ts";
import { type LogIdentity, logIdOf } from "../../../attest/identity.ts";
import { requireKey } from "../../../attest/key-checks.ts";
import { decodeLeaf } from "../../../attest/leaf-codec.ts";
import { LogRules } from "../../../attest/log-rules.ts";
import { Problem } from "../../../attest/problem.ts";
import { openReceipt } from "../../../attest/receipt.ts";
import { openRevocation } from "../../../attest/revocation.ts";
import { openRotation } from "../../../attest/rotation.ts";
import { verifyBatch } from "../../../attest/stream-verifier.ts";
import type { Suite } from "../../../attest/suite.ts";
import { leafHash } from "../../../attest/tree.ts";
import { byteListOf, bytesOf, numberOf, optional, recordsOf, showFields, textOf } from "./fields.ts";
import { runFault } from "./run-fault.ts";
import { runProof } from "./run-proof.ts";
import { runSettlement } from "./run-settlement.ts";
import { runConsistency, runFrontier, runInclusion, runMultiproof } from "./run-tree.ts";
import type { JsonFields, Vector } from "./schema.ts";

/**
 * Runs vectors against attest/, with nothing of Node: the same module runs in a browser. Each check takes the input of
 * a vector, throws a Problem for what is refused, and returns what it read.
 */
type Check = (suite: Suite, input: JsonFields, policy: JsonFields) => object;

/** The check of each object that a vector can be for. */
export const CHECKS: Readonly<Record<string, Check>> = {
  "log-id": (suite, input) => ({ logId: logIdOf(suite, identityOf(input)) }),
  leaf: runLeaf,
  frontier: runFrontier,
  inclusion: runInclusion,
  consistency: runConsistency,
  multiproof: runMultiproof,
  checkpoint: runCheckpoint,
  receipt: runReceipt,
  hello: runHello,
  enrolment: runEnrolment,
  countersignature: runCountersignature,
  "enrolled-key": runEnrolledKey,
  rotation: runRotation,
  revocation: runRevocation,
  batch: runBatch,
  proof: runProof,
  settlement: runSettlement,
  fault: runFault,
};

/** What the check of a vector says: what it read, or the code with which it refuses. */
export function runVector(suite: Suite, vector: Pick<Vector, "object" | "input" | "policy">): JsonFields {
  const check = CHECKS[vector.object];
  if (check === undefined) throw new Error(`there is no check for "${vector.object}"`);
  try {
    return { valid: true, ...showFields(check(suite, vector.input, vector.policy ?? {})) };
  } catch (thrown) {
    if (thrown instanceof Problem) return { valid: false, code: thrown.code };
    throw thrown;
  }
}

/** A suite that checks each key once, as profile S asks of a verifier. */
export function remembering(suite: Suite): Suite {
  const known: { readonly key: Uint8Array; readonly sound: boolean }[] = [];
  return {
    ...suite,
    checkPublicKey: (key) => {
      const before = known.find((other) => equalBytes(other.key, key));
      if (before !== undefined) return before.sound;
      const sound = suite.checkPublicKey(key);
      known.push({ key: key.slice(), sound });
      return sound;
    },
  };
}

function identityOf(input: JsonFields): LogIdentity {
  return {
    network: textOf(input, "network"),
    deviceKey: bytesOf(input, "deviceKey"),
    epoch: numberOf(input, "epoch"),
  };
}

function runLeaf(suite: Suite, input: JsonFields): object {
  const bytes = bytesOf(input, "leaf");
  return { leaf: showFields(decodeLeaf(bytes)), leafHash: leafHash(suite, bytes) };
}

function runCheckpoint(suite: Suite, input: JsonFields): object {
  const identity = identityOf(input);
  requireKey(suite, identity.deviceKey, "device key");
  const logId = logIdOf(suite, identity);
  return openCheckpoint(suite, bytesOf(input, "checkpoint"), { deviceKey: identity.deviceKey, logId });
}

function runReceipt(suite: Suite, input: JsonFields): object {
  const nodeKey = bytesOf(input, "nodeKey");
  requireKey(suite, nodeKey, "node key");
  return openReceipt(suite, bytesOf(input, "receipt"), nodeKey);
}

function runHello(suite: Suite, input: JsonFields): object {
  const terms = {
    network: textOf(input, "network"),
    deviceKey: bytesOf(input, "deviceKey"),
    nodeKey: bytesOf(input, "nodeKey"),
    deviceNonce: bytesOf(input, "deviceNonce"),
    nodeNonce: bytesOf(input, "nodeNonce"),
  };
  const role: HelloRole = textOf(input, "role") === "node" ? "node" : "device";
  requireKey(suite, role === "node" ? terms.nodeKey : terms.deviceKey, `${role} key`);
  checkHello(suite, bytesOf(input, "hello"), { role, terms });
  return {};
}

function runEnrolment(suite: Suite, input: JsonFields): object {
  const statement = bytesOf(input, "statement");
  if (input["nodeNonce"] === undefined) return openEnrolment(suite, statement);
  const manifestHash = optional(input, "manifestHash", bytesOf);
  return checkEnrolment(suite, statement, {
    network: textOf(input, "network"),
    deviceKey: bytesOf(input, "deviceKey"),
    nodeKey: bytesOf(input, "nodeKey"),
    nodeNonce: bytesOf(input, "nodeNonce"),
    ...(manifestHash && { manifestHash }),
  });
}

function runCountersignature(suite: Suite, input: JsonFields): object {
  return openCountersignature(suite, bytesOf(input, "countersignature"), {
    statement: bytesOf(input, "statement"),
    nodeKey: bytesOf(input, "nodeKey"),
  }).countersignature;
}

function runEnrolledKey(suite: Suite, input: JsonFields, policy: JsonFields): object {
  const record = {
    statement: bytesOf(input, "statement"),
    countersignature: bytesOf(input, "countersignature"),
    rotations: byteListOf(input, "rotations"),
  };
  const { enrolment: _, ...enrolled } = enrolledKey(suite, record, byteListOf(policy, "nodeKeys"));
  return enrolled;
}

function runRotation(suite: Suite, input: JsonFields): object {
  const oldKey = bytesOf(input, "oldKey");
  requireKey(suite, oldKey, "old key");
  return openRotation(suite, bytesOf(input, "rotation"), {
    ...{ network: textOf(input, "network"), oldKey },
    nextKeyHash: bytesOf(input, "nextKeyHash"),
  });
}

function runRevocation(suite: Suite, input: JsonFields, policy: JsonFields): object {
  const recoveryKey = optional(input, "recoveryKey", bytesOf);
  return openRevocation(suite, bytesOf(input, "revocation"), {
    network: textOf(input, "network"),
    deviceKey: bytesOf(input, "deviceKey"),
    registrarKeys: byteListOf(policy, "registrarKeys"),
    ...(recoveryKey && { recoveryKey }),
  });
}

/** The batches extend one log from its first leaf on; the verdict is that on the last of them. */
function runBatch(suite: Suite, input: JsonFields): object {
  const identity = identityOf(input);
  requireKey(suite, identity.deviceKey, "device key");
  let rules = new LogRules(suite, identity);
  const batches = recordsOf(input, "batches");
  for (const [at, batch] of batches.entries()) {
    const sent = { leaves: bytesOf(batch, "leaves"), checkpoint: bytesOf(batch, "checkpoint") };
    try {
      rules = verifyBatch(suite, rules, sent).rules;
    } catch (cause) {
      if (at === batches.length - 1 || !(cause instanceof Problem)) throw cause;
      throw new Error(`batch ${at} is not the one to be refused: ${cause.message}`, { cause });
    }
  }
  return { size: rules.size, root: rules.root(), lastLeafMs: rules.lastTime.timeMs };
}
