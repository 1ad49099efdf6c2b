import { toHex } from "../../attest/bytes.ts";
import { leaveParent, stopRequested } from "../../runtime/command.ts";
import { type Logger, openLogger } from "../../runtime/log.ts";
import { Agent } from "../agent.ts";
import { type AgentConfig, loadAgentConfig } from "../config/config.ts";
import { listenForHangups } from "../reload/hangups.ts";
import { ReloadingAgent } from "../reload/reloading-agent.ts";
import type { AgentEvent } from "../status.ts";
import { isSupervised } from "../supervisor.ts";

/** What `kilowitness agent` takes of its command line when it is the agent itself. */
export interface AgentRunOptions {
  readonly config: string;
  readonly json?: boolean;
}

/** Runs the agent in this process until it is told to stop. Throws what keeps it from starting. */
export async function runAgent(options: AgentRunOptions): Promise<void> {
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
        supervised: isSupervised(),
        ...(listener === undefined ? {} : { listener }),
      }),
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
