import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Agent } from "../../../agent/agent.ts";
import { loadAgentConfig } from "../../../agent/config/config.ts";
import { startSunSpecInverter } from "../../../drivers/simulated/sunspec-device.ts";
import { type Line, NETWORK, recordingLogger, temporaryFolder } from "../kit.ts";

/** A whole agent on a simulated inverter, in a folder of its own. */
export interface RunningAgent {
  readonly agent: Agent;
  readonly folder: string;
  readonly config: string;
  readonly lines: readonly Line[];
  /** Takes the inverter off the network. */
  unplug(): Promise<void>;
  /** Stops the agent alone. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

export interface AgentOptions {
  /** Further keys of the configuration, as they stand in braces. */
  readonly keys?: string;
  /** Files beside the configuration, mode 0600. */
  readonly files?: Readonly<Record<string, string>>;
  readonly serial?: string;
  /** Name of the inverter's channel in the log. */
  readonly channel?: string;
}

export async function runAgent({
  keys = "",
  files = {},
  serial = "INV-4711",
  channel = "roof/inverter",
}: AgentOptions = {}): Promise<RunningAgent> {
  const { folder, remove } = temporaryFolder();
  let exportMwh = 1_000_000;
  const inverter = await startSunSpecInverter({
    ...{ host: "127.0.0.1", port: 0, onServed: () => undefined },
    state: () => {
      exportMwh += 100;
      return { serial, exportMwh, activePowerMw: -3_600_000 };
    },
  });
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o600);
  }
  const config = join(folder, "agent.yaml");
  writeFileSync(
    config,
    `{network: ${NETWORK}, key: device.key, journal: journal.sqlite, commitSeconds: 0.1, checkpointSeconds: 0.2,
      devices: [{id: roof, driver: sunspec, host: 127.0.0.1, port: ${inverter.port}, intervalMs: 100, channels: {inverter: {name: "${channel}"}}}]${keys === "" ? "" : `, ${keys}\n`}}\n`,
  );
  const { logger, lines } = recordingLogger();
  const agent = new Agent({ config: loadAgentConfig(config), logger });
  agent.start();
  const [unplug, stop] = [once(() => inverter.close()), once(() => agent.stop())];
  const close = async (): Promise<void> => {
    await stop();
    await unplug();
    remove();
  };
  return { agent, folder, config, lines, unplug, stop, close };
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}
