import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { KeptLease } from "../../agent/control/types.ts";
import { monotonicMs } from "../../runtime/monotonic.ts";
import { eventually } from "../kit/programs.ts";
import { ControlledSite } from "./kit/controlled-site.ts";
import { type Dispatched, Dispatching, LEASE_MS } from "./kit/dispatching.ts";
import { OrderedAgent } from "./kit/ordered-agent.ts";
import { seededRandom } from "./kit/random.ts";
import type { Fault, FaultOutcome, FaultRun } from "./kit/report.ts";

/** How an agent is lost. */
export type Loss = "kill" | "hang" | "fail" | "stop";

const SIGNALS: Readonly<Record<Loss, NodeJS.Signals>> = {
  ...{ kill: "SIGKILL", hang: "SIGSTOP", fail: "SIGUSR2", stop: "SIGTERM" },
};
/** One cycle of so many is lost in another way than by a kill, behind its own kill. */
const OTHER_EVERY = 10;
const OTHERS: readonly Loss[] = ["hang", "fail", "stop"];
/**
 * Who dispatches: the agent itself by orders of a node, its control desk alone, or a program that tells devices something
 * else all the time. `…-first`: it has begun to, and nothing else is known.
 */
const LIVES_MS = { agent: 1500, "agent-first": 500, desk: 1500, "desk-first": 300, driver: 1500 } as const;
type How = keyof typeof LIVES_MS;
const HOWS: readonly How[] = ["agent", "agent-first", "desk", "desk-first", "driver"];
const LOOK_MS = 20;

/** The agent is lost in the middle of telling two batteries what to do; somebody else ends that. */
export const dispatchKill: Fault = {
  name: "dispatch-kill",
  cycles: 100,
  does: "kill -9 of an agent in mid-dispatch, every tenth time also a hang, a failure or a stop: the devices are reverted within the lease",
  run: runDispatchKill,
};

async function runDispatchKill({ cycles, seed, folder, said }: FaultRun): Promise<FaultOutcome> {
  const random = seededRandom(seed);
  const problems: string[] = [];
  const times = new Map<Loss, number[]>();
  const leased = { inForce: 0, halfTold: 0 };
  const none = { acknowledged: 0, lost: 0, forks: 0, gaps: 0, fsckRuns: 0, unsound: 0 };
  const loseOne = async (loss: Loss, name: string): Promise<void> => {
    const how = HOWS[Math.floor(random() * HOWS.length)] ?? "desk";
    const found = await lose(loss, { folder: join(folder, name), how, afterMs: random() * LIVES_MS[how] });
    problems.push(...found.problems.map((problem) => `${name}: ${problem}`));
    times.set(loss, [...(times.get(loss) ?? []), found.revertedMs]);
    if (found.held.length > 0) leased.inForce += 1;
    // What was there before is noted when the device has answered.
    if (found.held.some(({ before }) => before === undefined)) leased.halfTold += 1;
  };
  for (let cycle = 0; cycle < cycles; cycle++) {
    await loseOne("kill", `kill-${cycle}`);
    const other = OTHERS[Math.floor(cycle / OTHER_EVERY) % OTHERS.length];
    if (cycle % OTHER_EVERY === OTHER_EVERY - 1 && other !== undefined)
      await loseOne(other, `${other}-${cycle}`);
    said(cycle + 1, { ...none, problems });
  }
  return { cycles, ...none, figures: { leaseMs: LEASE_MS, ...leased, ...figuresOf(times) }, problems };
}

function figuresOf(times: ReadonlyMap<Loss, readonly number[]>): Record<string, number> {
  const figures: Record<string, number> = {};
  for (const [loss, list] of times) {
    const sorted = list.toSorted((a, b) => a - b);
    figures[`${loss}s`] = sorted.length;
    figures[`${loss}MedianMs`] = sorted[Math.floor(sorted.length / 2)] ?? -1;
    figures[`${loss}WorstMs`] = sorted.at(-1) ?? -1;
  }
  return figures;
}

