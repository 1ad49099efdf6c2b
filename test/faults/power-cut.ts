import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type OpenedLog, openLog } from "../../agent/journal/open-log.ts";
import { equalBytes } from "../../attest/bytes.ts";
import { openCheckpointSize } from "../../attest/checkpoint.ts";
import { nativeSigner } from "../../attest/native.ts";
import { readKey } from "../../runtime/key-file.ts";
import { CutDisk, type CutKind, type DiskState } from "./kit/disk.ts";
import { fsck } from "./kit/fsck.ts";
import { unsafeSends } from "./kit/order.ts";
import { type Random, seededRandom, wholeBelow } from "./kit/random.ts";
import type { Fault, FaultOutcome, FaultRun } from "./kit/report.ts";
import type { SentBatch } from "./kit/sent.ts";
import { FaultSite, NETWORK } from "./kit/site.ts";
import { cutStore } from "./kit/store-cut.ts";
import { agentFolder, type TracedRun, tracedRun, tracingProblem } from "./kit/traced-run.ts";
import { settled } from "./kit/verdict.ts";
import { type Findings, Witness } from "./kit/witness.ts";

/** Cuts that are opened by the agent's own code, of each one that the whole agent is started on. */
const CUTS_PER_START = 20;
/** Leaves of the traced run: some 3 a cut, so that cuts fall between different writes. */
const LEAVES = { least: 150, most: 1500, perCut: 3 };

/** The power goes while the agent runs: what was not synced is there or not, whole or torn. */
export const powerCut: Fault = {
  name: "power-cut",
  cycles: 400,
  does: "the power goes at a random write of a traced run: unsynced writes are kept, lost or torn",
  run: runPowerCut,
};

async function runPowerCut(run: FaultRun): Promise<FaultOutcome> {
  const problem = tracingProblem();
  if (problem !== undefined) return nothingRun(problem);
  const journalFolder = agentFolder(run.folder);
  const site = await FaultSite.start(run.folder, { journalFolder });
  try {
    const { least, most, perCut } = LEAVES;
    const traced = await tracedRun(site, Math.min(most, Math.max(least, run.cycles * perCut)));
    return await cutsIn(site, traced, run);
  } finally {
    await site.close();
  }
}

/** Cuts the power at random operations of a traced run, and at each batch that it sent. */
export function cutsIn(site: FaultSite, traced: TracedRun, run: FaultRun): Promise<FaultOutcome> {
  return new Cuts(site, traced, run).all();
}

function nothingRun(why: string): FaultOutcome {
  const none = { cycles: 0, acknowledged: 0, lost: 0, forks: 0, gaps: 0, fsckRuns: 0, unsound: 0 };
  return { ...none, problems: [], notRun: [why] };
}

interface Cut {
  readonly index: number;
  readonly kind: CutKind;
  /** Whether the whole agent is started on it, with a node that has what was sent. */
  readonly starts: boolean;
}

class Cuts {
  readonly #site: FaultSite;
  readonly #traced: TracedRun;
  readonly #run: FaultRun;
  readonly #random: Random;
  readonly #problems: string[] = [];
  #lost = 0;
  #forks = 0;
  #gaps = 0;
  #fsckRuns = 0;
  #unsound = 0;
  #checked = 0;
  #starts = 0;

  constructor(site: FaultSite, traced: TracedRun, run: FaultRun) {
    this.#site = site;
    this.#traced = traced;
    this.#run = run;
    this.#random = seededRandom(run.seed);
  }

