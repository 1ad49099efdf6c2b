import Database from "better-sqlite3";

/** A signed object over the first `size` leaves. */
export interface SignedSize {
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** What one side holds of one epoch of the device's log. */
export interface EpochHistory {
  readonly epoch: number;
  /** By seq; where some were released there are holes. */
  readonly leaves: ReadonlyMap<number, Uint8Array>;
  readonly checkpoints: readonly SignedSize[];
  readonly receipts: readonly (SignedSize & { readonly nodeKey?: Uint8Array })[];
}

type Row = readonly unknown[];

/** Everything in an agent's journal, straight out of its tables, while the agent runs or after it was killed. */
export function readJournal(path: string): EpochHistory[] {
  return reading(path, (rows) =>
    epochsIn(rows("SELECT DISTINCT epoch FROM leaf")).map((epoch) => ({
      epoch,
      leaves: new Map(
        rows("SELECT seq, bytes FROM leaf WHERE epoch = ? ORDER BY seq", epoch).map(([seq, bytes]) => [
          Number(seq),
          bytesOf(bytes),
        ]),
      ),
      checkpoints: rows("SELECT size, bytes FROM checkpoint WHERE epoch = ?", epoch).map(signedSize),
      receipts: rows("SELECT size, bytes, node_key FROM receipt WHERE epoch = ?", epoch).map((row) => ({
        ...signedSize(row),
        nodeKey: bytesOf(row[2]),
      })),
    })),
  );
}

/** Everything that a node's store holds of that device. */
export function readStore(path: string, deviceKey: Uint8Array): EpochHistory[] {
  return reading(path, (rows) =>
    rows(
      "SELECT log.id, log.epoch FROM log JOIN device ON device.id = log.device WHERE device.key = ? ORDER BY epoch",
      deviceKey,
    ).map(([log, epoch]) => ({
      epoch: Number(epoch),
      leaves: leavesOf(
        rows("SELECT first_seq, ends, leaves FROM batch WHERE log = ? ORDER BY first_seq", log),
      ),
      checkpoints: rows("SELECT size, bytes FROM checkpoint WHERE log = ?", log).map(signedSize),
      receipts: rows("SELECT size, receipt FROM checkpoint WHERE log = ?", log).map(signedSize),
    })),
  );
}

function reading<T>(path: string, read: (rows: (sql: string, value?: unknown) => Row[]) => T): T {
  const database = new Database(path, { readonly: true, fileMustExist: true, timeout: 10_000 });
  try {
    const rows = (sql: string, value?: unknown): Row[] => {
      const statement = database.prepare(sql).raw();
      return (value === undefined ? statement.all() : statement.all(value)) as Row[];
    };
    // One transaction: what is read is of one instant, although the owner may write.
    return database.transaction(() => read(rows))();
  } finally {
    database.close();
  }
}

function epochsIn(rows: readonly Row[]): number[] {
  return rows.map(([epoch]) => Number(epoch)).sort((a, b) => a - b);
}

function signedSize([size, bytes]: Row): SignedSize {
  return { size: Number(size), bytes: bytesOf(bytes) };
}

/** Batches hold leaves back to back, and the end of each as u32, big-endian. */
function leavesOf(batches: readonly Row[]): ReadonlyMap<number, Uint8Array> {
  const leaves = new Map<number, Uint8Array>();
  for (const [firstSeq, ends, joined] of batches) {
    const bytes = bytesOf(joined);
    const offsets = bytesOf(ends);
    const view = new DataView(offsets.buffer, offsets.byteOffset, offsets.length);
    for (let at = 0, from = 0; 4 * at < offsets.length; at++) {
      const to = view.getUint32(4 * at);
      leaves.set(Number(firstSeq) + at, bytes.subarray(from, to));
      from = to;
    }
  }
  return leaves;
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  throw new Error(`expected bytes, got ${typeof value}`);
}
