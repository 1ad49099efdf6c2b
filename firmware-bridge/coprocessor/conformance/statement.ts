import { concatBytes } from "../../../attest/bytes.ts";
import { OBJECT_TYPES, type ObjectType, sigStructure } from "../../../attest/cose.ts";

/** What a device's key signs (docs/coprocessor-protocol.md, "What may be signed"). */
export const DEVICE_TYPES: readonly ObjectType[] = [
  "checkpoint",
  "enrolment",
  "hello",
  "rotation",
  "acceptance",
];

/** What nodes and owners sign, and a device never does. */
export const FOREIGN_TYPES: readonly ObjectType[] = (Object.keys(OBJECT_TYPES) as ObjectType[]).filter(
  (type) => !DEVICE_TYPES.includes(type),
);

/** `a3 01 32 04 58 20`: a map of three, algorithm Ed25519, then the kid of 32 bytes. */
const HEADER = Uint8Array.of(0xa3, 0x01, 0x32, 0x04, 0x58, 0x20);
const KEY_OF_TYPE = 0x10;
const SHORT_TEXT = 0x60;
const LONGEST_SHORT_TEXT = 23;
const TEXT_OF_ONE_LENGTH_BYTE = 0x78;

/**
 * The signed part of an object with a payload that means nothing: firmware does not look into it.
 *
 * @param payloadBytes length of the payload
 */
export function statement(type: string, kid: Uint8Array, payloadBytes = 64): Uint8Array {
  const text = new TextEncoder().encode(type);
  const length =
    text.length <= LONGEST_SHORT_TEXT
      ? Uint8Array.of(SHORT_TEXT + text.length)
      : Uint8Array.of(TEXT_OF_ONE_LENGTH_BYTE, text.length);
  const header = concatBytes(HEADER, kid, Uint8Array.of(KEY_OF_TYPE), length, text);
  return sigStructure(header, new Uint8Array(payloadBytes).fill(0x41));
}

/** A message that must not be signed, and why. */
export interface Forbidden {
  readonly what: string;
  readonly message: Uint8Array;
}

const ALGORITHM_AT = 16;
const NO_ADDITIONAL_DATA = 0x40;

/** Messages that differ in one thing from one that is signed, or are something else altogether. */
export function forbiddenMessages(publicKey: Uint8Array): readonly Forbidden[] {
  const hello = statement(OBJECT_TYPES.hello, publicKey);
  const other = publicKey.map((byte) => byte ^ 0xff);
  const headerEnd = 14 + (hello[13] ?? 0);
  return [
    { what: "32 bytes of anything", message: new Uint8Array(32).fill(0x55) },
    ...FOREIGN_TYPES.map((type) => ({
      what: `a ${type}`,
      message: statement(OBJECT_TYPES[type], publicKey),
    })),
    { what: "an unknown type", message: statement("kilowitness/1 hello!", publicKey) },
    { what: "the beginning of a type", message: statement("kilowitness/1 hell", publicKey) },
    { what: "a hello of another key", message: statement(OBJECT_TYPES.hello, other) },
    { what: "a hello with a byte behind it", message: concatBytes(hello, Uint8Array.of(0)) },
    { what: "a hello without its last byte", message: hello.subarray(0, -1) },
    { what: "another algorithm", message: changed(hello, ALGORITHM_AT, 0x26) },
    { what: "another context", message: changed(hello, 2, 0x73) },
    { what: "a header of another length", message: changed(hello, 13, (hello[13] ?? 0) - 1) },
    {
      what: "additional data",
      message: concatBytes(
        hello.subarray(0, headerEnd),
        Uint8Array.of(NO_ADDITIONAL_DATA + 1, 0x00),
        hello.subarray(headerEnd + 1),
      ),
    },
  ];
}

function changed(message: Uint8Array, at: number, value: number): Uint8Array {
  const copy = message.slice();
  copy[at] = value;
  return copy;
}
