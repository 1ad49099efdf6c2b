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
  /** Good ones that say something: an acknowledgement says nothing. */
  readonly telling: number;
  readonly refused: number;
  readonly bytes: number;
  /** The first bytes of the input, for whoever wonders what it is. */
  readonly head: Uint8Array;
  /** The same of the bytes that hexadecimal text stands for, and more of them. */
  readonly begin: Uint8Array;
}

const HEAD_BYTES = 256;
/** Several of the longest telegrams. */
const BEGIN_BYTES = 32_768;

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
  const tally = new Tally();
  const tell = async (framed: readonly Framed[]): Promise<void> => {
    for (const one of framed) {
      const what = decoded(one, options);
      tally.count(what);
      await found(what);
    }
  };
  for await (const piece of input) {
    const bytes = hex === undefined ? piece : hex.push(piece);
    tally.came(piece, bytes);
    await tell(framer.push(bytes));
    if (options.isStopped()) return tally;
  }
  if (options.isStopped()) return tally;
  hex?.end();
  await tell(framer.end());
  return tally;
}

class Tally implements DecodeTally {
  good = 0;
  telling = 0;
  refused = 0;
  bytes = 0;
  head: Uint8Array = new Uint8Array(0);
  begin: Uint8Array = new Uint8Array(0);

  came(piece: Uint8Array, bytes: Uint8Array): void {
    this.head = extended(this.head, piece, HEAD_BYTES);
    this.begin = extended(this.begin, bytes, BEGIN_BYTES);
    this.bytes += bytes.length;
  }

  count(found: Found): void {
    if (found.kind === "refused") {
      this.refused += 1;
      return;
    }
    this.good += 1;
    if (found.lists.some(({ values }) => values.length > 0)) this.telling += 1;
  }
}

function extended(kept: Uint8Array, piece: Uint8Array, most: number): Uint8Array {
  if (kept.length >= most) return kept;
  const taken = piece.subarray(0, most - kept.length);
  const longer = new Uint8Array(kept.length + taken.length);
  longer.set(kept);
  longer.set(taken, kept.length);
  return longer;
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
