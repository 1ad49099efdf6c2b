import type { Leaf } from "../../../attest/leaf.ts";
import { decodeLeaf } from "../../../attest/leaf-codec.ts";
import { type CountOptions, countEnergy, type EnergyCount } from "./energy.ts";
import { provenWh } from "./proofs.ts";
import { type FaultOutcome, outcomeOf } from "./report.ts";
import { CHANNEL, type FaultSite } from "./site.ts";
import type { Sides, Witness } from "./witness.ts";

/** Files and keys of a site. */
export function sidesOf(site: FaultSite): Sides {
  const { journal, store, deviceKey, nodeKey } = site;
  return { journal, store, deviceKey, nodeKey };
}

/** The file of the side that was killed is checked each time, the other one each tenth time. */
export function checkedIn(cycle: number, killed: "journal" | "store"): readonly ("journal" | "store")[] {
  return cycle % 10 === 9 ? ["journal", "store"] : [killed];
}

export interface CountTerms extends Pick<CountOptions, "clockIsFaked"> {
  /** The meter was not read for as long as an interval. */
  readonly mayBeUnclosed?: boolean;
}

/**
 * The count at the end, over everything that is under a receipt: held against the meter, and, where the log is of one
 * epoch, against what the node's own proofs say. `site`'s node must be running.
 */
export async function finalCount(
  site: FaultSite,
  witness: Witness,
  { mayBeUnclosed = false, ...options }: CountTerms = {},
): Promise<EnergyCount> {
  const epochs = [...witness.acknowledged()]
    .sort(([a], [b]) => a - b)
    .map(([, leaves]) => leaves.map(decodeLeaf));
  const count = countEnergy(epochs, { channel: CHANNEL, served: site.meter.served, ...options });
  const [only] = epochs;
  if (only === undefined) witness.problem("nothing was acknowledged");
  else if (count.closes === 0 && mayBeUnclosed) return count;
  else if (epochs.length === 1) await requireProofs(site, { witness, leaves: only, count });
  return count;
}

async function requireProofs(
  site: FaultSite,
  { witness, leaves, count }: { witness: Witness; leaves: readonly Leaf[]; count: EnergyCount },
): Promise<void> {
  const channel = leaves.find((leaf) => leaf.kind === "channelManifest" && leaf.name === CHANNEL);
  const number = channel?.kind === "channelManifest" ? channel.channel : undefined;
  const closes = leaves
    .filter((leaf) => leaf.kind === "intervalClose")
    .filter((close) => close.channel === number);
  if (closes.length === 0) {
    witness.problem("no interval was closed");
    return;
  }
  try {
    const { importWh, exportWh } = await provenWh(site, closes);
    const expected = { importWh: count.provenMwh.import / 1000, exportWh: count.provenMwh.export / 1000 };
    if (importWh === expected.importWh && exportWh === expected.exportWh) return;
    const said = `${importWh} Wh in and ${exportWh} Wh out`;
    witness.problem(`the node's proofs say ${said}, the closes ${JSON.stringify(expected)}`);
  } catch (cause) {
    witness.problem(cause instanceof Error ? cause.message : String(cause));
  }
}

/** Waited for behind the last fault: receipts of so many leaves that no earlier start had, closes among them. */
const FRESH_LEAVES = 100;

/** A last agent that is not killed: everything reaches the node, and is counted. The node must be running. */
export async function settled(
  site: FaultSite,
  { witness, cycles }: { readonly witness: Witness; readonly cycles: number },
): Promise<FaultOutcome> {
  const agent = site.launchAgent();
  const began = await agent.event("agent-started");
  await agent.until("receipts of this start", 60_000, () => {
    const [node] = agent.status?.nodes ?? [];
    return (node?.receiptedSize ?? 0) > Number(began["size"]) + FRESH_LEAVES ? true : undefined;
  });
  const { code } = await agent.kill("SIGTERM");
  if (code !== 0) witness.problem(`the last agent ended with ${code}`);
  await witness.look(sidesOf(site));
  return outcomeOf(cycles, witness.findings, await finalCount(site, witness));
}
