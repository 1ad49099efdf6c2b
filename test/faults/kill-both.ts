import { killed, untilKill } from "./kit/kills.ts";
import { type Random, seededRandom } from "./kit/random.ts";
import type { Fault, FaultOutcome, FaultRun } from "./kit/report.ts";
import type { Running } from "./kit/running.ts";
import { FaultSite } from "./kit/site.ts";
import { settled, sidesOf } from "./kit/verdict.ts";
import { Witness } from "./kit/witness.ts";

/** Agent and node are killed with SIGKILL, each at its own instant. */
export const killBoth: Fault = {
  name: "kill-both",
  cycles: 500,
  does: "kill -9 of the agent, of the node or of both, each at its own random instant",
  run: runKillBoth,
};

async function runKillBoth({ cycles, seed, folder, said }: FaultRun): Promise<FaultOutcome> {
  const random = seededRandom(seed);
  const site = await FaultSite.start(folder, { samplingMs: 200 });
  const witness = new Witness();
  try {
    await firstStart(site);
    let pair: Pair = {};
    for (let cycle = 0; cycle < cycles; cycle++) {
      pair = await oneCycle(site, pair, { random, witness, cycle });
      await witness.look(sidesOf(site));
      said(cycle + 1, witness.findings);
    }
    for (const one of [pair.agent, pair.node]) await one?.kill("SIGKILL");
    await site.startNode();
    return await settled(site, { witness, cycles });
  } finally {
    await site.close();
  }
}

/** Who still runs. */
interface Pair {
  readonly agent?: Running;
  readonly node?: Running;
}

/** Makes keys, ports, the journal and the store. */
async function firstStart(site: FaultSite): Promise<void> {
  const node = await site.startNode();
  const agent = site.launchAgent();
  await agent.accepting();
  await site.receipted(1);
  await Promise.all([agent.kill("SIGKILL"), node.kill("SIGKILL")]);
}

async function oneCycle(
  site: FaultSite,
  before: Pair,
  { random, witness, cycle }: { readonly random: Random; readonly witness: Witness; readonly cycle: number },
): Promise<Pair> {
  const node = before.node ?? site.launchNode();
  const agent = before.agent ?? site.launchAgent();
  const die = { node: random() < 0.6, agent: random() < 0.6 };
  const inStart = random() < 0.25;
  const ready = inStart ? undefined : agent.until("a node", 60_000, () => agent.connected || undefined);
  // Told apart, so that each instant follows from the seed.
  const waits = [seededRandom(random() * 2 ** 32), seededRandom(random() * 2 ** 32)] as const;
  const end = async (one: Running, name: string, wait: Random): Promise<void> => {
    await untilKill(wait, ready);
    await killed(one, witness, `cycle ${cycle}: the ${name}`);
  };
  await Promise.all([
    die.node || !die.agent ? end(node, "node", waits[0]) : undefined,
    die.agent ? end(agent, "agent", waits[1]) : undefined,
  ]);
  return { ...(die.node || !die.agent ? {} : { node }), ...(die.agent ? {} : { agent }) };
}
