/*
 * What firmware has to do before it signs, byte by byte as docs/coprocessor-protocol.md draws it and without a CBOR reader:
 *
 *      0  84 6a "Signature1"           array of 4, context
 *     12  58 LL                        protected header of LL bytes
 *     14  a3 01 32 04 58 20            map of 3; 1: -19 (Ed25519); 4:
 *     20  kid, 32 bytes                the key, or the log of a checkpoint
 *     52  10 60+n or 78 n              16:
 *         type, n bytes
 *         40                           no additional data
 *         58 n, 59 nn nn or 40+n       payload, to the end of the message
 */
const BEGINNING = Buffer.from("846a5369676e617475726531", "hex");
const HEADER = Buffer.from("a30132045820", "hex");
const KID_AT = 20;
const TYPE_AT = 52;

/** What the key of a device signs. A checkpoint carries its log as kid, all others the key. */
const TYPES: ReadonlySet<string> = new Set([
  "kilowitness/1 checkpoint",
  "kilowitness/1 enrolment",
  "kilowitness/1 hello",
  "kilowitness/1 rotation",
  "kilowitness/1 rotation-acceptance",
]);
const OF_A_LOG = "kilowitness/1 checkpoint";

/** The type of object that `message` is the signed part of; undefined where this key must not sign it. */
export function signableType(message: Uint8Array, publicKey: Uint8Array): string | undefined {
  const bytes = Buffer.from(message);
  if (!bytes.subarray(0, 12).equals(BEGINNING) || bytes[12] !== 0x58) return undefined;
  if (!bytes.subarray(14, KID_AT).equals(HEADER) || bytes[TYPE_AT] !== 0x10) return undefined;
  const text = stringAt(bytes, TYPE_AT + 1, 0x60);
  if (text === undefined) return undefined;
  const headerEnd = 14 + (bytes[13] ?? 0);
  const type = bytes.subarray(text.start, text.end).toString("latin1");
  if (text.end !== headerEnd || bytes[headerEnd] !== 0x40 || !TYPES.has(type)) return undefined;
  const payload = stringAt(bytes, headerEnd + 1, 0x40);
  if (payload === undefined || payload.end !== bytes.length) return undefined;
  const kid = bytes.subarray(KID_AT, TYPE_AT);
  return type === OF_A_LOG || kid.equals(publicKey) ? type : undefined;
}

interface Place {
  readonly start: number;
  readonly end: number;
}

/** Where the bytes of a string lie whose first byte is `major` and more; only the shortest form of its length counts. */
function stringAt(bytes: Buffer, at: number, major: number): Place | undefined {
  const [first = 0, second = 0, third = 0] = bytes.subarray(at, at + 3);
  const info = first - major;
  if (info >= 0 && info < 24) return place(bytes, at + 1, info);
  if (info === 24 && second >= 24) return place(bytes, at + 2, second);
  if (info === 25 && second > 0) return place(bytes, at + 3, second * 256 + third);
  return undefined;
}

function place(bytes: Buffer, start: number, length: number): Place | undefined {
  return start + length <= bytes.length ? { start, end: start + length } : undefined;
}
