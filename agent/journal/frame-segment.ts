import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { crc32, deflateRawSync, inflateRawSync } from "node:zlib";
import { concatBytes, equalBytes } from "../../attest/bytes.ts";
import { type CborMap, type CborValue, decodeCborAt, encodeCbor } from "../../attest/cbor.ts";

/** A raw frame as it is kept, with the time at which it was read: ms since 1970 as the system had it. */
export interface KeptFrame {
  /** First 16 bytes of SHA-256 of `bytes`. */
  readonly digest: Uint8Array;
  readonly bytes: Uint8Array;
  readonly what: string;
  readonly atMs: number;
}

/** As in a leaf. */
export const DIGEST_BYTES = 16;
const PRIVATE = 0o600;
const MAGIC = 0x4b57_6672;
/** Magic and generation. */
const HEAD_BYTES = 8;
/** Length and CRC-32 of what follows. */
const RECORD_HEAD_BYTES = 8;
const LIMITS = { maxDepth: 1, maxLength: 1024 ** 2 };
const MOST_UNPACKED_BYTES = 4 * 1024 ** 2;

/**
 * One half of a ring of frames, on disk:
 *
 *     4  "KWfr"
 *     4  generation; of the two halves the one with the higher number is the newer one
 *     records, each: 4 length of its body, 4 CRC-32 of it, body:
 *       2  number of frames n
 *       16 n  the first 16 bytes of each frame's digest
 *       deflated: n CBOR maps {1: what, 2: bytes, 3: at}
 *
 * Numbers are big-endian. What follows the last whole record is written over.
 */
export class FrameSegment {
  static readonly headBytes: number = HEAD_BYTES;
  readonly path: string;
  #file: number;
  #bytes = 0;
  #generation = 0;

  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, "a+", PRIVATE);
    closeSync(this.#file);
    this.#file = openSync(path, "r+");
    this.#measure();
  }

  /** Of the file, up to its last whole record. */
  get bytes(): number {
    return this.#bytes;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Empties it; records of that generation follow. */
  begin(generation: number): void {
    ftruncateSync(this.#file);
    const head = new DataView(new ArrayBuffer(HEAD_BYTES));
    head.setUint32(0, MAGIC);
    head.setUint32(4, generation);
    this.#write(new Uint8Array(head.buffer), 0);
    this.#bytes = HEAD_BYTES;
    this.#generation = generation;
  }

  append(record: Uint8Array): void {
    if (this.#bytes === 0) this.begin(this.#generation + 1);
    this.#write(record, this.#bytes);
    this.#bytes += record.length;
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(bytes: Uint8Array, at: number): void {
    const written = writeSync(this.#file, bytes, 0, bytes.length, at);
    if (written < bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes were written`);
  }

  /** Finds the end of the last whole record by the lengths alone: what is inside shows when it is read. */
  #measure(): void {
    const { size } = fstatSync(this.#file);
    const head = this.#read(0, HEAD_BYTES);
    if (head === undefined || head.getUint32(0) !== MAGIC) return;
    this.#generation = head.getUint32(4);
    this.#bytes = HEAD_BYTES;
    for (;;) {
      const record = this.#read(this.#bytes, RECORD_HEAD_BYTES);
      const end = this.#bytes + RECORD_HEAD_BYTES + (record?.getUint32(0) ?? size);
      if (record?.getUint32(0) === 0 || end > size) return;
      this.#bytes = end;
    }
  }

  #read(at: number, length: number): DataView | undefined {
    const bytes = new Uint8Array(length);
    return readSync(this.#file, bytes, 0, length, at) === length ? new DataView(bytes.buffer) : undefined;
  }
}

/** One record of a segment; see {@link FrameSegment}. */
export function packFrames(frames: readonly KeptFrame[]): Uint8Array {
  const count = Uint8Array.of(frames.length >> 8, frames.length & 0xff);
  const digests = frames.map(({ digest }) => digest);
  const maps = frames.map(({ what, bytes, atMs }) =>
    encodeCbor(
      new Map<number, CborValue>([
        [1, what],
        [2, bytes],
        [3, atMs],
      ]),
    ),
  );
  const body = concatBytes(count, ...digests, deflateRawSync(concatBytes(...maps)));
  const head = new DataView(new ArrayBuffer(RECORD_HEAD_BYTES));
  head.setUint32(0, body.length);
  head.setUint32(4, crc32(body));
  return concatBytes(new Uint8Array(head.buffer), body);
}

/** The frame of that digest in a segment's bytes, the newest where there are several. */
export function unpackFrame(segment: Uint8Array, digest: Uint8Array): KeptFrame | undefined {
  let found: KeptFrame | undefined;
  for (const body of bodiesOf(segment)) {
    const count = ((body[0] ?? 0) << 8) | (body[1] ?? 0);
    for (let at = 0; at < count; at++) {
      const begin = 2 + DIGEST_BYTES * at;
      if (equalBytes(body.subarray(begin, begin + DIGEST_BYTES), digest))
        found = frameAt(body.subarray(2 + DIGEST_BYTES * count), at, digest) ?? found;
    }
  }
  return found;
}

function* bodiesOf(segment: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(segment.buffer, segment.byteOffset, segment.length);
  for (let at = HEAD_BYTES; at + RECORD_HEAD_BYTES <= segment.length; ) {
    const begin = at + RECORD_HEAD_BYTES;
    const body = segment.subarray(begin, begin + view.getUint32(at));
    if (body.length === view.getUint32(at) && body.length > 2 && crc32(body) === view.getUint32(at + 4))
      yield body;
    if (view.getUint32(at) === 0) return;
    at = begin + view.getUint32(at);
  }
}

/** Undefined for what is none: the check sum does not stand for who wrote it. */
function frameAt(deflated: Uint8Array, index: number, digest: Uint8Array): KeptFrame | undefined {
  try {
    const maps = inflateRawSync(deflated, { maxOutputLength: MOST_UNPACKED_BYTES });
    let offset = 0;
    for (let at = 0; ; at++) {
      const { value, end } = decodeCborAt(maps, offset, LIMITS);
      if (at === index) return value instanceof Map ? frameOf(value, digest) : undefined;
      offset = end;
    }
  } catch {
    return undefined;
  }
}

function frameOf(map: CborMap, digest: Uint8Array): KeptFrame | undefined {
  const [what, bytes, atMs] = [map.get(1), map.get(2), map.get(3)];
  if (typeof what !== "string" || !(bytes instanceof Uint8Array) || typeof atMs !== "number")
    return undefined;
  return { digest, bytes: new Uint8Array(bytes), what, atMs };
}
