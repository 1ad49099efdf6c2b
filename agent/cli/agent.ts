import { Command } from "commander";
import { runCommand } from "../../runtime/command.ts";
import { openLogger } from "../../runtime/log.ts";
import { listenForHangups } from "../reload/hangups.ts";
import { leaseFileOf } from "../supervisor/lease-path.ts";
import { supervise } from "../supervisor.ts";

interface AgentCommandOptions {
  readonly config: string;
  readonly json?: boolean;
  readonly supervise?: boolean;
}

const HELP = `
Readings are sealed into the journal named in the configuration and streamed to the nodes named there. The device key
is made on first start, or is the coprocessor's that the configuration names as signer. Logs go to standard error, one JSON object a line. SIGTERM stops it cleanly. SIGHUP has it read its
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
  const file = leaseFileOf(options.config);
  process.exitCode = await supervise({
    command: process.execPath,
    ...(file === undefined
      ? {}
      : {
          leases: {
            file,
            revert: { command: process.execPath, args: [...program("flex", "revert"), "--json"] },
          },
        }),
    args: options.json === true ? [...args, "--json"] : args,
    logger: openLogger("supervisor", "info"),
    hangups: listenForHangups(),
  });
}
