import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { toHex } from "../../attest/bytes.ts";
import { CountingMeter } from "./kit/meter.ts";
import { seededRandom } from "./kit/random.ts";
import type { Fault, FaultOutcome, FaultRun } from "./kit/report.ts";
import type { Line, Running } from "./kit/running.ts";
import { FaultSite } from "./kit/site.ts";
import { countEpochs, type EpochsEnergy } from "./peers/energy-once.ts";
import { deviceAt, UNLIMITED } from "./peers/quick-node.ts";
import { acknowledgedIn, FileRecord, type OneSide } from "./peers/record.ts";

/** What is put back from a copy that is older than the other side. */
type Kind = "journal" | "journal-epoch-kept" | "store";
const KINDS: readonly Kind[] = ["journal", "journal-epoch-kept", "store"];

/** A file is put back from yesterday's copy. */
export const restore: Fault = {
  name: "restore",
  cycles: 60,
  does: "the journal with its epoch file, the journal alone, or the node's store is put back from an older copy",
  run: runRestore,
};

/** Leaves that come in addition, before and after a copy is taken. */
const MORE_LEAVES = 30;
const MOST_MORE_MS = 2000;
const WAIT_MS = 120_000;
const JOURNAL_FILES = ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] as const;
const EPOCH_FILE = "journal.sqlite.epoch";
const STORE_FILES = ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm"] as const;

/** What is counted over all cycles. */
interface Sums {
  gaps: number;
  overlapWh: number;
  claimedWh: number;
  gapWh: number;
  readonly reasons: Map<string, number>;
}

async function runRestore({ cycles, seed, folder, said }: FaultRun): Promise<FaultOutcome> {
  const random = seededRandom(seed);
  const meter = await CountingMeter.start();
  const record = { acknowledged: 0, lost: 0, forks: 0, fsckRuns: 0, unsound: 0, problems: [] as string[] };
  const sums: Sums = { gaps: 0, overlapWh: 0, claimedWh: 0, gapWh: 0, reasons: new Map() };
  try {
    for (let cycle = 0; cycle < cycles; cycle++) {
      const kind = KINDS[cycle % KINDS.length] ?? "journal";
      const site = new FaultSite(join(folder, `${cycle}`), meter, { nodeYaml: UNLIMITED });
      const found = await new Cycle(site, kind, random()).run(sums);
      for (const key of ["acknowledged", "lost", "forks", "fsckRuns", "unsound"] as const)
        record[key] += found[key];
      record.problems.push(...found.problems.map((problem) => `cycle ${cycle}, ${kind}: ${problem}`));
      rmSync(site.folder, { recursive: true });
      said(cycle + 1, record);
    }
  } finally {
    await meter.close();
  }
  const { reasons, gaps, ...energy } = sums;
  const why = [...reasons].map(([reason, count]) => `${reason}: ${count}`).join("; ");
  return { cycles, ...record, gaps, figures: { ...energy, why } };
}

/** One device and one node of their own, so that no quarantine of one cycle meets the next. */
class Cycle {
  readonly #site: FaultSite;
  readonly #kind: Kind;
  /** In [0, 1): how long the other side goes on, and how the agent is ended. */
  readonly #chance: number;
  readonly #record = new FileRecord();
  #key = "";

  constructor(site: FaultSite, kind: Kind, chance: number) {
    this.#site = site;
    this.#kind = kind;
    this.#chance = chance;
  }

