import { toHex } from "../../attest/bytes.ts";
import { Problem } from "../../attest/problem.ts";
import type { Logger } from "../../runtime/log.ts";

/** Epochs that a key may open in a day without an operator's approval (docs/exchange.md), where nothing else is said. */
export const EPOCHS_A_DAY = 2;
export const DAY_MS = 86_400_000;

/** A key that opened too many epochs: the one that was not taken, and when. */
export interface Quarantine {
  readonly epoch: number;
  /** The node's clock, ms since 1970 UTC. */
  readonly sinceMs: number;
}

/** An operator's approval, and the quarantine that it ended, if there was one. */
export interface Approval {
  readonly approvedBy: string;
  readonly approvedMs: number;
  readonly ended: Quarantine | undefined;
}

/** What the quarantine needs of a store that nobody else writes. Every method that changes it has made that durable. */
export interface QuarantineArchive {
  quarantineOf(deviceKey: Uint8Array): Quarantine | undefined;
  /** Quarantined keys in order, those after `after`. */
  quarantined(after: Uint8Array, limit: number): readonly (Quarantine & { readonly deviceKey: Uint8Array })[];
  count(): number;
  /** The newest epochs, at most `limit`, that the key opened within the day before `nowMs` and that no approval covers. */
  openedEpochs(deviceKey: Uint8Array, nowMs: number, limit: number): readonly number[];
  add(deviceKey: Uint8Array, quarantine: Quarantine): void;
  /** Ends the quarantine and notes who approved, both or nothing; returns what it ended. */
  approve(deviceKey: Uint8Array, approvedBy: string, nowMs: number): Quarantine | undefined;
  /** Newest first. */
  approvals(deviceKey: Uint8Array, limit: number): readonly Approval[];
}

/** Leaves that a device wants to add; `opens` where they are the first of an epoch. */
export interface Growth {
  readonly deviceKey: Uint8Array;
  readonly epoch: number;
  readonly opens: boolean;
  readonly nowMs: number;
}

export interface QuarantineParts {
  readonly archive: QuarantineArchive;
  readonly logger: Logger;
  /** ms since 1970 UTC. */
  readonly nowMs: () => number;
  readonly epochsADay?: number;
}

/** Keys that are quarantined, and batches that were refused for it since the start. */
export interface QuarantineCensus {
  readonly keys: number;
  readonly refused: number;
}

const MOST_NAME = 200;

/**
 * Keeps keys that open epochs as two copies of a device would, fighting for one log. It is no fault and accuses nobody: the
 * node only takes nothing new until a person has looked. What is stored already keeps its receipts.
 */
export class EpochQuarantine {
  readonly #parts: QuarantineParts;
  /** How often the first batch of an epoch is on its way into the store, by key: it counts before it is there. */
  readonly #opening = new Map<string, Map<number, number>>();
  #refused = 0;

  constructor(parts: QuarantineParts) {
    this.#parts = parts;
  }

  /**
   * Runs `append`, which makes new leaves of a device durable. Throws `quarantine` without running it where the key is
   * quarantined, or is from now on. Between the count and the append nothing else of that key is counted, for an epoch on
   * its way counts already; and one process alone writes the store.
   */
  async admit<T>(growth: Growth, append: () => Promise<T>): Promise<T> {
    this.#requireFree(growth);
    if (!growth.opens) return append();
    const name = toHex(growth.deviceKey);
    this.#requireRoom(growth, [...(this.#opening.get(name)?.keys() ?? [])]);
    this.#count(name, growth.epoch, 1);
    try {
      return await append();
    } finally {
      this.#count(name, growth.epoch, -1);
    }
  }

  /** Whether, why and since when the key is quarantined. */
  quarantineOf(deviceKey: Uint8Array): Quarantine | undefined {
    return this.#parts.archive.quarantineOf(deviceKey);
  }

  /**
   * An operator's approval: what the key opened until now does not count any more, so that it may open as many again within
   * the next day. Returns the quarantine that this ends; without one it is an approval in advance. Throws `approval`.
   */
  release(deviceKey: Uint8Array, byWhom: string): Quarantine | undefined {
    const approvedBy = byWhom.trim();
    if (approvedBy === "" || approvedBy.length > MOST_NAME) {
      throw new Problem("approval", "an approval names who gives it", {
        ...{ expected: `1 to ${MOST_NAME} characters`, got: String(approvedBy.length) },
      });
    }
    const ended = this.#parts.archive.approve(deviceKey, approvedBy, this.#parts.nowMs());
    this.#parts.logger.info("quarantine-released", {
      ...{ deviceKey: toHex(deviceKey), approvedBy, epoch: ended?.epoch ?? null },
    });
    return ended;
  }

  /** Keys that are quarantined now, and batches that were refused for it since the start. */
  census(): QuarantineCensus {
    return { keys: this.#parts.archive.count(), refused: this.#refused };
  }

  #requireFree({ deviceKey, epoch }: Growth): void {
    const quarantine = this.quarantineOf(deviceKey);
    if (quarantine !== undefined) throw this.#refusal(epoch, quarantine);
  }

  #count(name: string, epoch: number, change: 1 | -1): void {
    const opening = this.#opening.get(name) ?? new Map<number, number>();
    const count = (opening.get(epoch) ?? 0) + change;
    if (count > 0) opening.set(epoch, count);
    else opening.delete(epoch);
    if (opening.size > 0) this.#opening.set(name, opening);
    else this.#opening.delete(name);
  }

  #requireRoom({ deviceKey, epoch, nowMs }: Growth, opening: readonly number[]): void {
    const { archive, logger, epochsADay = EPOCHS_A_DAY } = this.#parts;
    const others = new Set([...archive.openedEpochs(deviceKey, nowMs, epochsADay + 1), ...opening]);
    others.delete(epoch);
    if (others.size < epochsADay) return;
    const quarantine = { epoch, sinceMs: nowMs };
    archive.add(deviceKey, quarantine);
    logger.warn("quarantine", { deviceKey: toHex(deviceKey), epoch, others: [...others] });
    throw this.#refusal(epoch, quarantine);
  }

  #refusal(epoch: number, { epoch: third, sinceMs }: Quarantine): Problem {
    this.#refused += 1;
    return new Problem("quarantine", "the key opened more epochs in a day than one device does", {
      where: `epoch ${epoch}`,
      expected: `at most ${this.#parts.epochsADay ?? EPOCHS_A_DAY} epochs within 24 hours`,
      got: `epoch ${third} at ${new Date(sinceMs).toISOString()}`,
      hint: "nothing is lost; the node's operator releases the key when it is clear that only one device holds it",
    });
  }
}
