import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { toHex } from "../../attest/bytes.ts";
import { readJournal } from "./kit/histories.ts";
import { CountingMeter } from "./kit/meter.ts";
import type { Fault, FaultOutcome, FaultRun } from "./kit/report.ts";
import type { Running } from "./kit/running.ts";
import { FaultSite } from "./kit/site.ts";
import { finalCount, sidesOf } from "./kit/verdict.ts";
import { Witness } from "./kit/witness.ts";
import { LIES, type Lie, LyingNode } from "./peers/lying-node.ts";
import { nodeLine, UNLIMITED } from "./peers/quick-node.ts";
import { FileRecord } from "./peers/record.ts";

/** One of two nodes lies. */
export const lyingNode: Fault = {
  name: "lying-node",
  cycles: LIES.length,
  does: "beside an honest node another one lies, each time in another way: roots, sizes, keys, hellos, welcomes, silence",
  run: runLyingNode,
};

const MORE_LEAVES = 60;
const WAIT_MS = 60_000;
const HELD_MS = 1500;

/** What the agent has to say of each; a node that only says nothing is found by deadlines of 15 and 120 s. */
const SAID: Readonly<Record<Lie, RegExp | undefined>> = {
  "wrong-root": /^receipt-foreign$/,
  "larger-size": /^receipt-foreign$/,
  "other-manifest": /^receipt-foreign$/,
  "forged-receipt": /^cose-/,
  "garbage-receipt": /^(cose|cbor)-/,
  "old-size": undefined,
  "no-hello": /^node-silent$/,
  "no-welcome": /^node-silent$/,
  "no-receipt": undefined,
  "relayed-hello": /^node-key$/,
  "replayed-hello": /^hello-mismatch$/,
  "other-device": /^cose-/,
  "future-epoch": /^cose-/,
  "bit-of-checkpoint": undefined,
  "large-message": /^node-protocol$/,
  text: /^message-type$/,
  "flood-of-receipts": undefined,
  refuses: /^node-refused:nonsense$/,
};
/** Lies that are receipts as the agent has to take them: an honest node may answer like that, too. */
const RECEIPTED: ReadonlySet<Lie> = new Set(["old-size", "bit-of-checkpoint", "flood-of-receipts"]);
/** A node that has receipted the log and does not show it after a start is waited for, for silentNodeHours. */
const HOLDS_UP: ReadonlySet<Lie> = new Set(["bit-of-checkpoint"]);

async function runLyingNode({ cycles, folder, said }: FaultRun): Promise<FaultOutcome> {
  const meter = await CountingMeter.start();
  const witness = new Sums();
  try {
    for (let cycle = 0; cycle < cycles; cycle++) {
      const lie = LIES[cycle % LIES.length] ?? "wrong-root";
      const found = await oneLie(join(folder, `${cycle}`), meter, lie);
      witness.add(lie, found);
      said(cycle + 1, witness.findings);
    }
  } finally {
    await meter.close();
  }
  const { findings, gaps, figures } = witness;
  return { cycles, ...findings, gaps, figures };
}

interface Found {
  readonly witness: Witness;
  readonly gaps: number;
  readonly words: string;
}

/** What was found with all lies. */
class Sums {
  readonly findings: Witness["findings"] = new Witness().findings;
  readonly figures: Record<string, string> = {};
  gaps = 0;

  add(lie: Lie, { witness, gaps, words }: Found): void {
    for (const key of ["acknowledged", "lost", "forks", "fsckRuns", "unsound"] as const)
      this.findings[key] += witness.findings[key];
    this.findings.problems.push(...witness.findings.problems.map((problem) => `${lie}: ${problem}`));
    this.gaps += gaps;
    this.figures[lie] = words;
  }
}

async function oneLie(folder: string, meter: CountingMeter, lie: Lie): Promise<Found> {
  const liar = await LyingNode.start(lie);
  const agentYaml = nodeLine(liar.url, toHex(liar.signer.publicKey));
  const site = new FaultSite(folder, meter, { nodeYaml: UNLIMITED, agentYaml });
  const witness = new Witness();
  try {
    await site.startNode();
    const first = await servedBeside(site, { lie, witness, liar });
    // The next start asks before it signs, and the liar is one of those whom it asks.
    const held = HOLDS_UP.has(lie);
    const second = await (held ? heldUp(site, witness) : servedBeside(site, { lie, witness, liar }));
    for (const { epoch, checkpoint } of liar.batches) witness.signed(checkpoint, epoch, site);
    requireNoRelease(site, witness, lie);
    await checked(site, liar, witness);
    const count = await finalCount(site, witness);
    return {
      witness,
      gaps: count.gaps,
      words: `${count.closes} closes, ${liar.connections} connections, says ${[...new Set([...first, ...second])].join(" ")}`,
    };
  } catch (cause) {
    witness.problem(cause instanceof Error ? cause.message : String(cause));
    return { witness, gaps: 0, words: "failed" };
  } finally {
    await site.stopPrograms();
    await liar.close();
  }
}

