import { equalBytes, toHex } from "../../attest/bytes.ts";
import { describeProblem } from "../../attest/problem.ts";
import type { Receipt } from "../../attest/receipt.ts";
import type { Instant } from "../clock/clock.ts";
import type { Guard } from "../guard.ts";
import { DiskWatch } from "../journal/disk-watch.ts";
import { FrameRing } from "../journal/frames.ts";
import type { Journal } from "../journal/journal.ts";
import type { JournalState, JournalStatus } from "../journal/journal-status.ts";
import type { OpenedLog } from "../journal/open-log.ts";
import { type Pace, paceInMemory, slower } from "../journal/pace.ts";
import { Reserve } from "../journal/reserve.ts";
import type { RetentionLimits } from "../journal/retention.ts";
import { JournalFile, type JournalFileOptions, type NextEpoch } from "./journal-file.ts";
import type { Sealer } from "./sealer.ts";
import { TakeOver } from "./take-over.ts";
import { Upkeep } from "./upkeep.ts";

/** How much of the journal is kept, and how large it may grow. */
export interface KeepingOptions extends RetentionLimits {
  /** Of raw frames. */
  readonly framesBytes: number;
}

export interface LedgerOptions extends JournalFileOptions {
  /** Keys of the configured nodes. */
  readonly nodes: readonly Uint8Array[];
  readonly keeping: KeepingOptions;
  readonly guard: Guard;
  readonly host: LedgerHost;
  readonly reserveBytes?: number;
}

/** The agent around the ledger. */
export interface LedgerHost {
  /** A sealer for the log, which it opens where it is empty. */
  startSealer(log: OpenedLog): Sealer;
  /** The log goes on in another epoch, of which no node has anything yet. */
  epochChanged(): void;
  /** Readings can be sealed in the epoch that was begun. */
  ready(): void;
}

/** How often room is made for one write. */
const MOST_ATTEMPTS = 8;
/** Leaves of the epoch before that are still appended when the agent stops, in thousands. */
const MOST_LAST_STEPS = 64;

/**
 * The log with its journal, kept going: what is sealed is written at each tick; a file that is damaged is set aside and
 * the log goes on in the next epoch; a disk that takes nothing is tried again at each tick while leaves wait in memory;
 * a disk that is full is made room on (docs/journal.md).
 */
export class Ledger {
  readonly frames: FrameRing;
  readonly #options: LedgerOptions;
  readonly #watch: DiskWatch;
  readonly #upkeep: Upkeep;
  readonly #file: JournalFile;
  #sealer: Sealer | undefined;
  #takeOver: TakeOver | undefined;
  #nextStep: NodeJS.Immediate | undefined;
  /** Why there is no journal. */
  #lost: unknown;
  #pace: Pace = 1;
  #leftBytes: number | undefined;
  #leftOut = 0;

  /** Opens the journal. Throws what `openLog` throws. */
  constructor(options: LedgerOptions) {
    const { location, keeping, reserveBytes } = options;
    this.#options = options;
    this.frames = new FrameRing(location.path, keeping.framesBytes);
    const reserve = new Reserve(location.path, reserveBytes);
    this.#watch = new DiskWatch(location.path, keeping.maxBytes, { reserve, frames: this.frames });
    this.#upkeep = new Upkeep(options, this.#watch);
    this.#file = new JournalFile(options, this.#watch);
  }

  get log(): OpenedLog {
    return this.#file.log;
  }

