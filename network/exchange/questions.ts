import { equalBytes, fromHex, toHex } from "../../attest/bytes.ts";
import { openCheckpoint } from "../../attest/checkpoint.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { rootFromMultiproof } from "../../attest/multiproof.ts";
import { Problem } from "../../attest/problem.ts";
import { splitHashes } from "../../attest/proof.ts";
import type { Suite } from "../../attest/suite.ts";
import { bitLength, HASH_BYTES, leafHash } from "../../attest/tree.ts";
import { limitOf, type Query, requiredText, requireKnown } from "../http/query.ts";
import type { Store } from "../store/store.ts";
import type { ExchangeArchive, StoredLog } from "./exchange-archive.ts";
import { HistoryCache } from "./history-cache.ts";

/** Heads of one answer, and levels of one answer about a subtree. */
export const MOST_HEADS = 256;
export const MOST_LEVELS = 5;
/** Seq of the leaf by which an epoch says which log it continues. */
export const EPOCH_OPEN_SEQ = 1;
const MOST_PLACE = 64;

/** What answering peers needs. */
export interface AnswerParts {
  readonly archive: ExchangeArchive;
  readonly store: Pick<Store, "history">;
  readonly suite: Suite;
}

/** What this node answers its peers: questions only, nothing here changes anything. */
export class ExchangeAnswers {
  readonly #parts: AnswerParts;
  readonly #histories: HistoryCache;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
    this.#histories = new HistoryCache(parts.store);
  }

  /** `?after=&limit=`: logs that moved since. Throws `query`. */
  async heads(query: Query): Promise<object> {
    requireKnown(query, ["after", "limit"]);
    const after = query["after"] ?? "";
    if (after.length > MOST_PLACE) throw wrong("after", `at most ${MOST_PLACE} characters`);
    const page = await this.#parts.archive.headsAfter(after, limitOf(query, MOST_HEADS, MOST_HEADS));
    const heads = page.heads.map(({ deviceKey, epoch, size, checkpoint, receipt }) => ({
      ...{ deviceKey: toHex(deviceKey), epoch, size },
      ...{ checkpoint: base64(checkpoint), receipt: base64(receipt) },
    }));
    return { cursor: page.place, isLast: page.isLast, heads };
  }

  /** `?log=&size=`: the hashes of the complete subtrees of the first `size` leaves. Throws `query` or `log-unknown`. */
  async peaks(query: Query): Promise<object> {
    requireKnown(query, ["log", "size"]);
    const { log, size: stored } = await this.#log(query);
    const size = numberOf(query, "size", { from: 1, to: stored });
    const tree = (await this.#histories.of(log)).tree();
    const hashes: string[] = [];
    for (let from = 0; from < size; ) {
      const level = bitLength(size - from) - 1;
      hashes.push(toHex(tree.subtree(level, from / 2 ** level)));
      from += 2 ** level;
    }
    return { hashes };
  }

  /** `?log=&level=&index=&depth=`: the 2^depth nodes, `depth` levels below a subtree's. Throws as {@link peaks} does. */
  async subtree(query: Query): Promise<object> {
    requireKnown(query, ["log", "level", "index", "depth"]);
    const { log, size } = await this.#log(query);
    const level = numberOf(query, "level", { from: 1, to: bitLength(size) - 1 });
    const index = numberOf(query, "index", { from: 0, to: Math.floor(size / 2 ** level) - 1 });
    const depth = numberOf(query, "depth", { from: 1, to: Math.min(level, MOST_LEVELS) });
    const tree = (await this.#histories.of(log)).tree();
    const count = 2 ** depth;
    return {
      hashes: Array.from({ length: count }, (_, at) =>
        toHex(tree.subtree(level - depth, index * count + at)),
      ),
    };
  }

  /**
   * `?log=&seq=&checkpoint=&leafHash=&hashes=`: the bytes of a leaf. What a device read is nobody's business here, so it
   * is shown only against the proof that the device has signed another leaf at its place; the leaf that opens an epoch is
   * shown to any peer. Throws as {@link peaks} does, and `leaf-private`.
   */
  async leaf(query: Query): Promise<Uint8Array> {
    requireKnown(query, ["log", "seq", "checkpoint", "leafHash", "hashes"]);
    const stored = await this.#log(query);
    const seq = numberOf(query, "seq", { from: 0, to: stored.size - 1 });
    const bytes = (await this.#histories.of(stored.log)).leaf(seq);
    if (seq === EPOCH_OPEN_SEQ && decodeLeaf(bytes).kind === "epochOpen") return bytes;
    this.#requireOther(query, { stored, seq, bytes });
    return bytes;
  }

  #requireOther(query: Query, { stored, seq, bytes }: Asked): void {
    const { suite } = this.#parts;
    const hash = hashOf(query, "leafHash");
    const checkpoint = openCheckpoint(suite, bytesOf(query, "checkpoint"), {
      ...{ deviceKey: stored.deviceKey, logId: hashOf(query, "log") },
    });
    const proof = splitHashes(bytesOf(query, "hashes"));
    const root = rootFromMultiproof(suite, { size: checkpoint.size, leaves: [{ index: seq, hash }], proof });
    if (equalBytes(root, checkpoint.root) && !equalBytes(hash, leafHash(suite, bytes))) return;
    throw new Problem("leaf-private", "a leaf is shown only to who can prove another one at its place", {
      where: `leaf ${seq}`,
    });
  }

  async #log(query: Query): Promise<StoredLog> {
    const stored = await this.#parts.archive.logOf(hashOf(query, "log"));
    if (stored !== undefined) return stored;
    throw new Problem("log-unknown", "this node does not hold that log");
  }
}

interface Asked {
  readonly stored: StoredLog;
  readonly seq: number;
  readonly bytes: Uint8Array;
}

function hashOf(query: Query, name: string): Uint8Array {
  const text = requiredText(query, name);
  if (/^[0-9a-f]{64}$/.test(text)) return fromHex(text, name);
  throw wrong(name, `${2 * HASH_BYTES} lower-case hexadecimal digits`);
}

function bytesOf(query: Query, name: string): Uint8Array {
  const text = query[name];
  if (text !== undefined && /^[A-Za-z0-9_-]*$/.test(text))
    return new Uint8Array(Buffer.from(text, "base64url"));
  throw wrong(name, "base64url");
}

function numberOf(
  query: Query,
  name: string,
  { from, to }: { readonly from: number; readonly to: number },
): number {
  const text = requiredText(query, name);
  const value = /^\d{1,16}$/.test(text) ? Number(text) : -1;
  if (value >= from && value <= to) return value;
  throw wrong(name, `${from} to ${to}`);
}

function wrong(name: string, expected: string): Problem {
  return new Problem("query", `"${name}" is wrong`, { expected });
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
