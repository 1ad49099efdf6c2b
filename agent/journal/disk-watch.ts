import { Problem } from "../../attest/problem.ts";
import { WAL_LIMIT_BYTES } from "../../runtime/database.ts";
import { databaseFault } from "../../runtime/database-fault.ts";
import { fileSizes } from "../../runtime/disk-space.ts";
import type { FrameRing } from "./frames.ts";
import { type Journal, PAGE_BYTES } from "./journal.ts";
import { comfortOf, type Pace, paceFor } from "./pace.ts";
import { freeBytes, type Reserve } from "./reserve.ts";

/** A card that has less left is full, whatever it calls the failure. */
const NOTHING_LEFT_BYTES = 256 * 1024;
/** Unused pages that stay in the file for what comes next: giving them back and taking them again wears the card. */
const KEPT_FREE_PART = 8;
const LEAST_KEPT_PAGES = 2048;
/** Given back at one commit: 256 KiB, of which most have to be moved. */
const SHRINK_PAGES = 64;

/** How much more the journal can take, and what stands in reserve. */
export class DiskWatch {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #reserve: Reserve;
  readonly #frames: FrameRing;
  /** The reserve was given up, and there is not enough room yet to take it again. */
  #full = false;

  constructor(
    path: string,
    maxBytes: number,
    parts: { readonly reserve: Reserve; readonly frames: FrameRing },
  ) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#reserve = parts.reserve;
    this.#frames = parts.frames;
  }

  /** Cap of the journal's file now. */
  get maxBytes(): number {
    return this.#full ? this.#maxBytes : this.#softMaxBytes;
  }

  get isFull(): boolean {
    return this.#full;
  }

  /** Bytes that readings may still take, the reserve not among them. Below 0: the reserve is being used. */
  leftBytes(journal: Journal): number {
    const { pages, free } = journal.pages();
    const { file, wal } = fileSizes(this.#path);
    // What was written to the log and not folded in yet, and what the log itself will still take.
    const toCome = Math.max(0, pages * PAGE_BYTES - file) + Math.max(0, WAL_LIMIT_BYTES - wal);
    const onDisk = freeBytes(this.#path) - toCome - (this.#reserve.isHeld ? 0 : this.#reserve.bytes);
    const inFile = this.#softMaxBytes - pages * PAGE_BYTES;
    return free * PAGE_BYTES + Math.min(onDisk, inFile);
  }

  pace(leftBytes: number): Pace {
    return paceFor(leftBytes, comfortOf(this.#maxBytes));
  }

  /** Whether receipted readings are to go although they are not old: before sampling slows. */
  isShort(journal: Journal): boolean {
    return this.leftBytes(journal) < 2 * comfortOf(this.#maxBytes);
  }

  /** Takes the reserve where there is room for it, and is full no more when it has it; then the frames may come back. */
  look(journal: Journal): void {
    const { pages, free } = journal.pages();
    const usedBytes = (pages - free) * PAGE_BYTES;
    if (this.#full && usedBytes > this.#softMaxBytes - this.#reserve.bytes) return;
    if (this.#reserve.hold() && this.#full) {
      this.#full = false;
      journal.limit(this.#softMaxBytes);
    }
    if (!this.#full && !this.isShort(journal)) this.#frames.resume();
  }

  /** Whether there was no room for what failed. */
  isCause(cause: unknown): boolean {
    if (cause instanceof Problem && cause.detail.cause !== undefined) return this.isCause(cause.detail.cause);
    const fault = databaseFault(cause);
    return fault === "full" || (fault === "device" && freeBytes(this.#path) < NOTHING_LEFT_BYTES);
  }

  /** Gives up what is least needed; false when there is nothing left to give up but readings. */
  relieve(journal: Journal | undefined): boolean {
    if (this.#frames.drop()) return true;
    if (this.#full) return false;
    this.#full = true;
    this.#reserve.give();
    journal?.limit(this.#maxBytes);
    return true;
  }

  /** Gives pages back that are not likely to be needed soon, a few at a time. */
  shrink(journal: Journal): void {
    if (this.#full) return;
    const { pages, free } = journal.pages();
    const kept = Math.max(LEAST_KEPT_PAGES, Math.floor(pages / KEPT_FREE_PART));
    if (free > kept) journal.shrink(Math.min(SHRINK_PAGES, free - kept));
  }

  /** `journal-full`, for people. */
  problem(cause: unknown): Problem {
    const { file, wal } = fileSizes(this.#path);
    return new Problem("journal-full", "there is no room left for the journal", {
      where: this.#path,
      got: `${Math.max(0, freeBytes(this.#path))} bytes free on its file system, ${file + wal} used of ${this.#maxBytes}`,
      hint: "raw frames and the reserve were given up; readings that every node has are released, then sampling slows: free space there, or raise retention.maxMegabytes",
      cause,
    });
  }

  get #softMaxBytes(): number {
    return this.#maxBytes - this.#reserve.bytes;
  }
}
