import { KNOWN_TIME } from "../../attest/leaf.ts";
import { describeProblem } from "../../attest/problem.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Guard } from "../guard.ts";
import type { DiskWatch } from "../journal/disk-watch.ts";
import { type ReleaseTerms, Retention, type RetentionLimits, receiptedByAll } from "../journal/retention.ts";
import { Scrub } from "../journal/scrub.ts";
import type { Sealer } from "./sealer.ts";

export interface UpkeepOptions {
  readonly nodes: readonly Uint8Array[];
  readonly keeping: RetentionLimits;
  readonly logger: Logger;
  readonly guard: Guard;
}

const SAY_RELEASED_MS = 3_600_000;

/** What a journal needs beside what is written to it: room, and a look at what is there. A little at each commit. */
export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #watch: DiskWatch;
  readonly #retention: Retention;
  readonly #scrub = new Scrub();
  #released = 0;
  #said = { released: 0, atMs: Number.NEGATIVE_INFINITY };

  constructor(options: UpkeepOptions, watch: DiskWatch) {
    this.#options = options;
    this.#watch = watch;
    this.#retention = new Retention(options.keeping);
  }

  /** Readings that were released since the start. */
  get released(): number {
    return this.#released;
  }

  tick(sealer: Sealer): void {
    const { guard } = this.#options;
    const { journal } = sealer.writer;
    const run = (step: string, work: () => void): void =>
      void guard.run("journal-upkeep-failed", work, { step });
    run("reserve", () => this.#watch.look(journal));
    if (!this.#watch.isFull) guard.succeeded("journal-full");
    run("release", () => void this.release(sealer, this.#watch.isShort(journal)));
    run("check", () => this.#check(sealer));
    run("shrink", () => this.#watch.shrink(journal));
  }

  /** Releases some readings, the oldest ones; `full`: whatever their age. False when there are none, or none go now. */
  release(sealer: Sealer, full: boolean): boolean {
    if (sealer.clock.takesOver || sealer.writer.hasReleases) return false;
    const found = this.#retention.next(sealer.writer.journal, this.#terms(sealer), full);
    if (found === undefined) return false;
    const { stretch, releases, reason, leaves } = found;
    sealer.release(stretch, releases, reason);
    // A commit that finds no room waits, with what it releases, and is made up for.
    this.#released += leaves;
    sealer.commit();
    this.#say(reason);
    return true;
  }

  #terms(sealer: Sealer): ReleaseTerms {
    const { epoch } = sealer.rules.identity;
    const { timeMs, timeQuality } = sealer.clock.now();
    return { epoch, nodes: this.#options.nodes, nowMs: timeQuality < KNOWN_TIME ? undefined : timeMs };
  }

  /** One block that is not what was sealed stops nothing where nodes have it, or nobody else is to have it. */
  #check(sealer: Sealer): void {
    const { journal } = sealer.writer;
    const found = this.#scrub.step(journal);
    if (found === undefined) return;
    const terms = this.#terms(sealer);
    const isOurs = found.epoch === terms.epoch && terms.nodes.length > 0;
    if (isOurs && found.to > receiptedByAll(journal, terms)) journal.blame(found.problem);
    else
      this.#options.guard.failed("journal-leaves-damaged", found.problem, {
        at: describeProblem(found.problem).message,
      });
  }

  #say(reason: string): void {
    const atMs = performance.now();
    if (atMs - this.#said.atMs < SAY_RELEASED_MS) return;
    const readings = this.#released - this.#said.released;
    this.#said = { released: this.#released, atMs };
    this.#options.logger.info("readings-released", { readings, reason });
  }
}
