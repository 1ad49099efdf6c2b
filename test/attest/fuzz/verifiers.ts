import { expect } from "vitest";
import { concatBytes } from "../../../attest/bytes.ts";
import { decodeCbor, encodeCbor } from "../../../attest/cbor.ts";
import { openCheckpoint } from "../../../attest/checkpoint.ts";
import { assembleObject, parseObject } from "../../../attest/cose.ts";
import { openCountersignature } from "../../../attest/countersignature.ts";
import { enrolledKey } from "../../../attest/enrolled-key.ts";
import { checkEnrolment } from "../../../attest/enrolment.ts";
import { decodeFault, encodeFault } from "../../../attest/fault.ts";
import { judgeFault } from "../../../attest/fault-judge.ts";
import { verifyFault } from "../../../attest/fault-verify.ts";
import { faultWords } from "../../../attest/fault-words.ts";
import { checkHello } from "../../../attest/hello.ts";
import { LogRules, restoreRules } from "../../../attest/log-rules.ts";
import { decodeMessage, encodeMessage } from "../../../attest/messages.ts";
import { Problem } from "../../../attest/problem.ts";
import { decodeProof, encodeProof } from "../../../attest/proof.ts";
import { verifyProof } from "../../../attest/proof-verify.ts";
import { openReceipt, receiptKeyHint } from "../../../attest/receipt.ts";
import { openRevocation } from "../../../attest/revocation.ts";
import { openRotation } from "../../../attest/rotation.ts";
import { verifyBatch } from "../../../attest/stream-verifier.ts";
import type { Suite } from "../../../attest/suite.ts";
import type { TrustPolicy } from "../../../attest/trust-policy.ts";
import { judge } from "../../../attest/verdict.ts";
import { verdictWords } from "../../../attest/verdict-words.ts";
import { namedRefusalOf } from "./codes.ts";
import type { Evidence } from "./evidence.ts";
import { hashOf, helloTerms, NONCE } from "./objects.ts";
import { NETWORK, newest, type World } from "./world.ts";

/** Whatever checks evidence of a stranger, and valid evidence for it. */
export interface Verifier {
  readonly name: string;
  readonly samples: readonly Uint8Array[];
  /** What is refused, but only just: a liar may make more of it. */
  readonly nearly?: readonly Uint8Array[];
  /** Throws a Problem, or says by returning that the evidence is good. */
  readonly verify: (suite: Suite, bytes: Uint8Array) => void;
  /** What the bytes mean, written again. */
  readonly again: (bytes: Uint8Array) => Uint8Array;
}

export function verifiersOf(evidence: Evidence): readonly Verifier[] {
  return [...objectVerifiers(evidence), ...keyVerifiers(evidence), ...fileVerifiers(evidence)];
}

const objectAgain = (bytes: Uint8Array): Uint8Array => assembleObject(parseObject(bytes));

function objectVerifiers({ world, hellos, messages }: Evidence): readonly Verifier[] {
  const { first, people } = world;
  const log = { deviceKey: people.device.publicKey, logId: first.rules.logId };
  const terms = helloTerms(world);
  const again = objectAgain;
  const batches = messages.filter((message) => decodeMessage(message).type === "batch");
  return [
    {
      ...{ name: "checkpoint", samples: first.checkpoints.map(({ bytes }) => bytes), again },
      verify: (suite, bytes) => openCheckpoint(suite, bytes, log),
    },
    {
      ...{ name: "receipt", samples: newest(first).receipts, again },
      verify: (suite, bytes) => openReceipt(suite, bytes, receiptKeyHint(bytes)),
    },
    {
      ...{ name: "hello of a device", samples: [hellos.device], again },
      verify: (suite, bytes) => checkHello(suite, bytes, { role: "device", terms }),
    },
    {
      ...{ name: "hello of a node", samples: [hellos.node], again },
      verify: (suite, bytes) => checkHello(suite, bytes, { role: "node", terms }),
    },
    {
      ...{ name: "batch", samples: batches, verify: (suite, bytes) => takeBatch(world, suite, bytes) },
      again: (bytes) => encodeMessage(decodeMessage(bytes)),
    },
  ];
}

/** A batch from the begin of the first log; rules that take it are saved as text from which they come back. */
function takeBatch(world: World, suite: Suite, bytes: Uint8Array): void {
  const message = decodeMessage(bytes);
  if (message.type !== "batch") throw new Problem("message-type", "not a batch");
  const { identity } = world.first.rules;
  // As a node does before it looks at the leaves.
  if (message.firstSeq !== 0 || message.epoch !== identity.epoch)
    throw new Problem("batch-gap", "not the first batch");
  const { rules } = verifyBatch(suite, new LogRules(suite, identity), message);
  const text = rules.toText();
  expect(restoreRules(suite, identity, text).toText()).toBe(text);
}

