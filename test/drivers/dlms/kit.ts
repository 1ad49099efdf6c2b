import { createCipheriv } from "node:crypto";
import { DlmsFramer } from "../../../drivers/dlms/framing.ts";
import { crc16X25 } from "../../../drivers/telegram/crc16.ts";
import type { Framed } from "../../../drivers/telegram/telegram.ts";

export const LLC: string = "e6 e7 00";

/** Bytes of hexadecimal text; spaces, colons and line ends do not count. */
export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replace(/[^0-9a-fA-F]/g, ""), "hex"));
}

export function join(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export interface FrameShape {
  readonly segmented?: boolean;
  readonly addresses?: string;
  readonly control?: number;
}

/** One frame of type 3 with both flags. */
export function frame(information: Uint8Array, shape: FrameShape = {}): Uint8Array {
  const addresses = hex(shape.addresses ?? "41 08 83");
  const checked = information.length === 0 ? 0 : 2;
  const length = 2 + addresses.length + 1 + checked + information.length + 2;
  const format = 0xa000 | (shape.segmented ? 0x0800 : 0) | length;
  const head = join(
    Uint8Array.of(format >> 8, format & 0xff),
    addresses,
    Uint8Array.of(shape.control ?? 0x13),
  );
  const body = information.length === 0 ? head : join(head, check(head), information);
  return join(Uint8Array.of(0x7e), body, check(body), Uint8Array.of(0x7e));
}

function check(bytes: Uint8Array): Uint8Array {
  const crc = crc16X25(bytes);
  return Uint8Array.of(crc & 0xff, crc >> 8);
}

/** A telegram in segments of `size` bytes of information. */
export function segments(information: Uint8Array, size: number, shape: FrameShape = {}): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < information.length; at += size) {
    const segmented = at + size < information.length;
    parts.push(frame(information.subarray(at, at + size), { ...shape, segmented }));
  }
  return parts;
}

/** A long frame of wired M-Bus; a length beyond one byte overflows, as in meters that do so. */
export function mbusFrame(information: Uint8Array, ci: number, head = "53 ff"): Uint8Array {
  const body = join(hex(head), Uint8Array.of(ci, 0x01, 0x67), information);
  const checksum = body.reduce((sum, byte) => sum + byte, 0) & 0xff;
  const length = body.length & 0xff;
  return join(Uint8Array.of(0x68, length, length, 0x68), body, Uint8Array.of(checksum, 0x16));
}

/** A telegram in long frames of `size` bytes of information. */
export function mbusSegments(apdu: Uint8Array, size: number): Uint8Array[] {
  const count = Math.ceil(apdu.length / size);
  return Array.from({ length: count }, (_, at) =>
    mbusFrame(apdu.subarray(at * size, (at + 1) * size), at | (at + 1 === count ? 0x10 : 0)),
  );
}

/** A data-notification without LLC header; the date-time as it stands there, length included. */
export function notification(body: string, time = "00"): Uint8Array {
  return hex(`0f 40000000 ${time} ${body}`);
}

export function telegram(body: string, time?: string): Uint8Array {
  return frame(join(hex(LLC), notification(body, time)));
}

/** A list of entries as Aidon and Iskra send it: {serial}, {1.8.0 in Wh}, {32.7.0 in tenths of a volt}. */
export const LIST: string = `01 03
  02 02 09 06 00 00 60 01 00 ff 0a 08 31 32 33 34 35 36 37 38
  02 03 09 06 01 00 01 08 00 ff 06 00 01 e2 40 02 02 0f 00 16 1e
  02 03 09 06 01 00 20 07 00 ff 12 09 05 02 02 0f ff 16 23`;

/** What the stream, in chunks of `size` bytes, was cut into; the end of the stream included where asked for. */
export function cut(stream: Uint8Array, size: number = stream.length, ended = false): Framed[] {
  const framer = new DlmsFramer();
  const outcomes: Framed[] = [];
  for (let at = 0; at < stream.length; at += Math.max(size, 1)) {
    outcomes.push(...framer.push(stream.subarray(at, at + Math.max(size, 1))));
  }
  if (ended) outcomes.push(...framer.end());
  return outcomes;
}

export function telegrams(outcomes: readonly Framed[]): Uint8Array[] {
  return outcomes.flatMap((outcome) => (outcome.kind === "telegram" ? [outcome.bytes] : []));
}

export function refusals(outcomes: readonly Framed[]): [string, number][] {
  return outcomes.flatMap((outcome): [string, number][] =>
    outcome.kind === "refused" ? [[outcome.problem.code, outcome.offset]] : [],
  );
}

/** The Problem that `action` throws. */
export function problemOf(action: () => unknown): { code: string; message: string } {
  try {
    action();
  } catch (error) {
    if (error instanceof Error && "code" in error)
      return { code: String(error.code), message: error.message };
    throw error;
  }
  return { code: "nothing was thrown", message: "" };
}

export const KEY: Uint8Array = hex("000102030405060708090a0b0c0d0e0f");
export const AUTHENTICATION_KEY: Uint8Array = hex("d0d1d2d3d4d5d6d7d8d9dadbdcdddedf");

/** general-glo-ciphering around an APDU, with a tag where the security control asks for one. */
export function encipher(apdu: Uint8Array, control = 0x30): Uint8Array {
  const title = hex("4d4d4d0000bc614e");
  const counter = hex("01234567");
  const cipher = createCipheriv("aes-128-gcm", KEY, join(title, counter), { authTagLength: 12 });
  if (control & 0x10) cipher.setAAD(join(Uint8Array.of(control), AUTHENTICATION_KEY));
  const text = join(cipher.update(apdu), cipher.final());
  const tag = control & 0x10 ? new Uint8Array(cipher.getAuthTag()) : new Uint8Array(0);
  const body = join(Uint8Array.of(control), counter, text, tag);
  const length = Uint8Array.of(0x82, body.length >> 8, body.length & 0xff);
  return join(hex("db 08"), title, length, body);
}