/** Receipts of the liar may stand in the journal, so fsck is told its key; the count is over the honest node's alone. */
async function checked(site: FaultSite, liar: LyingNode, witness: Witness): Promise<void> {
  const { deviceKey, nodeKey } = site;
  const of = { deviceKey, nodeKeys: [nodeKey, liar.signer.publicKey] };
  const record = new FileRecord();
  await record.look({ kind: "journal", path: site.journal, ...of });
  await record.look({ kind: "store", path: site.store, ...of });
  witness.findings.fsckRuns += record.findings.fsckRuns;
  witness.findings.unsound += record.findings.unsound;
  for (const problem of record.findings.problems) witness.problem(problem);
  await witness.look(sidesOf(site), []);
}

/** One run of the agent: the honest node gets everything, the log stays in its epoch, and the lie is named. */
async function servedBeside(
  site: FaultSite,
  { lie, witness, liar }: { readonly lie: Lie; readonly witness: Witness; readonly liar: LyingNode },
): Promise<string[]> {
  const before = liar.connections;
  const agent = site.launchAgent();
  const began = Number((await agent.event("agent-started"))["size"]);
  await agent.until("receipts of the honest node", WAIT_MS, () =>
    (agent.status?.nodes[0]?.receiptedSize ?? 0) > began + MORE_LEAVES ? true : undefined,
  );
  const expected = SAID[lie];
  if (expected !== undefined) await requireSaid(agent, expected, witness);
  await pause(HELD_MS);
  requireUntouched(agent, { lie, witness });
  if (liar.connections === before) witness.problem("the liar was never asked");
  const { code } = await agent.kill("SIGTERM");
  if (code !== 0) witness.problem(`the agent ended with ${code}`);
  return codesOf(agent);
}

/** Nothing is signed, and the agent says for whom it waits. */
async function heldUp(site: FaultSite, witness: Witness): Promise<string[]> {
  const agent = site.launchAgent();
  await agent.event("signing-waits");
  const signed = await agent.until("a status", WAIT_MS, () => agent.status?.log.signed);
  await pause(HELD_MS);
  if (agent.status?.log.signed !== signed)
    witness.problem("the log was signed although a node had not shown it");
  const { code } = await agent.kill("SIGTERM");
  if (code !== 0) witness.problem(`the agent ended with ${code}`);
  return [...codesOf(agent), "signing-waits"];
}

async function requireSaid(agent: Running, expected: RegExp, witness: Witness): Promise<void> {
  await agent
    .until(`a problem ${expected.source}`, WAIT_MS, () =>
      codesOf(agent).some((code) => expected.test(code)) ? true : undefined,
    )
    .catch(() =>
      witness.problem(`the agent does not say ${expected.source} but ${codesOf(agent).join(" ")}`),
    );
}

function requireUntouched(
  agent: Running,
  { lie, witness }: { readonly lie: Lie; readonly witness: Witness },
): void {
  const { status } = agent;
  if (status?.epoch !== 1) witness.problem(`the liar pushed the log into epoch ${status?.epoch}`);
  const lies = status?.nodes[1]?.receiptedSize ?? 0;
  if (lies > 0 && !RECEIPTED.has(lie)) witness.problem(`${lies} leaves count as receipted by the liar`);
}

/** Nothing may go that not every node has receipted, and after so short a time nothing at all. */
function requireNoRelease(site: FaultSite, witness: Witness, lie: Lie): void {
  const [history, ...more] = readJournal(site.journal);
  if (more.length > 0) witness.problem("there is more than one epoch");
  const leaves = history?.leaves ?? new Map<number, Uint8Array>();
  const last = Math.max(-1, ...leaves.keys());
  if (leaves.size !== last + 1)
    witness.problem(`${last + 1 - leaves.size} leaves were released beside ${lie}`);
}

function codesOf(agent: Running): string[] {
  return [
    ...new Set(
      agent.lines.filter(({ event }) => event === "node-problem").map((line) => String(line["code"])),
    ),
  ];
}
