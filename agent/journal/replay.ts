import { equalBytes, toHex } from "../../attest/bytes.ts";
import { openCheckpoint } from "../../attest/checkpoint.ts";
import type { LogIdentity } from "../../attest/identity.ts";
import type { LogManifest } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { LogRules, restoreRules } from "../../attest/log-rules.ts";
import { nativeSuite } from "../../attest/native.ts";
import { rangeHash } from "../../attest/node-source.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { leafHash } from "../../attest/tree.ts";
import { SUBTREE_LEAVES } from "./journal.ts";
import type { JournalReader } from "./journal-reader.ts";
import { journalTree } from "./proof-source.ts";

/**
 * Rules as of the last leaf: from the saved state and what came after it, or from all leaves if that fails. Throws
 * `journal-foreign`, `journal-damaged`, or `journal-state` where the saved state is of another version and some of the
 * leaves were released: the file is whole, and yet nobody can go on in that log.
 */
export function replay(journal: JournalReader, identity: LogIdentity): LogRules {
  requireOwn(journal, identity);
  const saved = restored(journal, identity);
  if (saved === undefined && journal.releasedTo(identity.epoch) > 0) throw stateLost(journal);
  if (saved === undefined) return replayAll(journal, identity);
  if (saved.size > journal.size(identity.epoch))
    throw damagedAt(journal.path, new Problem("journal-gap", `the leaves up to ${saved.size} are missing`));
  try {
    return replayOnto(saved, journal);
  } catch {
    // The saved state is only a shortcut: what is wrong with it, and what with the leaves, all leaves show.
    return replayAll(journal, identity);
  }
}

/** The saved state; undefined when there is none, or one of another version. */
function restored(journal: JournalReader, identity: LogIdentity): LogRules | undefined {
  const saved = journal.note("rules") ?? "";
  if (saved === "") return undefined;
  try {
    return restoreRules(nativeSuite, identity, saved);
  } catch {
    // The leaves have it all.
    return undefined;
  }
}

function stateLost({ path }: JournalReader): Problem {
  return new Problem("journal-state", "the saved state of the log is of another version", {
    where: path,
    hint: "the agent goes on in the next epoch; what was signed stays as it is",
  });
}

function replayAll(journal: JournalReader, identity: LogIdentity): LogRules {
  const rules = new LogRules(nativeSuite, identity);
  try {
    return replayOnto(rules, journal);
  } catch (cause) {
    throw damagedAt(`${journal.path}, leaf ${rules.size}`, cause);
  }
}

function replayOnto(rules: LogRules, journal: JournalReader): LogRules {
  const { epoch } = rules.identity;
  const size = journal.size(epoch);
  while (rules.size < size) {
    const leaves = journal.leaves(epoch, rules.size, rules.size + SUBTREE_LEAVES);
    if (leaves.length === 0) throw new Problem("journal-gap", "leaves are missing");
    for (const bytes of leaves) rules.apply(decodeLeaf(bytes), bytes);
  }
  requireRoots(rules, journal);
  return rules;
}

/**
 * One changed bit in a leaf is still a leaf, and going on behind it would sign a second history of the log. Stored
 * subtrees stand for their leaves here: reading them all at every start would take too long.
 */
function requireRoots(rules: LogRules, journal: JournalReader): void {
  const { epoch, deviceKey } = rules.identity;
  const tree = journalTree(journal, epoch);
  if (rules.size > 0) requireRoot(rangeHash(tree, 0, rules.size), rules.root(), "the leaves");
  const signed = journal.lastCheckpoint(epoch);
  if (signed === undefined) return;
  const { size, root } = openCheckpoint(nativeSuite, signed.bytes, { deviceKey, logId: rules.logId });
  if (size > rules.size)
    throw new Problem("journal-gap", `the leaves up to ${size}, which were signed, are missing`);
  requireRoot(rangeHash(tree, 0, size), root, `the checkpoint over ${size} leaves`);
}

function requireRoot(got: Uint8Array, expected: Uint8Array, of: string): void {
  if (equalBytes(got, expected)) return;
  throw new Problem("journal-root", `the tree does not have the root of ${of}`);
}

/**
 * A log is of one key and one network; going on in it as somebody else would make every proof of it worthless. Throws
 * `journal-foreign`, or `journal-damaged` where its first leaf cannot be read.
 */
export function requireOwn(journal: JournalReader, { network, deviceKey, epoch }: LogIdentity): void {
  const [bytes] = journal.leaves(epoch, 0, 1);
  if (bytes === undefined) return;
  const manifest = decodedManifest(bytes, journal.path);
  if (manifest.network === network && equalBytes(manifest.deviceKey, deviceKey)) return;
  throw new Problem("journal-foreign", "the journal belongs to another device or network", {
    where: journal.path,
    expected: `key ${toHex(deviceKey)}, network ${network}`,
    got: `key ${toHex(manifest.deviceKey)}, network ${manifest.network}`,
    hint: "put the right key file back, correct `network`, or name a new file as `journal`",
  });
}

function decodedManifest(bytes: Uint8Array, path: string): LogManifest {
  try {
    const leaf = decodeLeaf(bytes);
    if (leaf.kind === "logManifest") return leaf;
    throw new Problem("manifest-missing", "a log begins with its manifest", { got: leaf.kind });
  } catch (cause) {
    throw damagedAt(`${path}, leaf 0`, cause);
  }
}

function damagedAt(where: string, cause: unknown): Problem {
  return new Problem("journal-damaged", "the journal does not hold the log that it held", {
    where,
    got: describeProblem(cause).message,
    hint: "keep the file: it holds what no node has received yet; replace the card if it happens again",
    cause,
  });
}

/** Hashes of the leaves behind the last complete block. */
export function openBlock(journal: JournalReader, epoch: number, size: number): Uint8Array[] {
  const from = size - (size % SUBTREE_LEAVES);
  return journal.leaves(epoch, from, size).map((bytes) => leafHash(nativeSuite, bytes));
}
