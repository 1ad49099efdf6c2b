import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { Agent } from "../../agent/agent.ts";
import { loadAgentConfig } from "../../agent/config/config.ts";
import { Journal } from "../../agent/journal/journal.ts";
import { toHex } from "../../attest/bytes.ts";
import { startSunSpecInverter } from "../../drivers/simulated/sunspec-device.ts";
import { nodeConfigSchema } from "../../network/config.ts";
import { type RunningNode, startNode } from "../../network/node.ts";
import { type Line, NETWORK, recordingLogger, temporaryFolder } from "./kit.ts";

/** An agent that runs, and what it logged. */
export interface Running {
  readonly agent: Agent;
  readonly lines: Line[];
  /** Codes of what was wrong with its nodes. */
  problems(): unknown[];
  stop(): Promise<void>;
}

export interface NodeAt {
  readonly url: string;
  readonly key: string;
  readonly more?: string;
}

/** An inverter, gateways in folders of their own, and nodes: all real, on loopback. */
export class UplinkHome {
  readonly folder: string;
  readonly closers: (() => Promise<unknown> | unknown)[];
  #inverterPort = 0;

  constructor() {
    const { folder, remove } = temporaryFolder();
    this.folder = folder;
    this.closers = [remove];
  }

  async begin(): Promise<void> {
    const inverter = await startSunSpecInverter({
      ...{ host: "127.0.0.1", port: 0, onServed: () => undefined },
      state: () => ({ serial: "INV-1", exportMwh: Date.now(), activePowerMw: -3_600_000 }),
    });
    this.#inverterPort = inverter.port;
    this.closers.push(() => inverter.close());
  }

  /** `changes` are to the configuration of a node that takes any device. */
  async startNode(name = "node", changes: object = {}): Promise<RunningNode> {
    const at = (file: string): string => join(this.folder, `${name}.${file}`);
    const config = nodeConfigSchema.parse({
      ...{ network: NETWORK, key: at("key"), store: at("sqlite"), devices: "open", log: "silent" },
      ...{ listen: { port: 0 }, http: { port: 0 }, ...changes },
    });
    const node = await startNode(config, recordingLogger().logger);
    let closed: Promise<void> | undefined;
    const close = (): Promise<void> => {
      closed ??= node.close();
      return closed;
    };
    this.closers.push(close);
    return { ...node, close };
  }

  /** The gateway's folder, of which a copy is a copied card. */
  gateway(name: string): string {
    const folder = join(this.folder, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  startAgent(gateway: string, nodes: readonly NodeAt[]): Running {
    const file = join(gateway, "agent.yaml");
    const listed = nodes.map(({ url, key, more = "" }) => `{url: "${url}", key: "${key}"${more}}`);
    writeFileSync(
      file,
      `{network: ${NETWORK}, key: k, journal: journal.sqlite, intervalSeconds: 1, commitSeconds: 0.1, checkpointSeconds: 0.2,
        devices: [{id: roof, driver: sunspec, host: 127.0.0.1, port: ${this.#inverterPort}, intervalMs: 100}],
        nodes: [${listed.join(", ")}]}`,
    );
    const { logger, lines } = recordingLogger();
    const agent = new Agent({ config: loadAgentConfig(file), logger });
    let stopped: Promise<void> | undefined;
    const stop = (): Promise<void> => {
      stopped ??= agent.stop();
      return stopped;
    };
    this.closers.push(stop);
    agent.start();
    const problems = (): unknown[] =>
      lines.filter(({ event }) => event === "node-problem").map((line) => line["code"]);
    return { agent, lines, problems, stop };
  }

  /** Copies a gateway that does not run; over what is there already. */
  copy(from: string, to: string): string {
    for (const name of readdirSync(this.gateway(to)))
      rmSync(join(this.folder, to, name), { recursive: true });
    cpSync(from, this.gateway(to), { recursive: true });
    return this.gateway(to);
  }

  /** A gateway's journal, to read. */
  journal(gateway: string): Journal {
    const journal = new Journal(join(gateway, "journal.sqlite"), "reader");
    this.closers.push(() => journal.close());
    return journal;
  }

  async close(): Promise<void> {
    for (const close of this.closers.reverse()) await close();
  }
}

/** A home of its own for each test of the block. */
export function useUplinkHome(): () => UplinkHome {
  let home: UplinkHome | undefined;
  beforeEach(async () => {
    home = new UplinkHome();
    await home.begin();
  });
  afterEach(() => home?.close());
  return () => {
    if (home === undefined) throw new Error("outside a test");
    return home;
  };
}

export function nodeAt(node: RunningNode, more?: string): NodeAt {
  const at = { url: node.wsUrl, key: toHex(node.nodeKey) };
  return more === undefined ? at : { ...at, more };
}

/** What a node answers over HTTP. */
export async function ask(node: RunningNode, path: string): Promise<Readonly<Record<string, unknown>>> {
  const answer = await fetch(`${node.httpUrl}${path}`);
  return Object(await answer.json());
}
