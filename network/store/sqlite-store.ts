import { readFileSync } from "node:fs";
import type { LogIdentity } from "../../attest/identity.ts";
import { type IntervalClose, LEAF_KINDS, type ReadingLeaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { Problem } from "../../attest/problem.ts";
import type { ProofSource } from "../../attest/proof-source.ts";
import type { Suite } from "../../attest/suite.ts";
import { bitLength } from "../../attest/tree.ts";
import type { SqliteDatabase } from "../../runtime/database.ts";
import { type OwnedDatabase, openOwnedDatabase } from "../../runtime/database-lock.ts";
import { appendBatch } from "./append.ts";
import { BatchReader, type BatchRow, leafOf } from "./batch-reader.ts";
import { catchUpEnclosures, enclosuresOf } from "./enclosures.ts";
import { type Change, GroupCommit } from "./group-commit.ts";
import { NewestHeads } from "./newest-heads.ts";
import { STORE_SCHEMA } from "./schema.ts";
import { closesOf, plain, sqliteProofSource, treeOf } from "./sqlite-proof-source.ts";
import { Statements } from "./statements.ts";
import type {
  AcceptedBatch,
  Archive,
  ChannelReach,
  CloseQuery,
  DeviceRecord,
  Enclosures,
  Fault,
  FaultPlace,
  FaultRecord,
  LogHead,
  LogRecord,
  ReadingPage,
  ReadingQuery,
  Store,
  StoredCheckpoint,
  StoredHistory,
  TimedLeaf,
} from "./store.ts";

/**
 * A node's disk is no card: with four times the log before it is folded in, pages that many batches touch are written to the
 * database once, and pages of a few thousand devices stay in memory. Neither changes what is durable when.
 */
const PRAGMAS = ["wal_autocheckpoint = 4000", "journal_size_limit = 16777216", "cache_size = -16384"];
const MAX_FAULTS = 16;
const CLOSE = LEAF_KINDS.intervalClose;
const FLEXIBILITY = LEAF_KINDS.flexibility;
/** Leaves that one question about readings decodes before it hands out a page: nobody else is served meanwhile. */
const MAX_SCANNED_LEAVES = 20_000;

export interface SqliteStoreOptions {
  readonly path: string;
  readonly network: string;
  readonly maxBytes: number;
}

/** Faults of a log: how many, and 1 where the one in question is among them, and with its proof. */
interface Beside {
  readonly count: number;
  readonly known: number | null;
  readonly proven: number | null;
}

/** Opens the embedded store. Throws `database-…`, or `store-network` when it belongs to another network. */
export function openSqliteStore(suite: Suite, options: SqliteStoreOptions): SqliteStore {
  const { path, maxBytes } = options;
  const owned = openOwnedDatabase({
    path,
    maxBytes,
    migrations: STORE_SCHEMA.map((url) => readFileSync(url, "utf8")),
  });
  for (const pragma of PRAGMAS) owned.database.pragma(pragma);
  const statements = new Statements(owned.database);
  try {
    requireNetwork(statements, options);
    catchUpEnclosures(statements);
    return new SqliteStore(suite, statements, owned);
  } catch (thrown) {
    owned.close();
    throw thrown;
  }
}

function requireNetwork(statements: Statements, { path, network }: SqliteStoreOptions): void {
  const other = statements.get<{ network: string }>("other-network", [network]);
  if (other === undefined) return;
  throw new Problem("store-network", "the store holds logs of another network", {
    where: path,
    expected: network,
    got: other.network,
    hint: "use one store per network",
  });
}

/** A node's store in one SQLite file. */
export class SqliteStore implements Store, Archive {
  readonly #suite: Suite;
  readonly #statements: Statements;
  readonly #owned: OwnedDatabase;
  readonly #group: GroupCommit;
  readonly #heads: NewestHeads;

  constructor(suite: Suite, statements: Statements, owned: OwnedDatabase) {
    this.#suite = suite;
    this.#statements = statements;
    this.#owned = owned;
    this.#group = new GroupCommit(owned.database);
    this.#heads = new NewestHeads((key) => headOf(statements.get<LogHead>("newest-head", [key])));
  }

  async newestHead(deviceKey: Uint8Array): Promise<LogHead | undefined> {
    return this.#heads.of(deviceKey);
  }

  async head(deviceKey: Uint8Array, epoch: number): Promise<LogHead | undefined> {
    return headOf(this.#statements.get<LogHead>("head", [deviceKey, epoch]));
  }

  async newestCheckpoint(
    deviceKey: Uint8Array,
  ): Promise<(StoredCheckpoint & { readonly epoch: number }) | undefined> {
    const row = this.#statements.get<StoredCheckpoint & { epoch: number }>("newest-checkpoint", [deviceKey]);
    return row && { ...checkpointOf(row), epoch: row.epoch };
  }

  async checkpointOver(log: number, size: number): Promise<StoredCheckpoint | undefined> {
    const row = this.#statements.get<StoredCheckpoint>("checkpoint-over", [log, size]);
    return row && checkpointOf(row);
  }

  async leaves(log: number, from: number, to: number): Promise<readonly Uint8Array[]> {
    return new BatchReader(this.#statements, log).range(from, to);
  }

  async peaks(log: number, size: number): Promise<readonly Uint8Array[]> {
    const tree = treeOf(this.#statements, this.#suite, log);
    const peaks: Uint8Array[] = [];
    for (let from = 0; from < size; ) {
      const level = bitLength(size - from) - 1;
      peaks.push(tree.subtree(level, from / 2 ** level));
      from += 2 ** level;
    }
    return peaks;
  }

  async append(batch: AcceptedBatch): Promise<boolean> {
    const { leaves, identity } = batch;
    const head = await this.write({
      run: () => headBehind(batch, appendBatch(this.#statements, this.#suite, batch)),
      durable: (head) => this.#heads.keep(identity.deviceKey, head),
      bytes: leaves.bytes.length + leaves.hashes.length,
    });
    return head !== undefined;
  }

  async addCheckpoint(log: number, checkpoint: StoredCheckpoint, nowMs: number): Promise<StoredCheckpoint> {
    const { size, root, bytes, receipt } = checkpoint;
    await this.write({
      run: () => this.#statements.run("add-checkpoint", [log, size, root, bytes, receipt, nowMs]),
    });
    return (await this.checkpointOver(log, size)) ?? checkpoint;
  }

  async laterHeads(deviceKey: Uint8Array, epoch: number, limit: number): Promise<readonly LogHead[]> {
    const rows = this.#statements.all<LogHead>("later-heads", [deviceKey, epoch, limit]);
    return rows.flatMap((row) => headOf(row) ?? []);
  }

  async history(log: number): Promise<StoredHistory> {
    const reader = new BatchReader(this.#statements, log);
    const tree = treeOf(this.#statements, this.#suite, log);
    return { leaf: (seq) => reader.leaf(seq), tree: () => tree };
  }

  async faultRoom(place: FaultPlace): Promise<"free" | "kept" | "full"> {
    return this.#faultRoom(place);
  }

  async addFault(fault: Fault): Promise<void> {
    await this.write({
      run: () => this.#faultRoom(fault) === "free" && this.#statements.run("add-fault", { ...fault }) > 0,
    });
  }

  #faultRoom({ deviceKey, logId, theirs }: FaultPlace): "free" | "kept" | "full" {
    const beside = this.#statements.get<Beside>("faults-beside", { deviceKey, logId, theirs });
    if (beside?.proven === 1) return "kept";
    return beside?.known !== 1 && (beside?.count ?? 0) >= MAX_FAULTS ? "full" : "free";
  }

  async touch(deviceKey: Uint8Array, agentVersion: string, nowMs: number): Promise<void> {
    await this.write({
      run: () => this.#statements.run("touch-device", { key: deviceKey, agentVersion, nowMs }),
    });
  }

  async close(): Promise<void> {
    this.#group.flush();
    this.#statements.database.pragma("wal_checkpoint(TRUNCATE)");
    this.#owned.close();
  }

  async devices(after: Uint8Array, limit: number): Promise<readonly DeviceRecord[]> {
    const rows = this.#statements.all<DeviceRecord>("devices", [after, limit]);
    return rows.map((row) => ({ ...row, key: plain(row.key) }));
  }

  async device(key: Uint8Array): Promise<DeviceRecord | undefined> {
    const row = this.#statements.get<DeviceRecord>("device", [key]);
    return row && { ...row, key: plain(row.key) };
  }

  async logs(deviceKey: Uint8Array): Promise<readonly LogRecord[]> {
    const rows = this.#statements.all<LogRecord>("logs", [deviceKey]);
    return rows.map((row) => ({ ...row, logId: plain(row.logId), checkpoint: plain(row.checkpoint) }));
  }

  async enclosures(deviceKey: Uint8Array): Promise<Enclosures> {
    return enclosuresOf(this.#statements, deviceKey);
  }

  async faults(deviceKey: Uint8Array): Promise<readonly FaultRecord[]> {
    const rows = this.#statements.all<FaultRecord>("faults", [deviceKey]);
    return rows.map((row) => ({
      ...row,
      logId: plain(row.logId),
      ours: row.ours && plain(row.ours),
      theirs: plain(row.theirs),
    }));
  }

  async faultProof(deviceKey: Uint8Array, id: number): Promise<Uint8Array | null | undefined> {
    const row = this.#statements.get<{ proof: Uint8Array | null }>("fault-proof", [deviceKey, id]);
    return row?.proof && plain(row.proof);
  }

  async closes(query: CloseQuery): Promise<readonly IntervalClose[]> {
    return closesOf(this.#statements, query);
  }

  async boundaries(
    reach: ChannelReach,
    { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  ): Promise<{ readonly begins: readonly number[]; readonly ends: readonly number[] }> {
    const times = (name: string, ms: number): number[] =>
      this.#statements.all<{ ms: number }>(name, { ...reach, kind: CLOSE, ms }).map((row) => row.ms);
    return { begins: times("begins", fromMs), ends: times("ends", toMs) };
  }

  async extent(
    reach: ChannelReach,
    toMs: number,
  ): Promise<{ readonly firstMs: number | undefined; readonly lastMs: number | undefined }> {
    const time = (name: string): number | undefined =>
      this.#statements.get<{ ms: number }>(name, { ...reach, kind: CLOSE, ms: toMs })?.ms;
    return { firstMs: time("first-begin"), lastMs: time("last-end") };
  }

  async flexibilityAround(
    reach: ChannelReach,
    ms: number,
  ): Promise<{ readonly before: TimedLeaf | undefined; readonly after: TimedLeaf | undefined }> {
    const leaf = (name: string): TimedLeaf | undefined =>
      this.#statements.get<TimedLeaf>(name, { ...reach, kind: FLEXIBILITY, ms });
    return { before: leaf("last-at"), after: leaf("first-after") };
  }

  async readings(query: ReadingQuery): Promise<ReadingPage> {
    const { log, fromMs, afterSeq } = query;
    const readings: ReadingLeaf[] = [];
    let scanned = 0;
    const batches = this.#statements.iterate<BatchRow>("batches-from", {
      log,
      fromMs,
      fromSeq: afterSeq + 1,
    });
    for (const batch of batches) {
      if (scanned >= MAX_SCANNED_LEAVES) return { readings, scannedTo: batch.firstSeq - 1 };
      scanned += batch.nextSeq - batch.firstSeq;
      const last = collect(batch, query, readings);
      if (last !== undefined) return { readings, scannedTo: last };
    }
    return { readings };
  }

  async proofSource(
    identity: LogIdentity,
    query: Omit<CloseQuery, "afterSeq" | "limit">,
  ): Promise<ProofSource> {
    return sqliteProofSource(this.#statements, this.#suite, { log: query.log, identity });
  }

  /** The same file, for parts of the node that keep tables of their own in it. They change them by {@link write}. */
  get database(): SqliteDatabase {
    return this.#statements.database;
  }

  /** Makes a change durable, in one transaction with those that come at the same time. Throws `store-write`. */
  async write<T>(change: Change<T>): Promise<T> {
    try {
      return await this.#group.write(change);
    } catch (cause) {
      throw new Problem("store-write", "the store could not be written", {
        got: cause instanceof Error ? cause.message : String(cause),
        hint: "check the free space of the disk and maxStoreMiB in the configuration",
        cause,
      });
    }
  }
}

/** Adds a batch's readings until the page is full; then the last seq that was looked at. */
function collect(batch: BatchRow, query: ReadingQuery, into: ReadingLeaf[]): number | undefined {
  for (let seq = Math.max(batch.firstSeq, query.afterSeq + 1); seq < batch.nextSeq; seq++) {
    if (into.length === query.limit) return seq - 1;
    const leaf = decodeLeaf(leafOf(batch, seq));
    if (leaf.kind === "reading" && leaf.channel === query.channel && leaf.timeMs >= query.fromMs)
      into.push(leaf);
  }
  return undefined;
}

/** Undefined where the batch was not taken. */
function headBehind(batch: AcceptedBatch, log: number | undefined): LogHead | undefined {
  const { identity, logId, checkpoint, rules } = batch;
  return log === undefined ? undefined : { log, logId, epoch: identity.epoch, size: checkpoint.size, rules };
}

function headOf(row: LogHead | undefined): LogHead | undefined {
  return row && { ...row, logId: plain(row.logId) };
}

function checkpointOf(row: StoredCheckpoint): StoredCheckpoint {
  const { size, root, bytes, receipt } = row;
  return { size, root: plain(root), bytes: plain(bytes), receipt: plain(receipt) };
}
