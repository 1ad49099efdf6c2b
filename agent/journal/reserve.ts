import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { fileBytes, freeBytesBeside } from "../../runtime/disk-space.ts";

/** What is kept back for tombstones, checkpoints and receipts. */
export const RESERVE_BYTES: number = 4 * 1024 ** 2;
const PIECE = new Uint8Array(64 * 1024);
const PRIVATE = 0o600;

/**
 * A file beside the journal that holds nothing but room. When the disk is full, whoever filled it, giving the file up
 * makes room for what must still be written: the release of readings that nodes have, and signatures.
 */
export class Reserve {
  readonly #path: string;
  readonly #bytes: number;

  constructor(journalPath: string, bytes: number = RESERVE_BYTES) {
    this.#path = `${journalPath}.reserve`;
    this.#bytes = bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isHeld(): boolean {
    return (fileBytes(this.#path) ?? 0) >= this.#bytes;
  }

  /** Takes the room where there is as much again; true when it is held. */
  hold(): boolean {
    if (this.isHeld) return true;
    this.give();
    if (freeBytes(this.#path) < 2 * this.#bytes) return false;
    try {
      this.#fill();
    } catch {
      // Somebody else was quicker: there is no room to hold.
    }
    if (this.isHeld) return true;
    this.give();
    return false;
  }

  /** Gives the room up. */
  give(): void {
    try {
      rmSync(this.#path, { force: true });
    } catch {
      // A file system that takes no change has no room to give either.
    }
  }

  #fill(): void {
    const file = openSync(this.#path, "w", PRIVATE);
    try {
      // Written, not only sized: a hole takes no room.
      for (let at = 0; at < this.#bytes; at += PIECE.length)
        writeSync(file, PIECE, 0, Math.min(PIECE.length, this.#bytes - at));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }
}

/** Bytes that this user may still write beside `path`; as many as can be where the file system does not say. */
export function freeBytes(path: string): number {
  return freeBytesBeside(path) ?? Number.MAX_SAFE_INTEGER;
}
