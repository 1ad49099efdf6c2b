import {
  add,
  type Code,
  get,
  i32,
  i32Add,
  i32IsBelow,
  i32ShiftLeft,
  i32ShiftRight,
  i32Subtract,
  load32Splat,
  load128,
  or,
  repeat,
  select,
  set,
  shiftLeft,
  shiftRight,
  shuffle,
  splat,
  store8,
  store128,
  wasmModule,
  xor,
} from "./wasm-code.ts";

/**
 * SHA-256 (FIPS 180-4) of four messages at a time, one in each 32-bit lane of a vector, as WebAssembly with fixed-width
 * SIMD. Its memory begins with the round constants, 64 words, little-endian. Its functions, all of addresses and numbers:
 *
 *     stage(from, length, slot, blocks, prefix)  writes prefix || message || padding into the slot (5.1.1)
 *     hash(slot0, .., slot3, out0, .., out3, blocks)  writes the hash of each of four slots to its `out` (6.2.2)
 *
 * `stage` reads up to 15 bytes behind the message and writes as many behind the slot. A message has less than 8191 bytes.
 */
export const BLOCK_BYTES = 64;

const PRIMES: readonly number[] = firstPrimes(64);
/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes (4.2.2). */
export const ROUND_CONSTANTS: readonly number[] = PRIMES.map((prime) => fraction32(Math.cbrt(prime)));
/** Of the square roots of the first eight (5.3.3). */
const INITIAL_HASH: readonly number[] = PRIMES.slice(0, 8).map((prime) => fraction32(Math.sqrt(prime)));

const WORDS = [0, 1, 2, 3, 4, 5, 6, 7];
const LANES = [0, 1, 2, 3];
const VECTOR_BYTES = 16;
const BIG_ENDIAN = shuffle([3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12]);

/** The module, with a memory of so many pages of 64 KiB. */
export function kernelModule(pages: number): Uint8Array<ArrayBuffer> {
  const stage = { name: "stage", parameters: 5, vectors: 0, body: stageBody() };
  const hash = { name: "hash", parameters: 9, vectors: 36, body: hashBody() };
  return wasmModule([stage, hash], pages);
}

function stageBody(): Code {
  const [from, length, to, blocks, prefix] = [0, 1, 2, 3, 4] as const;
  const [slotEnd, messageEnd] = [blocks, prefix]; // where these are no longer needed
  const lengthAndPrefix = [get(length), i32(1), i32Add];
  return [
    [get(to), get(prefix), store8],
    [get(to), get(blocks), i32(6), i32ShiftLeft, i32Add, set(slotEnd)],
    [get(to), lengthAndPrefix, i32Add, set(messageEnd)],
    advance(to, 1),
    repeat(
      [get(to), get(from), load128(0), store128(0), advance(from), advance(to)],
      [get(to), get(messageEnd), i32IsBelow],
    ),
    [get(messageEnd), set(to)],
    repeat([get(to), i32(0), splat, store128(0), advance(to)], [get(to), get(slotEnd), i32IsBelow]),
    [get(messageEnd), i32(0x80), store8],
    // The length in bits, of which only the last two bytes are not 0.
    [behind(slotEnd, -2), lengthAndPrefix, i32(5), i32ShiftRight, store8],
    [behind(slotEnd, -1), lengthAndPrefix, i32(3), i32ShiftLeft, store8],
  ];
}

/** Locals of `hash`: 0 to 3 the slots, then outs, blocks, the hash so far, a to h, 16 words Wt, four for anything. */
const [OUT, BLOCKS, H, A, W, T] = [4, 8, 9, 17, 25, 41] as const;

function hashBody(): Code {
  const oneBlock = [
    loadBlock(),
    WORDS.map((i) => [get(H + i), set(A + i)]),
    PRIMES.map((_, t) => round(t)),
    WORDS.map((i) => [get(H + i), get(A + i), add, set(H + i)]),
    LANES.map((lane) => advance(lane, BLOCK_BYTES)),
    [get(BLOCKS), i32(1), i32Subtract, set(BLOCKS)],
  ];
  return [
    INITIAL_HASH.map((word, i) => [i32(word), splat, set(H + i)]),
    repeat(oneBlock, get(BLOCKS)),
    storeHashes(),
  ];
}

