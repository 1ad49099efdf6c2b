import { writeFileSync } from "node:fs";
import { Command, Option } from "commander";
import { toHex } from "../../attest/bytes.ts";
import { isoTime } from "../../attest/iso-time.ts";
import { nativeSuite } from "../../attest/native.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { buildFlexibilityProof, buildProofAcross } from "../../attest/proof-build.ts";
import { type ProvenFile, verifyProof } from "../../attest/proof-verify.ts";
import { runCommand } from "../../runtime/command.ts";
import { readPublicKey } from "../../runtime/key-file.ts";
import { loadAgentConfig } from "../config/config.ts";
import { flexibilityAt } from "../journal/flexibility-at.ts";
import { channelNamed, type HeldEpoch, heldEpochs } from "../journal/held-epochs.ts";
import type { Journal } from "../journal/journal.ts";
import { openLogForReading } from "../journal/open-log.ts";
import { journalProofSource } from "../journal/proof-source.ts";
import { type NamedSpan, spanParts } from "../journal/span-parts.ts";
import { closedIntervals, LISTED } from "./closed-intervals.ts";
import { commitmentLines, proveCommitment } from "./prove-commitment.ts";

interface ProveOptions {
  readonly config: string;
  readonly channel?: string;
  readonly from?: string;
  readonly to?: string;
  readonly at?: string;
  /** A leaf, or true for a list of them. */
  readonly commitment?: string | true;
  readonly out?: string;
  readonly json?: boolean;
}

/** With its zone: a proof is of an instant, wherever it is asked for. */
const ISO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/;
const HELP = `
Without --from, --to and --at it lists the last ${LISTED} closed intervals of the journal, those of its newest epoch last.
Times are ISO 8601 with zone (2026-11-22T10:15:00Z, 2026-11-22T11:15+01:00) or ms since 1970.

--from and --to are ends of closed intervals. They may lie in different epochs of the device: what lies between the
epochs is a gap in the proof, and its energy is not claimed. A channel is found by its name in every epoch; one that
was renamed is another channel, and its time before is proven on its own, under the name that it had.

--at proves the channel's last flexibility reading at or before that time: what it could give or take then.

--commitment alone lists the commitments of the journal; with the number of one it writes the proof of what was delivered.

Exit status: 0 the list or the proof is written, 1 there is none, 2 the command line or the configuration is wrong.

Examples:
  kilowitness prove --config agent.yaml
  kilowitness prove --config agent.yaml --channel grid --from 2026-11-22T10:00:00Z --to 2026-11-22T11:00:00Z --out hour.kwp
  kilowitness prove --config agent.yaml --commitment 4711 --out settlement.kws
  kilowitness prove --config agent.yaml --channel battery --at 2026-11-22T10:00:00Z --out battery.kwp`;

/** `kilowitness prove`: lists closed intervals of this device's journal, or writes a proof out of it. */
export function proveCommand(): Command {
  return new Command("prove")
    .description(
      "list the closed intervals of this device, or write a proof of energy or of flexibility to a file",
    )
    .requiredOption("--config <file>", "the agent's configuration")
    .option("--channel <name>", "channel, by name or number")
    .option("--from <time>", "begin of the first interval")
    .option("--to <time>", "end of the last interval")
    .addOption(
      new Option("--at <time>", "prove a flexibility reading instead of an interval").conflicts([
        "from",
        "to",
      ]),
    )
    .addOption(
      new Option(
        "--commitment [leaf]",
        "prove what was delivered under a commitment, or list them",
      ).conflicts(["from", "to", "at", "channel"]),
    )
    .option("--out <file>", "where to write the proof; left out: proof.kwp, or settlement.kws")
    .option("--json", "print JSON")
    .addHelpText("after", HELP)
    .action((options: ProveOptions, command: Command) => {
      if ((options.from === undefined) !== (options.to === undefined))
        command.error("error: --from and --to are given together or not at all");
      return runCommand("prove", () => prove(options));
    });
}

interface Asked {
  readonly journal: Journal;
  readonly epochs: readonly HeldEpoch[];
  readonly options: ProveOptions;
}

/** A proof that is ready to be written, and what to say of it. */
interface Made {
  readonly bytes: Uint8Array;
  readonly words: readonly string[];
  readonly facts: object;
  /** Of a settlement: the node that ordered it. */
  readonly nodeKey?: string;
}

