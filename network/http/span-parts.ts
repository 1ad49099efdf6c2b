import { equalBytes } from "../../attest/bytes.ts";
import { isoTime } from "../../attest/iso-time.ts";
import type { EpochOpen } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { Problem } from "../../attest/problem.ts";
import type { ChannelReach } from "../store/store.ts";
import { type ChannelLog, type LogChannel, numberOfName, type Questions } from "./device-logs.ts";

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The part of a span that lies in one log. */
export interface SpanPart extends Span {
  readonly log: LogChannel;
}

/** Parts that one proof file holds (docs/evidence-format.md, "Proof file"). */
const MAX_PARTS = 8;
const EPOCH_OPEN_SEQ = 1;

/**
 * Where the span lies, oldest part first: in the newest log that holds both of its ends, else in one log after
 * another, each up to its last close under the checkpoint that the next epoch names, the next one from its first close
 * on. Throws `proof-boundary` with the nearest ends of closes where the span is not between two, and `proof-epoch`
 * where the epochs do not lead from one end to the other.
 *
 * @param logs all logs of the device
 * @param channels the channel in those logs that have it, by epoch
 */
export async function spanParts(
  questions: Questions,
  { logs, channels }: { readonly logs: readonly ChannelLog[]; readonly channels: readonly LogChannel[] },
  span: Span,
): Promise<readonly SpanPart[]> {
  const places = await Promise.all(channels.map((log) => placeIn(questions, log, { ...span })));
  const whole = places.findLast((place) => begins(place, span) && ends(place, span));
  const last = whole ?? places.findLast((place) => ends(place, span));
  if (last === undefined || !places.some((place) => begins(place, span)) || span.fromMs >= span.toMs)
    throw noSpan(places, span);
  const parts = await partsUpTo({ questions, logs, span }, { ...last, toMs: span.toMs });
  if (parts.length <= MAX_PARTS) return parts;
  throw new Problem("proof-epoch", "the span lies in more epochs of the device than one proof holds", {
    expected: `at most ${MAX_PARTS}`,
    got: String(parts.length),
    hint: "ask for a shorter span",
  });
}

/** The channel in one log, and where its closes begin and end around the ends of the span. */
interface Place {
  readonly log: LogChannel;
  readonly reach: ChannelReach;
  readonly begins: readonly number[];
  readonly ends: readonly number[];
}

/** A place whose part of the span has an end already. */
interface Ended extends Place {
  readonly toMs: number;
}

interface Search {
  readonly questions: Questions;
  readonly logs: readonly ChannelLog[];
  readonly span: Span;
}

async function placeIn(
  { archive }: Questions,
  log: LogChannel,
  { fromMs, toMs, size = log.record.size }: Span & { readonly size?: number },
): Promise<Place> {
  const reach = { log: log.record.log, channel: log.channel, size };
  return { log, reach, ...(await archive.boundaries(reach, { fromMs, toMs })) };
}

function begins(place: Place, { fromMs }: Span): boolean {
  return place.begins.includes(fromMs);
}

function ends(place: Place, { toMs }: Span): boolean {
  return place.ends.includes(toMs);
}

/** Epochs only ever continue lower ones, so that this ends. */
async function partsUpTo(search: Search, ended: Ended): Promise<SpanPart[]> {
  const { log, reach, toMs } = ended;
  const { fromMs } = search.span;
  if (begins(ended, search.span)) return [{ log, fromMs, toMs }];
  const { firstMs } = await search.questions.archive.extent(reach, toMs);
  if (firstMs === undefined || firstMs >= toMs)
    throw unjoined({ log, toMs }, "what the epoch holds of the channel does not begin inside the span");
  const part = { log, fromMs: firstMs, toMs };
  return [...(await partsUpTo(search, await partBefore(search, part))), part];
}

/** The part in the log that `later` continues, up to its last close that is signed for and lies before `later`. */
async function partBefore({ questions, logs, span }: Search, later: SpanPart): Promise<Ended> {
  const { oldLogId, oldSize = 0 } = await openOf(questions, later);
  const before = logs.find(({ record }) => oldLogId !== undefined && equalBytes(record.logId, oldLogId));
  if (before === undefined || before.record.epoch >= later.log.record.epoch)
    throw unjoined(later, "this node does not hold the log that the epoch continues");
  const { epoch } = before.record;
  const name = later.log.channels.get(later.log.channel)?.manifest.name ?? "";
  const channel = numberOfName(before, name);
  if (channel === undefined)
    throw unjoined(later, `epoch ${epoch}, which it continues, has no channel ${JSON.stringify(name)}`);
  const log = { ...before, channel };
  const reach = { log: before.record.log, channel, size: Math.min(before.record.size, oldSize) };
  const { lastMs: toMs } = await questions.archive.extent(reach, later.fromMs);
  if (toMs === undefined || toMs <= span.fromMs)
    throw unjoined(
      later,
      `it continues ${oldSize} leaves of epoch ${epoch}, which close nothing of the span`,
    );
  return { ...(await placeIn(questions, log, { ...span, toMs, size: reach.size })), toMs };
}

async function openOf({ archive }: Questions, part: SpanPart): Promise<EpochOpen> {
  const { log, fromMs, toMs } = part;
  const place = { log: log.record.log, channel: log.channel, fromMs, toMs };
  const source = await archive.proofSource(log.identity, place);
  const open = decodeLeaf(source.leaf(EPOCH_OPEN_SEQ));
  if (open.kind === "epochOpen") return open;
  throw unjoined(part, "the epoch does not say which log it continues");
}

function unjoined(part: Omit<SpanPart, "fromMs"> & { readonly fromMs?: number }, why: string): Problem {
  const { log, fromMs, toMs } = part;
  const own = fromMs === undefined ? "" : `, such as ${isoTime(fromMs)} to ${isoTime(toMs)}`;
  return new Problem("proof-epoch", `one proof cannot hold the span: ${why}`, {
    where: `epoch ${log.record.epoch}`,
    hint: `ask for each part on its own${own}`,
  });
}

function noSpan(places: readonly Place[], { fromMs, toMs }: Span): Problem {
  const begins = places.flatMap((place) => place.begins);
  const ends = places.flatMap((place) => place.ends);
  return new Problem("proof-boundary", "no closed interval begins and ends there", {
    expected: `from ${around(begins, fromMs)} to ${around(ends, toMs)}`,
    got: `${isoTime(fromMs)} to ${isoTime(toMs)}`,
    hint: "list the closed intervals and use their ends",
  });
}

/** The nearest time on either side, over all epochs. */
function around(times: readonly number[], ms: number): string {
  const before = times.filter((time) => time <= ms);
  const after = times.filter((time) => time >= ms);
  const nearest = [
    ...(before.length > 0 ? [Math.max(...before)] : []),
    ...(after.length > 0 ? [Math.min(...after)] : []),
  ];
  return [...new Set(nearest)].map(isoTime).join(" or ") || "(no close yet)";
}
