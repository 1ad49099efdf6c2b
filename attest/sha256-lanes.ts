import { concatBytes, equalBytes } from "./bytes.ts";
import { BLOCK_BYTES, kernelModule, ROUND_CONSTANTS } from "./sha256-kernel.ts";
import type { Parts } from "./suite.ts";

/**
 * Many SHA-256 hashes at a time, four in the lanes of one vector. What stands where in the memory:
 *
 *     0          round constants
 *     SLOTS_AT   four slots for messages of one block, four for those of two, ...
 *     HASHES_AT  the hashes of one chunk of parts, and one that nobody asked for
 *     PARTS_AT   the parts of the chunk
 */
const HASH_BYTES = 32;
const LANES = 4;
/** Longer messages are rare, and hashed alone. */
const MOST_BLOCKS = 8;
/** 0x80 and the length, behind the message (FIPS 180-4, 5.1.1). */
const PADDING_BYTES = 9;
/** What `stage` may write behind a slot and read behind a message. */
const SPILL_BYTES = 16;
const CHUNK_PARTS = 1024;
const CHUNK_BYTES = 131_072;
const SLOTS_AT = 256;
const HASHES_AT: number = slotAt(MOST_BLOCKS + 1, 0) + SPILL_BYTES;
const UNASKED_AT: number = HASHES_AT + CHUNK_PARTS * HASH_BYTES;
const PARTS_AT: number = UNASKED_AT + HASH_BYTES;
const MEMORY_PAGES: number = Math.ceil((PARTS_AT + CHUNK_BYTES + SPILL_BYTES) / 65_536);

/** What is used here of the WebAssembly JavaScript interface, which not every place has. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object) => { readonly exports: Kernel };
};

interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly stage: (from: number, length: number, slot: number, blocks: number, prefix: number) => void;
  readonly hash: (...slotsOutsAndBlocks: LaneArguments) => void;
}

type Four = [number, number, number, number];
type LaneArguments = [...slots: Four, ...outs: Four, blocks: number];
type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** Hashes messages one after another that share a first byte, as {@link Suite.sha256Parts} says. */
export class Sha256Lanes {
  readonly #kernel: Kernel;
  readonly #memory: Uint8Array;
  readonly #single: Sha256;
  /** For each number of blocks: how many slots are taken, and for each of those the message's length and hash. */
  readonly #taken = new Uint8Array(MOST_BLOCKS + 1);
  readonly #lengths = new Uint32Array(LANES * (MOST_BLOCKS + 1));
  readonly #outs = new Uint32Array(LANES * (MOST_BLOCKS + 1));

  private constructor(kernel: Kernel, single: Sha256) {
    this.#kernel = kernel;
    this.#memory = new Uint8Array(kernel.memory.buffer);
    this.#single = single;
    const constants = new DataView(kernel.memory.buffer);
    for (const [t, constant] of ROUND_CONSTANTS.entries()) constants.setUint32(4 * t, constant, true);
  }

  /**
   * Undefined where WebAssembly or its SIMD is missing, forbidden or not what it should be. `single` hashes what is
   * alone, and tells whether the others are hashed as they should be.
   */
  static open(single: Sha256): Sha256Lanes | undefined {
    try {
      const module = new WebAssembly.Module(kernelModule(MEMORY_PAGES));
      const lanes = new Sha256Lanes(new WebAssembly.Instance(module).exports, single);
      return lanes.#isSound() ? lanes : undefined;
    } catch {
      return undefined; // an old machine, or a page whose policy forbids it
    }
  }

  /** Writes the hash of `prefix` followed by each part to `out`: 32 bytes each, back to back. */
  hash(prefix: number, { bytes, ends }: Parts, out: Uint8Array): void {
    for (let first = 0; first < ends.length; ) {
      const from = first === 0 ? 0 : (ends[first - 1] ?? 0);
      const count = this.#chunk(prefix, { bytes, ends, first, from });
      out.set(this.#memory.subarray(HASHES_AT, HASHES_AT + HASH_BYTES * count), HASH_BYTES * first);
      first += count;
    }
  }

  /** Four messages of two blocks, whose bytes take every value. */
  #isSound(): boolean {
    const bytes = Uint8Array.from({ length: 4 * 75 }, (_, at) => at);
    const ends = Uint32Array.of(75, 150, 225, 300);
    const hashes = new Uint8Array(HASH_BYTES * LANES);
    this.hash(1, { bytes, ends }, hashes);
    const expected = [0, 75, 150, 225].map((at) =>
      this.#single(concatBytes(Uint8Array.of(1), bytes.subarray(at, at + 75))),
    );
    return equalBytes(hashes, concatBytes(...expected));
  }

