import { isoTime } from "../../attest/iso-time.ts";
import { Problem } from "../../attest/problem.ts";
import { buildProof } from "../../attest/proof-build.ts";
import { type LogChannel, logsOf, logsWithChannel, type Questions } from "./device-logs.ts";
import { type Query, requiredText, requiredTime, requireKnown } from "./query.ts";

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * The proof file of "this channel, from t0 to t1". Throws `proof-boundary` with the nearest ends of closes when
 * none begins or ends there, `proof-epochs` when the two lie in different logs.
 */
export async function proveInterval(
  questions: Questions,
  deviceKey: Uint8Array,
  query: Query,
): Promise<Uint8Array> {
  requireKnown(query, ["channel", "from", "to"]);
  const name = requiredText(query, "channel");
  const span = { fromMs: requiredTime(query, "from"), toMs: requiredTime(query, "to") };
  const logs = logsWithChannel(await logsOf(questions, deviceKey), name);
  const log = await logOfSpan(questions, logs, span);
  const source = await questions.archive.proofSource(log.identity, {
    log: log.record.log,
    channel: log.channel,
    ...span,
  });
  return buildProof(source, { channel: log.channel, ...span });
}

interface Ends {
  readonly log: LogChannel;
  readonly begins: readonly number[];
  readonly ends: readonly number[];
}

/** The newest log in which a close begins at the span's begin and one ends at its end. */
async function logOfSpan(questions: Questions, logs: readonly LogChannel[], span: Span): Promise<LogChannel> {
  const found: Ends[] = [];
  for (const log of logs) {
    const place = { log: log.record.log, channel: log.channel, ...span };
    found.push({ log, ...(await questions.archive.boundaries(place)) });
  }
  const whole = found.findLast(
    ({ begins, ends }) => begins.includes(span.fromMs) && ends.includes(span.toMs),
  );
  if (whole !== undefined && span.fromMs < span.toMs) return whole.log;
  throw noSpan(found, span);
}

function noSpan(found: readonly Ends[], span: Span): Problem {
  const begins = [...new Set(found.flatMap((each) => each.begins))];
  const ends = [...new Set(found.flatMap((each) => each.ends))];
  if (begins.includes(span.fromMs) && ends.includes(span.toMs) && span.fromMs < span.toMs) {
    return new Problem("proof-epochs", "the span lies in more than one epoch of the device", {
      hint: "ask for each part on its own",
    });
  }
  return new Problem("proof-boundary", "no closed interval begins and ends there", {
    expected: `from one of ${list(begins)} to one of ${list(ends)}`,
    got: `${isoTime(span.fromMs)} to ${isoTime(span.toMs)}`,
    hint: "list the closed intervals and use their ends",
  });
}

function list(times: readonly number[]): string {
  return times.length === 0 ? "(no close yet)" : times.map(isoTime).join(", ");
}
