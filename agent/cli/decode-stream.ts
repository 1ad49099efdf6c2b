import { Problem } from "../../attest/problem.ts";
import type { TelegramDecoder, TelegramKeys } from "../../drivers/telegram/decoder.ts";
import type { DecodedTelegram, Framed } from "../../drivers/telegram/telegram.ts";
import { HexReader } from "./decode-hex.ts";

/** What was found at one place of a stream: a telegram taken apart, or why it is refused. */
export type Found = {
  /** Of the first byte, counted in bytes, not in characters of hexadecimal text. */
  readonly offset: number;
  /** Length of the telegram; absent where it was refused before it was whole. */
  readonly bytes?: number;
} & (
  | { readonly kind: "telegram"; readonly lists: readonly DecodedTelegram[] }
  | { readonly kind: "refused"; readonly problem: Problem }
);

export interface DecodeOptions {
  readonly decoder: TelegramDecoder;
  readonly keys: TelegramKeys;
  readonly hex: boolean;
  /** True once the rest does not matter: the end of the input is then no end of a telegram. */
  readonly isStopped: () => boolean;
}

/** How it went. */
export interface DecodeTally {
  readonly good: number;
  readonly refused: number;
  readonly bytes: number;
  /** The first bytes of the input, for whoever wonders what it is. */
  readonly head: Uint8Array;
}

const HEAD_BYTES = 256;

/**
 * Takes a stream apart as it comes; no more of it is kept than one telegram. `found` is told of each telegram before
 * the next piece is read. Throws Problem `decode-hex`.
 */
export async function decodeStream(
  input: AsyncIterable<Uint8Array>,
  options: DecodeOptions,
  found: (found: Found) => Promise<void>,
): Promise<DecodeTally> {
  const framer = options.decoder.createFramer();
  const hex = options.hex ? new HexReader() : undefined;
  const tally = { good: 0, refused: 0, bytes: 0, head: new Uint8Array(0) };
  const tell = async (framed: readonly Framed[]): Promise<void> => {
    for (const one of framed) {
      const what = decoded(one, options);
      tally[what.kind === "telegram" ? "good" : "refused"] += 1;
      await found(what);
    }
  };
  for await (const piece of input) {
    if (tally.head.length < HEAD_BYTES)
      tally.head = Uint8Array.of(...tally.head, ...piece.subarray(0, HEAD_BYTES - tally.head.length));
    const bytes = hex === undefined ? piece : hex.push(piece);
    tally.bytes += bytes.length;
    await tell(framer.push(bytes));
    if (options.isStopped()) return tally;
  }
  if (options.isStopped()) return tally;
  hex?.end();
  await tell(framer.end());
  return tally;
}

function decoded(framed: Framed, { decoder, keys }: DecodeOptions): Found {
  const { offset } = framed;
  if (framed.kind === "refused") return { kind: "refused", offset, problem: framed.problem };
  const bytes = framed.bytes.length;
  try {
    return { kind: "telegram", offset, bytes, lists: decoder.decode(framed.bytes, keys) };
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown;
    return { kind: "refused", offset, bytes, problem: thrown };
  }
}
