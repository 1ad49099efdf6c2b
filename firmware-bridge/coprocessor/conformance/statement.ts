import { concatBytes, fromHex } from "../../../attest/bytes.ts";
import { OBJECT_TYPES, type ObjectType, sigStructure } from "../../../attest/cose.ts";

/** What a device's key signs (docs/coprocessor-protocol.md, "What may be signed"). */
export const DEVICE_TYPES: readonly ObjectType[] = [
  "checkpoint",
  "enrolment",
  "hello",
  "rotation",
  "acceptance",
];

/** Those of them that name the key itself; a checkpoint names its log. */
const OF_THE_KEY: readonly ObjectType[] = DEVICE_TYPES.filter((type) => type !== "checkpoint");

/** What nodes and owners sign, and a device never does. */
const FOREIGN_TYPES: readonly ObjectType[] = (Object.keys(OBJECT_TYPES) as ObjectType[]).filter(
  (type) => !DEVICE_TYPES.includes(type),
);

/** `a3 01 32 04 58 20`: a map of three, algorithm Ed25519, then the kid of 32 bytes. */
const HEADER = Uint8Array.of(0xa3, 0x01, 0x32, 0x04, 0x58, 0x20);
const KEY_OF_TYPE = 0x10;
const SHORT_TEXT = 0x60;
const LONGEST_SHORT_TEXT = 23;
const TEXT_OF_ONE_LENGTH_BYTE = 0x78;
const FILLING = 0x41;

/** Lengths of a payload around each change of its head. */
export const PAYLOAD_BYTES: readonly number[] = [0, 23, 24, 255, 256];

/**
 * The signed part of an object with a payload that means nothing: firmware does not look into it.
 *
 * @param payload the payload, or its length
 */
export function statement(type: string, kid: Uint8Array, payload: number | Uint8Array = 64): Uint8Array {
  const text = new TextEncoder().encode(type);
  const length =
    text.length <= LONGEST_SHORT_TEXT
      ? Uint8Array.of(SHORT_TEXT + text.length)
      : Uint8Array.of(TEXT_OF_ONE_LENGTH_BYTE, text.length);
  const header = concatBytes(HEADER, kid, Uint8Array.of(KEY_OF_TYPE), length, text);
  const bytes = typeof payload === "number" ? new Uint8Array(payload).fill(FILLING) : payload;
  return sigStructure(header, bytes);
}

/**
 * Statements that may all be signed, each different in one place from another one: in its last byte, its first one of the
 * payload, one in the middle, its length, its kid.
 */
export function neighbours(publicKey: Uint8Array): readonly Uint8Array[] {
  const hello = (payload: Uint8Array): Uint8Array => statement(OBJECT_TYPES.hello, publicKey, payload);
  const log = new Uint8Array(32).fill(0x99);
  const payload = new Uint8Array(300).fill(FILLING);
  return [
    hello(payload),
    hello(changed(payload, payload.length - 1, 0x42)),
    hello(changed(payload, 0, 0x42)),
    hello(changed(payload, 150, 0x42)),
    hello(payload.subarray(1)),
    statement(OBJECT_TYPES.checkpoint, log, payload),
    statement(OBJECT_TYPES.checkpoint, changed(log, 31, 0x98), payload),
  ];
}

/** A message that must not be signed, and why. */
export interface Forbidden {
  readonly what: string;
  readonly message: Uint8Array;
}

/** Where things stand in a hello. */
const AT = { context: 2, contextEnd: 11, header: 12, headerLength: 13, algorithm: 16, kid: 20, type: 52 };
const TEXT_AT = AT.type + 1;

