import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LogRules } from "../../attest/log-rules.ts";
import { nativeSuite } from "../../attest/native.ts";
import { STORED_SUBTREE_LEAVES } from "../../attest/node-source.ts";
import { MAX_BATCH_LEAVES } from "../../attest/stream-verifier.ts";
import { Frontier, HASH_BYTES } from "../../attest/tree.ts";
import { hashLeaves } from "../../attest/tree-level.ts";
import { GroupCommit } from "../../network/store/group-commit.ts";
import { NewestHeads } from "../../network/store/newest-heads.ts";
import type { LogHead } from "../../network/store/store.ts";
import { completedSubtrees } from "../../network/store/subtrees.ts";
import { FakeDevice } from "../kit/device.ts";
import { atEnd, temporaryFolder } from "./fixture.ts";

interface Opened {
  readonly group: GroupCommit;
  /** Writes a number, and gives it back. */
  readonly add: (value: number) => number;
  /** The numbers that another connection sees. */
  readonly seen: () => readonly number[];
  readonly commits: () => number;
  readonly path: string;
}

function open(): Opened {
  const path = join(temporaryFolder(), "group.sqlite");
  const said: string[] = [];
  const database = new Database(path, { verbose: (sql) => said.push(String(sql)), timeout: 0 });
  database.pragma("journal_mode = WAL");
  database.exec("CREATE TABLE number (value INTEGER NOT NULL UNIQUE CHECK (value >= 0)) STRICT");
  const other = new Database(path, { readonly: true });
  atEnd(() => void other.close());
  atEnd(() => void database.close());
  const insert = database.prepare<[number]>("INSERT INTO number VALUES (?)");
  const select = other.prepare<[], { value: number }>("SELECT value FROM number ORDER BY value");
  return {
    group: new GroupCommit(database),
    add: (value) => insert.run(value).changes * value,
    seen: () => select.all().map(({ value }) => value),
    commits: () => said.filter((sql) => sql === "COMMIT").length,
    path,
  };
}

