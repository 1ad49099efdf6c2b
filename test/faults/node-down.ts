import { nativeSigner } from "../../attest/native.ts";
import { loadOrCreateKey } from "../../runtime/key-file.ts";
import { FakeTime, meterReading, meterSource, openBench } from "../agent/kit.ts";
import { type Fault, type FaultOutcome, type FaultRun, outcomeOf } from "./kit/report.ts";
import { FaultSite, NETWORK } from "./kit/site.ts";
import { finalCount, sidesOf } from "./kit/verdict.ts";
import { Witness } from "./kit/witness.ts";

const HOURS = 6;
const SECONDS_AN_HOUR = 3600;
const DEVICES = 3;
const COMMIT_SECONDS = 10;
const CHECKPOINT_SECONDS = 60;
/** 3.6 kW, as whole steps of a Wh. */
const RISE_MWH = 1000;
const WITHIN_MS = 600_000;
/** Receipted behind the backlog, so that the live part is counted, too. */
const LIVE_LEAVES = 150;

/** The node was away for hours, with three meters read each second: everything is delivered when it is back. */
export const nodeDown: Fault = {
  name: "node-down",
  cycles: 1,
  does: `the node was down for ${HOURS} hours, ${DEVICES} meters at 1 Hz: how long the backlog takes`,
  run: runNodeDown,
};

async function runNodeDown(run: FaultRun): Promise<FaultOutcome> {
  return downFor(run, HOURS);
}

/** As {@link nodeDown}, with another time. */
export async function downFor({ folder }: FaultRun, hours: number): Promise<FaultOutcome> {
  const site = await FaultSite.start(folder, { intervalSeconds: 60 });
  const witness = new Witness();
  try {
    const made = performance.now();
    const backlog = await makeBacklog(site, Math.round(hours * SECONDS_AN_HOUR));
    const madeSeconds = secondsSince(made);
    await site.startNode();
    const agent = site.launchAgent();
    await agent.event("node-connected");
    const began = performance.now();
    const receipted = (): number => agent.status?.nodes[0]?.receiptedSize ?? 0;
    // Asked of the node: the agent's own status comes once a second.
    await site.receipted(backlog, WITHIN_MS);
    const drainSeconds = secondsSince(began);
    await agent.until("live leaves", WITHIN_MS, () => receipted() > backlog + LIVE_LEAVES || undefined);
    const { code } = await agent.kill("SIGTERM");
    if (code !== 0) witness.problem(`the agent ended with ${code}`);
    await witness.look(sidesOf(site));
    const count = await finalCount(site, witness, { mayBeUnclosed: true });
    const leavesPerSecond = Math.round(backlog / drainSeconds);
    return outcomeOf(1, witness.findings, count, { backlog, madeSeconds, drainSeconds, leavesPerSecond });
  } finally {
    await site.close();
  }
}

/** Seals what the meters would have shown until now, as the agent does; returns the number of leaves. */
async function makeBacklog(site: FaultSite, seconds: number): Promise<number> {
  const { key } = loadOrCreateKey(site.keyFile);
  const time = new FakeTime();
  time.wall = Date.now() - seconds * 1000;
  const { log, sealer } = openBench(site.journal, { time, signer: nativeSigner(key.seed), network: NETWORK });
  const channels = Array.from({ length: DEVICES }, (_, device) =>
    sealer.channel({ ...meterSource(`B${device}`), settings: { name: `backlog/${device}` } }),
  );
  for (let second = 1; second <= seconds; second++) {
    time.advance(1000);
    for (const channel of channels) sealer.sealReading(channel, meterReading(1_000_000 + second * RISE_MWH));
    if (second % CHECKPOINT_SECONDS === 0) await sealer.checkpoint();
    else if (second % COMMIT_SECONDS === 0) sealer.commit();
  }
  await sealer.checkpoint();
  const size = sealer.signedSize;
  log.journal.close();
  return size;
}

function secondsSince(began: number): number {
  return Math.round((performance.now() - began) / 100) / 10;
}
