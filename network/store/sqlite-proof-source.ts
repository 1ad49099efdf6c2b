import type { LogIdentity } from "../../attest/identity.ts";
import { type IntervalClose, LEAF_KINDS } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { type NodeSource, SubtreeSource } from "../../attest/node-source.ts";
import { Problem } from "../../attest/problem.ts";
import type { ProofSource } from "../../attest/proof-source.ts";
import type { Suite } from "../../attest/suite.ts";
import { leafHash } from "../../attest/tree.ts";
import { BatchReader } from "./batch-reader.ts";
import type { Statements } from "./statements.ts";
import type { CloseQuery, StoredCheckpoint } from "./store.ts";

/** More than a year of quarter hours. */
const MAX_PROOF_CLOSES = 40_000;

/** One log of the store, as proofs are built from. */
export function sqliteProofSource(
  statements: Statements,
  suite: Suite,
  log: { readonly log: number; readonly identity: LogIdentity },
): ProofSource {
  const reader = new BatchReader(statements, log.log);
  return {
    identity: log.identity,
    leaf: (seq) => reader.leaf(seq),
    closes: (channel, fromMs, toMs) => boundedCloses(statements, { log: log.log, channel, fromMs, toMs }),
    checkpointOver: (seq) => {
      const row = statements.get<StoredCheckpoint>("checkpoint-over", [log.log, seq + 1]);
      return row && { bytes: plain(row.bytes), receipts: [plain(row.receipt)] };
    },
    checkpointAt: (size) => {
      const row = statements.get<StoredCheckpoint>("checkpoint-at", [log.log, size]);
      return row && { bytes: plain(row.bytes), receipts: [plain(row.receipt)] };
    },
    anchorBelow: (seq) => {
      const row = statements.get<{ seq: number; receipt: Uint8Array }>("anchor-below", [log.log, seq]);
      return row && { seq: row.seq, receipt: plain(row.receipt) };
    },
    tree: () => treeOf(statements, suite, log.log),
  };
}

/** The tree over a stored log. */
export function treeOf(statements: Statements, suite: Suite, log: number): NodeSource {
  const reader = new BatchReader(statements, log);
  return new SubtreeSource(suite, {
    size: () => statements.get<{ size: number }>("size", [log])?.size ?? 0,
    stored: (place) => statements.get<{ hash: Uint8Array }>("subtree", [log, place])?.hash,
    leafHashes: (from, to) => reader.range(from, to).map((leaf) => leafHash(suite, leaf)),
  });
}

/** A page of the closes of one channel of one log within a span, by seq. */
export function closesOf(statements: Statements, query: CloseQuery): IntervalClose[] {
  return closesNamed(statements, "closes", query);
}

function boundedCloses(
  statements: Statements,
  span: Omit<CloseQuery, "afterSeq" | "limit">,
): IntervalClose[] {
  const closes = closesNamed(statements, "closes-of-span", { ...span, limit: MAX_PROOF_CLOSES + 1 });
  if (closes.length <= MAX_PROOF_CLOSES) return closes;
  throw new Problem("proof-span", "too many closes for one proof", {
    expected: `at most ${MAX_PROOF_CLOSES}`,
    hint: "ask for a shorter span",
  });
}

/** The whole of a span is looked up by time, a page by seq: a log holds many more marks than closes of a channel. */
function closesNamed(
  statements: Statements,
  name: "closes" | "closes-of-span",
  query: Omit<CloseQuery, "afterSeq"> & { readonly afterSeq?: number },
): IntervalClose[] {
  const reader = new BatchReader(statements, query.log);
  const rows = statements.all<{ seq: number }>(name, { ...query, kind: LEAF_KINDS.intervalClose });
  return rows.flatMap(({ seq }) => {
    const leaf = decodeLeaf(reader.leaf(seq));
    return leaf.kind === "intervalClose" ? [leaf] : [];
  });
}

/** SQLite hands out Buffers; everything outside this folder sees plain byte arrays. */
export function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
