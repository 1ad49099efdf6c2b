import { Problem } from "../../attest/problem.ts";
import type { FlexibilityReading, MeterReading } from "../../attest/reading.ts";
import type { ChannelDescription, Doubt } from "../driver.ts";
import type { Block, Source } from "./block.ts";

/** A reading before the digest of the whole snapshot's registers is put to it. */
export type ChannelReading = Omit<MeterReading, "evidence">;
export type ChannelFlexibility = Omit<FlexibilityReading, "evidence">;

/** What one channel says in one snapshot. */
export interface Decoded {
  readonly reading: ChannelReading;
  readonly doubts: readonly Doubt[];
  readonly flexibility?: ChannelFlexibility;
}

/** One channel of a device: which models it is read from, and how. */
export interface Channel {
  readonly description: ChannelDescription;
  /** The reading is made from these. */
  readonly sources: readonly Source[];
  /** What the device can do is made from these, too; without one of them the reading is as good. */
  readonly extras: readonly Source[];
  decode(blocks: BlockSet): Decoded;
}

/** The blocks of one snapshot. */
export class BlockSet {
  readonly #blocks: ReadonlyMap<number, Block>;

  /** By the register that each begins at. */
  constructor(blocks: ReadonlyMap<number, Block>) {
    this.#blocks = blocks;
  }

  get all(): readonly Block[] {
    return [...this.#blocks.values()];
  }

  of(source: Source): Block {
    const block = this.find(source);
    if (block !== undefined) return block;
    throw new Problem("sunspec-not-read", `model ${source.model.id} at ${source.place.start} was not read`);
  }

  find(source: Source | undefined): Block | undefined {
    return source === undefined ? undefined : this.#blocks.get(source.place.start);
  }
}
