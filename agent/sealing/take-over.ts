import type { ChannelManifest } from "../../attest/leaf.ts";
import { Problem } from "../../attest/problem.ts";
import { CarriedLeaves } from "../journal/carried.ts";
import type { Carry } from "../journal/journal-reader.ts";
import type { Stretch } from "../journal/sound-blocks.ts";
import { CarryOver } from "./carry-over.ts";
import type { Sealer } from "./sealer.ts";
import type { HeldLeaves } from "./unwritten.ts";

/** What a take-over did. */
export interface TakenOver {
  readonly taken: number;
  readonly refused: number;
  /** Why the rest of the old log could not be read. */
  readonly problem?: unknown;
}

/** Leaves that are appended in one go: a small gateway is not held up by them for longer than half a second. */
const STEP_LEAVES = 1024;

/**
 * Brings what no node has of an epoch that is over into the next one, piece by piece: first what its file holds, then
 * what only memory does. How far it has come is durable with the leaves, so that a power cut neither loses nor repeats
 * any of the file's.
 */
export class TakeOver {
  readonly #sealer: Sealer;
  #held: HeldLeaves;
  readonly #over: CarryOver;
  #source: CarriedLeaves | undefined;
  #carry: Carry | undefined;
  #problem: unknown;

  /** @param held leaves that were in memory when the file was lost */
  constructor(sealer: Sealer, held?: HeldLeaves) {
    this.#sealer = sealer;
    const carry = sealer.writer.journal.carry();
    this.#carry = carry;
    // The file's own end is where memory goes on.
    const from = carry === undefined ? 0 : carry.endSeq;
    const leaves = (held?.leaves ?? []).filter(({ leaf }) => leaf.seq >= from);
    this.#held = { manifests: held?.manifests ?? new Map(), leaves };
    this.#over = new CarryOver(sealer, carry === undefined ? new Map() : this.#opened(carry));
    sealer.clock.takesOver = true;
  }

  /** The next piece. Says what was done when it was the last one. Throws what the journal's commit throws. */
  step(): TakenOver | undefined {
    // A piece that the disk did not take comes before the next one: what waits stays bounded.
    this.#sealer.commit();
    const carry = this.#carry;
    if (carry !== undefined && carry.nextSeq < carry.endSeq) this.#takeFrom(carry);
    else if (this.#held.leaves.length > 0) this.#takeHeld();
    else return this.#end();
    this.#sealer.commit();
    return undefined;
  }

  #takeFrom(carry: Carry): void {
    const end = Math.min(carry.endSeq, carry.nextSeq + STEP_LEAVES);
    let { nextSeq } = carry;
    while (nextSeq < end) nextSeq = this.#takeBlock({ from: nextSeq, to: end });
    this.#carry = { ...carry, nextSeq };
    this.#sealer.writer.carryOn(this.#carry);
  }

  /** Where the next block begins. */
  #takeBlock(stretch: Stretch): number {
    try {
      const { leaves, to } = this.#source?.read(stretch) ?? { leaves: undefined, to: stretch.to };
      if (leaves === undefined) this.#over.breaks(this.#source?.hasManifests({ ...stretch, to }) ?? true);
      for (const leaf of leaves ?? []) this.#over.take(leaf);
      return to;
    } catch (cause) {
      if (cause instanceof Problem && cause.code === "journal-stuck") throw cause;
      // What is behind it may still be read.
      this.#problem ??= cause;
      this.#over.breaks(true);
      return stretch.to;
    }
  }

  #takeHeld(): void {
    const { manifests, leaves } = this.#held;
    this.#held = { manifests: new Map(), leaves: leaves.slice(STEP_LEAVES) };
    this.#over.means(manifests);
    // Between what the file vouches for and what memory holds some may be lost.
    const [first] = leaves;
    if (manifests.size > 0 && first !== undefined && first.leaf.seq > (this.#carry?.endSeq ?? 0))
      this.#over.breaks(false);
    for (const { leaf } of leaves.slice(0, STEP_LEAVES)) this.#over.take(leaf);
  }

  #end(): TakenOver {
    this.#sealer.writer.carryOn("done");
    this.#sealer.commit();
    this.#source?.close();
    this.#sealer.clock.takesOver = false;
    this.#sealer.reconcileClock();
    const { taken, refused } = this.#over;
    return { taken, refused, ...(this.#problem === undefined ? {} : { problem: this.#problem }) };
  }

  #opened(carry: Carry): ReadonlyMap<number, ChannelManifest> {
    try {
      this.#source = CarriedLeaves.open(() => this.#sealer.writer.journal, carry);
      return this.#source.manifestsBefore(carry.nextSeq);
    } catch (cause) {
      this.#problem = cause;
      return new Map();
    }
  }
}
