import { dirname, join } from "node:path";
import type { SimulatedControlFault } from "../../drivers/simulated/profile-faults.ts";
import { openLogger } from "../../runtime/log.ts";
import type { Cleanups } from "./cleanups.ts";
import type { FlexNarrator, FlexResult } from "./flex-facts.ts";
import { checkAltered, checkProof, trustOf } from "./flex-proof.ts";
import { FlexStory } from "./flex-story.ts";
import { FlexWorld } from "./flex-world.ts";
import type { Interrupt } from "./interrupt.ts";
import { requireWritable, Workspace } from "./workspace.ts";

export interface FlexSettings {
  /** Folder to work in, which stays. */
  readonly keep?: string;
  /** Where the proof is written. */
  readonly out: string;
  /** What goes wrong at the battery's inverter. */
  readonly fault?: SimulatedControlFault;
}

export interface FlexTools {
  readonly narrator: FlexNarrator;
  readonly interrupt: Interrupt;
  readonly cleanups: Cleanups;
}

/** A whole event, from three weeks before it to a proof that was verified, on a clock of its own. */
export async function playFlex(settings: FlexSettings, tools: FlexTools): Promise<FlexResult> {
  requireWritable(settings.out);
  return await tools.interrupt.orFirst(played(settings, tools));
}

async function played(
  { keep, out, fault }: FlexSettings,
  { narrator, cleanups }: FlexTools,
): Promise<FlexResult> {
  const began = performance.now();
  const folder = dirname(new Workspace(keep, cleanups).journalPath);
  const logger = openLogger("demo", "error");
  const options = { folder, nodePath: join(folder, "node.sqlite"), logger };
  const world = await FlexWorld.start({ ...options, ...(fault === undefined ? {} : { fault }) }, cleanups);
  const { batteryPort, meterPort } = world.devices.home;
  narrator.told({
    ...{ event: "flex-started", batteryPort, meterPort },
    ...(fault === undefined ? {} : { fault }),
  });
  const story = new FlexStory(world, narrator);
  await story.history();
  const commitment = await story.commitment(await story.offer(cleanups));
  await story.event(commitment);
  await story.settlement(commitment);
  const { passed: challengePassed } = await story.challenge();
  await story.proof(commitment, out);
  return {
    ...(await checked(world, { narrator, out, altered: join(folder, "altered.kws") })),
    ...{ challengePassed, truth: world.truth.intervals, tookMs: Math.round(performance.now() - began) },
  };
}

interface ProofPlaces {
  readonly narrator: FlexNarrator;
  readonly out: string;
  readonly altered: string;
}

async function checked(
  { agent, node }: FlexWorld,
  { narrator, out, altered }: ProofPlaces,
): Promise<Omit<FlexResult, "challengePassed" | "truth" | "tookMs">> {
  const keys = { deviceKey: agent.signer.publicKey, nodeKey: node.signer.publicKey };
  const proof = await checkProof(out, keys);
  narrator.told(proof);
  const refused = await checkAltered({ path: out, altered }, keys);
  narrator.told(refused);
  const { settled, counts } = proof.verdict;
  return {
    ...{ result: settled.result ?? "notCalled", counts, proof: out, proofBytes: proof.bytes },
    good: proof.status === 0 && counts && refused.status === 1 && refused.code !== "",
    ...{
      alteredCode: refused.code,
      trust: trustOf(keys),
      totals: settled.totals,
      intervals: settled.intervals,
    },
  };
}
