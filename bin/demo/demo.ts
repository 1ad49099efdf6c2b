import { setTimeout as sleep } from "node:timers/promises";
import { Problem } from "../../attest/problem.ts";
import { startCapturesSite } from "./captures-site.ts";
import type { Cleanups } from "./cleanups.ts";
import { type Evidence, type KnownKeys, lastFullInterval, proofPathOf, takeEvidence } from "./evidence.ts";
import type { Frame } from "./frame.ts";
import { startHomeSite } from "./home-site.ts";
import type { Interrupt } from "./interrupt.ts";
import { RunningAgent, type RunningNode, startNodeProgram } from "./running.ts";
import type { SealedChannel } from "./sealed-count.ts";
import type { DemoSite } from "./site.ts";
import { compareTallies, Tally } from "./tally.ts";
import { requireWritable, SHORTENED, Workspace } from "./workspace.ts";

/** A demo that nobody ends is ended after an hour, since its counts grow with every reading. */
export const LONGEST_SECONDS = 3600;
const FRAME_MS = 500;
const LAST_INTERVAL_MS = 15_000;
const INTERVAL_MS = SHORTENED.interval.seconds * 1000;

export interface DemoSettings {
  /** How long to run, from the first reading on; until a signal when absent. */
  readonly seconds?: number;
  /** Folder with captures to replay in place of the simulated home. */
  readonly corpus?: string;
  /** Folder to work in, which stays. */
  readonly keep?: string;
  /** Where the proof is written. */
  readonly out: string;
}

/** How a demo is told about, in words or as JSON. */
export interface Narrator {
  began(site: DemoSite): void;
  frame(frame: Frame): void;
  /** The running part is over; the last interval is awaited. */
  ending(): void;
  finished(result: DemoResult): void;
  failed(thrown: unknown): void;
}

/** Numbers that were counted in three places: at the devices, in the agent's journal, at the node. */
export interface Counts {
  /** Sent by the devices, as they counted. */
  readonly served: number;
  /** Accepted, as the agent said reading by reading. */
  readonly accepted: number;
  /** Durable in the stopped agent's journal. */
  readonly sealed: number;
  /** Of those, under a size that the node has receipted. */
  readonly receipted: number;
  /** In the node's store, asked over HTTP. */
  readonly stored: number;
  readonly lost: number;
  readonly unserved: number;
}

export interface DemoResult {
  readonly site: DemoSite;
  readonly seconds: number;
  readonly counts: Counts;
  readonly channels: readonly SealedChannel[];
  readonly keys: KnownKeys;
  readonly evidence: readonly Evidence[];
}

/** Whether nothing was lost, nothing was made up, and every proof holds. */
export function isGood({ counts, evidence }: DemoResult): boolean {
  const proven = evidence.length > 0 && evidence.every(({ verdict }) => verdict?.verdict === "valid");
  return counts.lost === 0 && counts.unserved === 0 && proven;
}

/** What the demo uses and gives back at the end. */
export interface DemoTools {
  readonly narrator: Narrator;
  readonly interrupt: Interrupt;
  readonly cleanups: Cleanups;
}

/** The whole demo but its cleaning up: devices, node, agent, a while of running, counts and proofs. */
export async function playDemo(settings: DemoSettings, tools: DemoTools): Promise<DemoResult> {
  const { narrator, interrupt } = tools;
  requireWritable(settings.out);
  const { site, node, agent } = await interrupt.orFirst(start(settings, tools));
  const frames = new Frames(narrator, agent);
  tools.cleanups.add(async () => frames.stop());
  const died = Promise.race([agent.failed, node.program.died, frames.failed]);
  await Promise.race([interrupt.first, died, pause((settings.seconds ?? LONGEST_SECONDS) * 1000)]);
  narrator.ending();
  const ending = lastIntervals(site, node, agent);
  await interrupt.orSecond(Promise.race([ending, died]));
  frames.stop();
  narrator.frame(agent.frame());
  const { elapsedMs } = agent;
  await interrupt.orSecond(agent.stop());
  const concluded = conclude(settings, { site, node, agent });
  return { ...(await interrupt.orSecond(concluded)), seconds: Math.round(elapsedMs / 1000) };
}

/** Shows the running demo twice a second. */
class Frames {
  /** Rejects when there is something that cannot be shown. */
  readonly failed: Promise<never>;
  readonly #timer: NodeJS.Timeout;
  #reject: (thrown: unknown) => void = () => {};

