import { Problem } from "../../attest/problem.ts";
import type { FileContent } from "./transport.ts";

/** Signed or not, with as many bytes as were sent: a meter may leave out leading ones. */
export interface SmlNumber {
  readonly kind: "integer" | "unsigned";
  readonly at: number;
  readonly value: bigint;
  readonly widthBytes: number;
}

export interface SmlList {
  readonly kind: "list";
  readonly at: number;
  readonly elements: readonly SmlElement[];
}

/** One element of the encoding; `at` is its offset in the content. An octet string of no bytes is what stands for absent. */
export type SmlElement =
  | { readonly kind: "absent"; readonly at: number }
  | { readonly kind: "octets"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "boolean"; readonly at: number; readonly value: boolean }
  | SmlNumber
  | SmlList;

const OCTETS = 0;
const BOOLEAN = 4;
const INTEGER = 5;
const UNSIGNED = 6;
const LIST = 7;

/** Enough for every length that a file can hold. */
const MAX_LENGTH_FIELD_BYTES = 4;
const MAX_NUMBER_BYTES = 8;
/** The time of an entry of a list of values lies 6 deep; a tree of parameters may go deeper. */
const MAX_DEPTH = 16;

interface Header {
  readonly at: number;
  readonly type: number;
  /** Elements of a list; bytes after the header of anything else. */
  readonly length: number;
}

/** Reads elements of SML's binary encoding (BSI TR-03109-1, Annex IV part b, "SML Binary Encoding") one after another. */
export class ElementReader {
  readonly #content: FileContent;
  #at = 0;

  constructor(content: FileContent) {
    this.#content = content;
  }

  /** Offset of the next byte in the content. */
  get at(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.#at >= this.#content.bytes.length;
  }

  /** The bytes from an offset to here. */
  since(at: number): Uint8Array {
    return this.#content.bytes.subarray(at, this.#at);
  }

  /** Takes the one byte 00 that ends a message. */
  takeEndOfMessage(): void {
    if (this.#byte() !== 0) throw this.problem(this.#at - 1, "a message does not end", "00");
  }

  /** Takes only the header of a list, which must have `length` elements. */
  takeListHeader(length: number): void {
    const header = this.#header();
    if (header.type === LIST && header.length === length) return;
    throw this.problem(header.at, "a message begins otherwise", `a list of ${length}`);
  }

  /** @throws Problem `sml-element` for what the encoding does not have, or what runs past the end */
  take(depth: number = 0): SmlElement {
    const header = this.#header();
    const { at, length } = header;
    if (header.type === LIST) return { kind: "list", at, elements: this.#elements(header, depth) };
    const bytes = this.#bytes(header);
    switch (header.type) {
      case OCTETS:
        return length === 0 ? { kind: "absent", at } : { kind: "octets", at, bytes };
      case BOOLEAN:
        if (length !== 1) throw this.problem(at, "a boolean of a wrong length", "1 byte", String(length));
        return { kind: "boolean", at, value: bytes[0] !== 0 };
      case INTEGER:
        return {
          kind: "integer",
          at,
          widthBytes: length,
          value: BigInt.asIntN(8 * length, this.#number(at, bytes)),
        };
      case UNSIGNED:
        return { kind: "unsigned", at, widthBytes: length, value: this.#number(at, bytes) };
      default:
        throw this.problem(
          at,
          "a type that the encoding does not have",
          "0, 4, 5, 6 or 7",
          String(header.type),
        );
    }
  }

  /** A problem with the element at an offset of the content. */
  problem(at: number, what: string, expected?: string, got?: string): Problem {
    const where = `file offset ${this.#content.offsetOf(at)}`;
    return new Problem("sml-element", what, {
      where,
      ...(expected === undefined ? {} : { expected }),
      ...(got === undefined ? {} : { got }),
    });
  }

  #elements({ at, length }: Header, depth: number): SmlElement[] {
    if (depth >= MAX_DEPTH) throw this.problem(at, `lists nested deeper than ${MAX_DEPTH}`);
    const left = this.#content.bytes.length - this.#at;
    if (length > left)
      throw this.problem(at, "a list longer than what is left", `at most ${left}`, String(length));
    const elements: SmlElement[] = [];
    for (let index = 0; index < length; index += 1) elements.push(this.take(depth + 1));
    return elements;
  }

  /** Type and length: bit 7 says that another byte follows, whose low four bits are the next of the length. */
  #header(): Header {
    const at = this.#at;
    let byte = this.#byte();
    const type = (byte >> 4) & 7;
    let length = byte & 15;
    while (byte & 0x80) {
      byte = this.#byte();
      if (byte & 0x70 || this.#at - at > MAX_LENGTH_FIELD_BYTES)
        throw this.problem(
          at,
          "a length field that goes on otherwise",
          `at most ${MAX_LENGTH_FIELD_BYTES} bytes`,
        );
      length = (length << 4) | (byte & 15);
    }
    return { at, type, length: type === LIST ? length : this.#lengthAfter(at, length) };
  }

  /** The length of everything but a list counts its own header. */
  #lengthAfter(at: number, length: number): number {
    const header = this.#at - at;
    if (length < header)
      throw this.problem(at, "a length below that of its own field", `${header}`, String(length));
    return length - header;
  }

  #bytes({ at, length }: Header): Uint8Array {
    const bytes = this.#content.bytes.subarray(this.#at, this.#at + length);
    if (bytes.length < length)
      throw this.problem(at, "it runs past the end", `${length} bytes`, `${bytes.length}`);
    this.#at += length;
    return bytes;
  }

  #number(at: number, bytes: Uint8Array): bigint {
    if (bytes.length === 0 || bytes.length > MAX_NUMBER_BYTES)
      throw this.problem(
        at,
        "a number of a wrong width",
        `1 to ${MAX_NUMBER_BYTES} bytes`,
        String(bytes.length),
      );
    let value = 0n;
    for (const byte of bytes) value = (value << 8n) | BigInt(byte);
    return value;
  }

  #byte(): number {
    const byte = this.#content.bytes[this.#at];
    if (byte === undefined) throw this.problem(this.#at, "the messages end within an element");
    this.#at += 1;
    return byte;
  }
}
