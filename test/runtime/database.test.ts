import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase, openDatabaseForReading, type SqliteDatabase } from "../../runtime/database.ts";
import { lockDatabase } from "../../runtime/database-lock.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** What SQLite reports for `PRAGMA synchronous` at FULL. */
const FULL = 2;
const MIGRATIONS = ["CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)", "ALTER TABLE t ADD COLUMN c"];

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kw-database-"));
  path = join(folder, "a.sqlite");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function open(migrations: readonly string[] = MIGRATIONS, maxBytes = 1_048_576): SqliteDatabase {
  return openDatabase({ path, migrations, maxBytes });
}

function pragma(database: SqliteDatabase, name: string): unknown {
  return database.pragma(name, { simple: true });
}

function coded(code: string): unknown {
  return expect.objectContaining({ code });
}

describe("openDatabase", () => {
  it("has synchronous=FULL on every connection, new or not, in WAL mode", () => {
    const first = open();
    const second = open();
    const third = open();
    for (const database of [first, second, third]) {
      expect(pragma(database, "synchronous")).toBe(FULL);
      expect(pragma(database, "journal_mode")).toBe("wal");
      expect(pragma(database, "auto_vacuum")).toBe(FULL);
      expect(pragma(database, "foreign_keys")).toBe(1);
      expect(pragma(database, "max_page_count")).toBe(256);
    }
    for (const database of [first, second, third]) database.close();
  });

  it("is its owner's alone where it is new, with what stands beside it, and keeps the rights it has", () => {
    const modeOf = (name: string): number => statSync(name).mode & 0o777;
    const database = open();
    database.exec("INSERT INTO t (a) VALUES (1)");
    expect([modeOf(path), modeOf(`${path}-wal`)]).toEqual([0o600, 0o600]);
    database.close();
    chmodSync(path, 0o640);
    open().close();
    expect(modeOf(path)).toBe(0o640);
  });

  it("is the only way to a database: nothing else in the house opens one to write", () => {
    const rooms = ["agent", "network", "runtime", "bin", "drivers", "firmware-bridge"];
    const files = rooms.flatMap((room) =>
      readdirSync(join(ROOT, room), { recursive: true, encoding: "utf8" }).map((name) => `${room}/${name}`),
    );
    const sources = files.filter((name) => name.endsWith(".ts"));
    expect(sources.length).toBeGreaterThan(50);
    const opening = sources.filter((name) => /new Database\(/.test(readFileSync(join(ROOT, name), "utf8")));
    // The lock's own file never holds a byte.
    expect(opening).toEqual(["runtime/database-lock.ts", "runtime/database.ts"]);
  });

  it("brings an older schema up to date once, and refuses a newer one", () => {
    const first = open(MIGRATIONS.slice(0, 1));
    first.exec("INSERT INTO t (a) VALUES (1)");
    first.close();
    const second = open();
    expect(pragma(second, "user_version")).toBe(2);
    expect(second.prepare("SELECT a, c FROM t").all()).toEqual([{ a: 1, c: null }]);
    second.close();
    open().close();
    expect(() => open(MIGRATIONS.slice(0, 1))).toThrow(coded("database-newer"));
  });

  it("leaves a migration that fails undone", () => {
    expect(() => open([...MIGRATIONS, "CREATE TABLE u (a); CREATE TABLE u (a)"])).toThrow(
      coded("database-open"),
    );
    const database = open();
    expect(pragma(database, "user_version")).toBe(2);
    expect(database.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'u'").get()).toEqual({
      n: 0,
    });
    database.close();
  });

  it("keeps the file below its cap and goes on when there is room again", () => {
    const database = open(MIGRATIONS, 40 * 4096);
    const fill = database.prepare("INSERT INTO t (b) VALUES (zeroblob(20000))");
    expect(() => {
      for (let i = 0; i < 100; i++) fill.run();
    }).toThrow(coded("SQLITE_FULL"));
    database.exec("DELETE FROM t");
    fill.run();
    database.close();
  });

  it("tells a file that is no database, and one that is damaged, from one that cannot be opened", () => {
    writeFileSync(path, "this is no database ".repeat(500));
    expect(() => open()).toThrow(coded("database-damaged"));
    expect(() => openDatabaseForReading(path)).toThrow(coded("database-damaged"));
    rmSync(path);
    const database = open();
    database.exec(
      "CREATE INDEX i ON t (b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 999)\
      INSERT INTO t SELECT i, randomblob(99), 0 FROM n",
    );
    database.close();
    const bytes = readFileSync(path);
    bytes.fill(0x5a, 4096 * 4, 4096 * 8);
    writeFileSync(path, bytes);
    expect(() => open()).toThrow(coded("database-damaged"));
    path = join(folder, "no", "such", "folder");
    expect(() => open()).toThrow(coded("database-open"));
    expect(() => openDatabaseForReading(path)).toThrow(coded("database-open"));
  });

  it("never makes a database for a reader", () => {
    expect(() => openDatabaseForReading(path)).toThrow(coded("database-open"));
    expect(readdirSync(folder)).toEqual([]);
    writeFileSync(path, "");
    expect(() => openDatabaseForReading(path)).toThrow("nothing has been written yet");
  });
});

describe("lockDatabase", () => {
  it("is held by one at a time, and free again when released", () => {
    const lock = lockDatabase(path);
    expect(() => lockDatabase(path)).toThrow(coded("database-locked"));
    lock.release();
    lockDatabase(path).release();
  });

  it("keeps nobody from reading or writing the database itself", () => {
    const lock = lockDatabase(path);
    open().close();
    openDatabaseForReading(path).close();
    lock.release();
  });

  it("ends with the process that holds it, however that ends", async () => {
    const script = `import { lockDatabase } from "./runtime/database-lock.ts";
      lockDatabase(${JSON.stringify(path)}); console.log("held"); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await once(child.stdout, "data");
      expect(() => lockDatabase(path)).toThrow(coded("database-locked"));
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    lockDatabase(path).release();
  });

  it("says what is wrong with the folder", () => {
    expect(() => lockDatabase(join(folder, "no", "a.sqlite"))).toThrow(coded("database-open"));
  });
});