  constructor(narrator: Narrator, agent: RunningAgent) {
    this.failed = new Promise((_resolve, reject) => {
      this.#reject = reject;
    });
    this.#timer = setInterval(() => {
      try {
        narrator.frame(agent.frame());
      } catch (thrown) {
        this.stop();
        this.#reject(thrown);
      }
    }, FRAME_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

interface Stage {
  readonly site: DemoSite;
  readonly node: RunningNode;
  readonly agent: RunningAgent;
}

async function start(settings: DemoSettings, { narrator, cleanups }: DemoTools): Promise<Stage> {
  const site =
    settings.corpus === undefined
      ? await startHomeSite(cleanups)
      : await startCapturesSite(settings.corpus, cleanups);
  const workspace = new Workspace(settings.keep, cleanups);
  narrator.began(site);
  const node = await startNodeProgram(workspace, cleanups);
  const agent = new RunningAgent(workspace, site, node);
  cleanups.add(() => agent.program.stop());
  cleanups.add(async () => agent.close());
  await agent.firstReading();
  return { site, node, agent };
}

/** Waits, not for ever, until every channel has a full interval that is closed and receipted. */
async function lastIntervals(site: DemoSite, node: RunningNode, agent: RunningAgent): Promise<void> {
  const deadlineMs = performance.now() + LAST_INTERVAL_MS;
  const open = new Set(site.provable.map(({ name }) => name));
  while (open.size > 0 && performance.now() < deadlineMs) {
    const deviceKey = agent.status?.deviceKey;
    for (const channel of deviceKey === undefined ? [] : [...open]) {
      const intervals = await node.client.intervals({ deviceKey: deviceKey ?? "", channel });
      const receiptedSize = (epoch: number): number => agent.receiptedSize(epoch);
      if (lastFullInterval(intervals, { intervalMs: INTERVAL_MS, receiptedSize })) open.delete(channel);
    }
    if (open.size > 0) await pause(FRAME_MS);
  }
}

/** Counts what the three sides hold, and takes the proofs. */
async function conclude(settings: DemoSettings, stage: Stage): Promise<Omit<DemoResult, "seconds">> {
  const { site, node, agent } = stage;
  const deviceKey = agent.status?.deviceKey;
  if (deviceKey === undefined) throw new Problem("demo-silent", "the agent has said nothing of itself");
  const keys = { deviceKey, nodeKey: node.nodeKey };
  const journal = agent.countSealed();
  try {
    const { channels, sealed, receipted } = journal;
    const names = channels.map(({ manifest }) => manifest.name);
    const stored = await storedReadings(node, deviceKey, names);
    const { accepted } = agent;
    const totals = { served: site.served.total, accepted: accepted.total, stored: stored.total };
    const counts = { ...totals, sealed, receipted, ...compareTallies(site.served, { accepted, stored }) };
    const receiptedSize = (epoch: number): number => journal.receiptedSize(epoch);
    const evidence = await takeAllEvidence(settings, stage, { keys, receiptedSize });
    return { site, counts, channels, keys, evidence };
  } finally {
    journal.close();
  }
}

async function storedReadings(
  { client }: RunningNode,
  deviceKey: string,
  channels: readonly string[],
): Promise<Tally> {
  const stored = new Tally();
  for (const channel of channels)
    await client.forEachReading({ deviceKey, channel }, (reading) => stored.add(channel, reading));
  return stored;
}

/** One proof of the home's grid connection; one for each of the captured meters. */
async function takeAllEvidence(
  { out }: DemoSettings,
  { site, node }: Stage,
  about: { readonly keys: KnownKeys; receiptedSize(epoch: number): number },
): Promise<Evidence[]> {
  const channels = site.provable.map(({ name }) => name);
  const chosen = site.kind === "home" ? channels.slice(0, 1) : channels;
  const evidence: Evidence[] = [];
  for (const channel of chosen) {
    const path = site.kind === "home" ? out : proofPathOf(out, channel);
    const claim = { channel, path, intervalMs: INTERVAL_MS, ...about };
    evidence.push(await takeEvidence(node.client, claim));
  }
  return evidence;
}

function pause(ms: number): Promise<void> {
  // Not kept alive for its own sake: the race that it is in may long be decided.
  return sleep(ms, undefined, { ref: false });
}
