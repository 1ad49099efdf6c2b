import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { fsckCommand } from "../../bin/fsck/command.ts";
import { runFsck } from "../../bin/fsck/run.ts";
import { Home, nodeSigner } from "./epochs-kit.ts";
import { ALL, type Cells, dump, FIRST, flipped, otherNode, Victim, writtenJournal } from "./fsck-kit.ts";
import { deviceSigner, meterSource, NETWORK, temporaryFolder } from "./kit.ts";

const PAGE_BYTES = 4096;
let victim: Victim;

beforeAll(async () => {
  const { folder, remove } = temporaryFolder();
  victim = new Victim(await writtenJournal(folder));
  remove();
});
afterAll(() => victim.remove());

function countOf(path: string, table: string): number {
  const database = new Database(path, { readonly: true });
  const count = database.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
  database.close();
  return Number(count);
}

describe("fsck of a journal that an agent wrote", () => {
  it("finds nothing wrong, and says how much it has looked at", () => {
    const { path } = victim.heal();
    const counts = Object.fromEntries(
      ["leaf", "checkpoint", "receipt"].map((table) => [table, countOf(path, table)]),
    );
    const nodeKeys = [nodeSigner.publicKey, otherNode.publicKey];
    const deviceKeys = [deviceSigner.publicKey];
    expect(victim.check({ most: 100, deviceKeys, nodeKeys, network: NETWORK })).toMatchObject({
      ...{ kind: "journal", findings: [], inUse: false, bytes: readFileSync(path).length },
      counts: {
        ...{ epochs: 2, leaves: counts["leaf"], released: 0 },
        ...{ checkpoints: counts["checkpoint"], receipts: counts["receipt"] },
      },
    });
    expect(counts["leaf"]).toBeGreaterThan(400);
  });

  it("holds it against the keys that are trusted", () => {
    victim.heal();
    const stranger = new Uint8Array(32).fill(1);
    expect(victim.first({ ...FIRST, deviceKeys: [stranger] })?.[0]).toBe("fsck-device");
    expect(victim.first({ ...FIRST, nodeKeys: [nodeSigner.publicKey] })?.[0]).toBe("fsck-node");
    expect(victim.first({ ...FIRST, network: "elsewhere" })?.[0]).toBe("fsck-network");
  });

  it("finds nothing wrong in whatever else an agent writes", async () => {
    const actions = [
      "read",
      "read",
      "read",
      "sign",
      "witness",
      "state",
      "restart",
      "clock",
      "meter",
      "epoch",
    ] as const;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...actions), { maxLength: 14 }), async (list) => {
        const { folder, remove } = temporaryFolder();
        const home = new Home(folder).read(1);
        for (const [i, action] of list.entries()) await play(home, action, i);
        home.close();
        expect(runFsck(home.journal, ALL).findings).toEqual([]);
        remove();
      }),
      { numRuns: 25 },
    );
  });

  async function play(home: Home, action: string, i: number): Promise<void> {
    if (action === "read") home.read(7 * (i + 3));
    // Two checkpoints of one size cannot be.
    else if (action === "sign") await home.read(1).sign();
    else if (action === "witness") await home.read(1).witness();
    else if (action === "state") home.stateFlexibility(1000 * i);
    else if (action === "epoch") home.nextEpoch().read(1);
    else if (action === "meter") home.meter = meterSource(`M${i}`);
    else {
      home.close();
      if (action === "clock") home.time.wall -= 90_000;
      home.open();
    }
  }

  it("finds nothing wrong in one that has only been opened", () => {
    const { folder, remove } = temporaryFolder();
    const home = new Home(folder);
    home.bench.log.journal.close();
    expect(runFsck(home.journal, ALL)).toMatchObject({ findings: [], counts: { epochs: 0, leaves: 0 } });
    remove();
  });

  it("looks at it beside its owner, who writes on meanwhile", async () => {
    const { folder, remove } = temporaryFolder();
    const home = new Home(folder);
    await home.read(2000).witness();
    home.bench.sealer.commit();
    const size = home.bench.sealer.durableSize;
    let stretches = 0;
    const looked = (): void => {
      stretches += 1;
      home.read(30).stateFlexibility(stretches).bench.sealer.commit({ snapshot: true });
    };
    const result = runFsck(home.journal, { ...ALL, looked });
    expect(result).toMatchObject({ findings: [], inUse: true, counts: { leaves: size } });
    expect(stretches).toBeGreaterThan(2);
    expect(home.bench.sealer.durableSize).toBeGreaterThan(size + 60);
    home.close();
    remove();
  });

  it("reads what a power cut left in the write-ahead log", async () => {
    const { folder, remove } = temporaryFolder();
    const home = new Home(folder);
    await home.read(60).witness();
    home.bench.sealer.commit();
    const cut = join(folder, "cut");
    mkdirSync(cut);
    for (const suffix of ["", "-wal", ".epoch"])
      cpSync(home.journal + suffix, join(cut, `journal.sqlite${suffix}`));
    home.close();
    const path = join(cut, "journal.sqlite");
    const before = [readFileSync(path), readFileSync(`${path}-wal`)];
    const leaves = home.bench.sealer.durableSize;
    expect(runFsck(path, ALL)).toMatchObject({ findings: [], inUse: false, counts: { leaves } });
    expect([readFileSync(path), readFileSync(`${path}-wal`)]).toEqual(before);
    remove();
  });

  it("holds the epoch file against it, where there is one", () => {
    const epochFile = `${victim.heal().path}.epoch`;
    for (const text of ["1\n", "3\n", "two\n", ""]) {
      writeFileSync(epochFile, text);
      expect(victim.first()).toEqual(["fsck-epoch-file", epochFile]);
    }
    expect(victim.heal().first()).toBeUndefined();
  });
});