function keyVerifiers({ world, life }: Evidence): readonly Verifier[] {
  const { people, suite: own } = world;
  const [device, node] = [people.device.publicKey, people.nodeA.publicKey];
  const asked = { network: NETWORK, deviceKey: device, nodeKey: node, nodeNonce: NONCE };
  const known = { network: NETWORK, oldKey: device, nextKeyHash: hashOf(own, people.secondKey) };
  const registrarKeys = [people.registrar.publicKey];
  const authority = {
    network: NETWORK,
    deviceKey: device,
    recoveryKey: people.recovery.publicKey,
    registrarKeys,
  };
  const record = encodeCbor([life.statement, life.countersignature, ...life.rotations]);
  const again = objectAgain;
  return [
    {
      ...{ name: "enrolment", samples: [life.statement], again },
      verify: (suite, bytes) => checkEnrolment(suite, bytes, asked),
    },
    {
      ...{ name: "countersignature", samples: [life.countersignature, life.refusal], again },
      verify: (suite, bytes) =>
        openCountersignature(suite, bytes, { statement: life.statement, nodeKey: node }),
    },
    {
      ...{ name: "rotation", samples: [life.rotations[0], life.lateRotation], again },
      verify: (suite, bytes) => openRotation(suite, bytes, known),
    },
    {
      ...{ name: "revocation", samples: [life.byRecovery, life.byRegistrar], again },
      verify: (suite, bytes) => openRevocation(suite, bytes, authority),
    },
    {
      ...{ name: "enrolled key", samples: [record], again: (bytes) => encodeCbor(decodeCbor(bytes)) },
      verify: (suite, bytes) => takeRecord(suite, bytes, node),
    },
  ];
}

function takeRecord(suite: Suite, bytes: Uint8Array, node: Uint8Array): void {
  const [statement, countersignature, ...rotations] = objectsOfRecord(bytes);
  if (!statement || !countersignature) throw new Problem("field", "not a record");
  enrolledKey(suite, { statement, countersignature, rotations }, [node]);
}

/** The objects of an enrolment as they stand in a proof file: a list of byte strings. */
export function objectsOfRecord(bytes: Uint8Array): Uint8Array[] {
  const list = decodeCbor(bytes);
  const objects = Array.isArray(list) ? list.filter((item) => item instanceof Uint8Array) : [];
  if (!Array.isArray(list) || objects.length < list.length) throw new Problem("field", "not a record");
  return objects;
}

function fileVerifiers({ world, proofs, faults }: Evidence): readonly Verifier[] {
  const policies = policiesOf(world);
  const { flexibility, epochs, ...ofEnergy } = proofs;
  const proof = (name: string, samples: readonly Uint8Array[]): Verifier => ({
    ...{ name, samples, again: (bytes) => encodeProof(decodeProof(bytes)) },
    verify: (suite, bytes) => takeProof(suite, bytes, policies),
  });
  const fault = (name: string, samples: readonly Uint8Array[]): Verifier => ({
    ...{ name, samples, again: (bytes) => encodeFault(decodeFault(bytes)) },
    verify: (suite, bytes) => takeFault(suite, bytes, policies),
  });
  return [
    proof("proof of energy", Object.values(ofEnergy)),
    proof("proof of flexibility", [flexibility]),
    proof("proof over two epochs", [epochs]),
    fault("fault: fork", [faults.roots, faults.leaves]),
    fault("fault: two epochs", [faults.epochs]),
    { ...fault("fault: false leaf", [faults.rule, faults.raw]), nearly: [accusationOf(world)] },
    fault("fault: use of a key", [faults.retired, faults.revoked, faults.unknown]),
  ];
}

/** All leaves of an honest log, said to be false. */
function accusationOf({ first }: World): Uint8Array {
  const { network, deviceKey, epoch } = first.rules.identity;
  const leaves = concatBytes(...first.leaves.map(({ bytes }) => bytes));
  const head = { fault: "false-leaf", network, deviceKey, epoch, checkpoint: newest(first).bytes } as const;
  return encodeFault({ ...head, leaves, hashes: new Uint8Array(0) });
}

/** Nobody, the device, a node that enrolled it, and somebody else. */
function policiesOf({ people }: World): readonly TrustPolicy[] {
  const nodeKeys = [people.nodeA.publicKey, people.nodeB.publicKey];
  const registrarKeys = [people.registrar.publicKey];
  return [
    { deviceKeys: [], nodeKeys: [], witnesses: 1 },
    {
      deviceKeys: [people.device.publicKey],
      nodeKeys,
      witnesses: 2,
      registrarKeys,
      clockToleranceMs: 2 ** 40,
    },
    { deviceKeys: [], nodeKeys, witnesses: 1, registrarKeys, network: NETWORK },
    { deviceKeys: [people.thirdKey.publicKey], nodeKeys: [], witnesses: 1, network: "other-network" },
  ];
}

function takeProof(suite: Suite, bytes: Uint8Array, policies: readonly TrustPolicy[]): void {
  const proven = verifyProof(suite, bytes);
  for (const policy of policies) {
    namedRefusalOf(() => {
      const verdict = judge(suite, proven, policy);
      requirePlain(verdict);
      requireText(verdictWords(verdict));
    });
  }
  judge(suite, proven, { deviceKeys: [], nodeKeys: [], witnesses: 1 });
}

function takeFault(suite: Suite, bytes: Uint8Array, policies: readonly TrustPolicy[]): void {
  const proven = verifyFault(suite, bytes);
  for (const policy of policies) {
    namedRefusalOf(() => {
      const verdict = judgeFault(suite, proven, policy);
      requirePlain(verdict);
      requireText(faultWords(verdict));
    });
  }
}

/** A verdict is plain data, and each number in it is exact. */
function requirePlain(value: unknown): void {
  if (typeof value === "number") expect(Number.isSafeInteger(value)).toBe(true);
  else if (typeof value === "object" && value !== null) Object.values(value).forEach(requirePlain);
  else expect(["string", "boolean"]).toContain(typeof value);
}

/** Lines for a terminal, which nothing in them steers. */
function requireText(lines: readonly string[]): void {
  for (const line of lines)
    expect(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|undefined|NaN|\[object/u.test(line)).toBe(false);
}
