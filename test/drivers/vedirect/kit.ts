import type { MeterTelegram, TelegramProtocol } from "../../../drivers/telegram/protocol.ts";
import { VedirectFramer } from "../../../drivers/vedirect/framing.ts";
import { vedirectProtocol } from "../../../drivers/vedirect/protocol.ts";
import { type CutStream, framedBy } from "../telegram/framed.ts";

export function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

export function text(of: Uint8Array): string {
  return Buffer.from(of).toString("latin1");
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** A block around lines as they stand in it, `V\t12800`, with the sum made 0 by hand. */
export function block(...lines: readonly string[]): Uint8Array {
  const open = bytes(`${lines.map((line) => `\r\n${line}`).join("")}\r\nChecksum\t`);
  let sum = 0;
  for (const byte of open) sum = (sum + byte) % 256;
  return join(open, Uint8Array.of((256 - sum) % 256));
}

export const frame: CutStream = framedBy(() => new VedirectFramer());

/** What a protocol makes of blocks, one after the other, without those that it waits with. */
export function read(
  blocks: readonly Uint8Array[],
  protocol: TelegramProtocol = vedirectProtocol(),
): readonly MeterTelegram[] {
  return blocks.flatMap((one) => protocol.decode(one) ?? []);
}
