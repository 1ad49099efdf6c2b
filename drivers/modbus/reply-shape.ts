/** One fault of a reply, in the words of an error message. */
export interface ReplyFault {
  readonly expected: string;
  readonly got: string;
}

/**
 * What the reply to one request must look like. A reply carries neither the address nor (on a serial line) a
 * transaction number, so everything that it does carry is checked: unit, function, and the exact byte count.
 */
export interface ReplyShape {
  readonly unit: number;
  readonly functionCode: number;
  /** Bytes of the longest reply, from the function code on: what its time on the wire is reckoned by. */
  readonly longestBytes: number;
  /** Data after the function code as far as it is known beforehand, byte by byte. */
  readonly prefix: Uint8Array;
  /** Bytes of the whole reply from the function code on, once the first `have` bytes of `pdu` say so. */
  length(pdu: Uint8Array, have: number): number | ReplyFault | undefined;
}

/** Unit and function are in every reply; the top bit of the function marks an exception (v1.1b3, 7). */
export const EXCEPTION_BIT = 0x80;
const EXCEPTION_BYTES = 2;
/** Longest PDU (Modbus Application Protocol v1.1b3, 4.1). */
const MAX_PDU_BYTES = 253;

/** A reply of byte count and data: reads of registers and bits. */
export function countedShape(unit: number, functionCode: number, byteCount: number): ReplyShape {
  const length = 2 + byteCount;
  const prefix = Uint8Array.of(byteCount);
  return { unit, functionCode, longestBytes: length, prefix, length: () => length };
}

/** A reply whose data are known beforehand: writes, and the echo of diagnostics. */
export function knownShape(unit: number, functionCode: number, data: Uint8Array): ReplyShape {
  const length = 1 + data.length;
  return { unit, functionCode, longestBytes: length, prefix: data, length: () => length };
}

/** A reply of a byte count that only the device knows (function 17; v1.1b3, 6.13). */
export function countingShape(unit: number, functionCode: number): ReplyShape {
  return {
    unit,
    functionCode,
    longestBytes: MAX_PDU_BYTES,
    prefix: new Uint8Array(0),
    length: (pdu, have) => (have < 2 ? undefined : shorter(2 + (pdu[1] ?? 0))),
  };
}

/**
 * Read Device Identification (function 43 / 14; v1.1b3, 6.21): the length follows from the objects one by one.
 *
 *     | 43 | 14 | code | conformity | more follows | next object | objects | { id | length | text } ... |
 */
export function identificationShape(unit: number, access: number): ReplyShape {
  return {
    unit,
    functionCode: 43,
    longestBytes: MAX_PDU_BYTES,
    prefix: Uint8Array.of(14, access),
    length: identificationLength,
  };
}

function identificationLength(pdu: Uint8Array, have: number): number | ReplyFault | undefined {
  if (have < 7) return undefined;
  let end = 7;
  for (let left = pdu[6] ?? 0; left > 0; left--) {
    if (have < end + 2) return undefined;
    end += 2 + (pdu[end + 1] ?? 0);
    const length = shorter(end);
    if (typeof length !== "number") return length;
  }
  return end;
}

function shorter(length: number): number | ReplyFault {
  if (length <= MAX_PDU_BYTES) return length;
  return { expected: `at most ${MAX_PDU_BYTES} bytes`, got: `${length} bytes` };
}

/**
 * Bytes of the whole reply from the function code on, as far as the first `have` bytes of `pdu` tell; undefined
 * while more are needed, a fault as soon as one byte cannot be of this reply.
 */
export function measureReply(
  shape: ReplyShape,
  pdu: Uint8Array,
  have: number,
): number | ReplyFault | undefined {
  if (have < 1) return undefined;
  const functionCode = pdu[0] ?? 0;
  if (functionCode === (shape.functionCode | EXCEPTION_BIT)) return EXCEPTION_BYTES;
  if (functionCode !== shape.functionCode)
    return { expected: `function ${shape.functionCode}`, got: `function ${functionCode}` };
  return prefixFault(shape, pdu, have) ?? shape.length(pdu, have);
}

function prefixFault(shape: ReplyShape, pdu: Uint8Array, have: number): ReplyFault | undefined {
  const known = Math.min(shape.prefix.length, have - 1);
  for (let at = 0; at < known; at++) {
    const [expected, got] = [shape.prefix[at], pdu[1 + at]];
    if (expected !== got) return { expected: `byte ${1 + at} ${expected}`, got: `${got}` };
  }
  return undefined;
}
