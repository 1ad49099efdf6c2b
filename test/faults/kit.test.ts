import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { IntervalClose, Leaf } from "../../attest/leaf.ts";
import { CutDisk } from "./kit/disk.ts";
import { countEnergy } from "./kit/energy.ts";
import { MerkleLog } from "./kit/merkle.ts";
import { seededRandom } from "./kit/random.ts";
import { readTraces } from "./kit/trace.ts";

const random = seededRandom(1);
const hex = (text: string): string => Buffer.from(text).toString("hex").replaceAll(/../g, "\\x$&");

describe("a disk whose power goes", () => {
  it("keeps what was synced, and nothing else where nothing else is kept", () => {
    const disk = new CutDisk();
    disk.apply({ kind: "create", name: "a" });
    disk.apply({ kind: "write", name: "a", at: 0, data: Buffer.from("old") });
    expect(disk.cut("none", random).size).toBe(0);
    disk.apply({ kind: "sync", name: "a" });
    expect(disk.cut("none", random).size).toBe(0);
    disk.apply({ kind: "sync-folder" });
    disk.apply({ kind: "write", name: "a", at: 1, data: Buffer.from("ew") });
    expect(disk.cut("none", random).get("a")?.toString()).toBe("old");
    expect(disk.cut("all", random).get("a")?.toString()).toBe("oew");
  });

  it("tears a write at sectors, loses it, or leaves zeros in its place", () => {
    const disk = new CutDisk();
    disk.apply({ kind: "create", name: "a" });
    disk.apply({ kind: "sync-folder" });
    disk.apply({ kind: "write", name: "a", at: 0, data: Buffer.alloc(1024, 1) });
    const seen = new Set(
      Array.from({ length: 200 }, () => {
        const found = disk.cut("random", random).get("a") ?? Buffer.alloc(0);
        return [found.length, found[0], found[512]].join(" ");
      }),
    );
    expect([...seen].sort()).toEqual(["0  ", "1024 0 0", "1024 0 1", "1024 1 0", "1024 1 1"]);
  });

  it("has a renamed file under either name, whole", () => {
    const disk = new CutDisk();
    disk.apply({ kind: "create", name: "new" });
    disk.apply({ kind: "write", name: "new", at: 0, data: Buffer.from("x") });
    disk.apply({ kind: "sync", name: "new" });
    disk.apply({ kind: "sync-folder" });
    disk.apply({ kind: "rename", from: "new", to: "old" });
    expect([...disk.cut("none", random).keys()]).toEqual(["new"]);
    expect([...disk.cut("all", random)]).toEqual([["old", Buffer.from("x")]]);
  });
});

describe("a trace", () => {
  const fd = (number: number, path: string): string => `${number}<${hex(path)}>`;
  const read = (...lines: string[]) => readTraces([lines.map((line) => `7 1.5 ${line}`).join("\n")], "/d");

  it("is read as operations on one folder", () => {
    expect(
      read(
        `openat(AT_FDCWD, "${hex("/d/a")}", O_RDWR|O_CREAT, 0600) = ${fd(3, "/d/a")}`,
        `write(${fd(3, "/d/a")}, "${hex("xy")}", 2) = 2`,
        `write(${fd(3, "/d/a")}, "${hex("z!")}", 2) = 1`,
        `pwrite64(${fd(3, "/d/a")}, "${hex("q")}", 1, 9) = 1`,
        `fdatasync(${fd(3, "/d/a")}) = 0`,
        `pwrite64(${fd(4, "/e/a")}, "${hex("q")}", 1, 9) = 1`,
        `rename("${hex("/d/a")}", "${hex("/d/b")}") = -1 ENOENT (No such file)`,
        `rename("${hex("/d/a")}", "${hex("/d/b")}") = 0`,
        `fsync(${fd(5, "/d")}) = 0`,
        `writev(${fd(6, "socket:[1]")}, [{iov_base="${hex("a")}", iov_len=1}, {iov_base="${hex("b")}", iov_len=1}], 2) = 2`,
      ),
    ).toEqual([
      { kind: "create", name: "a" },
      { kind: "write", name: "a", at: 0, data: Buffer.from("xy") },
      { kind: "write", name: "a", at: 2, data: Buffer.from("z") },
      { kind: "write", name: "a", at: 9, data: Buffer.from("q") },
      { kind: "sync", name: "a" },
      { kind: "rename", from: "a", to: "b" },
      { kind: "sync-folder" },
      { kind: "send", socket: "socket:[1]", data: Buffer.from("ab") },
    ]);
  });

  it("is refused where a file changes in a way that is not modelled", () => {
    expect(() => read(`mmap(NULL, 9, PROT_READ, MAP_SHARED, ${fd(3, "/d/a")}, 0) = 0x7f0000000000`)).toThrow(
      "mmap on a is not modelled",
    );
  });
});