  /** Hashes parts from `first` on into HASHES_AT; returns how many. */
  #chunk(prefix: number, { bytes, ends, first, from }: Chunk): number {
    this.#taken.fill(0);
    this.#memory.set(bytes.subarray(from, from + CHUNK_BYTES), PARTS_AT);
    let begin = from;
    let count = 0;
    for (; count < CHUNK_PARTS && first + count < ends.length; count++) {
      const end = ends[first + count] ?? begin;
      const blocks = Math.ceil((1 + end - begin + PADDING_BYTES) / BLOCK_BYTES);
      const out = HASHES_AT + HASH_BYTES * count;
      if (blocks > MOST_BLOCKS) {
        const message = concatBytes(Uint8Array.of(prefix), bytes.subarray(begin, end));
        this.#memory.set(this.#single(message), out);
      } else {
        if (end > from + CHUNK_BYTES) break;
        this.#stage(prefix, { at: PARTS_AT + begin - from, length: end - begin, blocks, out });
      }
      begin = end;
    }
    for (let blocks = 1; blocks <= MOST_BLOCKS; blocks++) this.#flush(blocks);
    return count;
  }

  /** Puts one message into the next slot of its size, and hashes the four there once the last one is taken. */
  #stage(prefix: number, { at, length, blocks, out }: Message): void {
    const lane = this.#taken[blocks] ?? 0;
    this.#kernel.stage(at, length, slotAt(blocks, lane), blocks, prefix);
    this.#outs[LANES * blocks + lane] = out;
    this.#lengths[LANES * blocks + lane] = 1 + length;
    this.#taken[blocks] = lane + 1;
    if (lane + 1 === LANES) this.#run(blocks);
  }

  /** Hashes the messages that still wait for others of their size. */
  #flush(blocks: number): void {
    const taken = this.#taken[blocks] ?? 0;
    if (taken === 1) {
      const at = slotAt(blocks, 0);
      const length = this.#lengths[LANES * blocks] ?? 0;
      this.#memory.set(
        this.#single(this.#memory.subarray(at, at + length)),
        this.#outs[LANES * blocks] ?? UNASKED_AT,
      );
      this.#taken[blocks] = 0;
    } else if (taken > 1) {
      this.#outs.fill(UNASKED_AT, LANES * blocks + taken, LANES * (blocks + 1));
      this.#run(blocks);
    }
  }

  #run(blocks: number): void {
    const slot = slotAt(blocks, 0);
    const size = BLOCK_BYTES * blocks;
    const outs = this.#outs;
    const at = LANES * blocks;
    this.#kernel.hash(
      slot,
      slot + size,
      slot + 2 * size,
      slot + 3 * size,
      outs[at] ?? UNASKED_AT,
      outs[at + 1] ?? UNASKED_AT,
      outs[at + 2] ?? UNASKED_AT,
      outs[at + 3] ?? UNASKED_AT,
      blocks,
    );
    this.#taken[blocks] = 0;
  }
}

interface Chunk extends Parts {
  readonly first: number;
  readonly from: number;
}

interface Message {
  readonly at: number;
  readonly length: number;
  readonly blocks: number;
  readonly out: number;
}

/** Slots of one size stand side by side, behind those of all smaller sizes and what they may spill. */
function slotAt(blocks: number, lane: number): number {
  const smaller = blocks - 1;
  const before = (LANES * BLOCK_BYTES * smaller * blocks) / 2 + SPILL_BYTES * smaller;
  return SLOTS_AT + before + BLOCK_BYTES * blocks * lane;
}
