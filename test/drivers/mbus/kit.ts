import { MbusFramer } from "../../../drivers/mbus/framing.ts";
import type { Framed } from "../../../drivers/telegram/telegram.ts";

export function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replaceAll(/\s+/g, ""), "hex"));
}

export function join(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** A long frame around the bytes from C on. */
export function long(...content: Uint8Array[]): Uint8Array {
  const inner = join(...content);
  const sum = inner.reduce((total, byte) => (total + byte) & 0xff, 0);
  return join(new Uint8Array([0x68, inner.length, inner.length, 0x68]), inner, new Uint8Array([sum, 0x16]));
}

/** An answer with CI 72 of meter 12345678, ABB, version 2, electricity. */
export function answer(records: string): Uint8Array {
  return long(bytes("08 01 72 78 56 34 12 42 04 02 02 2A 00 00 00"), bytes(records));
}

/** Everything a stream is cut into, in pieces of `size` bytes, its end included. */
export function cut(stream: Uint8Array, size: number = stream.length): Framed[] {
  const framer = new MbusFramer();
  const found: Framed[] = [];
  for (let at = 0; at < stream.length; at += Math.max(1, size)) {
    found.push(...framer.push(stream.subarray(at, at + Math.max(1, size))));
  }
  return [...found, ...framer.end()];
}

/** The frames that are more than an acknowledgement, in hexadecimal: any E5 in noise is one. */
export function frames(stream: Uint8Array, size?: number): string[] {
  return cut(stream, size)
    .flatMap((framed) => (framed.kind === "telegram" && framed.bytes.length > 1 ? [framed.bytes] : []))
    .map((frame) => Buffer.from(frame).toString("hex"));
}

/** Offset and code of each refusal. */
export function refusals(stream: Uint8Array): [number, string][] {
  return cut(stream).flatMap((framed): [number, string][] =>
    framed.kind === "refused" ? [[framed.offset, framed.problem.code]] : [],
  );
}