/** What came of one loss. */
export interface Lost {
  /** From the loss until every device was left to itself, and the file of leases said so. */
  readonly revertedMs: number;
  /** What was leased when it happened. */
  readonly held: readonly KeptLease[];
  readonly problems: readonly string[];
  readonly text: string;
}

/** One agent under one supervisor, lost in that way so long after its first commands. */
export async function lose(
  loss: Loss,
  { folder, how, afterMs }: { readonly folder: string; readonly how: How; readonly afterMs: number },
): Promise<Lost> {
  const site = await ControlledSite.start(folder);
  const running = await started(how, site);
  try {
    return await loseWhile(loss, { site, running, how, afterMs });
  } catch (cause) {
    const problem = `${cause instanceof Error ? cause.message : String(cause)}; it printed:\n${running.text.slice(-2000)}`;
    return { revertedMs: LEASE_MS, held: [], problems: [problem], text: running.text };
  } finally {
    running.child.kill("SIGTERM");
    await running.ended;
    await running.close();
    await site.close();
  }
}

function started(how: How, site: ControlledSite): Dispatched | Promise<Dispatched> {
  if (how.startsWith("agent")) return OrderedAgent.start(site, LEASE_MS);
  site.writeConfig();
  return new Dispatching(site, how === "driver" ? "driver" : "desk");
}

interface Losing {
  readonly site: ControlledSite;
  readonly running: Dispatched;
  readonly how: How;
  readonly afterMs: number;
}

async function loseWhile(loss: Loss, { site, running, how, afterMs }: Losing): Promise<Lost> {
  const pid = await eventually("a first command to each device", 30_000, async () => {
    const isOn = how.endsWith("-first") || (await site.commanded()).length === site.devices.length;
    return isOn ? running.agentPid : undefined;
  });
  await pause(afterMs);
  process.kill(pid, SIGNALS[loss]);
  const lostMs = monotonicMs();
  const held = site.held;
  const revertedMs = await untilReverted(site, lostMs);
  const problems = [
    ...(revertedMs < shortestLeft(held, lostMs) ? [] : [`reverted after ${revertedMs} ms, behind the lease`]),
    ...(await leftBehind(loss, { site, running, held })),
  ];
  return { revertedMs, held, problems, text: running.text };
}

/** How long the device that ends it first would have held a command. */
function shortestLeft(held: readonly KeptLease[], nowMs: number): number {
  return Math.min(LEASE_MS, ...held.map(({ untilMonotonicMs }) => untilMonotonicMs - nowMs));
}

async function untilReverted(site: ControlledSite, lostMs: number): Promise<number> {
  for (;;) {
    if (site.held.length === 0 && (await site.commanded()).length === 0) return monotonicMs() - lostMs;
    if (monotonicMs() - lostMs > 2 * LEASE_MS) {
      const held = site.held.map(({ device }) => device).join(", ");
      throw new Error(`still commanded: ${(await site.commanded()).join(", ")}; still leased: ${held}`);
    }
    await pause(LOOK_MS);
  }
}

/** The supervisor is stopped in its wait: no device is told anything after that, and the file says what was done. */
async function leftBehind(
  loss: Loss,
  { site, running, held }: Pick<Losing, "site" | "running"> & Pick<Lost, "held">,
): Promise<readonly string[]> {
  running.child.kill("SIGTERM");
  await running.ended;
  const commanded = await site.commanded();
  const noted = site.leases()?.reverted ?? [];
  // One that stops reverts by itself. Between the kill and the look at the file, nothing writes it.
  const missing =
    loss === "stop" ? [] : held.filter((lease) => !noted.some(({ device }) => device === lease.device));
  return [
    ...commanded.map((id) => `${id} is commanded in the end`),
    ...site.held.map(({ device }) => `${device} is leased in the end`),
    ...missing.map(({ device }) => `no note says that ${device} was reverted`),
  ];
}
