import { setTimeout as pause } from "node:timers/promises";
import { toHex } from "../../attest/bytes.ts";
import { type Random, seededRandom, wholeBelow } from "./kit/random.ts";
import type { Fault, FaultOutcome, FaultRun } from "./kit/report.ts";
import type { Running } from "./kit/running.ts";
import { FaultSite } from "./kit/site.ts";
import { settled, sidesOf } from "./kit/verdict.ts";
import { Witness } from "./kit/witness.ts";
import { HARMS, MessageProxy } from "./peers/message-proxy.ts";
import { deviceAt, UNLIMITED } from "./peers/quick-node.ts";

/** Whole messages are harmed on their way. */
export const messages: Fault = {
  name: "messages",
  cycles: 300,
  does: "one message is cut short, doubled, swapped, dropped, flipped in one bit, lengthened or an old one repeated",
  run: runMessages,
};

const LOOKED_EVERY = 30;
/** Messages that pass at most before one is harmed. */
const MOST_PASSES = 6;
/** A harmed handshake ends with a deadline of one side, and the next attempt with its back-off. */
const BACK_MS = 300_000;
/** A message that was harmed on a quiet line shows itself with those that follow. */
const QUIET_MS = 700;

async function runMessages({ cycles, seed, folder, said }: FaultRun): Promise<FaultOutcome> {
  const random = seededRandom(seed);
  const site = await FaultSite.start(folder, { nodeYaml: UNLIMITED });
  const witness = new Witness();
  const counts = new Map<string, number>();
  let proxy: MessageProxy | undefined;
  try {
    await site.startNode();
    proxy = await MessageProxy.start(site.nodeUrl, random);
    site.nodeUrl = proxy.url;
    const agent = site.launchAgent();
    await agent.event("node-connected");
    for (let cycle = 0; cycle < cycles; cycle++) {
      await oneHarm(proxy, agent, { random, cycle, counts });
      if (cycle % LOOKED_EVERY === LOOKED_EVERY - 1) await witness.look(sidesOf(site));
      said(cycle + 1, witness.findings);
    }
    await agent.kill("SIGTERM");
    requireNoAccusation(witness, await deviceAt(site, toHex(site.deviceKey), "/faults"));
    const outcome = await settled(site, { witness, cycles });
    return {
      ...outcome,
      figures: {
        ...outcome.figures,
        ...Object.fromEntries(counts),
        refusals: words(proxy.refusals),
        agentSaid: words(problemsOf(agent)),
      },
    };
  } finally {
    await site.close();
    await proxy?.close();
  }
}

/** One message is harmed; ends when a receipt has come that none of the messages before it could have brought. */
async function oneHarm(
  proxy: MessageProxy,
  agent: Running,
  {
    random,
    cycle,
    counts,
  }: { readonly random: Random; readonly cycle: number; readonly counts: Map<string, number> },
): Promise<void> {
  const harm = HARMS[cycle % HARMS.length] ?? "flip";
  const done = proxy.harm(harm, wholeBelow(random, MOST_PASSES));
  // A third of them in a handshake.
  if (random() < 0.34) proxy.cut();
  const { direction, type } = await within(done, `cycle ${cycle}: nothing was sent to ${harm}`);
  const name = `${direction}:${type}`;
  counts.set(name, (counts.get(name) ?? 0) + 1);
  const signed = agent.status?.log.signed ?? 0;
  await pause(QUIET_MS);
  await agent.until(`cycle ${cycle}: a receipt behind ${harm} of ${name}`, BACK_MS, () => {
    const node = agent.status?.nodes[0];
    return node?.connected === true && node.receiptedSize > signed ? true : undefined;
  });
}

async function within<T>(done: Promise<T>, what: string): Promise<T> {
  const late = pause(BACK_MS).then((): never => {
    throw new Error(what);
  });
  return Promise.race([done, late]);
}

/** What a line did must not stand against a device. */
function requireNoAccusation(witness: Witness, kept: unknown): void {
  if (JSON.stringify(kept) !== '{"faults":[]}')
    witness.problem(`the node accuses an honest device: ${JSON.stringify(kept).slice(0, 600)}`);
}

function problemsOf(agent: Running): ReadonlyMap<string, number> {
  const codes = new Map<string, number>();
  for (const line of agent.lines) {
    if (line["event"] !== "node-problem") continue;
    const code = String(line["code"]);
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  return codes;
}

function words(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, count]) => `${name} ${count}`).join(", ");
}
