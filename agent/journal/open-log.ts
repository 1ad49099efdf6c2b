import { readFileSync, renameSync } from "node:fs";
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
import { replaceDurably } from "../../runtime/files.ts";
import { Journal, SUBTREE_LEAVES } from "./journal.ts";
import { journalTree } from "./proof-source.ts";

/** The journal of a device, ready to be appended to. */
export interface OpenedLog {
  readonly journal: Journal;
  readonly identity: LogIdentity;
  /** Rules as of the last durable leaf; of size 0 when the log has still to be opened. */
  readonly rules: LogRules;
  readonly openBlock: readonly Uint8Array[];
  /** Why this epoch exists, when it is not the device's first and has still to be opened. */
  readonly reason?: string;
  /** What happened to a damaged database: where it was set aside. */
  readonly damaged?: { readonly problem: Problem; readonly movedTo: string };
}

export interface LogLocation {
  readonly path: string;
  readonly network: string;
  readonly deviceKey: Uint8Array;
  /** Names a damaged file that is set aside. */
  readonly nowMs: number;
}

/**
 * Opens the journal at `path` with the newest epoch that it or the epoch file beside it knows. A damaged database
 * is renamed, never deleted, and the next epoch begins in a new one. Throws `journal-foreign` for the journal of
 * another device or network, and `database-…` or `epoch-file` for anything else.
 */
export function openLog(location: LogLocation): OpenedLog {
  try {
    return openWhole(location, "the journal of the epoch before is lost");
  } catch (cause) {
    if (!(cause instanceof Problem && DAMAGE.has(cause.code))) throw cause;
    const movedTo = setAside(location);
    const log = openWhole(location, "the journal was damaged and set aside");
    return { ...log, damaged: { problem: cause, movedTo } };
  }
}

/** Opens the journal to read its newest epoch while the agent may be running; changes nothing. */
export function openLogForReading(
  location: Omit<LogLocation, "nowMs">,
): Pick<OpenedLog, "journal" | "identity" | "rules"> {
  const journal = new Journal(location.path, "reader");
  const read = (): Pick<OpenedLog, "journal" | "identity" | "rules"> => {
    const epoch = Number(journal.note("epoch") ?? 1);
    const identity = { network: location.network, deviceKey: location.deviceKey, epoch };
    return { journal, identity, rules: replay(journal, identity) };
  };
  return orClose(journal, () => journal.atOnce(read));
}

/** Begins epoch `epoch` in a journal that holds earlier ones: durable in the file beside it before it is used. */
export function startEpoch(journal: Journal, path: string, epoch: number): void {
  writeEpoch(path, epoch);
  journal.commit({ epoch, leaves: [], subtrees: [], notes: { epoch: String(epoch), rules: "" } });
}

const DAMAGE: ReadonlySet<string> = new Set(["database-damaged", "journal-damaged"]);

function openWhole(location: LogLocation, whyLost: string): OpenedLog {
  const journal = new Journal(location.path);
  return orClose(journal, () => {
    const { epoch, reason } = chooseEpoch(journal, location.path, whyLost);
    const identity = { network: location.network, deviceKey: location.deviceKey, epoch };
    const rules = replay(journal, identity);
    return {
      journal,
      identity,
      rules,
      openBlock: openBlock(journal, epoch, rules.size),
      ...(rules.size === 0 && epoch > 1 ? { reason } : {}),
    };
  });
}

/**
 * The epoch file is written before its epoch is used. When it is ahead, the journal has missed an epoch: it was put
 * back from a copy, and what it calls its newest epoch must not be signed any more.
 */
function chooseEpoch(journal: Journal, path: string, whyLost: string): { epoch: number; reason: string } {
  const remembered = readEpoch(path);
  const held = Number(journal.note("epoch") ?? 0);
  if (held > 0 && held >= remembered) {
    if (held > remembered) writeEpoch(path, held);
    return { epoch: held, reason: whyLost };
  }
  startEpoch(journal, path, remembered + 1);
  return { epoch: remembered + 1, reason: held === 0 ? whyLost : "the journal is older than its epoch file" };
}

function setAside({ path, nowMs }: LogLocation): string {
  const movedTo = `${path}.damaged-${nowMs}`;
  renameSync(path, movedTo);
  // The write-ahead log belongs to the file that was set aside and would damage the new one.
  for (const suffix of ["-wal", "-shm"]) moveIfThere(path + suffix, movedTo + suffix);
  return movedTo;
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ENOENT")) throw cause;
  }
}

function orClose<T>(journal: Journal, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    journal.close();
    throw cause;
  }
}

/** Rules as of the last leaf: from the saved state and what came after it, or from all leaves if that fails. */
function replay(journal: Journal, identity: LogIdentity): LogRules {
  requireOwn(journal, identity);
  const saved = restored(journal, identity);
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
function restored(journal: Journal, identity: LogIdentity): LogRules | undefined {
  const saved = journal.note("rules") ?? "";
  if (saved === "") return undefined;
  try {
    return restoreRules(nativeSuite, identity, saved);
  } catch {
    // The leaves have it all.
    return undefined;
  }
}

function replayAll(journal: Journal, identity: LogIdentity): LogRules {
  const rules = new LogRules(nativeSuite, identity);
  try {
    return replayOnto(rules, journal);
  } catch (cause) {
    throw damagedAt(`${journal.path}, leaf ${rules.size}`, cause);
  }
}

function replayOnto(rules: LogRules, journal: Journal): LogRules {
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
function requireRoots(rules: LogRules, journal: Journal): void {
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

/** A log is of one key and one network; going on in it as somebody else would make every proof of it worthless. */
function requireOwn(journal: Journal, { network, deviceKey, epoch }: LogIdentity): void {
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

function openBlock(journal: Journal, epoch: number, size: number): Uint8Array[] {
  const from = size - (size % SUBTREE_LEAVES);
  return journal.leaves(epoch, from, size).map((bytes) => leafHash(nativeSuite, bytes));
}

/**
 * The epoch file outlives the database: a device whose journal is lost must not begin an epoch a second time,
 * which would look like a fork.
 */
function readEpoch(path: string): number {
  try {
    const text = readFileSync(epochFile(path), "utf8").trim();
    if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
    throw new Problem("epoch-file", "epoch file is unreadable", {
      where: epochFile(path),
      expected: "a number",
      got: JSON.stringify(text.slice(0, 20)),
      hint: "write the number of the device's last epoch into it; any node that knows the device shows it",
    });
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return 0;
    throw cause;
  }
}

function writeEpoch(path: string, epoch: number): void {
  replaceDurably(epochFile(path), `${epoch}\n`);
}

function epochFile(path: string): string {
  return `${path}.epoch`;
}