/** Messages that differ in one thing from one that is signed, or are something else altogether. */
export function forbiddenMessages(publicKey: Uint8Array): readonly Forbidden[] {
  const hello = statement(OBJECT_TYPES.hello, publicKey);
  const other = publicKey.map((byte) => byte ^ 0xff);
  return [
    { what: "32 bytes of anything", message: new Uint8Array(32).fill(0x55) },
    ...FOREIGN_TYPES.map((type) => ({
      what: `a ${type}`,
      message: statement(OBJECT_TYPES[type], publicKey),
    })),
    { what: "an unknown type", message: statement("kilowitness/1 hello!", publicKey) },
    { what: "the beginning of a type", message: statement("kilowitness/1 hell", publicKey) },
    ...OF_THE_KEY.map((type) => ({
      what: `a ${OBJECT_TYPES[type]} of another key`,
      message: statement(OBJECT_TYPES[type], other),
    })),
    { what: "a hello with a byte behind it", message: concatBytes(hello, Uint8Array.of(0)) },
    { what: "a hello without its last byte", message: hello.subarray(0, -1) },
    { what: "another algorithm", message: changed(hello, AT.algorithm, 0x26) },
    { what: "another context", message: changed(hello, AT.context, 0x73) },
    { what: "a context with another last character", message: changed(hello, AT.contextEnd, 0x32) },
    { what: "another label than 10", message: changed(hello, AT.type, 0x11) },
    {
      what: "a header of another length",
      message: changed(hello, AT.headerLength, (hello[AT.headerLength] ?? 0) - 1),
    },
    ...otherEndings(hello),
    ...longerLengths(hello, publicKey),
  ];
}

/** A hello with something else than no additional data and a byte string behind its header. */
function otherEndings(hello: Uint8Array): readonly Forbidden[] {
  const start = hello.subarray(0, headerEnd(hello));
  const payload = new Uint8Array(16).fill(FILLING);
  const ending = (what: string, head: string, content: Uint8Array = payload, tail = ""): Forbidden => ({
    what,
    message: concatBytes(start, fromHex(head, what), content, fromHex(tail, what)),
  });
  return [
    ending("additional data", "410050"),
    ending("additional data that are text (60)", "6050"),
    ending("null (f6) in the place of additional data", "f650"),
    ending("a payload that is text", "4070"),
    ending("a longer payload that is text", "407840", new Uint8Array(64).fill(FILLING)),
    ending("a payload that stands elsewhere (f6)", "40f6", new Uint8Array(0)),
    ending("a payload of indefinite length", "405f50", payload, "ff"),
    ending("a payload whose length is not the shortest (58)", "405810"),
    ending("a payload whose length is not the shortest (59)", "40590040", new Uint8Array(64).fill(FILLING)),
    ending("a payload whose length is not the shortest (5a)", "405a00000010"),
  ];
}

/** A hello, and a type with a head of its own, whose lengths in the header take a byte too many. */
function longerLengths(hello: Uint8Array, publicKey: Uint8Array): readonly Forbidden[] {
  const lengthened = (message: Uint8Array): Uint8Array =>
    concatBytes(
      changed(message, AT.headerLength, (message[AT.headerLength] ?? 0) + 1).subarray(0, TEXT_AT),
      Uint8Array.of(TEXT_OF_ONE_LENGTH_BYTE, (message[TEXT_AT] ?? 0) - SHORT_TEXT),
      message.subarray(TEXT_AT + 1),
    );
  return [
    { what: "a type whose length is not the shortest (78)", message: lengthened(hello) },
    {
      what: "a type of 23 bytes whose length is not the shortest (78)",
      message: lengthened(statement(OBJECT_TYPES.enrolment, publicKey)),
    },
    {
      what: "a header whose length is not the shortest (59)",
      message: concatBytes(
        hello.subarray(0, AT.header),
        Uint8Array.of(0x59, 0x00),
        hello.subarray(AT.headerLength),
      ),
    },
  ];
}

/** A hello that is wrong in one bit of a byte that every hello of this key has alike. */
export interface Spoilt {
  readonly at: number;
  readonly message: Uint8Array;
}

/** The same hello, each time with another one of the bytes wrong that the form fixes, the first and last one of the kid among them. */
export function spoiltMessages(publicKey: Uint8Array): readonly Spoilt[] {
  const hello = statement(OBJECT_TYPES.hello, publicKey);
  return [...hello.keys()]
    .filter((at) => at <= headerEnd(hello) + 2)
    .filter((at) => at <= AT.kid || at >= AT.type - 1)
    .map((at) => ({ at, message: changed(hello, at, (hello[at] ?? 0) ^ 1) }));
}

function headerEnd(message: Uint8Array): number {
  return AT.headerLength + 1 + (message[AT.headerLength] ?? 0);
}

function changed(message: Uint8Array, at: number, value: number): Uint8Array {
  const copy = message.slice();
  copy[at] = value;
  return copy;
}
