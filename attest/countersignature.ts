import { equalBytes } from "./bytes.ts";
import { openObject, signObject } from "./cose.ts";
import { type Enrolment, openEnrolment } from "./enrolment.ts";
import { type Field, must, type RecordCodec, recordCodec } from "./field.ts";
import { refuse, requireKey } from "./key-checks.ts";
import { Problem } from "./problem.ts";
import type { Signer } from "./signature.ts";
import type { Suite } from "./suite.ts";

/** What a node answers to an enrolment. */
export const DECISIONS = { accepted: 1, refused: 2 } as const;

/** A node's signed answer to one enrolment statement. */
export interface Countersignature {
  /** SHA-256 of the statement, the whole COSE_Sign1. */
  readonly statementHash: Uint8Array;
  readonly network: string;
  readonly deviceKey: Uint8Array;
  /** The node's clock, ms since 1970 UTC. */
  readonly decidedAtMs: number;
  /** One of {@link DECISIONS}. */
  readonly decision: number;
}

/** The fields of the payload, by property name. */
export const COUNTERSIGNATURE_FIELDS: Readonly<Record<keyof Countersignature, Field>> = {
  statementHash: must(1, "bytes32"),
  network: must(2, "text"),
  deviceKey: must(3, "bytes32"),
  decidedAtMs: must(4, "uint"),
  decision: must(5, "uint"),
};
const codec: RecordCodec<Countersignature> = recordCodec<Countersignature>(
  "countersignature",
  COUNTERSIGNATURE_FIELDS,
);

/**
 * Signs a node's answer as COSE_Sign1 with kid = node key. The caller has checked the statement's terms with
 * `checkEnrolment`; here it is opened once more, so that nothing else is ever countersigned. Throws what
 * {@link openEnrolment} does, and `countersignature-node-key` for a statement made to another node.
 */
export async function signCountersignature(
  suite: Suite,
  signer: Signer,
  answer: { readonly statement: Uint8Array; readonly decidedAtMs: number; readonly decision: number },
): Promise<Uint8Array> {
  const enrolment = openEnrolment(suite, answer.statement);
  const countersignature: Countersignature = {
    statementHash: suite.sha256(answer.statement),
    network: enrolment.network,
    deviceKey: enrolment.deviceKey,
    decidedAtMs: answer.decidedAtMs,
    decision: answer.decision,
  };
  requireAnswerTo(enrolment, signer.publicKey, countersignature);
  const payload = codec.toMap(countersignature);
  return signObject(signer, { type: "countersignature", kid: signer.publicKey, payload });
}

/**
 * Verifies a countersignature under `nodeKey` and that it answers exactly this statement, which is verified, too.
 * Whether the node accepted is in `decision`. Throws what {@link openEnrolment} does, and
 * `countersignature-statement`, `-network`, `-device-key`, `-node-key` or `-decision`.
 */
export function openCountersignature(
  suite: Suite,
  bytes: Uint8Array,
  expected: { readonly statement: Uint8Array; readonly nodeKey: Uint8Array },
): { readonly enrolment: Enrolment; readonly countersignature: Countersignature } {
  const { statement, nodeKey } = expected;
  requireKey(suite, nodeKey, "node key");
  const payload = openObject(suite, bytes, { type: "countersignature", key: nodeKey });
  const countersignature = codec.fromMap(payload);
  const statementHash = suite.sha256(statement);
  const enrolment = openEnrolment(suite, statement);
  if (!equalBytes(statementHash, countersignature.statementHash))
    throw refuse("countersignature-statement", statementHash, countersignature.statementHash);
  requireAnswerTo(enrolment, nodeKey, countersignature);
  return { enrolment, countersignature };
}

function requireAnswerTo(enrolment: Enrolment, nodeKey: Uint8Array, answer: Countersignature): void {
  const { network, deviceKey } = enrolment;
  if (network !== answer.network) throw refuse("countersignature-network", network, answer.network);
  if (!equalBytes(deviceKey, answer.deviceKey))
    throw refuse("countersignature-device-key", deviceKey, answer.deviceKey);
  if (!equalBytes(enrolment.nodeKey, nodeKey))
    throw refuse("countersignature-node-key", enrolment.nodeKey, nodeKey);
  if (answer.decision !== DECISIONS.accepted && answer.decision !== DECISIONS.refused)
    throw new Problem("countersignature-decision", "there is no such decision", {
      expected: "1 or 2",
      got: String(answer.decision),
    });
}
