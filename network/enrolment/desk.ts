import { timingSafeEqual } from "node:crypto";
import { toHex } from "../../attest/bytes.ts";
import { DECISIONS, signCountersignature } from "../../attest/countersignature.ts";
import { checkEnrolment } from "../../attest/enrolment.ts";
import { hmacSha256 } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import type { Signer } from "../../attest/signature.ts";
import type { Suite } from "../../attest/suite.ts";
import type { Logger } from "../../runtime/log.ts";
import type { RateLimit } from "../limits/rate-limit.ts";
import type { CodeRow, EnrolmentRecords } from "./records.ts";

/** What enrolling needs; one for the whole node. */
export interface DeskContext {
  readonly network: string;
  readonly suite: Suite;
  readonly signer: Signer;
  readonly records: EnrolmentRecords;
  /** Wrong codes, by source. */
  readonly wrongCodes: RateLimit;
  /** ms since 1970 UTC. */
  readonly nowMs: () => number;
  readonly logger: Logger;
}

/** A device that has proven its key and asks to be enrolled. */
export interface EnrolmentRequest {
  readonly deviceKey: Uint8Array;
  /** What the node has sent on this connection, 32 bytes. */
  readonly nodeNonce: Uint8Array;
  readonly statement: Uint8Array;
  readonly codeProof?: Uint8Array;
  /** Where it comes from, as limits count it. */
  readonly source: string;
}

/**
 * Enrols a device that brings a one-time code or that the operator has approved; returns the node's countersignature,
 * which is durable then, and the code used up. Throws what {@link checkEnrolment} does; `enrolment-waiting` and
 * `enrolment-code` when the key has been put on the list of those that wait for the operator; `enrolment-rejected`,
 * `enrolment-attempts` or `enrolment-changed` when it has not.
 */
export async function enrolDevice(context: DeskContext, request: EnrolmentRequest): Promise<Uint8Array> {
  const { network, signer, suite, records } = context;
  const { deviceKey, nodeNonce, statement } = request;
  checkEnrolment(suite, statement, { network, deviceKey, nodeKey: signer.publicKey, nodeNonce });
  const state = records.stateOf(deviceKey);
  if (state === "rejected") throw enrolmentRejected();
  if (state === "approved") return grant(context, request);
  if (request.codeProof !== undefined)
    return grant(context, request, await codeOf(context, request, request.codeProof));
  await wait(context, request);
  throw new Problem("enrolment-waiting", "the device waits for the node's operator to approve its key", {
    got: toHex(deviceKey),
  });
}

/** The refusal of a key that the operator does not want. */
export function enrolmentRejected(): Problem {
  return new Problem("enrolment-rejected", "the node's operator has rejected the device's key");
}

async function codeOf(
  context: DeskContext,
  request: EnrolmentRequest,
  codeProof: Uint8Array,
): Promise<CodeRow> {
  const { records, wrongCodes, suite } = context;
  if (!wrongCodes.has(request.source))
    throw new Problem("enrolment-attempts", "too many wrong codes came from this address", {
      hint: "try again in an hour",
    });
  const code = matching(records.codes(), { codeProof, statementHash: suite.sha256(request.statement) });
  if (code !== undefined && code.expiresMs > context.nowMs()) return code;
  wrongCodes.take(request.source);
  await wait(context, request);
  throw codeRefused();
}

function codeRefused(): Problem {
  return new Problem("enrolment-code", "the one-time code is wrong, used or expired");
}

/** Each code is tried, found or not, so that the time says nothing about which ones there are. */
function matching(
  codes: readonly CodeRow[],
  { codeProof, statementHash }: { readonly codeProof: Uint8Array; readonly statementHash: Uint8Array },
): CodeRow | undefined {
  let found: CodeRow | undefined;
  for (const code of codes)
    if (timingSafeEqual(hmacSha256(code.codeKey, statementHash), codeProof)) found = code;
  return found;
}

async function wait({ records, nowMs }: DeskContext, request: EnrolmentRequest): Promise<void> {
  const { deviceKey, source, statement } = request;
  await records.wait({ key: deviceKey, source, statement, nowMs: nowMs() });
}

/** Signs first and hands out only what is durable. */
async function grant(context: DeskContext, request: EnrolmentRequest, code?: CodeRow): Promise<Uint8Array> {
  const { suite, signer, records, logger } = context;
  const { deviceKey, source, statement } = request;
  const nowMs = context.nowMs();
  const answer = { statement, decidedAtMs: nowMs, decision: DECISIONS.accepted };
  const countersignature = await signCountersignature(suite, signer, answer);
  const granted = { key: deviceKey, source, statement, countersignature, nowMs, codeId: code?.id };
  if (!(await records.enrol(granted)))
    throw new Problem("enrolment-changed", "the key or its code was decided on elsewhere at the same time", {
      hint: "connect again",
    });
  logger.info("device-enrolled", {
    device: toHex(deviceKey),
    ...(code === undefined ? {} : { code: code.id }),
  });
  return countersignature;
}
