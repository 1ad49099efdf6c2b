import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { Command } from "commander";
import { z } from "zod";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { runCommand } from "../../runtime/command.ts";
import { readConfigFile } from "../../runtime/config-file.ts";
import { VERSION } from "../../runtime/version.ts";
import { loadAgentConfig } from "../config/config.ts";
import { fromConfig } from "../outlet/settings.ts";
import { type AskedAgent, askAgent } from "./status-ask.ts";
import {
  type LooseConfig,
  looseConfig,
  privateTexts,
  secretsOf,
  shownConfig,
} from "./support-bundle-config.ts";
import { type JournalFacts, journalFacts, systemFacts } from "./support-bundle-facts.ts";
import { Redactor, type Replacement, shortenedSerial } from "./support-bundle-redact.ts";
import { type PackedFile, packTar } from "./support-bundle-tar.ts";

interface BundleOptions {
  readonly config: string;
  readonly out: string;
  readonly full?: boolean;
}

const HELP = `
Reads no meter, asks the running agent where there is one, and sends nothing. Never in it: keys, passwords, tokens. Left out
or replaced unless --full is given: site name, consent reference, host names, public addresses, all but the end of serials.
Look at it before you pass it on: tar xzf FILE.

Exit status: 0 written, 1 not written.`;

/** `kilowitness support-bundle --config FILE --out FILE.tar.gz`: what somebody far away needs to help. */
export function supportBundleCommand(): Command {
  return new Command("support-bundle")
    .description("write what somebody far away needs to help into one file, without secrets")
    .requiredOption("--config <file>", "configuration of the agent; it may be wrong")
    .requiredOption("--out <file>", "archive to write, .tar.gz; must not exist")
    .option("--full", "keep names of site and hosts, addresses, consent references and serials")
    .addHelpText("after", HELP)
    .action((options: BundleOptions) => runCommand("support-bundle", () => supportBundle(options)));
}

async function supportBundle({ config, out, full = false }: BundleOptions): Promise<void> {
  const nowMs = Date.now();
  const files = await collect(config, full);
  const folder = `kilowitness-support-${new Date(nowMs).toISOString().slice(0, 10)}`;
  const archive = packTar(folder, files, nowMs);
  try {
    writeFileSync(out, archive, { flag: "wx", mode: 0o600 });
  } catch (cause) {
    throw new Problem("bundle-write", "the bundle cannot be written", {
      where: out,
      got: describeProblem(cause).message,
      hint: "name a new file in a folder that this user may write, such as /tmp",
      cause,
    });
  }
  process.stdout.write(`${out}: ${archive.length} bytes\n${files.map(({ name }) => `  ${name}\n`).join("")}`);
}

/** The files of a bundle, redacted. What cannot be had is said in its place. */
async function collect(configPath: string, full: boolean): Promise<PackedFile[]> {
  const read = outcomeOf(() => readConfigFile(configPath, z.unknown()));
  const config = looseConfig(read.value);
  const journal = config.journal === undefined ? undefined : fromConfig(configPath, config.journal);
  const facts = outcomeOf(() => (journal === undefined ? undefined : journalFacts(journal)));
  const agent = askedAgent(configPath, journal);
  const [status, text, log] = await Promise.all(
    ["/status", "/status.txt", "/log"].map((path) => asked(agent, path)),
  );
  const redactor = redactorFor({ config, configPath, full, journal: facts.value, status });
  const files = {
    "README.txt": readme(full),
    "config.yaml": read.value === undefined ? `# ${read.problem}\n` : shownConfig(read.value),
    "config-check.txt": `${outcomeOf(() => loadAgentConfig(configPath)).problem ?? "the configuration is right"}\n`,
    "status.json": status?.ok === true ? status.body : json({ problem: status?.body }),
    "status.txt": `${text?.body ?? ""}\n`,
    "log.jsonl": log?.ok === true ? log.body : await systemLog(),
    "journal.json": json(facts.value ?? { problem: facts.problem }),
    "system.json": json(systemFacts(journal)),
  };
  return Object.entries(files).map(([name, content]) => ({ name, text: redactor.redact(content) }));
}

interface Outcome<T> {
  readonly value?: T;
  readonly problem?: string;
}

function outcomeOf<T>(work: () => T): Outcome<T> {
  try {
    return { value: work() };
  } catch (cause) {
    const { code, message } = describeProblem(cause);
    return { problem: `${message} (${code})` };
  }
}

/** Where to ask: as the configuration says, and where that is wrong, beside the journal that it names. */
function askedAgent(path: string, journal: string | undefined): AskedAgent | undefined {
  const { value } = outcomeOf(() => loadAgentConfig(path));
  return value ?? (journal === undefined ? undefined : { path, journal });
}

interface Asked {
  readonly ok: boolean;
  readonly body: string;
}

async function asked(agent: AskedAgent | undefined, path: string): Promise<Asked> {
  if (agent === undefined) return { ok: false, body: "the configuration names no journal" };
  try {
    const { status, body } = await askAgent(agent, path);
    return { ok: status === 200, body };
  } catch (cause) {
    return { ok: false, body: describeProblem(cause).message };
  }
}

interface Known {
  readonly config: LooseConfig;
  readonly configPath: string;
  readonly full: boolean;
  readonly journal: JournalFacts | undefined;
  readonly status: Asked | undefined;
}

const statusSchema = z.looseObject({
  deviceKey: z.string(),
  devices: z.array(z.looseObject({ serial: z.string().optional() })),
});

function redactorFor({ config, configPath, full, journal, status }: Known): Redactor {
  const { data } = statusSchema.safeParse(status?.ok === true ? JSON.parse(status.body) : undefined);
  const manifests = journal?.epochs.flatMap(({ channels }) => channels) ?? [];
  const serials = [...manifests, ...(data?.devices ?? [])].map(({ serial = "" }) => serial);
  const receipting = journal?.epochs.flatMap(({ receiptedLeaves }) => Object.keys(receiptedLeaves)) ?? [];
  const privacy = full ? [] : [...privateTexts(config), ...[...new Set(serials)].map(serialReplacement)];
  return new Redactor({
    replacements: [...secretsOf(config, configPath), ...privacy],
    publicKeys: [...config.nodes.map(({ key }) => key), ...receipting, ...(data ? [data.deviceKey] : [])],
    keepAddresses: full,
  });
}

function serialReplacement(serial: string): Replacement {
  return { text: serial, by: shortenedSerial(serial) };
}

const LOG_LINES = "300";
const LOG_MS = 5000;

/** When no agent runs, its last words are with the system's journal, where this user may read that. */
async function systemLog(): Promise<string> {
  const unit = ["-u", "kilowitness-agent", "-n", LOG_LINES, "-o", "cat", "--no-pager"];
  try {
    const options = { timeout: LOG_MS, maxBuffer: 4 * 1024 ** 2 };
    const { stdout } = await promisify(execFile)("journalctl", unit, options);
    return stdout.trim() === ""
      ? json({ problem: "no agent runs, and journalctl shows nothing of it" })
      : stdout;
  } catch (cause) {
    return json({ problem: `no agent runs, and journalctl says: ${describeProblem(cause).message}` });
  }
}

function readme(full: boolean): string {
  const removed = full
    ? "Removed: keys, passwords, tokens and whatever looks like one. Names, addresses and serials were kept (--full)."
    : "Removed: keys, passwords, tokens and whatever looks like one; site name, consent reference, host names, public addresses; serials but for their end.";
  return `kilowitness ${VERSION} support bundle\n\n${removed}\ndocs/operations.md says what is in each file.\n`;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
