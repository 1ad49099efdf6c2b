import { existsSync, rmSync, writeFileSync } from "node:fs";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { nativeSigner } from "../../attest/native.ts";
import { run } from "../kit/programs.ts";
import type { Home } from "./epochs-kit.ts";
import { deviceSigner, openBench, sealReadings } from "./kit.ts";
import { eachWithHome, iso, minute, type Prover, span } from "./prove-kit.ts";

/** What earlier versions could leave behind: epochs of two keys in one file. */
function copyEpochs(from: string, to: string): void {
  const database = new Database(to);
  database.prepare("ATTACH ? AS other").run(from);
  for (const table of ["leaf", "mark", "subtree", "checkpoint"])
    database.exec(`INSERT INTO ${table} SELECT * FROM other.${table}`);
  database.close();
}

describe("kilowitness prove", () => {
  let prover: Prover;
  let home: Home;
  eachWithHome((...made) => {
    [prover, home] = made;
  });

  describe("for a flexibility reading", () => {
    function at(ms: number): string[] {
      return ["--channel", "home/battery", "--at", iso(ms)];
    }

    async function threeReadings(): Promise<void> {
      home.read(6).stateFlexibility(500_000);
      await home.witness();
      home.read(6).stateFlexibility(510_000);
      await home.witness();
      home.nextEpoch().read(6).stateFlexibility(520_000);
      await home.witness();
      home.read(1);
      await home.sign();
    }

    it("proves the last one at or before a time, in whichever epoch", async () => {
      await threeReadings();
      for (const [ms, atMs, stateOfChargePpm, epoch] of [
        [minute(1), minute(1), 500_000, 1],
        [minute(1) + 29_999, minute(1), 500_000, 1],
        [minute(1) + 30_000, minute(1) + 30_000, 510_000, 1],
        [minute(99), minute(2), 520_000, 2],
      ] as const) {
        const said = await prover.prove(...at(ms));
        expect(said).toMatchObject({ code: 0, stderr: "" });
        expect(said.stdout).toContain(`it shows the flexibility of home/battery at ${iso(atMs)}\n`);
        const found = prover.flexibility();
        expect(found).toMatchObject({ atMs, epochs: [epoch], standing: "witnessed" });
        expect(found.flexibility).toMatchObject({ stateOfChargePpm, reducePowerMw: 3_000_000 });
      }
    });

    it("prints what it proved as JSON, and `verify` agrees in words", async () => {
      await threeReadings();
      const { stdout } = await prover.prove(...at(minute(99)), "--json");
      expect(JSON.parse(stdout)).toMatchObject({ channel: "home/battery", atMs: minute(2), epochs: [2] });
      const verified = await run([
        "verify",
        prover.out,
        "--trust",
        `device:${toHex(deviceSigner.publicKey)}`,
      ]);
      expect(verified.code).toBe(0);
      expect(verified.stdout).toContain("state of charge 52 %");
    });

    it("says which is the first one, or which channels have any", async () => {
      await threeReadings();
      const early = await prover.refused(at(minute(1) - 1), "proof-no-reading");
      expect(early).toContain(
        `expected ${iso(minute(1))}, the first one, or later, got ${iso(minute(1) - 1)}`,
      );
      const grid = await prover.refused(
        ["--channel", "meter/grid", "--at", iso(minute(1))],
        "proof-no-reading",
      );
      expect(grid).toContain("channels that have one: home/battery");
    });

    it("waits for the checkpoint of this epoch, and leaves out what an earlier one never signed", async () => {
      home.read(6).stateFlexibility(500_000);
      home.bench.sealer.commit();
      await prover.refused(at(minute(2)), "proof-unsigned");
      await home.witness();
      home.read(1).stateFlexibility(600_000).nextEpoch().read(1);
      await home.sign();
      expect((await prover.prove(...at(minute(2)))).code).toBe(0);
      expect(prover.flexibility().flexibility.stateOfChargePpm).toBe(500_000);
    });

    it("does not take the time since boot for a time", async () => {
      home.time.wall = 60_000;
      home.time.ntp = false;
      home.restart().stateFlexibility(500_000);
      await home.sign();
      await prover.refused(at(minute(1)), "proof-no-reading");
    });
  });

  describe("its channels and times", () => {
    it("are known by name in every epoch, by number, or by being the only one", async () => {
      home.stateFlexibility(500_000).read(20);
      await home.witness();
      home.nextEpoch().read(18).stateFlexibility(600_000);
      await home.witness();
      const begin = minute(2) + 15_000;
      const over = ["--from", iso(begin), "--to", iso(minute(3))];
      const unsaid = await prover.refused(over, "channel-unknown");
      expect(unsaid).toContain("expected meter/grid, home/battery, got nothing");
      const misspelt = await prover.refused(["--channel", "meter/gird", ...over], "channel-unknown");
      expect(misspelt).toContain('did you mean "meter/grid"?');
      // Number 1 is the battery in epoch 1; the newest epoch counts.
      expect((await prover.prove("--channel", "1", ...over)).code).toBe(0);
      expect(prover.energy()).toMatchObject({ channel: { number: 1, name: "meter/grid" }, epochs: [2] });
      expect((await prover.prove(...span(minute(1), minute(2)))).code).toBe(0);
      expect(prover.energy()).toMatchObject({ channel: { number: 2, name: "meter/grid" }, epochs: [1] });
    });

    it("need not be named when there is only one", async () => {
      home.read(30);
      await home.sign();
      expect((await prover.prove("--from", iso(minute(1)), "--to", iso(minute(2)))).code).toBe(0);
      expect(prover.energy().standing).toBe("device-asserted");
    });

    it.each([
      [["--from", "1"], "--from and --to are given together"],
      [["--to", "1"], "--from and --to are given together"],
      [["--at", "1", "--from", "1", "--to", "2"], "'--at <time>' cannot be used with option"],
    ])("are not given as %j", async (args, says) => {
      await expect(prover.prove(...args)).rejects.toThrow(says);
      expect(existsSync(prover.out)).toBe(false);
    });

    it("are refused when they are no times", async () => {
      home.read(1);
      home.bench.sealer.commit();
      for (const args of [
        ["--at", "noon"],
        ["--at", "2026-11-01T12:00:00"],
        ["--from", "1", "--to", "1e15"],
      ])
        await prover.refused(args, "time-format");
    });
  });

  describe("without a time", () => {
    it("lists the last closes of all epochs, the newest last", async () => {
      expect((await prover.prove()).stdout).toBe("no interval has been closed yet\n");
      home.read(30);
      await home.witness();
      expect((await prover.prove()).stdout).not.toContain("epoch");
      home.nextEpoch().read(26);
      await home.sign();
      const lines = (await prover.prove()).stdout.trimEnd().split("\n");
      expect(lines.map((line) => line.slice(-9))).toEqual([
        ", epoch 1",
        ", epoch 1",
        ", epoch 2",
        ", epoch 2",
      ]);
      const wh = home.whBetween(minute(1), minute(2));
      const span = `${iso(minute(1))} to ${iso(minute(2))}`;
      expect(lines[1]).toBe(`meter/grid           ${span}  import ${wh} Wh, export 0 Wh, epoch 1`);
      const rows = (await prover.prove("--json")).stdout.trimEnd().split("\n");
      expect(rows.map((row) => JSON.parse(row))).toMatchObject([
        { channel: "meter/grid", epoch: 1, t1Ms: minute(1) },
        { channel: "meter/grid", epoch: 1, t0Ms: minute(1), openingImportMwh: home.shown.get(minute(1)) },
        { channel: "meter/grid", epoch: 2, t0Ms: minute(3) + 5000 },
        { channel: "meter/grid", epoch: 2, t1Ms: minute(5) },
      ]);
    });

    it("keeps to the epochs of this device: another key may have begun the journal", async () => {
      home.close();
      const elsewhere = `${home.journal}.other`;
      const other = openBench(elsewhere, { signer: nativeSigner(new Uint8Array(32).fill(8)) });
      sealReadings(other, 30);
      await other.sealer.checkpoint();
      other.log.journal.close();
      for (const suffix of ["", "-wal", "-shm"]) rmSync(home.journal + suffix, { force: true });
      writeFileSync(`${home.journal}.epoch`, "4\n");
      home.open().read(30);
      await home.sign();
      home.close();
      copyEpochs(elsewhere, home.journal);
      home.open();
      const rows = (await prover.prove("--json")).stdout.trimEnd().split("\n");
      expect(rows.map((row) => JSON.parse(row).epoch)).toEqual([5, 5]);
    });

    it("keeps to the newest twenty", async () => {
      home.read(12 * 12);
      await home.witness();
      home.nextEpoch().read(13 * 12);
      await home.sign();
      const rows = (await prover.prove("--json")).stdout
        .trimEnd()
        .split("\n")
        .map((row) => JSON.parse(row));
      expect(rows.map(({ epoch }) => epoch)).toEqual([...Array(7).fill(1), ...Array(13).fill(2)]);
      expect(rows.map(({ t1Ms }) => t1Ms)).toEqual(rows.map(({ t1Ms }) => t1Ms).toSorted((a, b) => a - b));
    });
  });
});