describe("fsck of a file that is damaged as a file", () => {
  /** What no signature and no other row speaks of; and leaves of an epoch that ended before they were signed. */
  function seen(table: string, row: Cells): Cells {
    if (table === "note" && String(row["name"]).startsWith("boot")) return { name: row["name"] ?? null };
    return table === "leaf" && row["epoch"] === 1 && Number(row["seq"]) >= 346
      ? { seq: row["seq"] ?? null }
      : row;
  }

  /** Either something is named, or every row is what it was. */
  function expectSeen(what: string, whole: string): void {
    const [finding] = victim.check(FIRST).findings;
    if (finding === undefined) expect([what, dump(victim.path, seen) === whole]).toEqual([what, true]);
  }

  it("names a page of zeros, and one that another was written over", () => {
    const whole = dump(victim.heal().path, seen);
    const { bytes } = victim;
    for (let at = 0; at < bytes.length; at += PAGE_BYTES) {
      expectSeen(`zeros at ${at}`, writeThen(Buffer.from(bytes).fill(0, at, at + PAGE_BYTES), whole));
      const next = (at + PAGE_BYTES) % bytes.length;
      const copied = Buffer.from(bytes);
      bytes.copy(copied, at, next, next + PAGE_BYTES);
      expectSeen(`page ${next} at ${at}`, writeThen(copied, whole));
    }
  });

  function writeThen(bytes: Buffer, whole: string): string {
    victim.write(bytes);
    return whole;
  }

  it("names a file that was cut off, wherever", () => {
    const { bytes } = victim;
    for (const length of [1, 15, 16, 99, 100, PAGE_BYTES - 1, PAGE_BYTES, 9 * PAGE_BYTES, bytes.length - 1])
      expect([length, victim.write(bytes.subarray(0, length)).first()]).not.toEqual([length, undefined]);
  });

  it("names every changed bit that changes a row", () => {
    const whole = dump(victim.heal().path, seen);
    const { bytes } = victim;
    const place = fc.oneof(
      { weight: 1, arbitrary: fc.nat(120) },
      { weight: 9, arbitrary: fc.nat(bytes.length - 1) },
    );
    let named = 0;
    fc.assert(
      fc.property(place, fc.nat(7), (at, bit) => {
        victim.write(flipped(bytes, at, bit));
        const [finding] = victim.check(FIRST).findings;
        if (finding === undefined) expect(dump(victim.path, seen)).toBe(whole);
        else named += 1;
      }),
      { numRuns: 60 },
    );
    expect(named).toBeGreaterThan(10);
  });

  it.each<readonly [string, string, string, RegExp]>([
    ["a table of somebody else", "CREATE TABLE extra (a)", "fsck-schema", /table extra/],
    ["a trigger", "CREATE TRIGGER t AFTER INSERT ON leaf BEGIN SELECT 1; END", "fsck-schema", /trigger t/],
    ["an index that is gone", "DROP INDEX mark_by_kind", "fsck-schema", /index mark_by_kind/],
    ["a column that was added", "ALTER TABLE note ADD COLUMN more", "fsck-schema", /table note/],
    ["an older schema", "PRAGMA user_version = 1", "fsck-older", /start this version's agent on it once/],
    ["a newer schema", "PRAGMA user_version = 99", "fsck-newer", /got schema 99/],
    ["another vacuum", "PRAGMA auto_vacuum = NONE; VACUUM", "database-pragma", /auto_vacuum/],
    ["no table at all", "DROP TABLE note; DROP TABLE leaf", "fsck-schema", /table/],
  ])("names %s", (_name, sql, code, text) => {
    const pragma = sql.includes("VACUUM") ? "PRAGMA journal_mode = DELETE; " : "";
    victim.heal().open((database) => database.exec(pragma + sql));
    const [finding] = victim.check(FIRST).findings;
    expect([finding?.code, finding?.message]).toEqual([code, expect.stringMatching(text)]);
  });

  it("says in one line what is no journal", () => {
    const { folder, remove } = temporaryFolder();
    const other = join(folder, "other.sqlite");
    const database = new Database(other);
    database.exec("CREATE TABLE x (a); PRAGMA user_version = 2");
    database.close();
    const text = join(folder, "agent.yaml");
    writeFileSync(text, "network: test\n".repeat(300));
    const empty = join(folder, "empty");
    writeFileSync(empty, "");
    for (const [path, code] of [
      [other, "fsck-kind"],
      [text, "fsck-file"],
      [empty, "fsck-file"],
      [folder, "fsck-file"],
      [join(folder, "nothing"), "fsck-file"],
    ] as const) {
      const { findings, ...rest } = runFsck(path, ALL);
      expect([path, findings.map((finding) => finding.code)]).toEqual([path, [code]]);
      expect(findings[0]?.message).toContain(path);
      expect(rest).not.toHaveProperty("kind");
    }
    expect(existsSync(join(folder, "nothing"))).toBe(false);
    remove();
  });
});

describe("kilowitness fsck", () => {
  afterEach(() => {
    vi.restoreAllMocks();
    process.exitCode = 0;
  });

  async function run(...args: readonly string[]): Promise<{ code: unknown; stdout: string }> {
    let stdout = "";
    vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
      stdout += String(chunk);
      return true;
    });
    await fsckCommand().exitOverride().parseAsync(args, { from: "user" });
    return { code: process.exitCode, stdout };
  }

  it("prints one summary and ends with 0 where all is well", async () => {
    const { path } = victim.heal();
    const { code, stdout } = await run(path, "--trust", `device:${toHex(deviceSigner.publicKey)}`);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^CONSISTENT: \S+: journal, epochs 2, leaves \d+, checkpoints 5, receipts 4, bytes [\d,]+, \d+\.\d s\n$/,
    );
  });

  it("names the first inconsistency, and with --all up to 100", async () => {
    victim.damage("UPDATE mark SET t0_ms = t0_ms + 1 WHERE kind = 'intervalClose'");
    const first = await run(victim.path);
    expect(first.code).toBe(1);
    expect(first.stdout).toMatch(
      /^NOT CONSISTENT: journal: \S+\n {2}table mark, epoch 1, seq \d+: .*\(fsck-index\)\n$/,
    );
    const all = await run(victim.path, "--all");
    expect(all.stdout.split("\n")).toHaveLength(victim.rows("mark WHERE kind = 'intervalClose'").length + 3);
    victim.damage("DELETE FROM mark", "INSERT INTO note SELECT 'x' || seq, '' FROM leaf WHERE epoch = 1");
    const json = JSON.parse((await run(victim.path, "--all", "--json")).stdout);
    expect(json.findings).toHaveLength(100);
  });

  it("prints what it found as one JSON object", async () => {
    victim.damage("UPDATE leaf SET bytes = flip(bytes, 3) WHERE epoch = 1 AND seq = 203");
    const { code, stdout } = await run(victim.path, "--json");
    expect([code, JSON.parse(stdout)]).toMatchObject([
      1,
      {
        ...{ file: victim.path, kind: "journal", consistent: false, inUse: false },
        findings: [
          {
            ...{ code: "seq", where: "table leaf, epoch 1, seq 203", expected: "seq 203", got: "202" },
            ...{ hint: expect.stringContaining("keep the file"), message: expect.any(String) },
          },
        ],
      },
    ]);
    expect(JSON.parse((await run(victim.heal().path, "--json")).stdout)).toMatchObject({
      ...{ consistent: true, findings: [], epochs: 2, checkpoints: 5, receipts: 4 },
    });
  });

  it("refuses a key that is none", async () => {
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    for (const key of ["x", "node:00", `registrar:${"0".repeat(64)}`])
      await expect(run(victim.path, "--trust", key)).rejects.toThrow("expected device:KEY or node:KEY");
  });
});
