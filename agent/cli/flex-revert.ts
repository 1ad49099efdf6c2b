import { existsSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { Problem } from "../../attest/problem.ts";
import { runCommand } from "../../runtime/command.ts";
import { type DatabaseLock, lockDatabase } from "../../runtime/database-lock.ts";
import { type AgentConfig, loadAgentConfig } from "../config/config.ts";
import { readBootId } from "../control/lease-file.ts";
import { leaseFileBeside } from "../supervisor/lease-path.ts";
import { LeaseBook } from "./flex-revert-book.ts";
import { revertAll } from "./flex-revert-run.ts";
import { type RevertReport, revertJson, revertText } from "./flex-revert-text.ts";

interface RevertOptions {
  readonly config: string;
  /** Only this one. */
  readonly device?: string;
  readonly seconds: number;
  readonly reason: string;
  readonly json?: boolean;
}

const DEFAULT_SECONDS = 60;
const LONGEST_SECONDS = 3600;
const HELP = `
For when no agent runs that would do it: an agent that was killed, or a gateway that is taken away. Each device that was told
something is asked who it is, told to end that, and asked whether it has; again until it confirms, or the time is over. The
agent started with --supervise runs this by itself. Stop the agent first: two programs never share a line.

Exit status: 0 every command is ended, or there was none; 1 not all, with what to do by hand; 2 the configuration is wrong.`;

/** `kilowitness flex revert --config FILE`: ends what an agent that is gone has told its devices. */
export function flexRevertCommand(): Command {
  return new Command("revert")
    .description("end what an agent that is gone has told its devices")
    .requiredOption("--config <file>", "configuration of the agent")
    .option("--device <id>", "only this device; left out: all of them")
    .option("--seconds <number>", "how long to try", seconds, DEFAULT_SECONDS)
    .addOption(new Option("--reason <word>", "why, for the log").default("by-hand").hideHelp())
    .option("--json", "print one JSON object")
    .addHelpText("after", HELP)
    .action((options: RevertOptions) => runCommand("flex revert", () => revert(options)));
}

async function revert(options: RevertOptions): Promise<void> {
  const report = await revertKept(loadAgentConfig(options.config), options);
  process.stdout.write(
    options.json === true ? `${JSON.stringify(revertJson(report))}\n` : revertText(report),
  );
  if (report.outcomes.some(({ reverted }) => !reverted)) process.exitCode = 1;
}

/**
 * Reverts what the file beside the journal holds, as long as nobody else has the right to that journal. Throws
 * `revert-agent-runs`, `config-device`, `control-leases-…`.
 */
export async function revertKept(
  config: AgentConfig,
  { device: only, seconds: patience, reason }: Pick<RevertOptions, "device" | "seconds" | "reason">,
): Promise<RevertReport> {
  const file = leaseFileBeside(config.journal);
  requireDevice(config, only);
  // No file, no lock: nothing is made beside a journal that there may not be.
  if (!existsSync(file)) return { file, outcomes: [], sameBoot: true };
  const lock = lockOf(config.journal);
  try {
    const book = new LeaseBook(file, reason);
    const leases = book.leases.filter(({ device }) => (only ?? device) === device);
    const outcomes = await revertAll({ book, leases, devices: config.devices, patienceMs: patience * 1000 });
    return { file, outcomes, sameBoot: book.bootId === readBootId() };
  } finally {
    lock.release();
  }
}

/** The right that an agent has while it runs. */
function lockOf(journal: string): DatabaseLock {
  try {
    return lockDatabase(journal);
  } catch (cause) {
    if (!(cause instanceof Problem) || cause.code !== "database-locked") throw cause;
    throw new Problem("revert-agent-runs", "an agent runs with this journal, and ends its commands itself", {
      where: journal,
      hint: "stop it first: systemctl stop kilowitness-agent",
      cause,
    });
  }
}

function requireDevice({ devices, path }: AgentConfig, id: string | undefined): void {
  if (id === undefined || devices.some((device) => device.id === id)) return;
  throw new Problem("config-device", "the configuration has no such device", {
    ...{ where: `${path}: --device`, got: JSON.stringify(id) },
    expected: `one of ${devices.map((device) => device.id).join(", ")}`,
  });
}

function seconds(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= LONGEST_SECONDS) return value;
  throw new InvalidArgumentError(`expected a number above 0 up to ${LONGEST_SECONDS}, got "${text}"`);
}
