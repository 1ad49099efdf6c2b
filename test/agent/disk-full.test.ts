import { randomBytes } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { nativeSuite } from "../../attest/native.ts";
import { fsck, MEBIBYTE, nodeSigner, type Station, useStations } from "./journal/ledger-kit.ts";
import { SmallDisk } from "./journal/small-disk.ts";

const NO_MOUNT = "only root can make a file system that is soon full";
const nodes = [nodeSigner.publicKey];
const station = useStations();

let disk: SmallDisk | undefined;
afterEach(() => {
  disk?.close();
  disk = undefined;
});

/** Everything that the rules of a log and its signatures say holds, and nothing that was written is gone but readings. */
function expectSound(one: Station): void {
  expect(fsck(one.path)).toEqual([]);
}

describe("a disk that somebody else fills", () => {
  it("takes no sealed reading away: receipted ones go first, and everything goes on when there is room", async (context) => {
    disk = SmallDisk.mount(24 * MEBIBYTE);
    if (disk === undefined) return context.skip(NO_MOUNT);
    const path = join(disk.folder, "journal.sqlite");
    const one = station({ path, nodes, reserveBytes: 4 * MEBIBYTE, keeping: { maxBytes: 64 * MEBIBYTE } });
    one.ledger.tick();
    expect(existsSync(`${path}.reserve`)).toBe(true);
    await one.read(1500).witness();
    one.ledger.tick();
    disk.fill();
    const before = one.ledger.log.journal.size(1);
    for (let tick = 0; tick < 20; tick++) {
      one.read(50).ledger.tick();
      await one.witness();
    }
    expect(one.ledger.log.journal.size(1)).toBeGreaterThan(before + 1000);
    expect(one.ledger.status()).toMatchObject({ state: "full", released: expect.any(Number) });
    expect(one.ledger.status().released).toBeGreaterThan(1000);
    expect(one.events().filter((event) => event === "journal-full")).toHaveLength(1);
    expect(one.events()).not.toContain("commit-failed");
    expectSound(one);
    disk.free();
    one.read(1).ledger.tick();
    one.ledger.tick();
    expect(one.ledger.status()).toMatchObject({ state: "ok", pace: 1 });
    expect(existsSync(`${path}.reserve`)).toBe(true);
    expect(one.events()).toContain("journal-full-over");
    expectSound(one);
  });

  it("slows sampling before sealing where no node has anything, never gives up a reading, and resumes", async (context) => {
    disk = SmallDisk.mount(40 * MEBIBYTE);
    if (disk === undefined) return context.skip(NO_MOUNT);
    const path = join(disk.folder, "journal.sqlite");
    const one = station({ path, reserveBytes: 4 * MEBIBYTE, keeping: { maxBytes: 64 * MEBIBYTE } });
    one.read(100).ledger.tick();
    const paces: number[] = [];
    // Not all that is free is for readings: the write-ahead log will take some, too.
    const others = disk.freeBytes - (one.ledger.status().leftBytes ?? 0);
    for (const left of [4, 1.9, 0.9, 0.4, -0.1]) {
      disk.fill(others + left * MEBIBYTE);
      one.ledger.tick();
      paces.push(one.ledger.pace);
    }
    expect(paces).toEqual([1, 2, 4, 8, 0]);
    expect(one.ledger.status().state).toBe("slow");
    // Nothing more is sampled; what has been is closed and signed all the same.
    disk.fill();
    one.time.advance(90_000);
    one.ledger.tick();
    await one.ledger.checkpoint();
    expect(one.ledger.sealer.signedSize).toBe(one.ledger.sealer.rules.size);
    expect(one.leaves().some((leaf) => leaf.kind === "tombstone")).toBe(false);
    expect(one.registers()).toEqual(one.sealed);
    disk.free();
    one.ledger.tick();
    one.ledger.tick();
    expect(one.ledger.status()).toMatchObject({ state: "ok", pace: 1 });
    expect(one.lines.filter(({ event }) => event === "sampling-pace").at(-1)).toMatchObject({ pace: 1 });
    expect(fsck(one.path)).toEqual([]);
  });

  it("gives the raw frames up first of all, and keeps them again when there is room", (context) => {
    disk = SmallDisk.mount(32 * MEBIBYTE);
    if (disk === undefined) return context.skip(NO_MOUNT);
    const path = join(disk.folder, "journal.sqlite");
    const one = station({
      ...{ path, reserveBytes: 4 * MEBIBYTE },
      keeping: { maxBytes: 64 * MEBIBYTE, framesBytes: 8 * MEBIBYTE },
    });
    const frame = (): void => {
      const bytes = randomBytes(100_000);
      one.ledger.frames.add({ digest: nativeSuite.sha256(bytes), bytes, what: "test" }, 0);
    };
    for (let i = 0; i < 30; i++) {
      frame();
      one.read(10).ledger.tick();
    }
    expect(one.ledger.status().frames.bytes).toBeGreaterThan(2 * MEBIBYTE);
    disk.fill();
    for (let i = 0; i < 20; i++) one.read(50).ledger.tick();
    expect(one.ledger.status().frames.bytes).toBe(0);
    expect(existsSync(`${path}.reserve`)).toBe(true);
    expect(one.events()).not.toContain("commit-failed");
    expect(one.registers()).toEqual(one.sealed);
    disk.free();
    one.ledger.tick();
    frame();
    one.ledger.tick();
    expect(one.ledger.status().frames.bytes).toBeGreaterThan(0);
  });
});

describe("a journal that has all that it may have", () => {
  it("releases what nodes have in time, so that it never reaches its end", async () => {
    const one = station({ nodes, reserveBytes: MEBIBYTE / 8, keeping: { maxBytes: MEBIBYTE } });
    for (let round = 0; round < 25; round++) {
      one.read(400).ledger.tick();
      await one.witness();
      expect(one.ledger.pace).toBe(1);
    }
    expect(statSync(one.path).size).toBeLessThanOrEqual(MEBIBYTE);
    expect(one.ledger.status().released).toBeGreaterThan(2000);
    expect(one.events()).not.toContain("journal-full");
    // The newest ones are still there.
    expect(one.registers().slice(-300)).toEqual(one.sealed.slice(-300));
    expect(fsck(one.path)).toEqual([]);
  });

  it("stops sampling before sealing where nobody has anything of it, and can still close and sign", async () => {
    const one = station({ reserveBytes: MEBIBYTE / 8, keeping: { maxBytes: MEBIBYTE } });
    for (let round = 0; round < 400 && one.ledger.pace > 0; round++) one.read(50).ledger.tick();
    expect(one.ledger.pace).toBe(0);
    expect(one.events()).not.toContain("commit-failed");
    one.time.advance(90_000);
    for (let round = 0; round < 20; round++) {
      one.time.advance(60_000);
      one.ledger.tick();
      await one.ledger.checkpoint();
    }
    expect(one.registers()).toEqual(one.sealed);
    expect(statSync(one.path).size).toBeLessThanOrEqual(MEBIBYTE);
    expect(fsck(one.path)).toEqual([]);
  });
});
