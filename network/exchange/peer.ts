import { z } from "zod";
import { fromHex, toHex } from "../../attest/bytes.ts";
import { Problem } from "../../attest/problem.ts";
import { HASH_BYTES } from "../../attest/tree.ts";
import type { Head } from "./exchange-archive.ts";
import { MOST_HEADS } from "./questions.ts";
import { notAnAnswer, type Transport } from "./transport.ts";

/** Another node of the network, whose key the configuration names. */
export interface PeerIdentity {
  readonly url: string;
  readonly key: Uint8Array;
}

export interface PeerLimits {
  /** For one question. */
  readonly timeoutMs: number;
  /** Questions about subtrees and leaves in one round. */
  readonly questions: number;
}

export const DEFAULT_LIMITS: PeerLimits = { timeoutMs: 15_000, questions: 512 };

/** Largest answers that are read, in bytes: 256 heads are some 200 kB, 64 hashes 4.3 kB, a leaf is at most 4 KiB. */
const MAX_HEADS_BYTES = 524_288;
const MAX_HASHES_BYTES = 8192;
const MAX_LEAF_BYTES = 4096;
const MAX_SIGNED_BYTES = 1024;
const MAX_EPOCH = 0xffff_ffff;

const base64Signed = z
  .base64()
  .max(4 * Math.ceil(MAX_SIGNED_BYTES / 3))
  .transform((text) => new Uint8Array(Buffer.from(text, "base64")));
const headSchema = z.object({
  deviceKey: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .transform((text) => fromHex(text, "deviceKey")),
  epoch: z.int().min(1).max(MAX_EPOCH),
  size: z.int().min(1).max(Number.MAX_SAFE_INTEGER),
  checkpoint: base64Signed,
  receipt: base64Signed,
});
const headsSchema = z.object({
  cursor: z
    .string()
    .regex(/^[!-~]*$/)
    .max(64),
  isLast: z.boolean(),
  heads: z.array(headSchema).max(MOST_HEADS),
});
const hashesSchema = z.object({ hashes: z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(64) });

export interface PeerHeads {
  readonly cursor: string;
  readonly isLast: boolean;
  readonly heads: readonly Head[];
}

/** A leaf that the peer is shown in order to see its own at that place. */
export interface ShownLeaf {
  readonly checkpoint: Uint8Array;
  readonly leafHash: Uint8Array;
  /** The multiproof's hashes for that leaf alone, back to back. */
  readonly hashes: Uint8Array;
}

export interface PeerParts {
  readonly peer: PeerIdentity;
  readonly transport: Transport;
  /** The token that the peer asks for, read anew for every question. */
  readonly token: () => string | undefined;
  readonly limits: PeerLimits;
  readonly signal: AbortSignal;
}

/**
 * The questions of one round to one peer. Nothing in the answers is believed here: they have the right shape and size, no
 * more. Throws `exchange-offline`, `exchange-answer`, and `exchange-budget` when the round's questions are used up.
 */
export class PeerQuestions {
  readonly #parts: PeerParts;
  #left: number;
  #problem: Problem | undefined;

  constructor(parts: PeerParts) {
    this.#parts = parts;
    this.#left = parts.limits.questions;
  }

  async heads(after: string): Promise<PeerHeads> {
    const values = { after, limit: String(MOST_HEADS) };
    return jsonOf(headsSchema, await this.#ask("heads", values, MAX_HEADS_BYTES), "heads");
  }

  async peaks(log: Uint8Array, size: number): Promise<readonly Uint8Array[]> {
    return this.#hashes("peaks", { log: toHex(log), size: String(size) });
  }

  /** Throws `exchange-answer` where there are not 2^depth of them. */
  async subtree(
    log: Uint8Array,
    node: { readonly level: number; readonly index: number; readonly depth: number },
  ): Promise<readonly Uint8Array[]> {
    const { level, index, depth } = node;
    const values = { level: String(level), index: String(index), depth: String(depth) };
    const hashes = await this.#hashes("subtree", { log: toHex(log), ...values });
    if (hashes.length === 2 ** depth) return hashes;
    throw notAnAnswer(`${2 ** depth} hashes`, String(hashes.length), "subtree");
  }

  async leaf(log: Uint8Array, seq: number, shown?: ShownLeaf): Promise<Uint8Array> {
    const against = shown && {
      checkpoint: base64url(shown.checkpoint),
      leafHash: toHex(shown.leafHash),
      hashes: base64url(shown.hashes),
    };
    this.#spend();
    return this.#ask("leaf", { log: toHex(log), seq: String(seq), ...against }, MAX_LEAF_BYTES);
  }

  async #hashes(name: string, values: Readonly<Record<string, string>>): Promise<readonly Uint8Array[]> {
    this.#spend();
    const { hashes } = jsonOf(hashesSchema, await this.#ask(name, values, MAX_HASHES_BYTES), name);
    return hashes.map((text) => fromHex(text, name).subarray(0, HASH_BYTES));
  }

  /** No more questions about subtrees and leaves in this round: one that was not answered well costs a whole time-out. */
  giveUp(problem: Problem): void {
    this.#left = 0;
    this.#problem ??= problem;
  }

  /** Why it was given up, if it was. */
  get problem(): Problem | undefined {
    return this.#problem;
  }

  #spend(): void {
    if (this.#left === 0)
      throw new Problem("exchange-budget", "the questions of this round to the peer are used up");
    this.#left -= 1;
  }

  #ask(name: string, values: Readonly<Record<string, string>>, maxBytes: number): Promise<Uint8Array> {
    const { peer, transport, token, limits, signal } = this.#parts;
    const base = peer.url.endsWith("/") ? peer.url : `${peer.url}/`;
    const url = new URL(`exchange/${name}?${new URLSearchParams(values)}`, base);
    const secret = token();
    const headers = {
      ...{ accept: "application/json, application/octet-stream", "accept-encoding": "identity" },
      ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
    };
    return transport.ask({ url, headers, maxBytes, timeoutMs: limits.timeoutMs, signal });
  }
}

function jsonOf<T>(schema: z.ZodType<T>, bytes: Uint8Array, where: string): T {
  const parsed = schema.safeParse(parsedJson(bytes, where));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw notAnAnswer("what docs/exchange.md says", `${issue?.path.join(".")}: ${issue?.message}`, where);
}

function parsedJson(bytes: Uint8Array, where: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw notAnAnswer("JSON", "something else", where);
  }
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}
