import { copyFileSync, existsSync } from "node:fs";
import { toHex } from "../../attest/bytes.ts";
import { logIdOf } from "../../attest/identity.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { openDatabaseForReading } from "../../runtime/database.ts";
import { checkJournal } from "../journal/fsck.ts";
import { Journal } from "../journal/journal.ts";

/** Whose journal it is. */
export interface JournalOwner {
  readonly network: string;
  readonly deviceKey: Uint8Array;
}

/** How far a journal goes. */
export interface JournalReach {
  readonly epoch: number;
  readonly logId: string;
  readonly size: number;
  readonly signedSize: number;
}

const PAGES_AT_ONCE = 256;

/**
 * Copies a journal as it stands at one instant, with its epoch file, while its owner goes on writing. A reader holds up
 * nobody; the write-ahead log grows meanwhile by what is written. Throws `database-…` and what SQLite throws.
 */
export async function copyJournal(from: string, to: string): Promise<void> {
  const database = openDatabaseForReading(from);
  try {
    // One read transaction around the copy: without it, each write of the owner would begin the copy anew.
    database.exec("BEGIN");
    database.pragma("schema_version");
    await database.backup(to, { progress: () => PAGES_AT_ONCE });
    database.exec("COMMIT");
  } finally {
    database.close();
  }
  if (existsSync(`${from}.epoch`)) copyFileSync(`${from}.epoch`, `${to}.epoch`);
}

/** How far the newest log of a journal goes. */
export function reachOf(path: string, owner: JournalOwner): JournalReach {
  const journal = new Journal(path, "reader");
  try {
    const epoch = Number(journal.note("epoch") ?? 1);
    return {
      epoch,
      logId: toHex(logIdOf(nativeSuite, { ...owner, epoch })),
      size: journal.size(epoch),
      signedSize: journal.lastCheckpoint(epoch)?.size ?? 0,
    };
  } finally {
    journal.close();
  }
}

/**
 * Checks a journal that nobody writes from end to end, as `kilowitness fsck` does, and throws the first thing that does not
 * fit. Returns how many leaves there are.
 */
export function requireConsistent(path: string, { network, deviceKey }: JournalOwner): number {
  const database = openDatabaseForReading(path);
  try {
    const verdict = database.pragma("integrity_check(1)", { simple: true });
    if (verdict !== "ok")
      throw new Problem("database-damaged", "SQLite's own check fails", {
        where: path,
        got: String(verdict),
      });
    const trust = { deviceKeys: [deviceKey], nodeKeys: [], network };
    const findings = checkJournal({ database, path, trust, looked: () => undefined });
    const first = findings.next();
    if (first.done !== true) throw first.value;
    return first.value.leaves;
  } finally {
    database.close();
  }
}