describe("the independent count", () => {
  const served = [0, 5, 9, 14].map((wh, at) => ({ atMs: 1000 * at, importMwh: wh * 1000, exportMwh: 0 }));
  const common = { timeQuality: 3, salt: new Uint8Array(16) };
  const reading = (seq: number, at: number): Leaf => ({
    ...{ kind: "reading", seq, channel: 1, timeMs: 1000 * at, ...common },
    ...{ importMwh: served[at]?.importMwh ?? 0, exportMwh: 0 },
  });
  const close = (
    seq: number,
    from: number,
    to: number,
    change: Partial<IntervalClose> = {},
  ): IntervalClose => ({
    ...{
      kind: "intervalClose",
      seq,
      channel: 1,
      timeMs: 1000 * to,
      ...common,
      t0Ms: 1000 * from,
      t1Ms: 1000 * to,
    },
    ...{ openingImportMwh: served[from]?.importMwh ?? 0, closingImportMwh: served[to]?.importMwh ?? 0 },
    ...{ openingExportMwh: 0, closingExportMwh: 0, openingSeq: from + 1, closingSeq: to + 1, count: 1 },
    ...{ manifestSeq: 0, manifestHash: new Uint8Array(32), ...change },
  });
  const manifest: Leaf = {
    ...{
      kind: "channelManifest",
      seq: 0,
      channel: 1,
      timeMs: 0,
      ...common,
      role: 1,
      name: "m",
      make: "",
      model: "",
    },
    ...{ serial: "", firmware: "", driver: "", samplingMs: 1000, resolutionMwh: 1, registers: 3 },
  };
  const readings = [manifest, ...served.map((_, at) => reading(at + 1, at))];
  const count = (...closes: Leaf[]) => countEnergy([[...readings, ...closes]], { channel: "m", served });

  it("adds up what follows each other", () => {
    const { provenMwh, shownMwh, problems, gaps } = count(close(5, 0, 1), close(6, 1, 3));
    expect({ provenMwh, gaps, problems }).toEqual({ provenMwh: shownMwh, gaps: 0, problems: [] });
    expect(shownMwh).toEqual({ import: 14_000, export: 0 });
  });

  it.each([
    ["a hole", [close(5, 0, 1), close(6, 2, 3)], "does not follow"],
    ["an overlap", [close(5, 0, 2), close(6, 1, 3)], "does not follow"],
    [
      "a register that no reading showed",
      [close(5, 0, 1, { closingImportMwh: 6000 })],
      "does not show its register",
    ],
    ["a reading that the meter never showed", [{ ...reading(5, 3), importMwh: 13_000 }], "no time"],
    ["a reading at another time", [{ ...reading(5, 3), timeMs: 99_000 }], "at: 3000"],
  ] as const)("finds %s", (_, leaves, said) => {
    expect(count(...leaves).problems.join()).toContain(said);
  });

  it("takes a stated gap for one", () => {
    const gap: Leaf = {
      ...{ kind: "discontinuity", seq: 6, channel: 1, timeMs: 2000, ...common, classification: 5 },
      ...{ gapFromMs: 1000, gapToMs: 2000 },
    };
    expect(count(close(5, 0, 1), gap, close(7, 2, 3))).toMatchObject({
      gaps: 1,
      gapMwh: { import: 4000 },
      problems: [],
    });
  });
});

describe("the tree", () => {
  it("has the roots of RFC 6962", () => {
    const sha256 = (...parts: Uint8Array[]) => createHash("sha256").update(Buffer.concat(parts)).digest();
    const leaves = [1, 2, 3].map((byte) => Uint8Array.of(byte));
    const [a, b, c] = leaves.map((leaf) => sha256(Uint8Array.of(0), leaf));
    const none = new Uint8Array();
    const log = new MerkleLog();
    for (const leaf of leaves) log.push(leaf);
    const left = sha256(Uint8Array.of(1), a ?? none, b ?? none);
    expect(Buffer.from(log.root(3) ?? [])).toEqual(sha256(Uint8Array.of(1), left, c ?? none));
    expect(log.root(4)).toBeUndefined();
  });
});
