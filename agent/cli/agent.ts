import { Command } from "commander";
import { toHex } from "../../attest/bytes.ts";
import { leaveParent, runCommand, stopRequested } from "../../runtime/command.ts";
import { type Logger, openLogger } from "../../runtime/log.ts";
import { Agent } from "../agent.ts";
import { type AgentConfig, loadAgentConfig } from "../config/config.ts";
import { listenForHangups } from "../reload/hangups.ts";
import { ReloadingAgent } from "../reload/reloading-agent.ts";
import type { AgentEvent } from "../status.ts";
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
      runCommand("agent", () => (options.supervise === true ? superviseAgent(options) : runAgent(options))),
    );
}

async function runAgent(options: AgentCommandOptions): Promise<void> {
  const hangups = listenForHangups();
  const config = loadAgentConfig(options.config);
  const stopped = stopRequested();
  try {
    const reloading = reloadingAgent(config);
    reloading.start();
    process.stdout.write(`${readyLine(reloading.agent, options.json === true)}\n`);
    hangups.pass(() => reloading.reload());
    await Promise.race([stopped, reloading.broken]);
    await reloading.stop();
  } finally {
    leaveParent();
  }
}

function reloadingAgent(config: AgentConfig): ReloadingAgent<Agent> {
  const listener = parentListener();
  const logger = ({ logLevel }: AgentConfig): Logger => openLogger("agent", logLevel);
  return new ReloadingAgent({
    ...{ config, logger, load: () => loadAgentConfig(config.path) },
    make: (wanted) =>
      new Agent({
        config: wanted,
        logger: logger(wanted),
        ...(listener === undefined ? {} : { listener }),
      }),
  });
}

async function superviseAgent(options: AgentCommandOptions): Promise<void> {
  const launcher = process.argv[1] ?? "";
  const args = [...process.execArgv, launcher, "agent", "--config", options.config];
  process.exitCode = await supervise({
    command: process.execPath,
    args: options.json === true ? [...args, "--json"] : args,
    logger: openLogger("supervisor", "info"),
    hangups: listenForHangups(),
  });
}

function readyLine(agent: Agent, json: boolean): string {
  const deviceKey = toHex(agent.deviceKey);
  return json
    ? JSON.stringify({ event: "agent-ready", deviceKey })
    : `agent running, device key ${deviceKey}`;
}

/** Events go to the parent process when there is one that listens. */
function parentListener(): ((event: AgentEvent) => void) | undefined {
  if (process.send === undefined) return undefined;
  return (event) => {
    // A parent that dies in between is no fault of the agent's: `disconnect` follows and stops it in order.
    if (process.connected) process.send?.(event, undefined, undefined, ignoreLostParent);
  };
}

/** Given to `send`, this keeps a broken channel from becoming an unhandled error. */
function ignoreLostParent(): void {}
