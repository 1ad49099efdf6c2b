import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Running } from "./running.ts";
import { type SentBatch, sentBatches } from "./sent.ts";
import type { FaultSite } from "./site.ts";
import { rulesAt } from "./store-cut.ts";
import { readTraces, type TraceOp, tracedInto, UNHIDDEN } from "./trace.ts";

/** A run of the agent beside a node, down to every write: what cuts are made in. */
export interface TracedRun {
  readonly ops: readonly TraceOp[];
  readonly batches: readonly SentBatch[];
  readonly deviceKey: Uint8Array;
  /** The node's store at the end, of a node that was stopped. */
  readonly store: string;
  /** What its rules remembered at each size. */
  readonly rules: ReadonlyMap<number, string>;
}

/** Why nothing can be traced here; undefined where it can. */
export function tracingProblem(): string | undefined {
  const { error, status, stderr } = spawnSync("strace", ["-o", "/dev/null", "true"], { encoding: "utf8" });
  if (error !== undefined) return "strace is not installed";
  return status === 0 ? undefined : `strace does not work here: ${stderr.trim()}`;
}

/** Where the agent of a traced site keeps its files, and nobody else does. */
export function agentFolder(folder: string): string {
  return join(folder, "agent");
}

/**
 * Runs the agent traced until its log has so many leaves, half of them before a kill -9 and a second start. `site` keeps its
 * meter, and has no running programs afterwards.
 */
export async function tracedRun(site: FaultSite, leaves: number): Promise<TracedRun> {
  const node = await site.startNode();
  const first = await traced(site, "first.trace", Math.ceil(leaves / 2));
  await first.kill("SIGKILL");
  const second = await traced(site, "second.trace", leaves);
  await second.kill("SIGTERM");
  await node.kill("SIGTERM");
  const files = ["first.trace", "second.trace"].map((name) => join(site.folder, name));
  const texts = files.map((file) => readFileSync(file, "latin1"));
  for (const file of files) rmSync(file);
  const ops = readTraces(texts, agentFolder(site.folder));
  const store = join(site.folder, "whole-store.sqlite");
  copyFileSync(site.store, store);
  const { deviceKey } = site;
  return { ops, batches: sentBatches(ops), deviceKey, store, rules: rulesAt(store, deviceKey) };
}

async function traced(site: FaultSite, file: string, leaves: number): Promise<Running> {
  const agent = site.launchAgent({ under: tracedInto(join(site.folder, file)), env: UNHIDDEN });
  await agent.until(`${leaves} receipted leaves`, 240_000, () =>
    (agent.status?.nodes[0]?.receiptedSize ?? 0) >= leaves ? true : undefined,
  );
  return agent;
}
