import { writeFileSync } from "node:fs";
import { Command } from "commander";
import { toHex } from "../../attest/bytes.ts";
import type { IntervalClose } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSigner } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { buildProof } from "../../attest/proof-build.ts";
import { runCommand } from "../../runtime/command.ts";
import { readKey } from "../../runtime/key-file.ts";
import { loadAgentConfig } from "../config/config.ts";
import { openLogForReading } from "../journal/open-log.ts";
import { journalProofSource } from "../journal/proof-source.ts";

interface ProveOptions {
  readonly config: string;
  readonly channel?: string;
  readonly from?: string;
  readonly to?: string;
  readonly out: string;
  readonly json?: boolean;
}

type ReadableLog = ReturnType<typeof openLogForReading>;

const LISTED = 20;
const HELP = `
Without --from and --to it lists the last closed intervals. Times are ISO 8601 (2026-11-22T10:15:00Z) or ms since 1970.

Examples:
  kilowitness prove --config agent.yaml
  kilowitness prove --config agent.yaml --channel grid --from 2026-11-22T10:00:00Z --to 2026-11-22T11:00:00Z --out hour.kwp`;

/** `kilowitness prove`: lists closed intervals of this device's journal and writes the proof of one. */
export function proveCommand(): Command {
  return new Command("prove")
    .description("list the closed intervals of this device, or write the proof of one to a file")
    .requiredOption("--config <file>", "the agent's configuration")
    .option("--channel <name>", "channel, by name or number")
    .option("--from <time>", "begin of the first interval")
    .option("--to <time>", "end of the last interval")
    .option("--out <file>", "where to write the proof", "proof.kwp")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action((options: ProveOptions) => runCommand("prove", () => prove(options)));
}

function prove(options: ProveOptions): void {
  const config = loadAgentConfig(options.config);
  const { publicKey } = nativeSigner(readKey(config.key).seed);
  const log = openLogForReading({
    path: config.journal,
    network: config.network,
    deviceKey: publicKey,
  });
  try {
    if (options.from === undefined || options.to === undefined) list(log, options);
    else write(log, options, { from: options.from, to: options.to });
  } finally {
    log.journal.close();
  }
}

function write(
  log: ReadableLog,
  options: ProveOptions,
  span: { readonly from: string; readonly to: string },
): void {
  const request = {
    channel: channelNumber(log, options.channel),
    fromMs: parseTime(span.from, "--from"),
    toMs: parseTime(span.to, "--to"),
  };
  const bytes = buildProof(journalProofSource(log.journal, log.identity), request);
  writeFileSync(options.out, bytes);
  const deviceKey = toHex(log.identity.deviceKey);
  const words = `wrote ${options.out}, ${bytes.length} bytes\ncheck it with: kilowitness verify ${options.out} --trust device:${deviceKey}`;
  const json = JSON.stringify({ proof: options.out, proofBytes: bytes.length, deviceKey, ...request });
  process.stdout.write(`${options.json === true ? json : words}\n`);
}

function list(log: ReadableLog, options: ProveOptions): void {
  const closes = log.journal
    .recentCloseSeqs(log.identity.epoch, LISTED)
    .reverse()
    .flatMap((seq) => log.journal.leaves(log.identity.epoch, seq, seq + 1).map(decodeLeaf))
    .filter((leaf) => leaf.kind === "intervalClose");
  for (const close of closes) {
    const name = log.rules.channels.get(close.channel)?.manifest.name ?? String(close.channel);
    process.stdout.write(`${options.json === true ? JSON.stringify(row(close, name)) : line(close, name)}\n`);
  }
  if (closes.length === 0 && options.json !== true) process.stdout.write("no interval has been closed yet\n");
}

function row(close: IntervalClose, channel: string): object {
  const { t0Ms, t1Ms, openingImportMwh, closingImportMwh, openingExportMwh, closingExportMwh } = close;
  return { channel, t0Ms, t1Ms, openingImportMwh, closingImportMwh, openingExportMwh, closingExportMwh };
}

function line(close: IntervalClose, name: string): string {
  const iso = (ms: number): string => new Date(ms).toISOString();
  const imported = whBetween(close.openingImportMwh, close.closingImportMwh);
  const exported = whBetween(close.openingExportMwh, close.closingExportMwh);
  return `${name.padEnd(20)} ${iso(close.t0Ms)} to ${iso(close.t1Ms)}  import ${imported}, export ${exported}`;
}

function whBetween(opening: number | undefined, closing: number | undefined): string {
  if (opening === undefined || closing === undefined) return "-";
  return `${Math.floor(closing / 1000) - Math.floor(opening / 1000)} Wh`;
}

function channelNumber(log: ReadableLog, wanted: string | undefined): number {
  const all = [...log.rules.channels.values()].map(({ manifest }) => manifest);
  const found = all.find(({ name, channel }) => name === wanted || String(channel) === wanted);
  const only = wanted === undefined && all.length === 1 ? all[0] : undefined;
  const chosen = found ?? only;
  if (chosen !== undefined) return chosen.channel;
  throw new Problem(
    "channel-unknown",
    wanted === undefined ? "say which channel with --channel" : "no such channel",
    {
      expected: all.map(({ name }) => name).join(", ") || "a channel that has been sealed",
      got: wanted ?? "nothing",
    },
  );
}

function parseTime(text: string, name: string): number {
  const ms = /^[0-9]+$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isSafeInteger(ms) && ms >= 0) return ms;
  throw new Problem("time-format", "not a time", {
    where: name,
    expected: "2026-11-22T10:15:00Z or ms since 1970",
    got: text,
  });
}
