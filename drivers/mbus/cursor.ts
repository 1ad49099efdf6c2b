import { Problem } from "../../attest/problem.ts";

/** Reads a frame's bytes in order and never beyond `end`; offsets count from the start of the frame. */
export class Cursor {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #offset: number;

  constructor(bytes: Uint8Array, offset: number, end: number) {
    this.#bytes = bytes;
    this.#offset = offset;
    this.#end = end;
  }

  get offset(): number {
    return this.#offset;
  }

  get left(): number {
    return this.#end - this.#offset;
  }

  byte(what: string): number {
    return this.bytes(1, what)[0] ?? 0;
  }

  /** @throws Problem `mbus-truncated` when fewer than `count` bytes are left */
  bytes(count: number, what: string): Uint8Array {
    if (count > this.left) {
      throw new Problem("mbus-truncated", `${what} is cut off`, {
        where: `offset ${this.#offset}`,
        expected: `${count} bytes`,
        got: `${this.left}`,
      });
    }
    const taken = this.#bytes.slice(this.#offset, this.#offset + count);
    this.#offset += count;
    return taken;
  }
}
