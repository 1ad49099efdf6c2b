import { Problem } from "../../attest/problem.ts";
import { databaseFault } from "../../runtime/database-fault.ts";
import type { Logger } from "../../runtime/log.ts";
import type { DiskWatch } from "../journal/disk-watch.ts";
import { type LogLocation, type OpenedLog, openLog, startNextEpoch } from "../journal/open-log.ts";
import { continuesIn } from "./same-log.ts";
import type { Sealer } from "./sealer.ts";

/** Where a log goes on, and why. */
export interface NextEpoch {
  readonly epoch: number;
  readonly reason: string;
  /** Nodes that it does without. */
  readonly passedOver?: readonly Uint8Array[];
}

export interface JournalFileOptions {
  readonly location: Pick<LogLocation, "path" | "network" | "deviceKey">;
  readonly logger: Logger;
}

/** The journal's file, opened and opened again. */
export class JournalFile {
  readonly #options: JournalFileOptions;
  readonly #watch: DiskWatch;
  #log: OpenedLog;
  /** SQLite found it damaged once, and it passed its check all the same. */
  #doubted = false;

  /** Throws what `openLog` throws. */
  constructor(options: JournalFileOptions, watch: DiskWatch) {
    this.#options = options;
    this.#watch = watch;
    this.#log = this.#open({});
    this.#sayDamaged();
  }

  get log(): OpenedLog {
    return this.#log;
  }

  /** Begins an epoch in the file as it is. Throws what `openLog` and the database throw. */
  openNext(next: NextEpoch): void {
    const { journal, identity } = this.#log;
    startNextEpoch(journal, identity, next);
    journal.close();
    this.#log = { ...this.#open({}), reason: next.reason };
  }

  /** As it is on disk, such as after something was written to it that the disk did not take. */
  openAgain(): void {
    this.#close();
    this.#log = this.#open({});
  }

  /**
   * Opens it again after a fault, and sets it aside where it is damaged, or is not what it was. True when the sealer's log
   * goes on in it. Throws when there is no file to be had.
   */
  mend(fault: unknown, sealer: Sealer): boolean {
    this.#close();
    if (this.#watch.isCause(fault)) this.#watch.relieve(undefined);
    const wasDoubted = this.#doubted;
    this.#doubted ||= databaseFault(fault) === "damaged";
    this.#log = this.#open(
      wasDoubted && databaseFault(fault) === "damaged"
        ? { condemned: condemned(fault) }
        : { wholeCheck: this.#doubted },
    );
    const { damaged, identity } = this.#log;
    const isSameEpoch = identity.epoch === sealer.rules.identity.epoch;
    if (damaged === undefined && isSameEpoch) {
      if (continuesIn(this.#log, sealer)) {
        // What stands in the write-ahead log may never have reached the card that failed.
        this.#log.journal.foldIn();
        this.#options.logger.info("journal-reopened", { size: this.#log.rules.size });
        return true;
      }
      this.#close();
      this.#log = this.#open({ condemned: condemned(fault) });
    }
    this.#doubted = false;
    this.#sayDamaged();
    return false;
  }

  close(): void {
    this.#log.journal.close();
  }

  #close(): void {
    try {
      this.#log.journal.close();
    } catch {
      // A file that failed may fail at this, too; its handle is gone in any case.
    }
  }

  #open(how: Pick<LogLocation, "condemned" | "wholeCheck">): OpenedLog {
    const { path, network, deviceKey } = this.#options.location;
    const location = { path, network, deviceKey, maxBytes: this.#watch.maxBytes, ...how };
    for (;;) {
      try {
        return openLog({ ...location, nowMs: Date.now() });
      } catch (cause) {
        if (!this.#watch.isCause(cause) || !this.#watch.relieve(undefined)) throw cause;
      }
    }
  }

  #sayDamaged(): void {
    const { damaged, identity } = this.#log;
    if (damaged === undefined) return;
    const { problem, movedTo } = damaged;
    this.#options.logger.problem("journal-damaged", problem, { movedTo, epoch: identity.epoch });
  }
}

function condemned(cause: unknown): Problem {
  return new Problem("journal-damaged", "the journal is not what it was before it failed", {
    got: cause instanceof Error ? cause.message : String(cause),
    hint: "keep the file: it holds what no node has received yet; replace the card if it happens again",
    cause,
  });
}
