import { Problem, type ProblemDetail } from "../../attest/problem.ts";
import { crc16Xmodem } from "./crc16.ts";

/*
 * What is wrong with the lines of a message, in words: for who looks for a bad cable, and for who writes the other end.
 */

export const LENGTH_BYTES = 2;
export const CRC_BYTES = 2;
export const PACKET = [0x06, 0x09] as const;
export const FRAGMENT = [0x04, 0x14] as const;

type Words = readonly [what: string, detail: ProblemDetail];

const SHOWN_CHARACTERS = 48;
const LINE = "check the cable and the baud rate; is another program on the port?";

/** The line went away. */
export const ENDED: Words = ["the line ended within a message", {}];

/** `packet`: what is there of the message before. */
export function begunWithin(packet: Uint8Array): Words {
  const [first, further] = [hexOf(PACKET, " "), hexOf(FRAGMENT, " ")];
  return [
    "a line begins a new message in the middle of one",
    {
      expected: `${further} and the rest of ${u16Of(packet)} bytes`,
      got: `${first} behind ${packet.length - LENGTH_BYTES} bytes`,
      hint: forWriter(`are lines lost? check cable and baud rate; all but the first begin with ${further}`),
    },
  ];
}

/** In the base64 of a line. */
export function strangeByte(byte: number): Words {
  const isMarker = byte === PACKET[0] || byte === FRAGMENT[0];
  const end = byte === 0x0d ? "0a alone, without 0d" : "0a";
  const hint = byte === 0x0d || isMarker ? forWriter(`a line ends with ${end}`) : LINE;
  return ["a line of a message has a byte that is no base64", { got: `0x${hexOf([byte])}`, hint }];
}

export const ENDLESS: Words = ["a line without an end", { hint: forWriter("a line ends with 0a") }];

export function noBase64(text: string): Words {
  const isOpen = text.length > 0 && text.length % 4 !== 0;
  return [
    "a line of a message is no base64",
    {
      expected: "groups of four characters, the last one filled up with =",
      got: shownEnd(text),
      ...(isOpen ? { hint: forWriter(`${LINE} where all that do not fit are so: fill them up with =`) } : {}),
    },
  ];
}

export function impossibleLength(packet: Uint8Array, maxBytes: number): Words {
  const length = u16Of(packet);
  const other = swapped(length);
  const isSwapped = other >= packet.length - LENGTH_BYTES && other <= maxBytes + CRC_BYTES;
  return [
    "a message of a length that cannot be",
    {
      expected: `${CRC_BYTES + 1} to ${maxBytes + CRC_BYTES} bytes of message and CRC`,
      got: `${length} bytes`,
      ...(isSwapped
        ? { hint: forWriter(`with its greater byte first the length is ${other}: is it sent so?`) }
        : {}),
    },
  ];
}

export function tooMuch(packet: Uint8Array): Words {
  const [length, have] = [u16Of(packet), packet.length - LENGTH_BYTES];
  return [
    "a message longer than it says",
    {
      expected: `${length} bytes of message and CRC`,
      got: `${have} bytes`,
      ...(have - length === CRC_BYTES
        ? { hint: forWriter("the length is that of message and CRC together") }
        : {}),
    },
  ];
}

/** `packet`: with its length and CRC, whole. */
export function wrongCrc(packet: Uint8Array): Words {
  const message = packet.subarray(LENGTH_BYTES, -CRC_BYTES);
  return [
    "the CRC of a message does not fit",
    {
      expected: `0x${hexOf(bytesOf(crc16Xmodem(message)))}, over its ${message.length} bytes without the length in front of them`,
      got: `0x${hexOf(packet.subarray(-CRC_BYTES))}`,
      hint: forWriter(slipOf(packet) ?? `${LINE} where every CRC is wrong: it is CRC-16/XMODEM`),
    },
  ];
}

/** Where a line is wrong is mostly its end. */
function shownEnd(text: string): string {
  const end = JSON.stringify(text.slice(-SHOWN_CHARACTERS));
  return text.length > SHOWN_CHARACTERS ? `${text.length} characters, the last ones ${end}` : end;
}

/** Two bytes, the greater one first: the length that a packet says, which is that of message and CRC. */
export function u16Of(packet: Uint8Array): number {
  return ((packet[0] ?? 0) << 8) | (packet[1] ?? 0);
}

/** The problem of a message that began at byte `start` of the line. */
export function frameProblem(code: string, start: number, [what, detail]: Words): Problem {
  return new Problem(code, what, { where: `byte ${start} of the line`, hint: LINE, ...detail });
}

/** What is known to go wrong with this CRC; undefined where it is nothing of that. */
function slipOf(packet: Uint8Array): string | undefined {
  const message = packet.subarray(LENGTH_BYTES, -CRC_BYTES);
  const got = u16Of(packet.subarray(-CRC_BYTES));
  if (got === crc16Xmodem(packet.subarray(0, -CRC_BYTES))) return "it was made over the length as well";
  if (got === crc16Xmodem(message, 0xffff)) return "it was begun with ffff, and begins with 0";
  if (swapped(got) === crc16Xmodem(message)) return "its greater byte comes first";
  return undefined;
}

function forWriter(hint: string): string {
  return `${hint} (whoever writes the firmware needs this line)`;
}

function swapped(value: number): number {
  return ((value & 0xff) << 8) | (value >> 8);
}

function bytesOf(value: number): readonly number[] {
  return [value >> 8, value & 0xff];
}

function hexOf(bytes: Iterable<number>, between = ""): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(between);
}
