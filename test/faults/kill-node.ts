import { killed, untilKill } from "./kit/kills.ts";
import { seededRandom } from "./kit/random.ts";
import type { Fault, FaultOutcome, FaultRun } from "./kit/report.ts";
import { FaultSite } from "./kit/site.ts";
import { checkedIn, settled, sidesOf } from "./kit/verdict.ts";
import { Witness } from "./kit/witness.ts";

/** The node is killed with SIGKILL at any instant, the agent lives on. */
export const killNode: Fault = {
  name: "kill-node",
  cycles: 500,
  does: "kill -9 of the node at a random instant, one agent and one store for all cycles",
  run: runKillNode,
};

async function runKillNode({ cycles, seed, folder, said }: FaultRun): Promise<FaultOutcome> {
  const random = seededRandom(seed);
  const site = await FaultSite.start(folder, { samplingMs: 200 });
  const witness = new Witness();
  try {
    let node = await site.startNode();
    const agent = site.launchAgent();
    await agent.accepting();
    for (let cycle = 0; cycle < cycles; cycle++) {
      const inStart = random() < 0.25 && cycle > 0;
      const seen = agent.lines.length;
      if (cycle > 0) node = site.launchNode();
      await untilKill(
        random,
        inStart
          ? undefined
          : agent.event("node-connected", { from: cycle > 0 ? seen : 0, withinMs: 300_000 }),
      );
      await killed(node, witness, `cycle ${cycle}: the node`);
      await witness.look(sidesOf(site), checkedIn(cycle, "store"));
      said(cycle + 1, witness.findings);
    }
    await site.startNode();
    const { code } = await agent.kill("SIGTERM");
    if (code !== 0) witness.problem(`the agent ended with ${code}`);
    return await settled(site, { witness, cycles });
  } finally {
    await site.close();
  }
}
