import { toHex } from "../../attest/bytes.ts";
import { leaveParent, stopRequested } from "../../runtime/command.ts";
import { type Logger, openLogger } from "../../runtime/log.ts";
import { Agent } from "../agent.ts";
import { type AgentConfig, loadAgentConfig } from "../config/config.ts";
import { type DeviceKey, openDeviceKey } from "../identity/device-key.ts";
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
    const key = await openDeviceKey(config);
    try {
      const reloading = reloadingAgent(config, key);
      reloading.start();
      process.stdout.write(`${readyLine(reloading.agent, options.json === true)}\n`);
      hangups.pass(() => reloading.reload());
      await Promise.race([stopped, reloading.broken]);
      await reloading.stop();
    } finally {
      await key.close();
    }
  } finally {
    leaveParent();
  }
}

/** The key outlives a reload: a line that is given up would have to be found anew. */
function reloadingAgent(config: AgentConfig, opened: DeviceKey): ReloadingAgent<Agent> {
  const listener = parentListener();
  const logger = ({ logLevel }: AgentConfig): Logger => openLogger("agent", logLevel);
  let deviceKey = opened;
  const make = (wanted: AgentConfig): Agent => {
    const agent = new Agent({
      ...{ config: wanted, logger: logger(wanted), supervised: isSupervised(), deviceKey },
      ...(listener === undefined ? {} : { listener }),
    });
    // What was new or missing at the start has been said.
    const { problem: _, ...since } = deviceKey;
    deviceKey = { ...since, created: false };
    return agent;
  };
  return new ReloadingAgent({ config, logger, load: () => loadAgentConfig(config.path), make });
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
