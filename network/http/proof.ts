import { Problem } from "../../attest/problem.ts";
import { buildProofAcross, type EpochRequest } from "../../attest/proof-build.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import type { Suite } from "../../attest/suite.ts";
import { logsOf, logsWithChannel, type Questions } from "./device-logs.ts";
import { type Query, requiredText, requiredTime, requireKnown } from "./query.ts";
import { type SpanPart, spanParts } from "./span-parts.ts";

/**
 * The proof file of "this channel, from t0 to t1", over as many epochs as the span lies in. Throws `proof-boundary`
 * with the nearest ends of closes when none begins or ends there, `proof-epoch` and `proof-channel` when the epochs
 * cannot be joined, and `proof-unsigned` as {@link buildProofAcross} does.
 */
export async function proveInterval(
  questions: Questions,
  deviceKey: Uint8Array,
  query: Query,
): Promise<Uint8Array> {
  requireKnown(query, ["channel", "from", "to"]);
  const name = requiredText(query, "channel");
  const span = { fromMs: requiredTime(query, "from"), toMs: requiredTime(query, "to") };
  const logs = await logsOf(questions, deviceKey);
  const parts = await spanParts(questions, { logs, channels: logsWithChannel(logs, name) }, span);
  const bytes = buildProofAcross(await Promise.all(parts.map((part) => requestOf(questions, part))));
  if (parts.length > 1) requireValid(questions.suite, bytes);
  return bytes;
}

async function requestOf({ archive }: Questions, { log, fromMs, toMs }: SpanPart): Promise<EpochRequest> {
  const request = { channel: log.channel, fromMs, toMs };
  return { source: await archive.proofSource(log.identity, { log: log.record.log, ...request }), ...request };
}

/** Each log has kept its own rules, but none was held against another: what no verifier takes is not handed out. */
function requireValid(suite: Suite, bytes: Uint8Array): void {
  try {
    verifyProof(suite, bytes);
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    throw new Problem(cause.code, "what the epochs say of the span is not one valid proof", {
      got: cause.message,
      hint: "ask for the part of each epoch on its own",
      cause,
    });
  }
}