  async run(sums: Sums): Promise<FileRecord["findings"]> {
    const site = this.#site;
    try {
      let node = await site.startNode();
      await this.#ranUntilMore();
      if (this.#kind === "store") await node.kill("SIGTERM");
      const copy = this.#copy("yesterday");
      if (this.#kind === "store") node = await site.startNode();
      await this.#ranUntilMore();
      await this.#looked();
      if (this.#kind === "store") await node.kill("SIGKILL");
      this.#putBack(copy);
      if (this.#kind === "store") await site.startNode();
      await this.#ranAgain(sums);
      await this.#looked();
      this.#record.requireHeld([this.#store]);
      await this.#requireNoAccusation();
      this.#sum(sums, countEpochs(acknowledgedIn(this.#store), site.meter.served));
    } catch (cause) {
      this.#record.problem(cause instanceof Error ? cause.message : String(cause));
    } finally {
      await site.stopPrograms();
    }
    return { ...this.#record.findings, forks: this.#record.forks.length };
  }

  get #journal(): OneSide {
    const { journal: path, deviceKey, nodeKey } = this.#site;
    return { kind: "journal", path, deviceKey, nodeKeys: [nodeKey] };
  }

  get #store(): OneSide {
    const { store: path, deviceKey, nodeKey } = this.#site;
    return { kind: "store", path, deviceKey, nodeKeys: [nodeKey] };
  }

  async #looked(): Promise<void> {
    await this.#record.look(this.#journal);
    await this.#record.look(this.#store);
  }

  /** Runs the agent until there are more receipts than before, ended well or killed. */
  async #ranUntilMore(): Promise<void> {
    const agent = this.#site.launchAgent();
    const began = Number((await agent.event("agent-started"))["size"]);
    await receipted(agent, began + MORE_LEAVES);
    await pause(this.#chance * MOST_MORE_MS);
    await agent.kill(this.#chance < 0.5 ? "SIGKILL" : "SIGTERM");
    this.#key = toHex(this.#site.deviceKey);
  }

  /** The last start: everything is to reach the node, in this epoch or the next. */
  async #ranAgain(sums: Sums): Promise<void> {
    const agent = this.#site.launchAgent();
    const expected = this.#kind === "store" ? 1 : 2;
    await agent.until(`receipts in epoch ${expected}`, WAIT_MS, () => {
      const { status } = agent;
      const size = status?.nodes[0]?.receiptedSize ?? 0;
      return status?.epoch === expected && size > MORE_LEAVES && size >= status.log.signed - MORE_LEAVES
        ? true
        : undefined;
    });
    await pause(this.#chance * MOST_MORE_MS);
    if (this.#kind === "store") await this.#requireResent(agent);
    const { code } = await agent.kill("SIGTERM");
    if (code !== 0) this.#record.problem(`the last agent ended with ${code}`);
    for (const line of agent.lines) note(sums.reasons, line);
  }

  /** What the journal still has of what the store has forgotten is sent once more. */
  async #requireResent(agent: Running): Promise<void> {
    const [history] = await this.#record.look(this.#journal, { check: false });
    const had = Math.max(0, ...(history?.receipts ?? []).map(({ size }) => size));
    await this.#site.receipted(had, WAIT_MS);
    if (agent.status?.epoch !== 1) this.#record.problem("an epoch was opened for a node that forgot");
  }

  async #requireNoAccusation(): Promise<void> {
    const kept = await deviceAt(this.#site, this.#key, "/faults");
    if (JSON.stringify(kept) !== '{"faults":[]}')
      this.#record.problem(`the node accuses an honest device: ${JSON.stringify(kept).slice(0, 600)}`);
  }

  #sum(sums: Sums, energy: EpochsEnergy): void {
    for (const problem of energy.problems) this.#record.problem(problem);
    if (energy.closes === 0) this.#record.problem("no interval was closed");
    sums.gaps += energy.gaps;
    sums.gapWh += energy.gapMwh / 1000;
    sums.overlapWh += energy.overlapMwh / 1000;
    sums.claimedWh += energy.claimedMwh / 1000;
  }

  #files(): readonly string[] {
    if (this.#kind === "store") return STORE_FILES;
    return this.#kind === "journal" ? [...JOURNAL_FILES, EPOCH_FILE] : JOURNAL_FILES;
  }

  #copy(name: string): string {
    const to = join(this.#site.folder, name);
    mkdirSync(to);
    for (const file of this.#files()) copyThere(this.#site.folder, to, file);
    return to;
  }

  /** The present files are gone, as on a card that is written anew. */
  #putBack(copy: string): void {
    for (const file of this.#files()) rmSync(join(this.#site.folder, file), { force: true });
    for (const file of readdirSync(copy)) copyThere(copy, this.#site.folder, file);
  }
}

function copyThere(from: string, to: string, file: string): void {
  if (existsSync(join(from, file))) copyFileSync(join(from, file), join(to, file));
}

function receipted(agent: Running, size: number): Promise<true> {
  return agent.until(`${size} receipted leaves`, WAIT_MS, () =>
    (agent.status?.nodes[0]?.receiptedSize ?? 0) >= size ? true : undefined,
  );
}

function note(reasons: Map<string, number>, line: Line): void {
  if (line["event"] !== "epoch-opened") return;
  const reason = String(line["reason"]);
  reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
}
