import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import type { LogIdentity } from "../../attest/identity.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { LogRules, restoreRules } from "../../attest/log-rules.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { leafHash } from "../../attest/tree.ts";
import { Journal, SUBTREE_LEAVES } from "./journal.ts";

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
 * is renamed, never deleted, and the next epoch begins in a new one. Throws `database-…` for anything else.
 */
export function openLog(location: LogLocation): OpenedLog {
  const { journal, damaged } = openJournal(location);
  const remembered = readEpoch(location.path);
  const held = Number(journal.note("epoch") ?? 0);
  const fresh = held === 0;
  const epoch = fresh ? remembered + 1 : held;
  if (fresh) startEpoch(journal, location.path, epoch);
  const identity = { network: location.network, deviceKey: location.deviceKey, epoch };
  const rules = replay(journal, identity);
  const reason =
    damaged === undefined
      ? "the journal of the epoch before is lost"
      : "the journal was damaged and set aside";
  return {
    journal,
    identity,
    rules,
    openBlock: openBlock(journal, identity.epoch, rules.size),
    ...(rules.size === 0 && epoch > 1 ? { reason } : {}),
    ...(damaged === undefined ? {} : { damaged }),
  };
}

/** Opens the journal to read its newest epoch while the agent may be running; changes nothing. */
export function openLogForReading(
  location: Omit<LogLocation, "nowMs">,
): Pick<OpenedLog, "journal" | "identity" | "rules"> {
  const journal = new Journal(location.path, "reader");
  const epoch = Number(journal.note("epoch") ?? 1);
  const identity = { network: location.network, deviceKey: location.deviceKey, epoch };
  return { journal, identity, rules: replay(journal, identity) };
}

/** Begins epoch `epoch` in a journal that holds earlier ones: durable in the file beside it before it is used. */
export function startEpoch(journal: Journal, path: string, epoch: number): void {
  writeEpoch(path, epoch);
  journal.commit({ epoch, leaves: [], subtrees: [], notes: { epoch: String(epoch), rules: "" } });
}

function openJournal(location: LogLocation): {
  journal: Journal;
  damaged?: { problem: Problem; movedTo: string };
} {
  try {
    return { journal: new Journal(location.path) };
  } catch (cause) {
    if (!(cause instanceof Problem) || cause.code !== "database-damaged") throw cause;
    const movedTo = `${location.path}.damaged-${location.nowMs}`;
    renameSync(location.path, movedTo);
    // The write-ahead log belongs to the file that was set aside and would damage the new one.
    for (const suffix of ["-wal", "-shm"]) moveIfThere(location.path + suffix, movedTo + suffix);
    return { journal: new Journal(location.path), damaged: { problem: cause, movedTo } };
  }
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ENOENT")) throw cause;
  }
}

function replay(journal: Journal, identity: LogIdentity): LogRules {
  const saved = journal.note("rules") ?? "";
  const rules =
    saved === "" ? new LogRules(nativeSuite, identity) : restoreRules(nativeSuite, identity, saved);
  const size = journal.size(identity.epoch);
  for (let from = rules.size; from < size; from = rules.size) {
    for (const bytes of journal.leaves(identity.epoch, from, from + SUBTREE_LEAVES))
      rules.apply(decodeLeaf(bytes), bytes);
  }
  return rules;
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
  const temporary = `${epochFile(path)}.new`;
  rmSync(temporary, { force: true });
  const file = openSync(temporary, "wx", 0o600);
  try {
    writeSync(file, `${epoch}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, epochFile(path));
}

function epochFile(path: string): string {
  return `${path}.epoch`;
}
