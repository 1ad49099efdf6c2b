import { Problem } from "../../attest/problem.ts";
import { floatOf } from "../telegram/float.ts";

/** Lists in lists: real telegrams have three levels. */
const MAX_DEPTH = 8;

/** A value of the A-XDR encoding (common data types of IEC 62056-6-2, encoded as IEC 62056-5-3 has it). */
export type AxdrValue = { readonly offset: number } & (
  | { readonly kind: "null" }
  | { readonly kind: "list"; readonly container: "array" | "structure"; readonly items: readonly AxdrValue[] }
  | { readonly kind: "integer"; readonly type: string; readonly value: bigint }
  | { readonly kind: "float"; readonly digits: bigint; readonly exponent: number }
  | { readonly kind: "enum"; readonly value: number }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "octets"; readonly bytes: Uint8Array }
  | { readonly kind: "text"; readonly bytes: Uint8Array }
  | { readonly kind: "bits"; readonly text: string }
);

interface IntegerType {
  readonly type: string;
  readonly bytes: number;
  readonly signed: boolean;
}

const INTEGERS: Readonly<Record<number, IntegerType>> = {
  5: { type: "double-long", bytes: 4, signed: true },
  6: { type: "double-long-unsigned", bytes: 4, signed: false },
  15: { type: "integer", bytes: 1, signed: true },
  16: { type: "long", bytes: 2, signed: true },
  17: { type: "unsigned", bytes: 1, signed: false },
  18: { type: "long-unsigned", bytes: 2, signed: false },
  20: { type: "long64", bytes: 8, signed: true },
  21: { type: "long64-unsigned", bytes: 8, signed: false },
};

/** date-time, date and time are octet strings of a fixed length. */
const FIXED_OCTETS: Readonly<Record<number, number>> = { 25: 12, 26: 5, 27: 4 };

/** Reads values one after the other. Every Problem names the byte offset in `bytes`. */
export class AxdrReader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, from = 0) {
    this.#bytes = bytes;
    this.#at = from;
  }

  get offset(): number {
    return this.#at;
  }

  /** @throws Problem `dlms-trailing` where more bytes follow than the telegram has values */
  requireEnd(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw this.refusal("dlms-trailing", `${left} bytes follow the last value`);
  }

  byte(): number {
    return this.take(1)[0] ?? 0;
  }

  peek(ahead = 0): number | undefined {
    return this.#bytes[this.#at + ahead];
  }

  /** @throws Problem `dlms-truncated` where fewer are left */
  take(count: number): Uint8Array {
    if (count > this.#bytes.length - this.#at) {
      throw this.refusal("dlms-truncated", `${count} bytes expected, ${this.#bytes.length - this.#at} left`);
    }
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  unsigned(count: number): bigint {
    return this.take(count).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  /** One byte up to 7F; 81 and 82 announce one and two (IEC 62056-5-3, A-XDR length). */
  length(): number {
    const first = this.byte();
    if (first < 0x80) return first;
    if (first === 0x81 || first === 0x82) return Number(this.unsigned(first - 0x80));
    throw this.refusal("dlms-length", `a length that begins with ${first.toString(16)}`);
  }

  /**
   * @throws Problem `dlms-type` for a type that is not read, `dlms-depth` for lists nested too deep, `dlms-value` for
   *   a value its type does not have, and what {@link take} and {@link length} throw
   */
  value(depth = 0): AxdrValue {
    const offset = this.#at;
    const tag = this.byte();
    const integer = INTEGERS[tag];
    if (integer !== undefined) return { offset, kind: "integer", ...this.#integer(integer) };
    const fixed = FIXED_OCTETS[tag];
    if (fixed !== undefined) return { offset, kind: "octets", bytes: this.take(fixed) };
    if (tag === 1 || tag === 2) return this.#list(tag === 1 ? "array" : "structure", offset, depth);
    if (tag === 23 || tag === 24) return this.#float(tag === 23 ? 4 : 8, offset);
    return this.#simple(tag, offset);
  }

  #simple(tag: number, offset: number): AxdrValue {
    switch (tag) {
      case 0:
        return { offset, kind: "null" };
      case 3:
        return { offset, kind: "boolean", value: this.byte() !== 0 };
      case 4:
        return { offset, kind: "bits", text: this.#bits() };
      case 9:
        return { offset, kind: "octets", bytes: this.take(this.length()) };
      case 10:
      case 12:
        return { offset, kind: "text", bytes: this.take(this.length()) };
      case 22:
        return { offset, kind: "enum", value: this.byte() };
      default:
        this.#at = offset;
        throw this.refusal("dlms-type", `a value of type ${tag} cannot be read`);
    }
  }

  #integer({ type, bytes, signed }: IntegerType): { type: string; value: bigint } {
    const value = this.unsigned(bytes);
    return { type, value: signed ? BigInt.asIntN(bytes * 8, value) : value };
  }

  #float(size: 4 | 8, offset: number): AxdrValue {
    const number = floatOf(this.unsigned(size), size);
    if (number === undefined) throw this.refusal("dlms-value", "a floating point value that is no number");
    return { offset, kind: "float", ...number };
  }

  #bits(): string {
    const count = this.length();
    const bytes = [...this.take(Math.ceil(count / 8))];
    return bytes
      .map((byte) => byte.toString(2).padStart(8, "0"))
      .join("")
      .slice(0, count);
  }

  #list(container: "array" | "structure", offset: number, depth: number): AxdrValue {
    if (depth >= MAX_DEPTH) throw this.refusal("dlms-depth", `lists more than ${MAX_DEPTH} deep`);
    const count = this.length();
    // Each value has a byte at least, so no count can ask for more than is there.
    if (count > this.#bytes.length - this.#at) {
      throw this.refusal(
        "dlms-truncated",
        `${count} values expected, ${this.#bytes.length - this.#at} bytes left`,
      );
    }
    const items = Array.from({ length: count }, () => this.value(depth + 1));
    return { offset, kind: "list", container, items };
  }

  refusal(code: string, what: string): Problem {
    return new Problem(code, what, { where: `offset ${this.#at}` });
  }
}
