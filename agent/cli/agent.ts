import { dirname, resolve } from "node:path";
import { Command } from "commander";
import { z } from "zod";
import { Problem } from "../../attest/problem.ts";
import { runCommand } from "../../runtime/command.ts";
import { readConfigFile } from "../../runtime/config-file.ts";
import { openLogger } from "../../runtime/log.ts";
import { listenForHangups } from "../reload/hangups.ts";
import { leaseFileBeside } from "../supervisor/lease-path.ts";
import { supervise } from "../supervisor.ts";

interface AgentCommandOptions {
  readonly config: string;
  readonly json?: boolean;
  readonly supervise?: boolean;
}

const HELP = `
Readings are sealed into the journal named in the configuration and streamed to the nodes named there. The device key
is made on first start. Logs go to standard error, one JSON object a line. SIGTERM stops it cleanly. SIGHUP has it read its
configuration again, unless it was started in a terminal. One agent at a time may use a journal; kilowitness prove reads it
meanwhile.

Exit status: 0 stopped cleanly, 1 it could not start or failed, 2 the configuration is wrong.

Before the first start: kilowitness probe --config FILE`;

/** `kilowitness agent --config FILE`: reads, seals, keeps and streams until it is told to stop. */
export function agentCommand(): Command {
  return new Command("agent")
    .description("read the configured devices, seal every reading, stream to the nodes")
    .requiredOption("--config <file>", "configuration (see examples/agent.yaml)")
    .option("--supervise", "run under a small parent process that starts it again when it dies")
    .option("--json", "print the ready line as JSON")
    .addHelpText("after", HELP)
    .action((options: AgentCommandOptions) =>
      runCommand("agent", () => (options.supervise === true ? superviseAgent(options) : runHere(options))),
    );
}

/** Loaded only where it runs: a supervisor stays small. */
async function runHere(options: AgentCommandOptions): Promise<void> {
  const { runAgent } = await import("./agent-run.ts");
  await runAgent(options);
}

async function superviseAgent(options: AgentCommandOptions): Promise<void> {
  const launcher = process.argv[1] ?? "";
  const program = (...words: string[]): string[] => [
    ...process.execArgv,
    ...[launcher, ...words, "--config", options.config],
  ];
  const args = program("agent");
  const leases = journalNamedIn(options.config);
  process.exitCode = await supervise({
    command: process.execPath,
    ...(leases === undefined
      ? {}
      : {
          leases: {
            file: leaseFileBeside(leases),
            revert: { command: process.execPath, args: program("flex", "revert") },
          },
        }),
    args: options.json === true ? [...args, "--json"] : args,
    logger: openLogger("supervisor", "info"),
    hangups: listenForHangups(),
  });
}

/** The journal that a configuration names, which is not checked here: the agent says what is wrong with it. */
function journalNamedIn(path: string): string | undefined {
  try {
    const { journal } = readConfigFile(path, z.looseObject({ journal: z.string() }));
    return resolve(dirname(resolve(path)), journal);
  } catch (cause) {
    if (cause instanceof Problem) return undefined;
    throw cause;
  }
}