  async all(): Promise<FaultOutcome> {
    const { ops, batches } = this.#traced;
    this.#problems.push(...unsafeSends(ops));
    const disk = new CutDisk();
    let at = 0;
    let done = 0;
    for (const cut of this.#plan()) {
      for (; at < cut.index; at++) {
        const op = ops[at];
        if (op !== undefined) disk.apply(op);
      }
      await this.#one(cut, disk.cut(cut.kind, this.#random));
      this.#run.said(++done, { ...this.#findings(), problems: this.#problems });
    }
    const figures = { operations: ops.length, batchesSent: batches.length, agentStarts: this.#starts };
    return { ...this.#findings(), cycles: done, gaps: this.#gaps, figures, problems: this.#problems };
  }

  #findings(): Omit<Findings, "problems"> {
    return {
      ...{ acknowledged: this.#checked, lost: this.#lost, forks: this.#forks },
      ...{ fsckRuns: this.#fsckRuns, unsound: this.#unsound },
    };
  }

  /** Random instants, and for each batch the instant at which it had just been sent and nothing unsynced was there. */
  #plan(): Cut[] {
    const { ops, batches } = this.#traced;
    const atSends = batches.map(({ index }): Cut => ({ index: index + 1, kind: "none", starts: false }));
    const random = Array.from({ length: this.#run.cycles }, (_, number): Cut => {
      const kind = this.#random() < 0.8 ? "random" : this.#random() < 0.5 ? "none" : "all";
      const starts = number % CUTS_PER_START === 0;
      // A start is worth its time only where something had been sent.
      const least = starts ? (batches[0]?.index ?? 0) + 1 : 0;
      return { index: least + wholeBelow(this.#random, ops.length + 1 - least), kind, starts };
    });
    return [...atSends, ...random].sort((a, b) => a.index - b.index);
  }

  async #one(cut: Cut, state: DiskState): Promise<void> {
    const sent = this.#traced.batches.filter(({ index }) => index < cut.index);
    const folder = join(this.#run.folder, "cut");
    const said = `cut at operation ${cut.index} (${cut.kind}, seed ${this.#run.seed})`;
    try {
      await this.#open(writeState(agentFolder(folder), state), sent, said);
      if (cut.starts && sent.length > 0) {
        rmSync(folder, { recursive: true });
        writeState(agentFolder(folder), state);
        await this.#start(folder, sent, said);
      }
    } catch (cause) {
      this.#problems.push(`${said}: ${cause instanceof Error ? cause.message : String(cause)}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Opens the journal as the agent does: everything that was sent is there, byte for byte, and the file is sound. */
  async #open(folder: string, sent: readonly SentBatch[], said: string): Promise<void> {
    const { deviceKey } = this.#traced;
    if (sent.length > 0) requireKey(join(folder, "device.key"), deviceKey);
    const path = join(folder, "journal.sqlite");
    const log = openLog({ path, network: NETWORK, deviceKey, nowMs: Date.now() });
    try {
      if (log.damaged !== undefined) this.#problems.push(`${said}: ${log.damaged.problem.message}`);
      // Before anything was sent, an epoch that may have been begun is left alone for the next one.
      if (sent.length > 0 && log.identity.epoch !== 1)
        this.#problems.push(`${said}: epoch ${log.identity.epoch} was begun`);
      for (const { batch } of sent) this.#requireHeld(log, batch, said);
    } finally {
      log.journal.close();
    }
    await this.#fsck(path, said);
  }

  #requireHeld({ journal }: OpenedLog, batch: SentBatch["batch"], said: string): void {
    const size = openCheckpointSize(batch.checkpoint);
    const held = Buffer.concat(journal.leaves(1, batch.firstSeq, size));
    this.#checked += size - batch.firstSeq;
    if (!equalBytes(held, batch.leaves)) {
      this.#lost += 1;
      this.#problems.push(`${said}: leaves from ${batch.firstSeq} on had been sent and are not there`);
    }
    const checkpoint = journal.checkpointAt(1, size);
    if (checkpoint !== undefined && equalBytes(checkpoint, batch.checkpoint)) return;
    this.#lost += 1;
    this.#problems.push(`${said}: the checkpoint over ${size} leaves had been sent and is not there`);
  }

  async #fsck(path: string, said: string): Promise<void> {
    this.#fsckRuns += 1;
    const trust = { deviceKeys: [this.#traced.deviceKey], nodeKeys: [this.#site.nodeKey], network: NETWORK };
    const [first] = await fsck({ path, options: { ...trust, most: 3 } });
    if (first === undefined) return;
    this.#unsound += 1;
    this.#problems.push(`${said}: fsck: ${first.code}: ${first.message}`);
  }

  /** The whole agent goes on from there, beside a node that has taken all that was sent. */
  async #start(folder: string, sent: readonly SentBatch[], said: string): Promise<void> {
    this.#starts += 1;
    const site = new FaultSite(folder, this.#site.meter, { journalFolder: agentFolder(folder) });
    const size = Math.max(...sent.map(({ batch }) => openCheckpointSize(batch.checkpoint)));
    cutStore(this.#traced.store, site.store, { size, rules: this.#traced.rules.get(size) ?? "" });
    copyFileSync(join(this.#run.folder, "node.key"), join(folder, "node.key"));
    const witness = new Witness();
    for (const { batch } of sent) witness.signed(batch.checkpoint, 1, site);
    try {
      const node = await site.startNode();
      const outcome = await settled(site, { witness, cycles: 1 }).catch((cause: unknown) => {
        throw new Error(`${String(cause)}\nits node printed:\n${node.text.slice(-2000)}`);
      });
      this.#take(outcome, said);
      if (witness.acknowledged().size > 1) this.#problems.push(`${said}: the agent began another epoch`);
      const aside = readdirSync(agentFolder(folder)).filter((name) => name.includes(".damaged-"));
      if (aside.length > 0) this.#problems.push(`${said}: the agent set ${aside.join(", ")} aside`);
    } finally {
      await site.stopPrograms();
    }
  }

  #take({ lost, forks, gaps, fsckRuns, unsound, problems }: FaultOutcome, said: string): void {
    this.#lost += lost;
    this.#forks += forks;
    this.#gaps += gaps;
    this.#fsckRuns += fsckRuns;
    this.#unsound += unsound;
    this.#problems.push(...problems.map((problem) => `${said}: started: ${problem}`));
  }
}

function requireKey(path: string, deviceKey: Uint8Array): void {
  if (equalBytes(nativeSigner(readKey(path).seed).publicKey, deviceKey)) return;
  throw new Error("the device has another key than the one that it spoke with");
}

/** Writes the files as the disk has them; returns the folder. */
function writeState(folder: string, state: DiskState): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of state) writeFileSync(join(folder, name), content, { mode: 0o600 });
  return folder;
}
