import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Checkpoint, openCheckpoint, signCheckpoint } from "../../attest/checkpoint.ts";
import { logIdOf } from "../../attest/identity.ts";
import type { Leaf, Unplaced } from "../../attest/leaf.ts";
import { decodeLeaf, encodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { openReceipt, type Receipt, signReceipt } from "../../attest/receipt.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import { Frontier, leafHash } from "../../attest/tree.ts";
import { Home, nodeSigner } from "./epochs-kit.ts";
import { ALL, type Cell, leavesOf, otherNode, Victim, writtenJournal } from "./fsck-kit.ts";
import { deviceSigner, NETWORK, temporaryFolder } from "./kit.ts";

const otherDevice = nativeSigner(new Uint8Array(32).fill(8));
let victim: Victim;

beforeAll(async () => {
  const { folder, remove } = temporaryFolder();
  victim = new Victim(await writtenJournal(folder));
  remove();
});
afterAll(() => victim.remove());

interface Sized {
  readonly size: number;
  readonly bytes: Buffer;
}

/** The first checkpoint or receipt of epoch 1. */
function firstOf(table: "checkpoint" | "receipt"): Sized {
  victim.heal();
  const [row] = victim.rows(`${table} WHERE epoch = 1 ORDER BY size`);
  return row as unknown as Sized;
}

/** Puts a checkpoint with these changes, signed by `signer`, in the place of the first one. */
async function forgeCheckpoint(
  changes: Partial<Checkpoint>,
  signer: LocalSigner = deviceSigner,
): Promise<Victim> {
  const { size, bytes } = firstOf("checkpoint");
  const log = { deviceKey: deviceSigner.publicKey, logId: logIdOf(nativeSuite, identity(1)) };
  const forged = await signCheckpoint(signer, log.logId, {
    ...openCheckpoint(nativeSuite, bytes, log),
    ...changes,
  });
  const sql = "UPDATE checkpoint SET bytes = ? WHERE epoch = 1 AND size = ?";
  return victim.damage([sql, Buffer.from(forged), size]);
}

/** The same with the first receipt, which stays consistent with its own row. */
async function forgeReceipt(changes: Partial<Receipt>, signer: LocalSigner = nodeSigner): Promise<Victim> {
  const { size, bytes } = firstOf("receipt");
  const honest = openReceipt(nativeSuite, bytes, nodeSigner.publicKey);
  const forged = await signReceipt(signer, { ...honest, ...changes });
  const [hash, key] = [nativeSuite.sha256(forged), signer.publicKey].map((part) => Buffer.from(part));
  const sql = "UPDATE receipt SET bytes = ?, hash = ?, node_key = ? WHERE epoch = 1 AND size = ?";
  return victim.damage([sql, Buffer.from(forged), hash ?? null, key ?? null, size]);
}

function identity(epoch: number): { network: string; deviceKey: Uint8Array; epoch: number } {
  return { network: NETWORK, deviceKey: deviceSigner.publicKey, epoch };
}

describe("fsck names what was signed and is not so:", () => {
  const elsewhere = new Uint8Array(32).fill(3);

  it.each<readonly [string, Partial<Checkpoint>, string]>([
    ["a root that is not the leaves'", { root: elsewhere }, "checkpoint-root"],
    ["a checkpoint over more leaves", { size: 200 }, "checkpoint-size"],
    ["another time of the last leaf", { lastLeafMs: 5 }, "checkpoint-time"],
    ["another log manifest", { manifestHash: elsewhere }, "checkpoint-manifest"],
    ["a start that the journal has not counted", { bootCount: 9 }, "fsck-note"],
  ])("%s", async (_name, changes, code) => {
    expect((await forgeCheckpoint(changes)).first()?.[0]).toBe(code);
  });

  it("a checkpoint by another key, be its root right or wrong", async () => {
    const place = expect.stringContaining("table checkpoint, epoch 1, size");
    expect((await forgeCheckpoint({}, otherDevice)).first()).toEqual(["cose-signature", place]);
    expect((await forgeCheckpoint({ root: elsewhere }, otherDevice)).first()).toEqual([
      "cose-signature",
      place,
    ]);
  });

  it.each<readonly [string, Partial<Receipt>, string]>([
    ["a receipt of another log", { manifestHash: elsewhere }, "receipt-foreign"],
    ["a receipt over another root", { root: elsewhere }, "receipt-foreign"],
    ["a receipt over another size", { size: 5 }, "receipt-size"],
  ])("%s", async (_name, changes, code) => {
    const { findings } = (await forgeReceipt(changes)).check(ALL);
    // The anchor knows the receipt that stood there, by its hash.
    expect(findings.map((finding) => finding.code)).toEqual([code, "fsck-anchor"]);
  });

  it("a receipt by a node that is not trusted", async () => {
    const stranger = nativeSigner(new Uint8Array(32).fill(9));
    const nodeKeys = [nodeSigner.publicKey, otherNode.publicKey];
    const forged = await forgeReceipt({}, stranger);
    expect(forged.first({ ...ALL, nodeKeys })?.[0]).toBe("fsck-node");
    expect(forged.first({ ...ALL, nodeKeys: [...nodeKeys, stranger.publicKey] })?.[0]).toBe("fsck-anchor");
  });

  it("an anchor whose receipt has another node or another time", async () => {
    const { bytes } = firstOf("receipt");
    const hash = Buffer.from(nativeSuite.sha256(bytes));
    const key = Buffer.from(otherNode.publicKey);
    const moved = victim.damage(["UPDATE receipt SET node_key = ? WHERE hash = ?", key, hash]);
    expect(moved.check(ALL).findings.map(({ code }) => code)).toEqual(["cose-kid", "fsck-anchor"]);
  });

  it("two leaves that have changed places", () => {
    const sql = `UPDATE leaf SET bytes = (SELECT other.bytes FROM leaf AS other
      WHERE other.epoch = 1 AND other.seq = CASE leaf.seq WHEN 203 THEN 204 ELSE 203 END)
      WHERE epoch = 1 AND seq IN (203, 204)`;
    expect(victim.damage(sql).first()).toEqual(["seq", "table leaf, epoch 1, seq 203"]);
  });

  it("bytes that have moved from the end of a leaf to the begin of the next", () => {
    const damaged = victim.damage(
      "UPDATE leaf SET bytes = CAST(substr((SELECT bytes FROM leaf WHERE epoch = 1 AND seq = 203), -4) || bytes AS BLOB) WHERE epoch = 1 AND seq = 204",
      "UPDATE leaf SET bytes = substr(bytes, 1, length(bytes) - 4) WHERE epoch = 1 AND seq = 203",
    );
    expect(damaged.first()).toEqual(["cbor-truncated", "table leaf, epoch 1, seq 203"]);
  });

  it("the epoch that was cut off", () => {
    const gone = ["leaf", "mark", "flexibility", "subtree", "checkpoint"].map(
      (table) => `DELETE FROM ${table} WHERE epoch = 1`,
    );
    expect(victim.damage(...gone).first()).toEqual(["fsck-orphan", "table receipt, epoch 1"]);
    // Nothing is left of it: so a journal looks that was begun anew, after the one before it was set aside.
    expect(victim.damage(...gone, "DELETE FROM receipt WHERE epoch = 1").first()).toBeUndefined();
    const newer = "DELETE FROM receipt WHERE epoch = 1 AND size > 100";
    expect(
      victim
        .damage(newer)
        .check(ALL)
        .findings.map(({ code }) => code),
    ).toEqual(["fsck-anchor", "fsck-link"]);
    expect(
      victim
        .damage("DELETE FROM receipt")
        .check(ALL)
        .findings.map(({ code }) => code),
    ).toContain("fsck-link");
  });

  it("the epoch of another key", async () => {
    const { folder, remove } = temporaryFolder();
    const home = new Home(folder);
    await home.read(3).witness();
    home.close();
    const own = new Victim(home.journal);
    expect(own.first({ ...ALL, deviceKeys: [otherDevice.publicKey] })?.[0]).toBe("fsck-device");
    expect(own.first({ ...ALL, network: "elsewhere" })?.[0]).toBe("fsck-network");
    expect(own.first({ ...ALL, network: NETWORK, deviceKeys: [deviceSigner.publicKey] })).toBeUndefined();
    own.remove();
    remove();
  });

  it("whichever leaf lost a bit, and no other", () => {
    victim.heal();
    const leaves = victim.rows("leaf WHERE epoch = 1 AND seq < 320") as unknown as {
      seq: number;
      bytes: Buffer;
    }[];
    for (const { seq, bytes } of leaves.filter((leaf) => leaf.seq % 13 === 5)) {
      const change = "UPDATE leaf SET bytes = flip(bytes, ?) WHERE epoch = 1 AND seq = ?";
      const [, where = ""] = victim.damage([change, (seq * 7) % bytes.length, seq]).first() ?? [];
      const [from, to] = leavesOf(where);
      expect([where, from <= seq && seq <= to]).toEqual([where, true]);
    }
  });
});

/** Appends a leaf without the sealer's help; nothing may be sealed after it. */
function append({ bench, time }: Home, unplaced: Unplaced, saved = true): void {
  const { rules } = bench.sealer;
  const at = { timeMs: time.wall, timeQuality: 3, seq: rules.size, salt: new Uint8Array(16) };
  const leaf = { ...unplaced, ...at } as Leaf;
  const bytes = encodeLeaf(leaf);
  rules.apply(leaf, bytes);
  const { epoch } = rules.identity;
  const notes: Record<string, string> = saved ? { rules: rules.toText() } : {};
  bench.log.journal.commit({
    epoch,
    leaves: [{ leaf, bytes }],
    subtrees: [],
    notes,
  });
}

interface StoredLeaf {
  readonly seq: number;
  readonly bytes: Buffer;
}

/** Hashes in place of the readings among 2^level leaves from `from` on: each as large as no kept leaf or signed size allows. */
function hashesFor(
  leaves: readonly StoredLeaf[],
  node: { readonly from: number; readonly level: number },
  sizes: readonly number[],
): { seq: number; level: number; hash: Uint8Array }[] {
  const { from, level } = node;
  const to = from + 2 ** level;
  const own = leaves.slice(from, to);
  const isCut = sizes.some((size) => size > from && size < to);
  if (!isCut && own.every(({ bytes }) => decodeLeaf(bytes).kind === "reading")) {
    const frontier = new Frontier(nativeSuite);
    for (const { bytes } of own) frontier.append(leafHash(nativeSuite, bytes));
    return [{ seq: from, level, hash: frontier.root() }];
  }
  if (level === 0) return [];
  const halves = [from, from + 2 ** (level - 1)];
  return halves.flatMap((half) => hashesFor(leaves, { from: half, level: level - 1 }, sizes));
}

describe("fsck of a journal of which readings were released", () => {
  let released: Victim;
  let changes: (string | readonly [string, ...Cell[]])[] = [];

  beforeAll(async () => {
    const { folder, remove } = temporaryFolder();
    const home = new Home(folder);
    await home.read(100).sign();
    await home.read(200).witness();
    await home.read(20).witness();
    home.bench.sealer.commit();
    append(home, { kind: "tombstone", firstSeq: 0, count: 200, reason: "room" } as Unplaced);
    append(home, { kind: "tombstone", firstSeq: 200, count: 56, reason: "room" } as Unplaced);
    append(home, { kind: "operatorAction", action: "nothing" } as Unplaced);
    append(home, { kind: "operatorAction", action: "nothing more" } as Unplaced, false);
    home.bench.log.journal.close();
    released = new Victim(home.journal);
    const leaves = released.rows("leaf ORDER BY seq") as unknown as StoredLeaf[];
    const sizes = released.rows("checkpoint").map(({ size }) => Number(size));
    changes = hashesFor(leaves, { from: 0, level: 8 }, sizes).flatMap(({ seq, level, hash }) => [
      ["DELETE FROM leaf WHERE seq >= ? AND seq < ?", seq, seq + 2 ** level] as const,
      ["INSERT INTO released VALUES (1, ?, ?, ?)", seq, level, Buffer.from(hash)] as const,
    ]);
    remove();
  });
  afterAll(() => released.remove());

  it("finds nothing wrong where a tombstone says so, hashes are kept and all were receipted", () => {
    const { findings, counts } = released
      .damage(...changes)
      .check({ ...ALL, nodeKeys: [nodeSigner.publicKey] });
    expect(findings).toEqual([]);
    const [{ gone, left } = { gone: 0, left: 0 }] = released.rows(
      "(SELECT sum(1 << level) AS gone FROM released), (SELECT count(*) AS left FROM leaf)",
    ) as unknown as { gone: number; left: number }[];
    expect(gone).toBeGreaterThan(150);
    expect(counts).toMatchObject({ released: gone, leaves: left, checkpoints: 3 });
  });

  it.each<readonly [string, string | readonly [string, Buffer], string]>([
    ["no receipt", "DELETE FROM receipt", "fsck-released"],
    ["a hash missing", "DELETE FROM released WHERE seq = (SELECT min(seq) FROM released)", "fsck-released"],
    ["a hash changed", "UPDATE released SET hash = flip(hash, 3) WHERE level = 2", "checkpoint-root"],
    ["a level changed", "UPDATE released SET level = level + 1 WHERE level = 2", "fsck-released"],
    ["a level that is none", "UPDATE released SET level = 'x' WHERE level = 2", "row-type"],
    [
      "a hash moved",
      "UPDATE released SET seq = seq + 1 WHERE seq = (SELECT max(seq) FROM released)",
      "fsck-released",
    ],
    ["a hash too many", "INSERT INTO released SELECT epoch, 300, 0, hash FROM subtree", "fsck-released"],
    ["a tombstone gone", "DELETE FROM leaf WHERE seq > 330 AND substr(bytes, 2, 2) = x'0007'", "fsck-gap"],
    [
      "a close gone, too",
      "DELETE FROM leaf WHERE seq = (SELECT min(seq) FROM mark WHERE kind = 'intervalClose')",
      "fsck-released",
    ],
    ["a later leaf changed", "UPDATE leaf SET bytes = flip(bytes, 40) WHERE seq = 290", "checkpoint-root"],
  ])("names %s", (_name, change, code) => {
    const first = released.damage(...changes, change).first();
    expect(first?.[0]).toBe(code);
  });

  it("goes on with the rules where the saved state is that of its tree, and only there", () => {
    const [note] = released.damage(...changes).rows("note WHERE name = 'rules'");
    const [last] = released.rows("leaf ORDER BY seq DESC LIMIT 1") as unknown as StoredLeaf[];
    if (last === undefined) throw new Error("no leaf");
    const unlawful = Buffer.from(encodeLeaf({ ...decodeLeaf(last.bytes), timeQuality: 1 }));
    const change = ["UPDATE leaf SET bytes = ? WHERE seq = ?", unlawful, last.seq] as const;
    expect(released.damage(...changes, change).first()?.[0]).toBe("time-quality");
    const saved = JSON.parse(String(note?.["value"]));
    saved.peaks[0] = Buffer.alloc(32, 1).toString("base64");
    const other = ["UPDATE note SET value = ? WHERE name = 'rules'", JSON.stringify(saved)] as const;
    expect(
      released
        .damage(...changes, other, change)
        .check(ALL)
        .findings.map(({ code }) => code),
    ).toEqual(["fsck-rules"]);
  });

  it("names a release before every node that is trusted had receipted it", () => {
    const nodeKeys = [nodeSigner.publicKey, otherNode.publicKey];
    const [, where = ""] = released.damage(...changes).first({ ...ALL, nodeKeys }) ?? [];
    expect(where).toContain("table leaf, epoch 1, seq");
  });
});
