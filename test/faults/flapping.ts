import { setTimeout as pause } from "node:timers/promises";
import { type Random, seededRandom, wholeBelow } from "./kit/random.ts";
import type { Fault, FaultOutcome, FaultRun } from "./kit/report.ts";
import type { Running } from "./kit/running.ts";
import { settled, sidesOf } from "./kit/verdict.ts";
import { Witness } from "./kit/witness.ts";
import { onProxiedLine } from "./peers/proxied-line.ts";
import type { Cut, TcpProxy } from "./peers/tcp-proxy.ts";

/** The line between agent and node comes and goes. */
export const flapping: Fault = {
  name: "flapping",
  cycles: 200,
  does: "the line is reset, closed, delayed, refused or swallowed at a random instant",
  run: runFlapping,
};

/** A file is checked so often; both of them are looked at as often, and at the end. */
const LOOKED_EVERY = 20;
/** One of so many flaps is a black hole that only the agent's own deadlines end. */
const HOLE_EVERY = 100;
/** Both sides' deadlines for silence, and the wait for the next attempt. */
const SILENCE_MS = 200_000;
const MOST_UP_MS = 1200;
const MOST_DOWN_MS = 700;

type Flap = Exclude<Cut, "hole" | "half"> | "delay" | "refuse";
const FLAPS: readonly Flap[] = ["rst", "fin", "delay", "refuse"];

function runFlapping({ cycles, seed, folder, said }: FaultRun): Promise<FaultOutcome> {
  return onProxiedLine(folder, async ({ site, node, agent, proxy }) => {
    const random = seededRandom(seed);
    const witness = new Witness();
    const counts = new Map<string, number>();
    for (let cycle = 0; cycle < cycles; cycle++) {
      const flap = await oneFlap(proxy, agent, { random, cycle });
      counts.set(flap, (counts.get(flap) ?? 0) + 1);
      if (cycle % LOOKED_EVERY === LOOKED_EVERY - 1) await witness.look(sidesOf(site));
      said(cycle + 1, witness.findings);
    }
    for (const [name, one] of [["agent", agent] as const, ["node", node] as const])
      if (one.ending !== undefined) witness.problem(`the ${name} ended by itself: ${one.text.slice(-500)}`);
    await agent.kill("SIGTERM");
    const outcome = await settled(site, { witness, cycles });
    return { ...outcome, figures: { ...outcome.figures, ...Object.fromEntries(counts) } };
  });
}

/** The line is up for a while, and then it is not; ends when the agent is back. */
async function oneFlap(
  proxy: TcpProxy,
  agent: Running,
  { random, cycle }: { readonly random: Random; readonly cycle: number },
): Promise<string> {
  await pause(random() * MOST_UP_MS);
  const seen = agent.lines.length;
  if (cycle % HOLE_EVERY === HOLE_EVERY - 1) {
    const how = (cycle + 1) % (2 * HOLE_EVERY) === 0 ? "half" : "hole";
    proxy.cut(how);
    await agent.event("node-connected", { from: seen, withinMs: SILENCE_MS });
    return how;
  }
  const flap = FLAPS[wholeBelow(random, FLAPS.length)] ?? "rst";
  const downMs = random() * MOST_DOWN_MS;
  if (flap === "delay") {
    await proxy.hold(downMs);
    return flap;
  }
  proxy.refuse(flap === "refuse");
  proxy.cut(flap === "refuse" ? "rst" : flap);
  await pause(downMs);
  proxy.refuse(false);
  await agent.event("node-connected", { from: seen, withinMs: SILENCE_MS });
  return flap;
}