/** W0 to W15 of each lane: the block's words, big-endian. */
function loadBlock(): Code {
  return [0, 4, 8, 12].map((t) => [
    LANES.map((lane) => [get(lane), load128(4 * t), set(W + t + lane)]),
    LANES.map((lane) => toBigEndian(W + t + lane)),
    transpose(W + t),
  ]);
}

function storeHashes(): Code {
  const halves = [H, H + 4];
  return [
    halves.map(transpose),
    WORDS.map((i) => toBigEndian(H + i)),
    LANES.map((lane) =>
      halves.map((half, at) => [get(OUT + lane), get(half + lane), store128(VECTOR_BYTES * at)]),
    ),
  ];
}

/** Round t of 6.2.2; a to h stay where they are and change their names. */
function round(t: number): Code {
  const name = (place: number): number => A + ((place - t + 64) % 8);
  const [a, b, c, d] = [name(0), name(1), name(2), name(3)];
  const [e, f, g, h] = [name(4), name(5), name(6), name(7)];
  const choice = [get(f), get(g), get(e), select];
  const majority = [get(c), get(b), get(a), get(b), xor, select];
  return [
    t < 16 ? [] : schedule(t),
    [get(h), i32(0), load32Splat(4 * t), get(word(t)), add, add],
    [choice, add, rotations(e, [6, 11, 25]), add, set(T)],
    [get(d), get(T), add, set(d)],
    [get(T), majority, add, rotations(a, [2, 13, 22]), add, set(h)],
  ];
}

/** Wt from four words before it, in the place of the oldest of them. */
function schedule(t: number): Code {
  const sigma = (of: number, turns: readonly number[], shift: number): Code => {
    return [rotations(of, turns), get(of), i32(shift), shiftRight, xor];
  };
  return [
    [get(word(t)), get(word(t - 7)), add],
    [sigma(word(t - 15), [7, 18], 3), add],
    [sigma(word(t - 2), [17, 19], 10), add, set(word(t))],
  ];
}

function word(t: number): number {
  return W + (t % 16);
}

/** XOR of a vector turned right by each of so many bits. */
function rotations(of: number, turns: readonly number[]): Code {
  return turns.map((bits, at) => [
    [get(of), i32(bits), shiftRight, get(of), i32(32 - bits), shiftLeft, or],
    at === 0 ? [] : xor,
  ]);
}

/** Rows of the four vectors from `first` on become columns. */
function transpose(first: number): Code {
  const [r0, r1, r2, r3] = [first, first + 1, first + 2, first + 3];
  const mix = (left: number, right: number, words: readonly number[], into: number): Code => {
    return [get(left), get(right), shuffle(words.flatMap(bytesOfWord)), set(into)];
  };
  return [
    [mix(r0, r1, [0, 4, 1, 5], T), mix(r0, r1, [2, 6, 3, 7], T + 1)],
    [mix(r2, r3, [0, 4, 1, 5], T + 2), mix(r2, r3, [2, 6, 3, 7], T + 3)],
    [mix(T, T + 2, [0, 1, 4, 5], r0), mix(T, T + 2, [2, 3, 6, 7], r1)],
    [mix(T + 1, T + 3, [0, 1, 4, 5], r2), mix(T + 1, T + 3, [2, 3, 6, 7], r3)],
  ];
}

function bytesOfWord(place: number): number[] {
  return [4 * place, 4 * place + 1, 4 * place + 2, 4 * place + 3];
}

function toBigEndian(local: number): Code {
  return [get(local), get(local), BIG_ENDIAN, set(local)];
}

function advance(local: number, by: number = VECTOR_BYTES): Code {
  return [behind(local, by), set(local)];
}

function behind(local: number, by: number): Code {
  return [get(local), i32(by), i32Add];
}

/** A double holds a root below 18 with 48 bits behind the point, of which 32 are taken. */
function fraction32(root: number): number {
  return Math.floor((root % 1) * 2 ** 32);
}

function firstPrimes(count: number): number[] {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return primes;
}
