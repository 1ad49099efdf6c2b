import { truncateSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { equalBytes } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import type { RawFrame } from "../../drivers/driver.ts";
import { fileBytes } from "../../runtime/disk-space.ts";
import { DIGEST_BYTES, FrameSegment, type KeptFrame, packFrames, unpackFrame } from "./frame-segment.ts";

export interface FramesStatus {
  /** On the card now. */
  readonly bytes: number;
  /** Frames that did not fit or were not what their digest says, since the start. */
  readonly refused: number;
}

/** What may wait for the next commit, uncompressed. */
const MOST_WAITING_BYTES = 1024 ** 2;
const MOST_WAITING = 65_535;
const LONGEST_FRAME_BYTES = 256 * 1024;

/**
 * The newest raw frames behind sealed readings, so that a node can ask for the frame of a leaf, decode it and compare
 * (docs/journal.md). Two files beside the journal, filled in turn: when one is full the other one, which is the older
 * half, is begun anew. They are apart from the database because they are the first to go when the disk is full, which
 * must not need room itself, and because nothing that happens to them may touch the log. What is read back is held
 * against its digest; what a power cut took is not missed.
 */
export class FrameRing {
  readonly #paths: readonly [string, string];
  readonly #halfBytes: number;
  #segments: readonly [FrameSegment, FrameSegment] | undefined;
  #waiting: KeptFrame[] = [];
  #waitingBytes = 0;
  #refused = 0;
  #paused = false;

  /** @param maxBytes of both files together; 0 keeps nothing */
  constructor(journalPath: string, maxBytes: number) {
    this.#paths = [`${journalPath}.frames-0`, `${journalPath}.frames-1`];
    this.#halfBytes = Math.floor(maxBytes / 2);
  }

  get status(): FramesStatus {
    const sizes = this.#paths.map((path) => fileBytes(path) ?? 0);
    return { bytes: sizes.reduce((sum, size) => sum + size, 0), refused: this.#refused };
  }

  /** Takes a frame along with the next {@link FrameRing.flush}; false for one that is not kept. */
  add({ digest, bytes, what }: RawFrame, atMs: number): boolean {
    if (this.#halfBytes === 0 || this.#paused) return false;
    const short = digest.slice(0, DIGEST_BYTES);
    if (this.#waiting.some((other) => equalBytes(other.digest, short))) return true;
    const fits =
      bytes.length <= LONGEST_FRAME_BYTES &&
      this.#waitingBytes + bytes.length <= MOST_WAITING_BYTES &&
      this.#waiting.length < MOST_WAITING;
    if (!fits || !isDigestOf(short, bytes)) {
      this.#refused += 1;
      return false;
    }
    this.#waiting.push({ digest: short, bytes, what, atMs });
    this.#waitingBytes += bytes.length;
    return true;
  }

  /** Writes what was added since. Throws what the file system throws; nothing waits any more then either. */
  flush(): void {
    const frames = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (frames.length === 0) return;
    const record = packFrames(frames);
    const [current, other] = this.#ordered();
    if (current.bytes + record.length <= this.#halfBytes) current.append(record);
    else if (record.length + FrameSegment.headBytes > this.#halfBytes) this.#refused += frames.length;
    else {
      other.begin(current.generation + 1);
      other.append(record);
    }
  }

  /** The frame of that evidence, of which 16 bytes are enough; undefined when it is gone. */
  async find(digest: Uint8Array): Promise<KeptFrame | undefined> {
    const short = digest.slice(0, DIGEST_BYTES);
    const waiting = this.#waiting.find((frame) => equalBytes(frame.digest, short));
    if (waiting !== undefined) return waiting;
    if (this.#halfBytes === 0) return undefined;
    for (const segment of this.#ordered()) {
      const found = unpackFrame(await readFile(segment.path), short);
      if (found !== undefined && isDigestOf(short, found.bytes)) return found;
    }
    return undefined;
  }

  /**
   * Gives all of the room back, and keeps nothing until {@link FrameRing.resume}; false where there was none to give.
   * Never throws.
   */
  drop(): boolean {
    if (this.#paused) return false;
    this.#paused = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    const { bytes } = this.status;
    this.close();
    for (const path of this.#paths) truncateIfThere(path);
    return bytes > 0;
  }

  resume(): void {
    this.#paused = false;
  }

  close(): void {
    for (const segment of this.#segments ?? []) segment.close();
    this.#segments = undefined;
  }

  /** The one that is written to, then the older one. */
  #ordered(): readonly [FrameSegment, FrameSegment] {
    this.#segments ??= [new FrameSegment(this.#paths[0]), new FrameSegment(this.#paths[1])];
    const [a, b] = this.#segments;
    return a.generation >= b.generation ? [a, b] : [b, a];
  }
}

/** A file system that takes no change has no room to give back either. */
function truncateIfThere(path: string): void {
  try {
    truncateSync(path);
  } catch {
    // Not there, or not to be changed.
  }
}

function isDigestOf(short: Uint8Array, bytes: Uint8Array): boolean {
  return equalBytes(nativeSuite.sha256(bytes).subarray(0, DIGEST_BYTES), short);
}
