import { type Leaf, TIME_QUALITY } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { FakedClock, faketimeLibrary } from "./kit/clock.ts";
import type { Served } from "./kit/meter.ts";
import { type Random, seededRandom, wholeBelow } from "./kit/random.ts";
import { type Fault, type FaultOutcome, type FaultRun, outcomeOf } from "./kit/report.ts";
import type { Running } from "./kit/running.ts";
import { FaultSite } from "./kit/site.ts";
import { finalCount, sidesOf } from "./kit/verdict.ts";
import { Witness } from "./kit/witness.ts";

const DAY_S = 86_400;
const MOST_DAYS = 14;
const WITHIN_MS = 120_000;
/** Receipted behind each step, closes among them. */
const SOME_LEAVES = 60;
/** A reading that is stamped further off than this is not on the right time. */
const RIGHT_MS = 60_000;

/** The agent's wall clock is set by up to 14 days, back and forth, while it runs and while it is killed. */
export const clockSteps: Fault = {
  name: "clock-steps",
  cycles: 12,
  does: "the agent's clock is set by up to 14 days to and fro, each second time over a kill -9",
  run: runClockSteps,
};

async function runClockSteps({ cycles, seed, folder, said }: FaultRun): Promise<FaultOutcome> {
  const library = faketimeLibrary();
  if (library === undefined) return notRun("libfaketime is not installed");
  const random = seededRandom(seed);
  const site = await FaultSite.start(folder, { samplingMs: 200 });
  const clock = new FakedClock(folder, library);
  const witness = new Witness();
  try {
    await site.startNode();
    let agent = site.launchAgent({ env: clock.env });
    for (let cycle = 0; cycle < cycles; cycle++) {
      await flows(agent);
      const isKilled = cycle % 2 === 1;
      if (isKilled) await agent.kill("SIGKILL");
      clock.set(offsetSeconds(random, cycle));
      if (isKilled) agent = site.launchAgent({ env: clock.env });
      await flows(agent);
      await witness.look(sidesOf(site));
      said(cycle + 1, witness.findings);
    }
    const { code } = await agent.kill("SIGTERM");
    if (code !== 0) witness.problem(`the agent ended with ${code}`);
    await witness.look(sidesOf(site));
    const count = await finalCount(site, witness, { clockIsFaked: true });
    return outcomeOf(cycles, witness.findings, count, timesOf(leavesOf(witness), site.meter.served));
  } finally {
    await site.close();
  }
}

function notRun(why: string): FaultOutcome {
  const none = { cycles: 0, acknowledged: 0, lost: 0, forks: 0, gaps: 0, fsckRuns: 0, unsound: 0 };
  return { ...none, problems: [], notRun: [why] };
}

/** The first two are the whole way to and fro; then anything, some of it less than an interval. */
function offsetSeconds(random: Random, cycle: number): number {
  if (cycle < 2) return (cycle === 0 ? 1 : -1) * MOST_DAYS * DAY_S;
  const most = random() < 0.3 ? 120 : MOST_DAYS * DAY_S;
  return wholeBelow(random, 2 * most + 1) - most;
}

/** Until leaves of this moment are at the node. */
async function flows(agent: Running): Promise<void> {
  const receipted = (): number => agent.status?.nodes[0]?.receiptedSize ?? 0;
  await agent.until("a node", WITHIN_MS, () => agent.connected || undefined);
  const before = agent.status?.log.size ?? 0;
  await agent.until("receipts", WITHIN_MS, () => receipted() > before + SOME_LEAVES || undefined);
}

function leavesOf(witness: Witness): Leaf[] {
  return [...witness.acknowledged().values()].flatMap((leaves) => leaves.map(decodeLeaf));
}

/** How the log says what happened to the clock, and how many readings were stamped with a wrong time all the same. */
function timesOf(leaves: readonly Leaf[], served: readonly Served[]): Readonly<Record<string, number>> {
  const shown = new Map(served.map(({ importMwh, atMs }) => [importMwh, atMs]));
  const readings = leaves
    .filter((leaf) => leaf.kind === "reading")
    .filter(({ importMwh }) => importMwh !== undefined);
  const believed = readings.filter(({ timeQuality }) => timeQuality >= TIME_QUALITY.batteryClock);
  const wrong = believed.filter(({ importMwh = 0, timeMs }) => {
    const atMs = shown.get(importMwh);
    return atMs !== undefined && Math.abs(timeMs - atMs) > RIGHT_MS;
  });
  return {
    clockSteps: leaves.filter(({ kind }) => kind === "clockStep").length,
    readingsSinceBoot: readings.length - believed.length,
    wrongOnBatteryClock: wrong.filter(({ timeQuality }) => timeQuality === TIME_QUALITY.batteryClock).length,
    wrongOnBetterClock: wrong.filter(({ timeQuality }) => timeQuality > TIME_QUALITY.batteryClock).length,
  };
}
