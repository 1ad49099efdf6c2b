/**
 * Just enough of WebAssembly's binary format (core specification 2.0, chapter 5) to write a module of plain functions
 * over one memory: each function here gives the bytes of one construct. Code in order is a list of code.
 */
export type Code = number | readonly Code[];

const I32 = 0x7f;
const V128 = 0x7b;
const NO_RESULT = 0x40;
const FUNCTION_TYPE = 0x60;
const END = 0x0b;
const MAGIC_AND_VERSION: Code = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const SIMD_PREFIX = 0xfd;

/** A function of i32 parameters and no result. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: number;
  /** Locals of type v128, numbered behind the parameters. */
  readonly vectors: number;
  readonly body: Code;
}

/** A module that exports its functions, and its memory of so many pages of 64 KiB as `memory`. */
export function wasmModule(functions: readonly WasmFunction[], pages: number): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [FUNCTION_TYPE, vec(Array(parameters).fill(I32)), vec([])]);
  const exported = functions.map(({ name }, at) => [nameOf(name), 0, unsigned(at)]);
  const sections = [
    section(1, vec(types)),
    section(3, vec(functions.map((_, at) => unsigned(at)))),
    section(5, vec([[0, unsigned(pages)]])),
    section(7, vec([...exported, [nameOf("memory"), 2, 0]])),
    section(10, vec(functions.map(codeOf))),
  ];
  return Uint8Array.from(flat([MAGIC_AND_VERSION, sections]));
}

export function get(local: number): Code {
  return [0x20, unsigned(local)];
}

export function set(local: number): Code {
  return [0x21, unsigned(local)];
}

export function i32(value: number): Code {
  return [0x41, signed(value | 0)];
}

export const i32Add: Code = 0x6a;
export const i32Subtract: Code = 0x6b;
export const i32ShiftLeft: Code = 0x74;
export const i32ShiftRight: Code = 0x76;
export const i32IsBelow: Code = 0x49;

/** Stores the low byte of a value at an address. */
export const store8: Code = [0x3a, 0, 0];

/** Does `body` again and again until `condition`, asked behind it, is 0. */
export function repeat(body: Code, condition: Code): Code {
  return [0x03, NO_RESULT, body, condition, 0x0d, 0, END];
}

/** 16 bytes at an address and a fixed offset from it; alignment is never promised. */
export function load128(offset: number): Code {
  return [simd(0), 0, unsigned(offset)];
}

export function store128(offset: number): Code {
  return [simd(11), 0, unsigned(offset)];
}

/** The i32 at an address and a fixed offset from it, in all four lanes. */
export function load32Splat(offset: number): Code {
  return [simd(9), 0, unsigned(offset)];
}

/** The bytes of two vectors, 0 to 15 and 16 to 31, that are to stand in the new one. */
export function shuffle(bytes: readonly number[]): Code {
  return [simd(13), bytes];
}

export const splat: Code = simd(17);
export const or: Code = simd(80);
export const xor: Code = simd(81);
/** Of three vectors: bits of the first where the third has ones, else of the second. */
export const select: Code = simd(82);
export const shiftLeft: Code = simd(171);
export const shiftRight: Code = simd(173);
export const add: Code = simd(174);

function simd(opcode: number): Code {
  return [SIMD_PREFIX, unsigned(opcode)];
}

function codeOf({ vectors, body }: WasmFunction): Code {
  const locals = vec(vectors === 0 ? [] : [[unsigned(vectors), V128]]);
  return sized([locals, body, END]);
}

function section(id: number, content: Code): Code {
  return [id, sized(content)];
}

function sized(content: Code): Code {
  const bytes = flat(content);
  return [unsigned(bytes.length), bytes];
}

function vec(items: readonly Code[]): Code {
  return [unsigned(items.length), items];
}

function nameOf(name: string): Code {
  return vec(Array.from(name, (letter) => letter.charCodeAt(0)));
}

/** LEB128, for values below 2^31. */
function unsigned(value: number): Code {
  return value < 0x80 ? value : [(value & 0x7f) | 0x80, unsigned(value >> 7)];
}

function signed(value: number): Code {
  return value >= -64 && value < 64 ? value & 0x7f : [(value & 0x7f) | 0x80, signed(value >> 7)];
}

function flat(code: Code): number[] {
  const bytes: number[] = [];
  const write = (part: Code): void => {
    if (typeof part === "number") bytes.push(part);
    else for (const each of part) write(each);
  };
  write(code);
  return bytes;
}
