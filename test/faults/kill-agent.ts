import { killed, untilKill } from "./kit/kills.ts";
import { seededRandom } from "./kit/random.ts";
import type { Fault, FaultOutcome, FaultRun } from "./kit/report.ts";
import { FaultSite } from "./kit/site.ts";
import { checkedIn, settled, sidesOf } from "./kit/verdict.ts";
import { Witness } from "./kit/witness.ts";

/** The agent is killed with SIGKILL at any instant, its node lives on. */
export const killAgent: Fault = {
  name: "kill-agent",
  cycles: 500,
  does: "kill -9 of the agent at a random instant, one node and one journal for all cycles",
  run: runKillAgent,
};

async function runKillAgent({ cycles, seed, folder, said }: FaultRun): Promise<FaultOutcome> {
  const random = seededRandom(seed);
  const site = await FaultSite.start(folder, { samplingMs: 200 });
  const witness = new Witness();
  try {
    const node = await site.startNode();
    for (let cycle = 0; cycle < cycles; cycle++) {
      const agent = site.launchAgent();
      // The first start makes the key and the journal, which the looks need.
      const inStart = random() < 0.25 && cycle > 0;
      await untilKill(random, inStart ? undefined : agent.accepting());
      await killed(agent, witness, `cycle ${cycle}: the agent`);
      await witness.look(sidesOf(site), checkedIn(cycle, "journal"));
      said(cycle + 1, witness.findings);
    }
    if (node.ending !== undefined) witness.problem("the node ended by itself");
    return await settled(site, { witness, cycles });
  } finally {
    await site.close();
  }
}
