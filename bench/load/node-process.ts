import type { NodeConfig } from "../../network/config.ts";
import { startNode } from "../../network/node.ts";
import { openLogger } from "../../runtime/log.ts";
import { answer } from "./process.ts";

/** What the process has used so far, all of its threads together. */
export interface Usage {
  readonly cpuMs: number;
  readonly residentBytes: number;
}

/** A node in a process of its own that says what it uses. */
export interface NodeAnswers {
  start(
    config: NodeConfig,
  ): Promise<{ readonly url: string; readonly http: string; readonly nodeKey: Uint8Array }>;
  usage(): Usage;
  /** The same behind a full collection of garbage. */
  collected(): Usage;
  stop(): Promise<void>;
}

let stopNode: (() => Promise<void>) | undefined;

answer<NodeAnswers>({
  start: async (config) => {
    const node = await startNode(config, openLogger("node", config.log));
    stopNode = () => node.close();
    return { url: node.wsUrl, http: node.httpUrl, nodeKey: node.nodeKey };
  },
  usage,
  collected: () => {
    globalThis.gc?.();
    globalThis.gc?.();
    return usage();
  },
  stop: async () => stopNode?.(),
});

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1000, residentBytes: process.memoryUsage.rss() };
}
