import { once } from "node:events";
import { Worker } from "node:worker_threads";
import Database from "better-sqlite3";
import { seededRandom, wholeBelow } from "./kit/random.ts";
import type { Fault, FaultOutcome, FaultRun } from "./kit/report.ts";
import type { Running } from "./kit/running.ts";
import { FaultSite } from "./kit/site.ts";
import { settled, sidesOf } from "./kit/verdict.ts";
import { Witness } from "./kit/witness.ts";
import type { AttackOrder } from "./peers/attack-worker.ts";
import { ATTACK_NAMES, type Attacked } from "./peers/attacks.ts";
import { MemoryWatch, rssMib } from "./peers/memory.ts";
import { besideThis } from "./peers/quick-node.ts";

/** Strangers do to the node's port what they can. */
export const hostile: Fault = {
  name: "hostile",
  cycles: ATTACK_NAMES.length,
  does: "strangers flood, stall or cheat the node's port for 5 s in one way, while an honest agent streams",
  run: runHostile,
};

/** All connections that there may be, each with its socket's and TLS-free parser's memory, and what is read ahead. */
const MOST_MORE_MIB = 160;
const ATTACK_MS = 5000;
const WAIT_MS = 60_000;
/** Beside this nothing may be in the store. */
const ONE_DEVICE = 1;

async function runHostile({ cycles, seed, folder, said }: FaultRun): Promise<FaultOutcome> {
  const random = seededRandom(seed);
  // The limits of connections are the node's own here; only the pace of checkpoints is the harness's.
  const site = await FaultSite.start(folder, { nodeYaml: "maxCheckpointsPerMinute: 60000" });
  const witness = new Witness();
  const worker = new Worker(besideThis("attack-worker.ts"));
  const figures: Record<string, string> = {};
  try {
    const node = await site.startNode();
    const agent = site.launchAgent();
    await fresh(agent, 0);
    const began = rssMib(node.pid);
    for (let cycle = 0; cycle < cycles; cycle++) {
      const name = ATTACK_NAMES[cycle % ATTACK_NAMES.length] ?? "text";
      const order = { name, port: site.wsPort, ms: ATTACK_MS, seed: wholeBelow(random, 2 ** 31) };
      figures[name] = await underAttack({ site, agent, node, witness, began }, worker, order);
      said(cycle + 1, witness.findings);
    }
    await witness.look(sidesOf(site));
    requireAlone(site, witness);
    await agent.kill("SIGTERM");
    const outcome = await settled(site, { witness, cycles });
    return { ...outcome, figures: { ...outcome.figures, ...figures } };
  } finally {
    await worker.terminate();
    await site.close();
  }
}

interface Besieged {
  readonly site: FaultSite;
  readonly agent: Running;
  readonly node: Running;
  readonly witness: Witness;
  /** The node's memory before all attacks, MiB. */
  readonly began: number;
}

/** One attack: receipts go on during it, on the same connection, and the node's memory stays within its bounds. */
async function underAttack(besieged: Besieged, worker: Worker, order: AttackOrder): Promise<string> {
  const { agent, node, witness, began } = besieged;
  const seen = agent.lines.length;
  const [before, accepted] = [agent.status?.nodes[0]?.receiptedSize ?? 0, agent.accepted];
  const memory = new MemoryWatch(node.pid);
  worker.postMessage(order);
  const [result] = (await once(worker, "message")) as [Attacked];
  const receipted = (agent.status?.nodes[0]?.receiptedSize ?? 0) - before;
  const rss = memory.end();
  if (receipted <= 0) witness.problem(`${order.name}: no receipt came during the attack`);
  await fresh(agent, before + Math.max(0, receipted));
  if (node.ending !== undefined) witness.problem(`${order.name}: the node ended: ${node.text.slice(-500)}`);
  const lost = agent.lines.slice(seen).filter(({ event }) => event === "node-disconnected").length;
  if (lost > 0) witness.problem(`${order.name}: the honest agent was disconnected ${lost} times`);
  if (rss.most - began > MOST_MORE_MIB)
    witness.problem(`${order.name}: the node grew from ${began} to ${rss.most} MiB`);
  const sent = `${result.connections} connections, ${Math.round(result.bytes / 1024)} KiB`;
  return `${sent}, ${agent.accepted - accepted} readings, ${receipted} receipted, node ${rss.before}/${rss.most}/${rss.after} MiB`;
}

function fresh(agent: Running, size: number): Promise<true> {
  return agent.until(`a receipt over more than ${size} leaves`, WAIT_MS, () =>
    (agent.status?.nodes[0]?.receiptedSize ?? 0) > size ? true : undefined,
  );
}

/** Nothing of what strangers said is kept. */
function requireAlone(site: FaultSite, witness: Witness): void {
  const database = new Database(site.store, { readonly: true });
  try {
    for (const [table, most] of [
      ["device", ONE_DEVICE],
      ["log", ONE_DEVICE],
      ["fault", 0],
    ] as const) {
      const row = database.prepare(`SELECT count(*) AS count FROM ${table}`).get() as { count: number };
      if (row.count > most) witness.problem(`the store has ${row.count} rows in ${table}`);
    }
  } finally {
    database.close();
  }
}
