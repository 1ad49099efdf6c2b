import { Command, InvalidArgumentError } from "commander";
import { fromHex } from "../../attest/bytes.ts";
import { runCommand } from "../../runtime/command.ts";
import { grouped, resultFacts, resultWords } from "./report.ts";
import { runFsck } from "./run.ts";

interface FsckCommandOptions {
  readonly trust?: readonly TrustedKey[];
  readonly network?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

const ROLES = ["device", "node"] as const;

interface TrustedKey {
  readonly role: (typeof ROLES)[number];
  readonly key: Uint8Array;
}

const MOST_FINDINGS = 100;
/** Between two lines that say how far it is; a short check says nothing. */
const PROGRESS_MS = 2000;
const HELP = `
FILE is the journal of an agent (\`journal\` in its configuration) or the store of a node (\`store\`); it says itself which.
Nothing in it is changed, and its program may go on writing: what it writes meanwhile is not looked at.

Without --trust the file is held against the keys that it names itself: that it fits together, not whose it is.

Exit status: 0 consistent, 1 not consistent or not to be read, 2 the command line is wrong.

Examples:
  kilowitness fsck /var/lib/kilowitness/journal.sqlite
  kilowitness fsck journal.sqlite --trust device:<KEY> node:<KEY>
  kilowitness fsck node.sqlite --trust node:<KEY> --all --json`;

/** `kilowitness fsck FILE`: whether a journal or a store is what it says, down to every leaf, signature and index row. */
export function fsckCommand(): Command {
  return new Command("fsck")
    .description(
      "check an agent's journal or a node's store from end to end, and name the first inconsistency",
    )
    .argument("<file>", "the SQLite file")
    .option(
      "--trust <key...>",
      "a key that the file must be of: device:HEX, or node:HEX for a node whose receipts it may hold",
      collectKey,
    )
    .option("--network <name>", "the network that the file must be of")
    .option("--all", `go on behind the first inconsistency and list up to ${MOST_FINDINGS}`)
    .option("--json", "print one JSON object")
    .addHelpText("after", HELP)
    .action((file: string, options: FsckCommandOptions) => runCommand("fsck", () => fsck(file, options)));
}

function fsck(file: string, { trust = [], network, all, json }: FsckCommandOptions): void {
  const keys = (role: TrustedKey["role"]): Uint8Array[] =>
    trust.filter((entry) => entry.role === role).map(({ key }) => key);
  const result = runFsck(file, {
    ...{ deviceKeys: keys("device"), nodeKeys: keys("node"), ...(network === undefined ? {} : { network }) },
    most: all === true ? MOST_FINDINGS : 1,
    looked: progress(),
  });
  const lines = json === true ? [JSON.stringify(resultFacts(result))] : resultWords(result);
  process.stdout.write(`${lines.join("\n")}\n`);
  process.exitCode = result.findings.length === 0 ? 0 : 1;
}

/** Says on standard error how far it is, where that takes long. */
function progress(): (leaves: number, of: number) => void {
  let said = performance.now();
  return (leaves, of) => {
    if (performance.now() - said < PROGRESS_MS) return;
    said = performance.now();
    process.stderr.write(`fsck: ${grouped(leaves)} of ${grouped(of)} leaves\n`);
  };
}

function collectKey(text: string, earlier: readonly TrustedKey[] = []): readonly TrustedKey[] {
  const match = /^(device|node):([0-9a-fA-F]{64})$/.exec(text);
  const role = ROLES.find((name) => name === match?.[1]);
  if (match?.[2] !== undefined && role !== undefined)
    return [...earlier, { role, key: fromHex(match[2], "--trust") }];
  throw new InvalidArgumentError(
    `expected device:KEY or node:KEY with 64 hexadecimal digits, got ${JSON.stringify(text)}`,
  );
}
