import { isoTime } from "../../attest/iso-time.ts";
import type { IntervalClose } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import type { HeldEpoch } from "../journal/held-epochs.ts";
import type { Journal } from "../journal/journal.ts";

/** How many closed intervals are listed at most. */
export const LISTED = 20;

interface Listed {
  readonly close: IntervalClose;
  readonly epoch: number;
  readonly channel: string;
}

/**
 * The last closed intervals, one a line, as text or JSON: by epoch and by their place in it, the newest one last.
 *
 * @param epochs what the journal holds, newest first
 */
export function closedIntervals(journal: Journal, epochs: readonly HeldEpoch[], json: boolean): string[] {
  const listed: Listed[] = [];
  for (const held of epochs)
    if (listed.length < LISTED) listed.push(...recentIn(journal, held, LISTED - listed.length));
  const say = json ? row : line;
  return listed.reverse().map((each) => say(each, epochs.length > 1));
}

/** Newest first. */
function recentIn(journal: Journal, { identity, channels, size }: HeldEpoch, most: number): Listed[] {
  const { epoch } = identity;
  const names = new Map([...channels].map(([name, number]) => [number, name]));
  return journal
    .recentCloseSeqs(epoch, most, size)
    .flatMap((seq) => journal.leaves(epoch, seq, seq + 1).map((bytes) => decodeLeaf(bytes)))
    .filter((leaf) => leaf.kind === "intervalClose")
    .map((close) => ({ close, epoch, channel: names.get(close.channel) ?? String(close.channel) }));
}

function row({ close, epoch, channel }: Listed): string {
  const { t0Ms, t1Ms, openingImportMwh, closingImportMwh, openingExportMwh, closingExportMwh } = close;
  const registers = { openingImportMwh, closingImportMwh, openingExportMwh, closingExportMwh };
  return JSON.stringify({ channel, epoch, t0Ms, t1Ms, ...registers });
}

function line({ close, epoch, channel }: Listed, hasSeveralEpochs: boolean): string {
  const imported = whBetween(close.openingImportMwh, close.closingImportMwh);
  const exported = whBetween(close.openingExportMwh, close.closingExportMwh);
  const span = `${isoTime(close.t0Ms)} to ${isoTime(close.t1Ms)}`;
  const where = hasSeveralEpochs ? `, epoch ${epoch}` : "";
  return `${channel.padEnd(20)} ${span}  import ${imported}, export ${exported}${where}`;
}

function whBetween(opening: number | undefined, closing: number | undefined): string {
  if (opening === undefined || closing === undefined) return "-";
  return `${Math.floor(closing / 1000) - Math.floor(opening / 1000)} Wh`;
}