function prove(options: ProveOptions): void {
  const config = loadAgentConfig(options.config);
  const publicKey = readPublicKey(config.key);
  const log = openLogForReading({
    path: config.journal,
    network: config.network,
    deviceKey: publicKey,
  });
  try {
    const asked = { journal: log.journal, epochs: heldEpochs(log), options };
    const { at, from, to, commitment } = options;
    if (commitment === true) listCommitments(asked);
    else if (commitment !== undefined)
      write(asked, proveCommitment(asked.journal, asked.epochs, commitment), publicKey);
    else if (at !== undefined) write(asked, flexibilityProof(asked, parseTime(at, "--at")), publicKey);
    else if (from === undefined || to === undefined) list(asked);
    else write(asked, spanProof(asked, { from, to }), publicKey);
  } finally {
    log.journal.close();
  }
}

function list({ journal, epochs, options }: Asked): void {
  const lines = closedIntervals(journal, epochs, options.json === true);
  if (lines.length > 0) process.stdout.write(`${lines.join("\n")}\n`);
  else if (options.json !== true) process.stdout.write("no interval has been closed yet\n");
}

function listCommitments({ journal, epochs, options }: Asked): void {
  const lines = commitmentLines(journal, epochs, options.json === true);
  if (lines.length > 0) process.stdout.write(`${lines.join("\n")}\n`);
  else if (options.json !== true) process.stdout.write("nothing has been committed yet\n");
}

function spanProof(
  { journal, epochs, options }: Asked,
  { from, to }: { readonly from: string; readonly to: string },
): Made {
  const channel = channelNamed(epochs, options.channel);
  const span = { channel, fromMs: parseTime(from, "--from"), toMs: parseTime(to, "--to") };
  const bytes = buildProofAcross(spanParts(journal, epochs, span));
  const { claim, logs } = checkedProof(bytes, span);
  const gaps = claim.kind === "energy" ? claim.gaps.filter(({ epoch }) => epoch !== undefined) : [];
  return {
    bytes,
    words: gaps.map(
      (gap) =>
        `epoch ${gap.epoch} begins in it: the energy from ${isoTime(gap.fromMs)} to ${isoTime(gap.toMs)} is not claimed`,
    ),
    facts: { ...span, epochs: logs.map(({ identity }) => identity.epoch) },
  };
}

function flexibilityProof({ journal, epochs, options }: Asked, atMs: number): Made {
  const channel = channelNamed(epochs, options.channel);
  const { held, seq, ms } = flexibilityAt(journal, epochs, { channel, atMs });
  return {
    bytes: buildFlexibilityProof(journalProofSource(journal, held.identity), seq),
    words: [`it shows the flexibility of ${channel} at ${isoTime(ms)}`],
    facts: { channel, atMs: ms, epochs: [held.identity.epoch] },
  };
}

/** Each epoch keeps its own rules, but nobody has held one against another: what no verifier takes is not written. */
function checkedProof(bytes: Uint8Array, span: NamedSpan): ProvenFile {
  try {
    return verifyProof(nativeSuite, bytes);
  } catch (cause) {
    const { code, message } = describeProblem(cause);
    throw new Problem(code, "what the journal holds of the span is not one valid proof", {
      where: `channel ${span.channel}`,
      got: message,
      hint: "ask for a part of the span that lies in one epoch; kilowitness prove lists the closed intervals",
      cause,
    });
  }
}

function write({ options }: Asked, { bytes, words, facts, nodeKey }: Made, publicKey: Uint8Array): void {
  const out = options.out ?? (options.commitment === undefined ? "proof.kwp" : "settlement.kws");
  writeFileSync(out, bytes);
  const deviceKey = toHex(publicKey);
  const check = `check it with: kilowitness verify ${out} --trust device:${deviceKey}${nodeKey === undefined ? "" : ` --trust node:${nodeKey}`}`;
  const lines = [`wrote ${out}, ${bytes.length} bytes`, ...words, check];
  const json = JSON.stringify({ proof: out, proofBytes: bytes.length, deviceKey, ...facts });
  process.stdout.write(`${options.json === true ? json : lines.join("\n")}\n`);
}

function parseTime(text: string, name: string): number {
  const ms = /^\d{1,15}$/.test(text) ? Number(text) : ISO_TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isSafeInteger(ms)) return ms;
  throw new Problem("time-format", "not a time", {
    where: name,
    expected: "ISO 8601 with zone, such as 2026-11-22T10:15:00Z, or ms since 1970",
    got: text,
  });
}
