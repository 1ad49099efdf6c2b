import type { ChannelStatus } from "../../agent/status.ts";
import { durationText, energyText, powerWords } from "../../agent/words.ts";
import { CHANNEL_ROLES, type ChannelRole } from "../../attest/reading.ts";
import type { Frame } from "./frame.ts";
import { SHORTENED } from "./workspace.ts";

/** From this width on a channel fits on one line. */
const WIDE = 112;
const LABEL_CHARS = 11;

/** The live view as lines of at most `columns` characters. */
export function frameLines(frame: Frame, columns: number): string[] {
  const labelled: readonly (readonly [label: string, text: string])[] = [
    ["log", logWords(frame)],
    ["receipts", receiptWords(frame)],
    ["node", nodeWords(frame)],
    ...troubles(frame).map((text) => ["trouble", text] as const),
    ["shortened", shortenedWords()],
    ["end", "Ctrl-C ends the demo with a proof"],
  ];
  return [
    ...wrapped(titleWords(frame), columns),
    "",
    ...(columns >= WIDE ? wideChannels(frame) : narrowChannels(frame)).map((line) => cut(line, columns)),
    "",
    ...labelled.flatMap(([label, text]) =>
      wrapped(text, columns - LABEL_CHARS).map(
        (line, at) => `${(at === 0 ? label : "").padEnd(LABEL_CHARS)}${line}`,
      ),
    ),
  ];
}

/** The same in one line, for a log. */
export function frameSentence(frame: Frame): string {
  const channels = frame.status?.channels ?? [];
  const powers = channels.filter(hasRegister).map((each) => `${each.name} ${stateWords(each)}`);
  const counts = `readings ${sum(channels, (each) => each.accepted)} accepted, ${countsOf(frame)}`;
  const troubled = troubles(frame).map((text) => `trouble: ${text}`);
  return [clockText(frame.elapsedMs), ...powers, counts, receiptWords(frame), ...troubled].join(" | ");
}

/** "interval 5 s (usually 900 s), commit 1 s (10 s), checkpoint 2 s (60 s)". */
export function shortenedWords(): string {
  const { interval, commit, checkpoint } = SHORTENED;
  return [
    `interval ${interval.seconds} s (usually ${interval.usualSeconds} s)`,
    `commit ${commit.seconds} s (${commit.usualSeconds} s)`,
    `checkpoint ${checkpoint.seconds} s (${checkpoint.usualSeconds} s)`,
  ].join(", ");
}

function titleWords({ title, clock, elapsedMs }: Frame): string {
  const day = clock === undefined ? "" : `, its day at ${clock}, one minute a second`;
  return `Kilowitness demo: ${title}${day}; running ${clockText(elapsedMs)}`;
}

/** As wide as most states, so that the columns behind it stay where they are. */
const POWER = "power".padEnd(30);
const HEADING = ["channel", POWER, "import", "export", "accepted", "sealed", "receipted"];

function wideChannels(frame: Frame): string[] {
  const rows = (frame.status?.channels ?? []).map((channel) => {
    const [accepted, sealed, receipted] = readingCounts(frame, channel);
    const { importMwh, exportMwh } = channel;
    return [
      channel.name,
      stateWords(channel),
      importMwh === undefined ? "" : energyText(importMwh),
      exportMwh === undefined ? "" : energyText(exportMwh),
      ...[accepted, sealed, receipted].map(String),
    ];
  });
  return alignedRows([HEADING, ...rows], new Set([0, 1]));
}

/** Columns as wide as their longest cell; those in `left` begin at the left, the others end at the right. */
export function alignedRows(rows: readonly (readonly string[])[], left: ReadonlySet<number>): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    widths
      .map((width, at) => (left.has(at) ? (row[at] ?? "").padEnd(width) : (row[at] ?? "").padStart(width)))
      .join("  ")
      .trimEnd(),
  );
}

function narrowChannels(frame: Frame): string[] {
  return (frame.status?.channels ?? []).flatMap((channel) => {
    const { importMwh, exportMwh } = channel;
    const [accepted, sealed, receipted] = readingCounts(frame, channel);
    const registers = [
      ...(importMwh === undefined ? [] : [`import ${energyText(importMwh)}`]),
      ...(exportMwh === undefined ? [] : [`export ${energyText(exportMwh)}`]),
    ];
    return [
      `${channel.name}: ${stateWords(channel)}`,
      ...(registers.length === 0 ? [] : [`  ${registers.join(", ")}`]),
      `  ${accepted} accepted, ${sealed} sealed, ${receipted} receipted`,
    ];
  });
}

function readingCounts(frame: Frame, channel: ChannelStatus): [number, number, number] {
  const counted = frame.sealed.find(({ manifest }) => manifest.name === channel.name);
  return [channel.accepted, counted?.sealed ?? 0, counted?.receipted ?? 0];
}

/** Power where there is one, and how full a battery is. */
function stateWords({ activePowerMw, role, stateOfChargePpm, acceptedAtMs }: ChannelStatus): string {
  if (acceptedAtMs === undefined) return "no reading yet";
  const power = activePowerMw === undefined ? [] : [powerWords(activePowerMw, roleOf(role))];
  const charge = stateOfChargePpm === undefined ? [] : [`${(stateOfChargePpm / 10_000).toFixed(1)} % full`];
  return [...power, ...charge].join(", ") || "power not given";
}

function roleOf(text: string): ChannelRole {
  return isRole(text) ? text : "load";
}

function isRole(text: string): text is ChannelRole {
  return text in CHANNEL_ROLES;
}

function hasRegister({ importMwh, exportMwh }: ChannelStatus): boolean {
  return importMwh !== undefined || exportMwh !== undefined;
}

function logWords({ status }: Frame): string {
  if (status === undefined) return "the agent is starting";
  const { size, durable, signed } = status.log;
  const receipted = status.nodes[0]?.receiptedSize ?? 0;
  return `${size} leaves: ${durable} durable, ${signed} signed, ${receipted} receipted`;
}

function receiptWords({ status, sealed, nowMs }: Frame): string {
  const last = status?.nodes[0]?.lastReceiptMs;
  if (last !== undefined) return `last receipt ${durationText(Math.max(0, nowMs - last))} ago`;
  return sealed.some(({ receipted }) => receipted > 0) ? "first receipt just now" : "no receipt yet";
}

function nodeWords({ status, node }: Frame): string {
  return `${status?.nodes[0]?.connected === true ? "connected" : "not connected"}, ${node}`;
}

function troubles({ status }: Frame): string[] {
  const devices = (status?.devices ?? []).flatMap(({ id, problem }) =>
    problem === undefined ? [] : [`${id}: ${problem}`],
  );
  const channels = (status?.channels ?? [])
    .filter(({ held, rejected }) => held + rejected > 0)
    .map(({ name, held, rejected }) => `${name}: ${held} readings held, ${rejected} rejected`);
  const nodes = (status?.nodes ?? []).flatMap(({ problem }) =>
    problem === undefined ? [] : [`node: ${problem}`],
  );
  return [...devices, ...channels, ...nodes];
}

function countsOf({ sealed }: Frame): string {
  return `${sum(sealed, (each) => each.sealed)} sealed, ${sum(sealed, (each) => each.receipted)} receipted`;
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

/** "0:07", "12:40". */
function clockText(elapsedMs: number): string {
  const seconds = Math.floor(elapsedMs / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** The words of a text on lines of at most `columns` characters; a longer word is cut. */
function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > columns) lines.push(cut(word, columns));
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

function cut(line: string, columns: number): string {
  return line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`;
}
