import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openLog, openLogForReading } from "../../agent/journal/open-log.ts";
import { type Leaf, TIME_QUALITY } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSigner } from "../../attest/native.ts";
import {
  type Bench,
  deviceSigner,
  FakeTime,
  NETWORK,
  openBench,
  sealReadings,
  temporaryFolder,
} from "./kit.ts";

describe("opening the log", () => {
  let path = "";
  let remove = (): void => undefined;
  let time = new FakeTime();

  beforeEach(() => {
    const made = temporaryFolder();
    path = join(made.folder, "journal.sqlite");
    remove = made.remove;
    time = new FakeTime();
  });
  afterEach(() => remove());

  function epochFile(): string {
    return readFileSync(`${path}.epoch`, "utf8");
  }

  /** A journal with some intervals, closed again; the state that was saved is that of its middle. */
  async function written(): Promise<{ readonly size: number; readonly root: Uint8Array }> {
    const bench = openBench(path, { time });
    sealReadings(bench, 40);
    await bench.sealer.checkpoint();
    sealReadings(bench, 10);
    bench.sealer.commit();
    bench.log.journal.close();
    return { size: bench.sealer.rules.size, root: bench.sealer.rules.root() };
  }

  function change(sql: string, ...values: unknown[]): void {
    const database = new Database(path);
    expect(database.prepare(sql).run(...values).changes).toBeGreaterThan(0);
    database.close();
  }

  function count(): number {
    const database = new Database(path, { readonly: true });
    const row = database.prepare("SELECT count(*) AS leaves FROM leaf").get() as { leaves: number };
    database.close();
    return row.leaves;
  }

  function flipLeaf(seq: number): void {
    const database = new Database(path);
    const row = database.prepare("SELECT bytes FROM leaf WHERE seq = ?").get(seq) as { bytes: Buffer };
    row.bytes[12] = (row.bytes[12] ?? 0) ^ 0x55;
    database.prepare("UPDATE leaf SET bytes = ? WHERE seq = ?").run(row.bytes, seq);
    database.close();
  }

  function reopen<T>(look: (bench: Bench) => T): T {
    const bench = openBench(path, { time });
    try {
      bench.sealer.commit();
      return look(bench);
    } finally {
      bench.log.journal.close();
    }
  }

  function kinds({ log }: Bench): Leaf["kind"][] {
    return log.journal.leaves(log.identity.epoch, 0, 9).map((bytes) => decodeLeaf(bytes).kind);
  }

  it("writes the epoch file before the first leaf", () => {
    const log = openLog({ path, network: NETWORK, deviceKey: deviceSigner.publicKey, nowMs: 1 });
    expect(epochFile()).toBe("1\n");
    expect(log.rules.size).toBe(0);
    expect(log.reason).toBeUndefined();
    log.journal.close();
  });

  it("comes to the same state from the saved one as from all leaves", async () => {
    const { size, root } = await written();
    const fast = reopen(({ log }) => ({ text: log.rules.toText(), root: log.rules.root() }));
    expect(fast.root).toEqual(root);
    change("UPDATE note SET value = '' WHERE name = 'rules'");
    const slow = reopen(({ log }) => log.rules);
    expect(slow.size).toBe(size);
    // The order of keys is not the same.
    expect(JSON.parse(slow.toText())).toEqual(JSON.parse(fast.text));
  });

  it.each([
    ["of another version", (text: string) => text.replace(/"version":\d+/, '"version":99')],
    ["cut off", (text: string) => text.slice(0, 40)],
    ["of another history", (text: string) => text.replace(/"size":\d+/, '"size":3')],
  ])("does without a saved state that is %s", async (_name, damage) => {
    const { size, root } = await written();
    const database = new Database(path);
    const row = database.prepare("SELECT value FROM note WHERE name = 'rules'").get() as { value: string };
    database.close();
    expect(damage(row.value)).not.toBe(row.value);
    change("UPDATE note SET value = ? WHERE name = 'rules'", damage(row.value));
    reopen(({ log }) => {
      expect(log.damaged).toBeUndefined();
      expect(log.identity.epoch).toBe(1);
      expect(log.rules.size).toBe(size);
      expect(log.rules.root()).toEqual(root);
    });
  });

  it.each([
    [
      "a last leaf that is none",
      (size: number) => change("UPDATE leaf SET bytes = x'00' WHERE seq = ?", size - 1),
    ],
    ["its manifest changed", () => flipLeaf(0)],
    ["a signed leaf changed", () => flipLeaf(20)],
    ["a leaf missing", (size: number) => change("DELETE FROM leaf WHERE seq = ?", size - 2)],
    ["its signed end missing", () => change("DELETE FROM leaf WHERE seq > 10")],
    ["a hole in it", () => change("DELETE FROM leaf WHERE seq > 45 AND seq < (SELECT max(seq) FROM leaf)")],
  ])("sets a journal aside that has %s, and goes on in the next epoch", async (_name, damage) => {
    const { size } = await written();
    damage(size);
    const leaves = count();
    reopen((bench) => {
      const { log } = bench;
      expect(log.damaged?.problem.code).toBe("journal-damaged");
      expect(log.damaged?.problem.message).toContain(path);
      expect(log.identity.epoch).toBe(2);
      expect(kinds(bench)).toEqual(["logManifest", "epochOpen"]);
      const kept = new Database(log.damaged?.movedTo ?? "", { readonly: true });
      expect(kept.prepare("SELECT count(*) AS leaves FROM leaf").get()).toMatchObject({ leaves });
      kept.close();
    });
    expect(epochFile()).toBe("2\n");
    reopen(({ log }) => expect(log.damaged).toBeUndefined());
  });

  it("never goes on in a log of another key or network, and leaves it as it is", async () => {
    const { size } = await written();
    const others = { signer: nativeSigner(new Uint8Array(32).fill(8)) };
    const foreign = expect.objectContaining({ code: "journal-foreign" });
    expect(() => openBench(path, others)).toThrow(foreign);
    expect(() => openBench(path, { network: "other" })).toThrow(foreign);
    const deviceKey = others.signer.publicKey;
    expect(() => openLogForReading({ path, network: NETWORK, deviceKey })).toThrow(foreign);
    reopen(({ log }) => expect(log.rules.size).toBe(size));
  });

  it("writes nothing into a log of another key, although the epoch file beside it is ahead", async () => {
    const { size } = await written();
    writeFileSync(`${path}.epoch`, "4\n");
    const others = { signer: nativeSigner(new Uint8Array(32).fill(8)) };
    expect(() => openBench(path, others)).toThrow(expect.objectContaining({ code: "journal-foreign" }));
    expect(epochFile()).toBe("4\n");
    writeFileSync(`${path}.epoch`, "1\n");
    reopen(({ log }) => expect([log.identity.epoch, log.rules.size]).toEqual([1, size]));
  });

  it("does not go on in a journal that is older than its epoch file", async () => {
    await written();
    writeFileSync(`${path}.epoch`, "4\n");
    reopen((bench) => {
      expect(bench.log.identity.epoch).toBe(5);
      expect(bench.log.reason).toBe("the journal is older than its epoch file");
      expect(kinds(bench)).toEqual(["logManifest", "epochOpen"]);
    });
    expect(epochFile()).toBe("5\n");
  });

  it("writes a lost epoch file anew, so that a journal that is lost next does not begin at 1", async () => {
    await written();
    rmSync(`${path}.epoch`);
    reopen(({ log }) => expect(log.identity.epoch).toBe(1));
    expect(epochFile()).toBe("1\n");
    for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
    reopen(({ log }) => {
      expect(log.identity.epoch).toBe(2);
      expect(log.reason).toBe("the journal of the epoch before is lost");
    });
  });

  it.each(["", "0\n", "one\n", "-1\n", "1.5\n", "99999999999\n"])(
    "refuses the epoch file %j",
    async (text) => {
      await written();
      writeFileSync(`${path}.epoch`, text);
      expect(() => openBench(path)).toThrow(expect.objectContaining({ code: "epoch-file" }));
      // The refusal let go of the journal.
      writeFileSync(`${path}.epoch`, "1\n");
      reopen(({ log }) => expect(log.identity.epoch).toBe(1));
    },
  );

  it("opens a new database where the old one has become none", () => {
    reopen(() => undefined);
    for (const suffix of ["", "-wal"]) writeFileSync(path + suffix, "no database ".repeat(1000));
    reopen(({ log }) => {
      expect(log.damaged?.problem.code).toBe("database-damaged");
      expect(readFileSync(log.damaged?.movedTo ?? "", "utf8")).toContain("no database no database");
      expect(log.rules.size).toBe(2);
    });
  });

  it("says on the log that the clock knows less than its last leaf did", () => {
    const bench = openBench(path);
    sealReadings(bench, 3);
    bench.sealer.commit();
    bench.log.journal.close();
    bench.time.wall = 60_000;
    bench.time.boot = 90_000;
    const again = openBench(path, { time: bench.time });
    again.sealer.commit();
    const last = again.log.journal.leaves(1, 0, 99).map(decodeLeaf).at(-1);
    expect(last).toMatchObject({
      ...{ kind: "clockStep", timeMs: 90_000, timeQuality: TIME_QUALITY.sinceBoot },
      beforeQuality: TIME_QUALITY.ntp,
    });
    again.log.journal.close();
  });
});
