import type { Context } from "hono";
import { describeProblem } from "../../attest/problem.ts";
import type { Logger } from "../../runtime/log.ts";
import { challengeFor } from "./access.ts";

export type FailureStatus = 400 | 401 | 403 | 404 | 409 | 500;

/** Codes that are the asker's doing; every other one is the node's. */
const STATUS: ReadonlyMap<string, FailureStatus> = new Map([
  ["query", 400],
  ["body", 400],
  ["token", 401],
  ["token-right", 403],
  ["host", 403],
  ["not-found", 404],
  ["device-unknown", 404],
  ["channel-unknown", 404],
  ["fault-unknown", 404],
  ["fault-unproven", 404],
  ["enrolment-unknown", 404],
  ["enrolment-code-unknown", 404],
  ["enrolment-enrolled", 409],
  ["enrolment-codes-full", 409],
  ["proof-boundary", 409],
  ["proof-no-interval", 409],
  ["proof-no-reading", 409],
  ["proof-epoch", 409],
  ["proof-channel", 409],
  ["proof-unsigned", 409],
  ["proof-span", 409],
]);

/** One answer for whatever was thrown: `{code, message}` under the status of its code; the node's own fault is logged. */
export function answerFailure(
  context: Context,
  thrown: unknown,
  { logger, more }: { readonly logger: Logger; readonly more: ReadonlyMap<string, FailureStatus> },
): Response {
  const problem = describeProblem(thrown);
  const status = STATUS.get(problem.code) ?? more.get(problem.code) ?? 500;
  if (status === 500) logger.problem("question-failed", thrown, { path: context.req.path });
  const gaveToken = /^Bearer +\S/i.test(context.req.header("authorization") ?? "");
  return context.json(problem, status, challengeFor(problem.code, gaveToken));
}
