import type { ReadingLeaf } from "./leaf.ts";
import { ReadingScan } from "./reading-scan.ts";

/**
 * Readings, which most leaves are, straight to bytes and back without a map between. This is not a second
 * codec: it takes only what is beyond doubt and answers undefined for everything else, also for what is wrong,
 * and leaf-codec.ts then goes the general way, which names the fault.
 */

const UINT = 0x00;
const NEGATIVE = 0x20;
const BYTES_16 = 0x50;
const ARRAY = 0x80;
const MAP = 0xa0;
const MAX_LIST = 8;
const BEST_QUALITY = 4;
const TWO_TO_32 = 0x1_0000_0000;

/** Above any reading: 16 keys, 11 integers of 9 bytes, two lists of eight, two byte strings of 17. */
const MAX_READING_BYTES = 512;
/** Encoded leaves are cut from blocks of this size, as Node's own Buffers are: an array each costs far more. */
const BLOCK_BYTES = 8192;

/** The bytes of a reading without extensions, or undefined where the general way must decide. */
export function encodeReading(leaf: ReadingLeaf): Uint8Array | undefined {
  if (leaf.extensions !== undefined || leaf.status === 0 || !(leaf.timeQuality <= BEST_QUALITY))
    return undefined;
  writer.begin();
  writer.uint(1, leaf.seq);
  writer.uint(2, leaf.timeMs);
  writer.uint(3, leaf.timeQuality);
  writer.uint(4, leaf.channel);
  if (leaf.status !== undefined) writer.uint(5, leaf.status);
  if (leaf.importMwh !== undefined) writer.uint(6, leaf.importMwh);
  if (leaf.exportMwh !== undefined) writer.uint(7, leaf.exportMwh);
  if (leaf.activePowerMw !== undefined) writer.int(8, leaf.activePowerMw);
  if (leaf.stateOfChargePpm !== undefined) writer.uint(9, leaf.stateOfChargePpm);
  if (leaf.voltageMv !== undefined) writer.uints(10, leaf.voltageMv);
  if (leaf.currentMa !== undefined) writer.uints(11, leaf.currentMa);
  if (leaf.frequencyMhz !== undefined) writer.uint(12, leaf.frequencyMhz);
  if (leaf.meterTimeMs !== undefined) writer.uint(13, leaf.meterTimeMs);
  if (leaf.evidence !== undefined) writer.bytes16(14, leaf.evidence);
  writer.bytes16(15, leaf.salt);
  if (leaf.resolutionMwh !== undefined) writer.uint(16, leaf.resolutionMwh);
  return writer.end();
}

class ReadingWriter {
  #block: Uint8Array<ArrayBuffer> = new Uint8Array(BLOCK_BYTES);
  #start = 0;
  #at = 0;
  #fields = 0;
  #sound = true;

  begin(): void {
    if (this.#start + MAX_READING_BYTES > BLOCK_BYTES) {
      this.#block = new Uint8Array(BLOCK_BYTES);
      this.#start = 0;
    }
    this.#at = this.#start + 1;
    this.#fields = 0;
    this.#sound = true;
  }

  uint(key: number, value: number): void {
    this.#key(key);
    if (isUint(value)) this.#head(UINT, value);
    else this.#sound = false;
  }

  int(key: number, value: number): void {
    this.#key(key);
    if (isUint(value)) this.#head(UINT, value);
    else if (Number.isSafeInteger(value) && value < 0) this.#head(NEGATIVE, -1 - value);
    else this.#sound = false;
  }

  uints(key: number, list: readonly number[]): void {
    this.#key(key);
    if (!Array.isArray(list) || list.length === 0 || list.length > MAX_LIST) {
      this.#sound = false;
      return;
    }
    this.#head(ARRAY, list.length);
    for (const value of list) {
      if (isUint(value)) this.#head(UINT, value);
      else this.#sound = false;
    }
  }

  bytes16(key: number, bytes: Uint8Array): void {
    this.#key(key);
    if (!(bytes instanceof Uint8Array) || bytes.length !== 16) {
      this.#sound = false;
      return;
    }
    const block = this.#block;
    const at = this.#at;
    block[at] = BYTES_16;
    for (let i = 0; i < 16; i++) block[at + 1 + i] = bytes[i] ?? 0;
    this.#at = at + 17;
  }

  end(): Uint8Array | undefined {
    if (!this.#sound) return undefined;
    this.#block[this.#start] = MAP | this.#fields;
    const start = this.#start;
    this.#start = this.#at;
    return new Uint8Array(this.#block.buffer, start, this.#at - start);
  }

  #key(key: number): void {
    this.#block[this.#at++] = key;
    this.#fields += 1;
  }

  #head(major: number, argument: number): void {
    const block = this.#block;
    const at = this.#at;
    if (argument < 24) {
      block[at] = major | argument;
      this.#at = at + 1;
    } else if (argument < 0x100) {
      block[at] = major | 24;
      block[at + 1] = argument;
      this.#at = at + 2;
    } else if (argument < 0x1_0000) {
      block[at] = major | 25;
      block[at + 1] = argument >> 8;
      block[at + 2] = argument;
      this.#at = at + 3;
    } else if (argument < TWO_TO_32) {
      block[at] = major | 26;
      this.#at = putWord(block, at + 1, argument >>> 0);
    } else {
      const low = argument >>> 0; // modulo 2^32, exact for every safe integer
      block[at] = major | 27;
      this.#at = putWord(block, putWord(block, at + 1, ((argument - low) / TWO_TO_32) >>> 0), low);
    }
  }
}

const writer = new ReadingWriter();

function putWord(block: Uint8Array, at: number, word: number): number {
  block[at] = word >>> 24;
  block[at + 1] = word >>> 16;
  block[at + 2] = word >>> 8;
  block[at + 3] = word;
  return at + 4;
}

/** Not for -0, which is no integer of CBOR. */
function isUint(value: number): boolean {
  return Number.isSafeInteger(value) && (value > 0 || Object.is(value, 0));
}

const scan = new ReadingScan();

/**
 * The reading that begins at `offset`, strict, or undefined where the general way must decide. Its end is
 * {@link endOfReading} until the next call.
 */
export function decodeReadingAt(bytes: Uint8Array, offset: number): ReadingLeaf | undefined {
  return scan.read(bytes, offset) ? scan.leaf(bytes) : undefined;
}

/** The offset behind the reading that {@link decodeReadingAt} gave last. */
export function endOfReading(): number {
  return scan.end;
}
