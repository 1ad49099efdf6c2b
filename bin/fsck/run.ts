import Database from "better-sqlite3";
import { checkJournal } from "../../agent/journal/fsck.ts";
import { Problem } from "../../attest/problem.ts";
import { checkStore } from "../../network/store/fsck.ts";
import { checkDatabase, type FileKind, type OpenedFile, openFile } from "./database.ts";

/** How a file is checked. */
export interface FsckOptions {
  readonly deviceKeys: readonly Uint8Array[];
  readonly nodeKeys: readonly Uint8Array[];
  readonly network?: string;
  /** How many findings are wanted; the check ends with the last of them. */
  readonly most: number;
  /** Told now and then how many leaves have been looked at, and of how many. */
  readonly looked?: (leaves: number, of: number) => void;
}

/** What a check found. */
export interface FsckResult {
  readonly file: string;
  /** Absent where the file could not be opened as either. */
  readonly kind?: FileKind;
  readonly bytes?: number;
  readonly inUse?: boolean;
  readonly findings: readonly Problem[];
  /** What was looked at; absent where the check ended before the end of the file. */
  readonly counts?: Readonly<Record<string, number>>;
  readonly seconds: number;
}

/** Checks a journal or a store, whichever the file is, without changing it. Throws nothing but programming errors. */
export function runFsck(path: string, options: FsckOptions): FsckResult {
  const began = performance.now();
  const findings: Problem[] = [];
  const seconds = (): number => Math.round(performance.now() - began) / 1000;
  let opened: OpenedFile | undefined;
  let counts: FsckResult["counts"];
  try {
    opened = openFile(path);
    counts = collect(checksOf(opened, path, options), findings, options.most);
  } catch (cause) {
    findings.push(unreadable(path, cause));
  } finally {
    opened?.database.close();
  }
  const { kind, bytes, inUse } = opened ?? {};
  const facts = kind === undefined ? {} : { kind, bytes: bytes ?? 0, inUse: inUse ?? false };
  return { file: path, ...facts, findings, ...(counts === undefined ? {} : { counts }), seconds: seconds() };
}

type Checks = Generator<Problem, Readonly<Record<string, number>>, undefined>;

function* checksOf(opened: OpenedFile, path: string, options: FsckOptions): Checks {
  const { database, kind } = opened;
  yield* checkDatabase(opened);
  const { deviceKeys, nodeKeys, network, looked = (): void => undefined } = options;
  const trust = { deviceKeys, nodeKeys, ...(network === undefined ? {} : { network }) };
  const counts =
    kind === "journal"
      ? yield* checkJournal({ database, path, trust, looked })
      : yield* checkStore({ database, trust, looked });
  return { ...counts };
}

/** What the check returns at its end; undefined where it was ended before. */
function collect(checks: Checks, findings: Problem[], most: number): FsckResult["counts"] {
  for (;;) {
    const step = checks.next();
    if (step.done === true) return step.value;
    findings.push(step.value);
    if (findings.length < most) continue;
    checks.return({});
    return undefined;
  }
}

/** A file that SQLite cannot read on is damaged; nothing behind that place is looked at. */
function unreadable(path: string, cause: unknown): Problem {
  if (cause instanceof Problem) return cause;
  if (!(cause instanceof Database.SqliteError)) throw cause;
  return new Problem("database-damaged", "SQLite cannot read the file on", {
    where: path,
    expected: "a SQLite file that passes its own check",
    got: `${cause.message} (${cause.code})`,
    hint: "keep the file: sqlite3's .recover reads much of it back; replace the card if it happens again",
    cause,
  });
}
