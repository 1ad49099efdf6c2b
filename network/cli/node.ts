import { Command } from "commander";
import { toHex } from "../../attest/bytes.ts";
import { leaveParent, runCommand, stopRequested } from "../../runtime/command.ts";
import { readConfigFile } from "../../runtime/config-file.ts";
import { type Logger, openLogger } from "../../runtime/log.ts";
import { nodeConfigSchema } from "../config.ts";
import { NODE_EXTENSIONS } from "../extensions.ts";
import { type RunningNode, startNode } from "../node.ts";

interface NodeOptions {
  readonly config: string;
  readonly json?: boolean;
}

/**
 * `kilowitness node --config FILE [--json]`: runs a verifying node until SIGTERM or SIGINT. Exit status 0 after a clean
 * stop, 2 for a wrong configuration, 1 for anything else, with one line on standard error.
 */
export function nodeCommand(): Command {
  return new Command("node")
    .description("run a verifying node: takes batches of devices, checks every leaf, gives receipts")
    .requiredOption("--config <file>", "configuration, YAML (see examples/node.yaml)")
    .option("--json", "print what happens as JSON lines")
    .action((options: NodeOptions) => runCommand("node", () => runNode(options)));
}

async function runNode(options: NodeOptions): Promise<void> {
  const config = readConfigFile(options.config, nodeConfigSchema);
  const logger = openLogger("node", config.log);
  const stopped = stopRequested();
  const node = await startNode(config, logger, NODE_EXTENSIONS);
  process.on("SIGHUP", () => reload(node, logger, options.config));
  process.stdout.write(readyLine(node, options.json === true));
  await stopped;
  await node.close();
  leaveParent();
}

/** Devices, tokens and certificates change while the node runs, nothing else; a file that is wrong changes nothing. */
function reload(node: RunningNode, logger: Logger, path: string): void {
  try {
    node.reload(readConfigFile(path, nodeConfigSchema).devices);
    logger.info("devices-reloaded", { path });
  } catch (thrown) {
    logger.problem("reload-failed", thrown, { path });
  }
}

function readyLine(node: RunningNode, json: boolean): string {
  const nodeKey = toHex(node.nodeKey);
  if (json)
    return `${JSON.stringify({ event: "node-ready", ws: node.wsUrl, http: node.httpUrl, nodeKey })}\n`;
  return `node ready: devices ${node.wsUrl}, questions ${node.httpUrl}, node key ${nodeKey}\n`;
}