describe("changes that come together", () => {
  it("are one transaction, and each resolves to its own result", async () => {
    const { group, add, seen, commits } = open();
    const written = [3, 1, 2].map((value) => group.write({ run: () => add(value) }));
    expect(seen()).toEqual([]);
    expect(await Promise.all(written)).toEqual([3, 1, 2]);
    expect(seen()).toEqual([1, 2, 3]);
    expect(commits()).toBe(1);
  });

  it("are durable before anybody is told", async () => {
    const { group, add, seen } = open();
    const told: string[] = [];
    const tell = (what: string) => (): void => void told.push(`${what} ${seen().join("")}`);
    const one = group.write({ run: () => add(1), durable: tell("callback") }).then(tell("caller"));
    const two = group.write({ run: () => add(2), durable: tell("callback") }).then(tell("caller"));
    await Promise.all([one, two]);
    expect(told).toEqual(["callback 12", "callback 12", "caller 12", "caller 12"]);
  });

  it("do not spoil each other: what fails has changed nothing and is told so, the rest is written", async () => {
    const { group, add, seen } = open();
    let durable = 0;
    const pair = (a: number, b: number): Promise<number> =>
      group.write({ run: () => add(a) + add(b), durable: () => (durable += 1) });
    const written = await Promise.allSettled([pair(1, 2), pair(3, 1), pair(4, -1), pair(5, 6)]);
    expect(written.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
    expect(seen()).toEqual([1, 2, 5, 6]);
    expect(durable).toBe(2);
  });

  it("fail together, and none is begun, while somebody else writes", async () => {
    const { group, add, seen, path } = open();
    const other = new Database(path);
    other.exec("BEGIN IMMEDIATE");
    let begun = 0;
    const run = (): number => add(++begun);
    const written = await Promise.allSettled([group.write({ run }), group.write({ run })]);
    other.close();
    expect(written.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(begun).toBe(0);
    expect(await group.write({ run })).toBe(1);
    expect(seen()).toEqual([1]);
  });

  it("wait for nobody when there are many, or they hold much memory", () => {
    const { group, add, seen } = open();
    for (let value = 0; value < 511; value++) void group.write({ run: () => add(value) });
    expect(seen()).toEqual([]);
    void group.write({ run: () => add(511) });
    expect(seen()).toHaveLength(512);
    void group.write({ run: () => add(1000), bytes: 16 * 1_048_576 });
    expect(seen()).toHaveLength(513);
  });
});

describe("the subtrees that a batch completes", () => {
  it("are those of the whole log, wherever the batch begins and ends", () => {
    const device = new FakeDevice({ intervalMs: 86_400_000 }).open();
    const texts: string[] = [];
    const rules = new LogRules(nativeSuite, device.rules.identity);
    device.read(2 * STORED_SUBTREE_LEAVES + MAX_BATCH_LEAVES);
    const hashes = allHashes(device.leaves);
    let grown = rules;
    for (const leaf of device.leaves.slice(0, 2 * STORED_SUBTREE_LEAVES + 1)) {
      texts.push(grown.size === 0 ? "" : grown.toText());
      grown = grown.extended(leaf, 1).rules;
    }
    const sizes = fc.integer({ min: 0, max: 2 * STORED_SUBTREE_LEAVES });
    const counts = fc.oneof(fc.integer({ min: 1, max: 80 }), fc.integer({ min: 1, max: MAX_BATCH_LEAVES }));
    fc.assert(
      fc.property(sizes, counts, (fromSize, count) => {
        const added = hashes.slice(HASH_BYTES * fromSize, HASH_BYTES * (fromSize + count));
        const growth = { fromSize, hashes: added, rulesBefore: () => texts[fromSize] };
        expect(completedSubtrees(nativeSuite, growth)).toEqual(
          subtreesBetween(hashes, fromSize, fromSize + count),
        );
      }),
      { numRuns: 200 },
    );
  });
});

/** The hashes of all leaves, back to back. */
function allHashes(leaves: readonly Uint8Array[]): Uint8Array {
  const hashes = leaves.map((bytes) =>
    hashLeaves(nativeSuite, { bytes, ends: Uint32Array.of(bytes.length) }),
  );
  return new Uint8Array(Buffer.concat(hashes));
}

/** By the definition: leaf by leaf, from the first leaf of each block. */
function subtreesBetween(hashes: Uint8Array, from: number, to: number): unknown[] {
  const found: unknown[] = [];
  for (let place = 0; (place + 1) * STORED_SUBTREE_LEAVES <= to; place++) {
    if ((place + 1) * STORED_SUBTREE_LEAVES <= from) continue;
    const tree = new Frontier(nativeSuite);
    for (let at = 0; at < STORED_SUBTREE_LEAVES; at++) {
      const begin = HASH_BYTES * (place * STORED_SUBTREE_LEAVES + at);
      tree.append(hashes.slice(begin, begin + HASH_BYTES));
    }
    found.push({ place, hash: tree.root() });
  }
  return found;
}

describe("the newest heads", () => {
  const key = new Uint8Array(32).fill(1);
  const head = (size: number): LogHead => ({ log: 1, logId: key, epoch: 1, size, rules: "" });

  it("are read once, until they move or are lost", () => {
    const stored: (LogHead | undefined)[] = [undefined, head(1), head(9)];
    const heads = new NewestHeads(() => stored.shift());
    // A device without a log may get one at any time.
    expect(heads.of(key)).toBeUndefined();
    expect(heads.of(key)).toEqual(head(1));
    expect(heads.of(key)).toEqual(head(1));
    heads.keep(key, head(2));
    expect(heads.of(key.slice())).toEqual(head(2));
    heads.keep(key, undefined);
    expect(heads.of(key)).toEqual(head(9));
  });
});
