import type { MeterTelegram, TelegramProtocol } from "../../../drivers/telegram/protocol.ts";
import type { Framed } from "../../../drivers/telegram/telegram.ts";
import { VedirectFramer } from "../../../drivers/vedirect/framing.ts";
import { vedirectProtocol } from "../../../drivers/vedirect/protocol.ts";

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

/** The outcomes of a stream that arrives in chunks of `size` bytes, and of its end. */
export function frame(stream: Uint8Array, size: number = Math.max(stream.length, 1)): readonly Framed[] {
  const framer = new VedirectFramer();
  const outcomes: Framed[] = [];
  for (let at = 0; at < stream.length; at += size)
    outcomes.push(...framer.push(stream.subarray(at, at + size)));
  return [...outcomes, ...framer.end()];
}

export function telegrams(outcomes: readonly Framed[]): readonly Uint8Array[] {
  return outcomes.flatMap((outcome) => (outcome.kind === "telegram" ? [outcome.bytes] : []));
}

/** Code and offset of everything refused. */
export function refusals(outcomes: readonly Framed[]): readonly string[] {
  return outcomes.flatMap((outcome) =>
    outcome.kind === "refused" ? [`${outcome.problem.code} at ${outcome.offset}`] : [],
  );
}

/** What a framer says without the stacks of its problems. */
export function said(outcomes: readonly Framed[]): readonly unknown[] {
  return outcomes.map((outcome) =>
    outcome.kind === "telegram" ? outcome : { ...outcome, problem: outcome.problem.message },
  );
}

/** What a protocol makes of blocks, one after the other, without those that it waits with. */
export function read(
  blocks: readonly Uint8Array[],
  protocol: TelegramProtocol = vedirectProtocol(),
): readonly MeterTelegram[] {
  return blocks.flatMap((one) => protocol.decode(one) ?? []);
}
