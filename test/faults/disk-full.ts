import { join } from "node:path";
import { equalBytes } from "../../attest/bytes.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { eventually } from "../kit/programs.ts";
import { readJournal, readStore } from "./kit/histories.ts";
import { type Fault, type FaultOutcome, type FaultRun, outcomeOf } from "./kit/report.ts";
import type { Running } from "./kit/running.ts";
import { FaultSite } from "./kit/site.ts";
import { SmallDisk } from "./kit/small-disk.ts";
import { finalCount, sidesOf } from "./kit/verdict.ts";
import { Witness } from "./kit/witness.ts";

const DISK_MIB = 40;
/** Sampling slows when less than a 32nd of this is left. */
const JOURNAL_MIB = 64;
const WITHIN_MS = 120_000;
/** Waited for before a fault, and behind it. */
const SOME_LEAVES = 60;
/** Readings are released in whole subtrees of 256 leaves, and never the newest. */
const RELEASABLE_LEAVES = 600;

/** The disk under the journal, and the one under the node's store, are filled by somebody else and freed again. */
export const diskFull: Fault = {
  name: "disk-full",
  cycles: 6,
  does: "the disk of the journal or of the node's store is full for a while, also over a kill -9",
  run: runDiskFull,
};

async function runDiskFull(run: FaultRun): Promise<FaultOutcome> {
  const disks: SmallDisk[] = [];
  try {
    for (const name of ["journal-disk", "store-disk"])
      disks.push(SmallDisk.mount(join(run.folder, name), DISK_MIB));
    const [journalDisk, storeDisk] = disks;
    if (journalDisk === undefined || storeDisk === undefined) throw new Error("there are two disks");
    return await onDisks(run, { journalDisk, storeDisk });
  } catch (cause) {
    if (!(cause instanceof Problem && cause.code === "disk-mount")) throw cause;
    const none = { cycles: 0, acknowledged: 0, lost: 0, forks: 0, gaps: 0, fsckRuns: 0, unsound: 0 };
    return { ...none, problems: [], notRun: [describeProblem(cause).message] };
  } finally {
    for (const disk of disks) disk.close();
  }
}

interface Disks {
  readonly journalDisk: SmallDisk;
  readonly storeDisk: SmallDisk;
}

async function onDisks({ folder, cycles, said }: FaultRun, disks: Disks): Promise<FaultOutcome> {
  const site = await FaultSite.start(folder, {
    journalFolder: join(disks.journalDisk.folder, "agent"),
    storeFolder: join(disks.storeDisk.folder, "node"),
    agentYaml: `retention: { maxMegabytes: ${JOURNAL_MIB} }`,
  });
  const scene = new Scene(site, disks);
  try {
    await scene.begin();
    const faults = [() => scene.journalFull(), () => scene.journalFullAlone(), () => scene.storeFull()];
    for (let cycle = 0; cycle < cycles; cycle++) {
      await scene.flows();
      await faults[cycle % faults.length]?.();
      await scene.flows();
      await scene.witness.look(sidesOf(site));
      said(cycle + 1, scene.witness.findings);
    }
    return await scene.end(cycles);
  } finally {
    await site.close();
  }
}

class Scene {
  readonly witness: Witness = new Witness();
  readonly #site: FaultSite;
  readonly #disks: Disks;
  #agent: Running | undefined;
  #node: Running | undefined;
  readonly #states = new Set<string>();

  constructor(site: FaultSite, disks: Disks) {
    this.#site = site;
    this.#disks = disks;
  }

  async begin(): Promise<void> {
    this.#node = await this.#site.startNode();
    this.#agent = this.#site.launchAgent();
    await this.#until("readings that can be released", () => this.#receipted() >= RELEASABLE_LEAVES);
  }

  /** Until so many more leaves are receipted: everything works. */
  async flows(): Promise<void> {
    const before = this.#receipted();
    await this.#until("receipts", () => this.#receipted() >= before + SOME_LEAVES);
    await this.#until("room", () => this.agent.status?.journal?.state === "ok");
  }

