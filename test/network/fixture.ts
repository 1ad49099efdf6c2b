import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { nativeSuite } from "../../attest/native.ts";
import { type NodeConfig, nodeConfigSchema } from "../../network/config.ts";
import { type OpenExtension, type RunningNode, startNode } from "../../network/node.ts";
import { openSqliteStore, type SqliteStore } from "../../network/store/sqlite-store.ts";
import { openLogger } from "../../runtime/log.ts";
import { NETWORK } from "../kit/device.ts";

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (let last = cleanups.pop(); last !== undefined; last = cleanups.pop()) await last();
});

/** Runs after the test, last given first. */
export function atEnd(cleanup: () => Promise<void> | void): void {
  cleanups.push(cleanup);
}

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "kilowitness-node-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function configIn(folder: string, changes: Partial<NodeConfig> = {}): NodeConfig {
  const required = { network: NETWORK, key: join(folder, "node.key"), store: join(folder, "node.sqlite") };
  const free = { listen: { port: 0 }, http: { port: 0 }, devices: "open", log: "silent" };
  return nodeConfigSchema.parse({ ...required, ...free, ...changes });
}

/** A node on free ports, stopped after the test. */
export async function runNode(
  folder: string = temporaryFolder(),
  changes: Partial<NodeConfig> = {},
  extensions: readonly OpenExtension[] = [],
): Promise<RunningNode> {
  const node = await startNode(configIn(folder, changes), openLogger("node", "silent"), extensions);
  const close = once(() => node.close());
  atEnd(close);
  return { ...node, close };
}

export function openStore(folder: string = temporaryFolder()): SqliteStore {
  const store = openSqliteStore(nativeSuite, {
    path: join(folder, "node.sqlite"),
    network: NETWORK,
    maxBytes: 64 * 1_048_576,
  });
  const close = once(() => store.close());
  atEnd(close);
  return store;
}

function once(run: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= run();
    return done;
  };
}

/** The JSON answer of a node, with its status. */
export async function ask(
  node: RunningNode,
  path: string,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(`${node.httpUrl}${path}`);
  return { status: response.status, body: await response.json() };
}
