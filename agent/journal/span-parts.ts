import { equalBytes } from "../../attest/bytes.ts";
import { isoTime } from "../../attest/iso-time.ts";
import type { EpochOpen } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { Problem } from "../../attest/problem.ts";
import type { EpochRequest } from "../../attest/proof-build.ts";
import { type HeldEpoch, reachOf } from "./held-epochs.ts";
import type { ChannelReach, CloseBoundaries, JournalReader } from "./journal-reader.ts";
import { journalProofSource } from "./proof-source.ts";

/** A channel, by its name, from one end of a close to another. */
export interface NamedSpan {
  readonly channel: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Parts that one proof file holds (docs/evidence-format.md, "Proof file"). */
const MAX_PARTS = 8;
const EPOCH_OPEN_SEQ = 1;

/**
 * Where the span lies, oldest part first: in the newest epoch that holds both of its ends, else in one epoch after
 * another, each up to its last close under the checkpoint that the next one names, the next one from its first close
 * on. Throws `proof-no-interval` with the nearest ends of closes where the span is not between two, and `proof-epoch`
 * where the epochs do not lead from one end to the other.
 *
 * @param epochs what the journal holds, newest first
 */
export function spanParts(
  journal: JournalReader,
  epochs: readonly HeldEpoch[],
  span: NamedSpan,
): EpochRequest[] {
  const places = epochs.flatMap((held) => placesIn(journal, held, span));
  const whole = places.find((place) => begins(place, span) && ends(place, span));
  const last = whole ?? places.find((place) => ends(place, span));
  if (last === undefined || !places.some((place) => begins(place, span)) || span.fromMs >= span.toMs)
    throw noInterval(places, span);
  const parts = partsUpTo({ journal, epochs, span }, { ...last, toMs: span.toMs });
  if (parts.length <= MAX_PARTS) return parts.map((part) => requestOf(journal, part));
  throw new Problem("proof-epoch", "the span lies in more epochs of the device than one proof holds", {
    expected: `at most ${MAX_PARTS}`,
    got: String(parts.length),
    hint: "ask for a shorter span",
  });
}

/** The channel in one epoch, and where its closes begin and end around the ends of the span. */
interface Place {
  readonly held: HeldEpoch;
  readonly reach: ChannelReach;
  readonly boundaries: CloseBoundaries;
}

/** A place whose part of the span has an end already. */
interface Ended extends Place {
  readonly toMs: number;
}

interface Part extends Ended {
  readonly fromMs: number;
}

interface Search {
  readonly journal: JournalReader;
  readonly epochs: readonly HeldEpoch[];
  readonly span: NamedSpan;
}

function placesIn(journal: JournalReader, held: HeldEpoch, span: NamedSpan): Place[] {
  const reach = reachOf(held, span.channel);
  return reach === undefined ? [] : [{ held, reach, boundaries: journal.boundaries(reach, span) }];
}

function begins({ boundaries }: Place, { fromMs }: NamedSpan): boolean {
  return boundaries.begins.includes(fromMs);
}

function ends({ boundaries }: Place, { toMs }: NamedSpan): boolean {
  return boundaries.ends.includes(toMs);
}

function requestOf(journal: JournalReader, { held, reach, fromMs, toMs }: Part): EpochRequest {
  return { source: journalProofSource(journal, held.identity), channel: reach.channel, fromMs, toMs };
}

/** Epochs only ever continue lower ones, so that this ends. */
function partsUpTo(search: Search, ended: Ended): Part[] {
  const { fromMs } = search.span;
  if (begins(ended, search.span)) return [{ ...ended, fromMs }];
  const first = search.journal.firstCloseBegin(ended.reach);
  if (first === undefined || first >= ended.toMs)
    throw unjoined(ended, "what the epoch holds of the channel does not begin inside the span");
  const part = { ...ended, fromMs: first };
  return [...partsUpTo(search, partBefore(search, part)), part];
}

/** The part in the epoch that `later` continues, up to its last close that is signed for and lies before `later`. */
function partBefore({ journal, epochs, span }: Search, later: Part): Ended {
  const { oldLogId, oldSize = 0 } = openOf(journal, later);
  const held = epochs.find(({ logId }) => oldLogId !== undefined && equalBytes(logId, oldLogId));
  if (held === undefined || held.identity.epoch >= later.held.identity.epoch)
    throw unjoined(later, "the journal does not hold the log that the epoch continues");
  const { epoch } = held.identity;
  const known = reachOf(held, span.channel);
  if (known === undefined)
    throw unjoined(
      later,
      `epoch ${epoch}, which it continues, has no channel ${JSON.stringify(span.channel)}`,
    );
  const reach = { ...known, size: Math.min(known.size, oldSize) };
  const toMs = journal.lastCloseEnd(reach, later.fromMs);
  if (toMs === undefined || toMs <= span.fromMs)
    throw unjoined(
      later,
      `it continues ${oldSize} leaves of epoch ${epoch}, which close nothing of the span`,
    );
  return { held, reach, toMs, boundaries: journal.boundaries(reach, { fromMs: span.fromMs, toMs }) };
}

function openOf(journal: JournalReader, part: Part): EpochOpen {
  const [open] = journal.leaves(part.reach.epoch, EPOCH_OPEN_SEQ, EPOCH_OPEN_SEQ + 1).map(decodeLeaf);
  if (open?.kind === "epochOpen") return open;
  throw unjoined(part, "the epoch does not say which log it continues");
}

function unjoined(part: Ended & { readonly fromMs?: number }, why: string): Problem {
  const { held, fromMs, toMs } = part;
  const own = fromMs === undefined ? "" : `, such as ${isoTime(fromMs)} to ${isoTime(toMs)}`;
  return new Problem("proof-epoch", `one proof cannot hold the span: ${why}`, {
    where: `epoch ${held.identity.epoch}`,
    hint: `ask for each part on its own${own}`,
  });
}

function noInterval(places: readonly Place[], { channel, fromMs, toMs }: NamedSpan): Problem {
  const begins = places.flatMap(({ boundaries }) => boundaries.begins);
  const ends = places.flatMap(({ boundaries }) => boundaries.ends);
  return new Problem("proof-no-interval", "no closed interval begins and ends there", {
    where: `channel ${channel}`,
    expected: `from ${around(begins, fromMs)} to ${around(ends, toMs)}`,
    got: `${isoTime(fromMs)} to ${isoTime(toMs)}`,
    hint: "list the closed intervals first and use their ends",
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
