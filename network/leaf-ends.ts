/** Major types of RFC 8949, 3.1, whose argument is a length or a number of items. */
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const TAG = 6;

/** Values of the low five bits from which on the argument stands in the bytes that follow. */
const ONE_BYTE = 24;
const EIGHT_BYTES = 27;

/**
 * Offsets behind each of `count` leaves that stand back to back, whether or not they are any: where a device has signed
 * what is no leaf, it must still be told from its neighbours. Each but the last must be a well-formed CBOR item of
 * definite length (RFC 8949, appendix C); the last is all the rest. Undefined where that cannot be.
 */
export function leafEnds(bytes: Uint8Array, count: number): Uint32Array | undefined {
  const ends = new Uint32Array(count);
  let at = 0;
  for (let i = 0; i < count - 1; i++) {
    const end = endOfItem(bytes, at);
    if (end === undefined) return undefined;
    ends[i] = end;
    at = end;
  }
  ends[count - 1] = bytes.length;
  return at < bytes.length ? ends : undefined;
}

function endOfItem(bytes: Uint8Array, begin: number): number | undefined {
  let at = begin;
  for (let open = 1; open > 0; open--) {
    const head = headAt(bytes, at);
    if (head === undefined) return undefined;
    at = head.end;
    if (head.major === BYTES || head.major === TEXT) at += head.argument;
    else open += itemsWithin(head);
    // Every item that is still open takes a byte or more.
    if (at + open - 1 > bytes.length) return undefined;
  }
  return at;
}

interface Head {
  readonly major: number;
  readonly argument: number;
  readonly end: number;
}

/** Integers and simple values hold no items; of a number that is no integer only the length matters. */
function itemsWithin({ major, argument }: Head): number {
  if (major === ARRAY) return argument;
  if (major === MAP) return 2 * argument;
  return major === TAG ? 1 : 0;
}

function headAt(bytes: Uint8Array, at: number): Head | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  const major = first >> 5;
  const low = first & 31;
  if (low < ONE_BYTE) return { major, argument: low, end: at + 1 };
  if (low > EIGHT_BYTES) return undefined;
  const end = at + 1 + 2 ** (low - ONE_BYTE);
  if (end > bytes.length) return undefined;
  let argument = 0;
  for (let next = at + 1; next < end; next++) argument = 256 * argument + (bytes[next] ?? 0);
  return { major, argument, end };
}