  get sealer(): Sealer {
    if (this.#sealer === undefined) throw new Error("the ledger has not begun");
    return this.#sealer;
  }

  /** One sample of so many is to be sealed; 0: none. */
  get pace(): Pace {
    return this.#takeOver === undefined ? this.#pace : 0;
  }

  /** A sample was left out. */
  leftOut(): void {
    this.#leftOut += 1;
  }

  /** Readings can be sealed from here on, and are once what the epoch takes over is there. */
  begin(): void {
    const removed = this.#removedNode();
    if (removed !== undefined) {
      const reason = `node ${toHex(removed)} was taken out of the configuration`;
      this.#file.openNext({ epoch: this.#epoch + 1, reason });
    }
    this.#watch.look(this.#journal);
    this.#sealer = this.#startedSealer();
    if (this.#journal.carry() !== undefined) this.#takeOver = new TakeOver(this.sealer);
    this.#stepSoon();
    this.#setPace();
  }

  /** At each commit interval: intervals that are over are closed, everything is written, the journal is looked after. */
  tick(): void {
    this.#mend();
    this.#stepSoon();
    this.#options.guard.run("close-failed", () => this.sealer.closeOverdue());
    this.commit();
    if (this.#lost === undefined && this.#takeOver === undefined) this.#upkeep.tick(this.sealer);
    this.#mend();
    this.#setPace();
  }

  /** Makes what was sealed durable; says so when it cannot be, and goes on. */
  commit(options: { readonly snapshot?: boolean } = {}): void {
    const { guard } = this.#options;
    if (!guard.run("frames-failed", () => this.frames.flush())) this.frames.drop();
    if (this.#lost !== undefined) return;
    guard.run("commit-failed", () => this.#write(() => this.sealer.commit(options)));
  }

  /** Signs what is durable. Throws what the database throws, and then nothing was signed that anybody sees. */
  async checkpoint(): Promise<number> {
    this.#write(() => this.sealer.commit());
    try {
      return await this.sealer.checkpoint();
    } catch (cause) {
      if (!this.#makeRoom(cause)) throw cause;
      // What was signed and could not be stored is forgotten.
      return this.sealer.checkpoint();
    }
  }

  /** Stores a receipt and takes it up into the log. Throws what the database throws: it is not acknowledged then. */
  keepReceipt(nodeKey: Uint8Array, receipt: Receipt, bytes: Uint8Array): void {
    const row = { nodeKey, size: receipt.size, bytes };
    const fresh = this.#write(() => this.#journal.addReceipt(this.#epoch, row));
    if (fresh) this.#options.guard.run("anchor-failed", () => this.sealer.anchor(receipt, nodeKey, bytes));
  }

  /** Where the log has to go on for a node that holds `size` leaves and cannot have the next ones: they were released. */
  epochFor(size: number): NextEpoch | undefined {
    if (size >= this.#journal.releasedTo(this.#epoch)) return undefined;
    return { epoch: this.#epoch + 1, reason: "a node has not the leaves that were released" };
  }

  /** Configured nodes whose answer is waited for in this epoch. */
  nodesToAsk(): Uint8Array[] {
    const passed = this.#journal.passedOver(this.#epoch);
    return this.#options.nodes.filter((node) => !passed.some((other) => equalBytes(other, node)));
  }

  /** Goes on without those nodes, in the next epoch. */
  passOver(nodeKeys: readonly Uint8Array[], reason: string): void {
    const known = this.#journal.passedOver(this.#epoch);
    this.nextEpoch({ epoch: this.#epoch + 1, reason, passedOver: [...known, ...nodeKeys] });
  }

  /** This epoch is never signed again: a new log, the same device, the same channels. */
  nextEpoch(next: NextEpoch): void {
    const before = this.sealer;
    const { epoch, reason } = next;
    this.#options.logger.warn("epoch-opened", { epoch, after: this.#epoch, reason });
    while (this.#takeOver !== undefined) this.#takeStep(this.#takeOver);
    this.commit();
    try {
      this.#file.openNext(next);
      this.#goOnBehind(before);
    } catch (cause) {
      // The next tick opens the file as it is then.
      this.#lost = cause;
      this.#options.guard.failed("journal-lost", cause);
    }
  }

  status(): JournalStatus {
    const lost = this.#lost;
    return {
      state: this.#state(),
      ...(lost === undefined ? {} : { problem: describeProblem(lost).message }),
      ...(this.#leftBytes === undefined ? {} : { leftBytes: this.#leftBytes }),
      ...{ pace: this.pace, leftOut: this.#leftOut, released: this.#upkeep.released },
      frames: this.frames.status,
    };
  }

  /** What an epoch takes over from memory is written first, where it is not too much. */
  close(): void {
    clearImmediate(this.#nextStep);
    for (let step = 0; step < MOST_LAST_STEPS && this.#takeOver !== undefined; step++)
      if (!this.#takeStep(this.#takeOver)) break;
    this.frames.close();
    this.#journal.close();
  }

  get #journal(): Journal {
    return this.log.journal;
  }

  get #epoch(): number {
    return this.log.identity.epoch;
  }

  #state(): JournalState {
    if (this.#lost !== undefined) return "lost";
    if (this.#takeOver !== undefined) return "takes-over";
    if (this.#watch.isFull) return "full";
    return this.#pace === 1 ? "ok" : "slow";
  }

  /** Runs what writes, and again where there was no room for it and some could be made. */
  #write<T>(work: () => T): T {
    for (let attempt = 1; ; attempt++) {
      try {
        return work();
      } catch (cause) {
        if (attempt === MOST_ATTEMPTS || !this.#makeRoom(cause)) throw cause;
      }
    }
  }

  /** False where room was not what was missing, or there is none to be made. */
  #makeRoom(cause: unknown): boolean {
    if (!this.#watch.isCause(cause)) return false;
    if (this.#watch.relieve(this.#journal)) {
      if (this.#watch.isFull) this.#options.guard.failed("journal-full", this.#watch.problem(cause));
      return true;
    }
    try {
      return this.#sealer !== undefined && this.#upkeep.release(this.#sealer, true);
    } catch {
      return false;
    }
  }

  /** A file that failed is opened again or set aside; without one everything waits in memory until the next tick. */
  #mend(): void {
    const fault = this.#lost ?? this.#journal.fault;
    if (fault === undefined) return;
    if (this.#lost === undefined && describeProblem(fault).code === "journal-damaged") {
      this.nextEpoch({ epoch: this.#epoch + 1, reason: "leaves that not every node has are damaged" });
      return;
    }
    const { guard } = this.#options;
    const before = this.sealer;
    try {
      if (this.#file.mend(fault, before)) before.writer.resume(this.#journal, this.log.rules.size);
      else this.#goOnBehind(before);
      this.#lost = undefined;
      guard.succeeded("journal-lost");
    } catch (cause) {
      this.#lost = cause;
      guard.failed("journal-lost", cause);
    }
  }

  /** Begins the epoch that the file was opened in, with what is in memory of the one before. */
  #goOnBehind(before: Sealer): void {
    before.end();
    const held = before.writer.held();
    const [first] = held.leaves;
    const opensAt = this.log.opensAt ?? first?.leaf;
    const opening = opensAt && { timeMs: opensAt.timeMs, timeQuality: opensAt.timeQuality };
    this.#sealer = this.#startedSealer(opening);
    this.#options.host.epochChanged();
    this.#takeOver = new TakeOver(this.sealer, held);
    this.#stepSoon();
  }

  /** A sealer that fails half-way has used its log up: the next attempt needs it as it is on disk. */
  #startedSealer(opensAt?: Instant): Sealer {
    for (let attempt = 1; ; attempt++) {
      try {
        return this.#options.host.startSealer(opensAt === undefined ? this.log : { ...this.log, opensAt });
      } catch (cause) {
        if (attempt === MOST_ATTEMPTS || !this.#makeRoom(cause)) throw cause;
        this.#file.openAgain();
      }
    }
  }

  #stepSoon(): void {
    clearImmediate(this.#nextStep);
    if (this.#takeOver === undefined) return;
    const takeOver = this.#takeOver;
    this.#nextStep = setImmediate(() => {
      if (this.#takeStep(takeOver)) this.#stepSoon();
    });
  }

  /** False when it did not go well: the next tick tries again. */
  #takeStep(takeOver: TakeOver): boolean {
    return this.#options.guard.run("commit-failed", () => {
      const done = this.#write(() => takeOver.step());
      if (done === undefined) return;
      this.#takeOver = undefined;
      const { problem, ...counts } = done;
      const cut = problem === undefined ? {} : describeProblem(problem);
      this.#options.logger.warn("epoch-taken-over", { ...counts, ...cut });
      this.#options.host.ready();
    });
  }

  /** Who has receipted the epoch and is not configured any more, if somebody has. */
  #removedNode(): Uint8Array | undefined {
    const { nodes } = this.#options;
    return this.#journal
      .receiptedBy(this.#epoch)
      .map(({ nodeKey }) => nodeKey)
      .find((nodeKey) => !nodes.some((node) => equalBytes(node, nodeKey)));
  }

  #setPace(): void {
    this.#leftBytes = undefined;
    if (this.#lost === undefined)
      this.#options.guard.run(
        "journal-upkeep-failed",
        () => {
          this.#leftBytes = this.#watch.leftBytes(this.#journal);
        },
        { step: "room" },
      );
    const inMemory = paceInMemory(this.sealer.writer.fullness);
    const pace =
      this.#leftBytes === undefined ? inMemory : slower(this.#watch.pace(this.#leftBytes), inMemory);
    if (pace === this.#pace) return;
    this.#pace = pace;
    this.#options.logger.warn("sampling-pace", { pace, state: this.#state() });
  }
}
