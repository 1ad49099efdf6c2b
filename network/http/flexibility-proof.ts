import { isoTime } from "../../attest/iso-time.ts";
import { KNOWN_TIME } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { Problem } from "../../attest/problem.ts";
import { buildFlexibilityProof } from "../../attest/proof-build.ts";
import type { TimedLeaf } from "../store/store.ts";
import { type ChannelLog, type LogChannel, logsOf, logsWithChannel, type Questions } from "./device-logs.ts";
import { type Query, requiredText, requiredTime, requireKnown } from "./query.ts";

/**
 * The proof file of the channel's last flexibility reading at or before a time, in whichever epoch. Throws
 * `proof-no-reading` with the first one after it, or with the channels that have any, and `proof-unsigned`.
 */
export async function proveFlexibility(
  questions: Questions,
  deviceKey: Uint8Array,
  query: Query,
): Promise<Uint8Array> {
  requireKnown(query, ["channel", "at"]);
  const name = requiredText(query, "channel");
  const atMs = requiredTime(query, "at");
  const logs = await logsOf(questions, deviceKey);
  const around = await eachAround(questions, logsWithChannel(logs, name), atMs);
  const proof = await proofOfLast(questions, around);
  if (proof !== undefined) return proof;
  throw new Problem("proof-no-reading", "the channel has no flexibility reading at or before that time", {
    where: `channel ${name.slice(0, 100)}`,
    expected: firstAfter(around) ?? `a channel that has one: ${await channelsWithAny(questions, logs)}`,
    got: isoTime(atMs),
  });
}

/** The readings of one log next to a time. */
interface Around {
  readonly log: LogChannel;
  readonly before: TimedLeaf | undefined;
  readonly after: TimedLeaf | undefined;
}

function eachAround({ archive }: Questions, logs: readonly LogChannel[], ms: number): Promise<Around[]> {
  return Promise.all(
    logs.map(async (log) => {
      const reach = { log: log.record.log, channel: log.channel, size: log.record.size };
      return { log, ...(await archive.flexibilityAround(reach, ms)) };
    }),
  );
}

/** Of the latest reading before; undefined when there is none, or none that carries a time. */
async function proofOfLast(
  { archive }: Questions,
  around: readonly Around[],
): Promise<Uint8Array | undefined> {
  const [latest] = around
    .flatMap(({ log, before }) => (before === undefined ? [] : [{ log, ...before }]))
    .sort((a, b) => b.ms - a.ms || b.log.record.epoch - a.log.record.epoch);
  if (latest === undefined) return undefined;
  const { log, seq, ms } = latest;
  const place = { log: log.record.log, channel: log.channel, fromMs: ms, toMs: ms };
  const source = await archive.proofSource(log.identity, place);
  // One that carries the time since boot comes before all that carry a time: it is only found where there are none.
  const isTimed = decodeLeaf(source.leaf(seq)).timeQuality >= KNOWN_TIME;
  return isTimed ? buildFlexibilityProof(source, seq) : undefined;
}

function firstAfter(around: readonly Around[]): string | undefined {
  const times = around.flatMap(({ after }) => after?.ms ?? []);
  return times.length === 0 ? undefined : `${isoTime(Math.min(...times))}, the first one, or later`;
}

async function channelsWithAny(questions: Questions, logs: readonly ChannelLog[]): Promise<string> {
  const all = logs.flatMap((log) => [...log.channels.keys()].map((channel) => ({ ...log, channel })));
  const around = await eachAround(questions, all, Number.MAX_SAFE_INTEGER);
  const names = around.flatMap(({ log, before }) =>
    before === undefined ? [] : (log.channels.get(log.channel)?.manifest.name ?? []),
  );
  return [...new Set(names)].join(", ") || "there is none";
}
