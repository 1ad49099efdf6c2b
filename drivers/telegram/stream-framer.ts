import type { Problem } from "../../attest/problem.ts";
import type { Framed, Framer } from "./telegram.ts";

/** What stands where a telegram may begin. It depends on no byte behind the ones it was shown. */
export type Examination =
  /**
   * A telegram may begin here; `need` bytes from here on tell more. `scanned` is handed back with the next look at the
   * same place, so that a long telegram in single bytes is not read over and over.
   */
  | { readonly kind: "incomplete"; readonly need: number; readonly scanned?: number }
  /** No telegram begins here, and nothing is worth a word. */
  | { readonly kind: "noise" }
  /** A whole telegram of `length` bytes; `used`: how many of them no other one can need, by default all. */
  | { readonly kind: "telegram"; readonly length: number; readonly used?: number }
  /** Something that began like a telegram and is none; `length` bytes belong to it as far as that can be told. */
  | { readonly kind: "refused"; readonly length: number; readonly problem: Problem };

/** Where bytes stand, for whoever examines them. */
export interface Place {
  /** Of the first byte in the stream. */
  readonly offset: number;
  /** What the look before at the same place gave as `scanned`, else 0. */
  readonly scanned: number;
  /** True within what was refused: something short that proves nothing of itself is noise there. */
  readonly insideRefused: boolean;
}

/** How telegrams of one protocol are told from each other and from noise. Pure: it keeps nothing between calls. */
export interface FrameFormat {
  /** The longest telegram, and what a {@link StreamFramer} keeps at most. */
  readonly maxBytes: number;
  /** The first index at or after `from` where a telegram may begin; `bytes.length` where there is none. */
  find(bytes: Uint8Array, from: number): number;
  /**
   * Looks at bytes that begin where {@link find} said. Something longer than `maxBytes` is refused here: `need` may
   * not exceed it.
   */
  examine(bytes: Uint8Array, place: Place): Examination;
  /** The stream ended within a telegram of which these bytes are there; undefined where they are noise. */
  cut(bytes: Uint8Array, offset: number): Problem | undefined;
}

/**
 * Cuts a stream of bytes into telegrams of one format. What comes out depends only on the bytes, never on how they come
 * in pieces. After a refusal the search goes on behind the first byte of what was refused, so that a telegram which a
 * false beginning swallowed is found; what is refused within a refused one is not told again. It keeps at most
 * `maxBytes` bytes.
 */
export class StreamFramer implements Framer {
  readonly #format: FrameFormat;
  readonly #buffer: Uint8Array;
  #length = 0;
  /** Stream offset of the buffer's first byte. */
  #offset = 0;
  #need = 1;
  #scanned = 0;
  /** Up to here the stream belongs to something refused. */
  #refusedEnd = 0;

  constructor(format: FrameFormat) {
    this.#format = format;
    this.#buffer = new Uint8Array(format.maxBytes);
  }

  push(bytes: Uint8Array): readonly Framed[] {
    const found: Framed[] = [];
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + this.#buffer.length - this.#length);
      this.#buffer.set(piece, this.#length);
      this.#length += piece.length;
      at += piece.length;
      this.#drop(this.#examine(found));
    }
    return found;
  }

  end(): readonly Framed[] {
    const found: Framed[] = [];
    // What came behind the last look may show already that no telegram begins here.
    this.#need = 1;
    this.#drop(this.#examine(found));
    while (this.#length > 0) {
      const problem = this.#format.cut(this.#buffer.subarray(0, this.#length), this.#offset);
      if (problem !== undefined) this.#refuse(found, problem, [this.#offset, this.#length]);
      this.#skip(1);
      this.#drop(this.#examine(found));
    }
    return found;
  }

  /** How many bytes are done with. */
  #examine(found: Framed[]): number {
    let at = 0;
    for (;;) {
      if (this.#length - at < this.#need) return at;
      if (this.#scanned === 0) at = this.#format.find(this.#buffer.subarray(0, this.#length), at);
      if (at >= this.#length) return this.#length;
      const taken = this.#step(this.#buffer.subarray(at, this.#length), this.#offset + at, found);
      if (taken === 0) return at;
      at += taken;
      this.#need = 1;
      this.#scanned = 0;
    }
  }

  /** How many bytes are done with; none where more are needed. */
  #step(bytes: Uint8Array, offset: number, found: Framed[]): number {
    const insideRefused = offset < this.#refusedEnd;
    const examined = this.#format.examine(bytes, { offset, scanned: this.#scanned, insideRefused });
    switch (examined.kind) {
      case "incomplete":
        this.#wait(examined, bytes.length);
        return 0;
      case "noise":
        return 1;
      case "refused":
        this.#refuse(found, examined.problem, [offset, examined.length]);
        return 1;
      case "telegram":
        found.push({ kind: "telegram", offset, bytes: bytes.slice(0, examined.length) });
        return examined.used ?? examined.length;
    }
  }

  #wait({ need, scanned = 0 }: Extract<Examination, { kind: "incomplete" }>, length: number): void {
    if (need <= length || need > this.#buffer.length)
      throw new RangeError(`"need" expected ${length + 1} to ${this.#buffer.length}, got ${need}`);
    this.#need = need;
    this.#scanned = scanned;
  }

  #refuse(found: Framed[], problem: Problem, [offset, length]: readonly [number, number]): void {
    if (offset < this.#refusedEnd) return;
    found.push({ kind: "refused", offset, problem });
    this.#refusedEnd = offset + length;
  }

  #skip(count: number): void {
    this.#drop(count);
    this.#need = 1;
    this.#scanned = 0;
  }

  #drop(count: number): void {
    if (count === 0) return;
    this.#buffer.copyWithin(0, count, this.#length);
    this.#length -= count;
    this.#offset += count;
  }
}
