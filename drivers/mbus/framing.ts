import { Problem } from "../../attest/problem.ts";
import type { Framed, Framer } from "../telegram/telegram.ts";
import { type Judgement, judgeFrame, MAX_FRAME_BYTES } from "./frame.ts";

/**
 * Cuts the bytes of a wired M-Bus line into frames (EN 13757-2), acknowledgements too. What comes out depends
 * only on the bytes, never on how they are cut: there is no time here. After a damaged frame the search goes on
 * with the byte after its first, so that a frame which a false beginning swallowed is found again. It keeps at most
 * 261 bytes.
 */
export class MbusFramer implements Framer {
  readonly #buffer: Uint8Array = new Uint8Array(MAX_FRAME_BYTES);
  #length = 0;
  /** Where in the stream the first byte of the buffer stood. */
  #offset = 0;
  /** Up to here the stream belongs to a refused frame: its data may hold E5, and its parts are refused only once. */
  #refusedEnd = 0;

  push(bytes: Uint8Array): readonly Framed[] {
    const found: Framed[] = [];
    for (const byte of bytes) {
      this.#buffer[this.#length] = byte;
      this.#length += 1;
      while (this.#step(found));
    }
    return found;
  }

  end(): readonly Framed[] {
    const found: Framed[] = [];
    while (this.#length > 0) {
      if (this.#step(found)) continue;
      this.#refuse(found, this.#length, new Problem("mbus-truncated", CUT_OFF, { where: this.#where() }));
    }
    return found;
  }

  /** False when more bytes must come first. */
  #step(found: Framed[]): boolean {
    if (this.#length === 0) return false;
    const judgement = this.#judge();
    switch (judgement.kind) {
      case "incomplete":
        return false;
      case "noise":
        this.#drop(1);
        return true;
      case "frame":
        found.push(this.#telegram(judgement.length));
        return true;
      case "damaged":
        this.#refuse(
          found,
          judgement.length,
          new Problem(judgement.code, judgement.what, { where: this.#where() }),
        );
        return true;
    }
  }

  #judge(): Judgement {
    const judgement = judgeFrame(this.#buffer.subarray(0, this.#length));
    const insideRefused = this.#offset < this.#refusedEnd;
    return insideRefused && judgement.kind === "frame" && judgement.length === 1
      ? { kind: "noise" }
      : judgement;
  }

  #telegram(length: number): Framed {
    const telegram: Framed = {
      kind: "telegram",
      offset: this.#offset,
      bytes: this.#buffer.slice(0, length),
    };
    this.#drop(length);
    return telegram;
  }

  #refuse(found: Framed[], length: number, problem: Problem): void {
    if (this.#offset >= this.#refusedEnd) {
      found.push({ kind: "refused", offset: this.#offset, problem });
      this.#refusedEnd = this.#offset + length;
    }
    this.#drop(1);
  }

  #drop(count: number): void {
    this.#buffer.copyWithin(0, count, this.#length);
    this.#length -= count;
    this.#offset += count;
  }

  #where(): string {
    return `offset ${this.#offset}`;
  }
}

const CUT_OFF = "the line fell silent within a frame";