  /** With a node: readings that it has make room. */
  async journalFull(): Promise<void> {
    this.#disks.journalDisk.fill();
    await this.#short();
    await eventually("a release", WITHIN_MS, () => (this.#releases() ? true : undefined));
    this.#disks.journalDisk.free();
  }

  /** Without a node, and with a start on the full disk: nothing may go that nobody has. */
  async journalFullAlone(): Promise<void> {
    await this.#node?.kill("SIGKILL");
    await this.#until("no node", () => !this.agent.connected);
    const sealed = readJournal(this.#site.journal);
    this.#disks.journalDisk.fill();
    await this.#short();
    await this.agent.kill("SIGKILL");
    this.#agent = this.#site.launchAgent();
    await this.#short();
    this.#disks.journalDisk.free();
    this.#node = await this.#site.startNode();
    await this.flows();
    this.#requireDelivered(sealed);
  }

  /** The node cannot store anything: the agent keeps it, and delivers it later. */
  async storeFull(): Promise<void> {
    this.#disks.storeDisk.fill();
    const before = this.#receipted();
    await this.#until(
      "leaves that are not receipted",
      () => (this.agent.status?.log.signed ?? 0) > this.#receipted() + SOME_LEAVES,
    );
    const sealed = readJournal(this.#site.journal);
    if (this.#node?.ending !== undefined) {
      this.witness.problem(`the node ended on a full disk: ${this.#node.text.slice(-600)}`);
      this.#disks.storeDisk.free();
      this.#node = await this.#site.startNode();
    }
    this.#disks.storeDisk.free();
    await this.#until("what the node could not take", () => this.#receipted() > before + SOME_LEAVES);
    await this.flows();
    this.#requireDelivered(sealed);
  }

  async end(cycles: number): Promise<FaultOutcome> {
    const { code } = await this.agent.kill("SIGTERM");
    if (code !== 0) this.witness.problem(`the agent ended with ${code}`);
    await this.witness.look(sidesOf(this.#site));
    const count = await finalCount(this.#site, this.witness);
    return outcomeOf(cycles, this.witness.findings, count, { states: [...this.#states].sort().join(" ") });
  }

  get agent(): Running {
    if (this.#agent === undefined) throw new Error("no agent was started");
    return this.#agent;
  }

  #short(): Promise<void> {
    return this.#until("a journal that is short of room", () => {
      const journal = this.agent.status?.journal;
      if (journal === undefined || (journal.state === "ok" && journal.pace === 1)) return false;
      this.#states.add(`${journal.state}/${journal.pace}`);
      return true;
    });
  }

  async #until(what: string, ask: () => boolean): Promise<void> {
    await this.agent.until(what, WITHIN_MS, () => (ask() ? true : undefined));
  }

  #receipted(): number {
    return this.agent.status?.nodes[0]?.receiptedSize ?? 0;
  }

  /** Whether the journal has let readings go. */
  #releases(): boolean {
    return readJournal(this.#site.journal).some(
      ({ leaves }) => leaves.size > 0 && !isWhole([...leaves.keys()]),
    );
  }

  /** All that was durable then is at the node now, byte for byte. */
  #requireDelivered(sealed: ReturnType<typeof readJournal>): void {
    const stored = readStore(this.#site.store, this.#site.deviceKey);
    for (const { epoch, leaves } of sealed) {
      const held = stored.find((history) => history.epoch === epoch)?.leaves;
      for (const [seq, leaf] of leaves) {
        const theirs = held?.get(seq);
        if (theirs !== undefined && equalBytes(theirs, leaf)) continue;
        this.witness.lost(
          `leaf ${seq} of epoch ${epoch} was durable on the full disk and did not reach the node`,
        );
      }
    }
  }
}

function isWhole(seqs: readonly number[]): boolean {
  return Math.max(...seqs) + 1 === seqs.length;
}
