import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LogRules } from "../attest/log-rules.ts";
import { decodeMessage } from "../attest/messages.ts";
import { nativeSuite } from "../attest/native.ts";
import { verifyBatch } from "../attest/stream-verifier.ts";
import { openSqliteStore } from "../network/store/sqlite-store.ts";
import type { AcceptedBatch } from "../network/store/store.ts";
import { openDatabase } from "../runtime/database.ts";
import { LoadDevice } from "./load/device.ts";
import { median, type Result } from "./measure.ts";

const NETWORK = "load";
const DEVICES = 100;
const BATCHES = 12;
const ROUNDS = 5;
const MOST_BYTES = 2 ** 32;

/** One leaf a row, and its hash, without which a proof would have to hash the log anew. */
const ROWS = `CREATE TABLE leaf (
  log INTEGER NOT NULL, seq INTEGER NOT NULL, bytes BLOB NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoint (
  log INTEGER NOT NULL, size INTEGER NOT NULL, bytes BLOB NOT NULL, receipt BLOB NOT NULL, PRIMARY KEY (log, size)
) STRICT, WITHOUT ROWID;`;

/** Writes what every device has sent next, durably. */
type Store = (arrived: readonly AcceptedBatch[]) => Promise<void> | void;

interface Spent {
  readonly cpuMs: number;
  readonly wallMs: number;
}

/**
 * Verified batches of 100 devices to a new file with `synchronous=FULL`, each device's next one at a time: `store-rows` holds
 * the node's store against one row for each leaf in one transaction for all that have come, by CPU time; `store-single`
 * against the same store with one transaction for each batch, by the clock on the wall, too.
 */
export async function ingestStoreBench(): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const readings of [12, 64]) {
    const arrivals = await arrivalsOf(readings);
    const rounds: Round[] = [];
    for (let i = 0; i < ROUNDS; i++)
      rounds.push({
        ours: await spentBy(ourStore, arrivals),
        rows: await spentBy(rowStore, arrivals),
        single: await spentBy(ourStoreOneByOne, arrivals),
      });
    const leaves = arrivals.flat().reduce((sum, batch) => sum + batch.leaves.ends.length, 0);
    const name = `${readings} readings a batch`;
    results.push(
      compared({ bench: "store-rows", name, leaves }, rounds, { other: "rows", clock: "cpuMs" }),
      compared({ bench: "store-single", name, leaves }, rounds, { other: "single", clock: "cpuMs" }),
      compared({ bench: "store-single", name, leaves }, rounds, { other: "single", clock: "wallMs" }),
    );
  }
  return results;
}

type Round = Readonly<Record<"ours" | "rows" | "single", Spent>>;

/** Leaves a second; medians over the rounds, and the median of the rounds' ratios. */
function compared(
  { bench, name, leaves }: { readonly bench: string; readonly name: string; readonly leaves: number },
  rounds: readonly Round[],
  { other, clock }: { readonly other: "rows" | "single"; readonly clock: keyof Spent },
): Result {
  const rate = (spent: Spent): number => (1000 * leaves) / spent[clock];
  return {
    ...{ bench, case: name, value: median(rounds.map(({ ours }) => rate(ours))) },
    unit: clock === "cpuMs" ? "leaves/cpu-s" : "leaves/s",
    baseline: median(rounds.map((round) => rate(round[other]))),
    ratio: median(rounds.map((round) => rate(round.ours) / rate(round[other]))),
  };
}

/** By batch, then by device. */
async function arrivalsOf(readings: number): Promise<readonly (readonly AcceptedBatch[])[]> {
  const arrivals: AcceptedBatch[][] = Array.from({ length: BATCHES }, () => []);
  for (let number = 0; number < DEVICES; number++) {
    const device = new LoadDevice(NETWORK, number);
    let rules = new LogRules(nativeSuite, device.rules.identity);
    for (const [at, arrived] of arrivals.entries()) {
      const prepared = await (at === 0 ? device.opening() : device.next(readings));
      const { batch, next } = accepted(rules, prepared.message);
      arrived.push(batch);
      rules = next;
    }
  }
  return arrivals;
}

function accepted(
  rules: LogRules,
  bytes: Uint8Array,
): { readonly batch: AcceptedBatch; readonly next: LogRules } {
  const message = decodeMessage(bytes);
  if (message.type !== "batch") throw new Error("no batch");
  const { rules: next, leaves, checkpoint } = verifyBatch(nativeSuite, rules, message);
  const { size, root } = checkpoint;
  const batch = {
    ...{ identity: rules.identity, logId: rules.logId, agentVersion: "load", fromSize: rules.size, leaves },
    // As long as a receipt is.
    checkpoint: { size, root, bytes: message.checkpoint, receipt: message.checkpoint },
    ...{ rules: next.toText(), nowMs: 0 },
  };
  return { batch, next };
}

async function spentBy(
  open: (path: string) => { readonly store: Store; close(): Promise<void> | void },
  arrivals: readonly (readonly AcceptedBatch[])[],
): Promise<Spent> {
  const folder = mkdtempSync(join(tmpdir(), "kilowitness-store-"));
  const { store, close } = open(join(folder, "store.sqlite"));
  const begin = { cpu: process.cpuUsage(), ms: performance.now() };
  for (const arrived of arrivals) await store(arrived);
  const { user, system } = process.cpuUsage(begin.cpu);
  const spent = { cpuMs: (user + system) / 1000, wallMs: performance.now() - begin.ms };
  await close();
  rmSync(folder, { recursive: true });
  return spent;
}

function ourStore(path: string): { readonly store: Store; close(): Promise<void> } {
  const store = openSqliteStore(nativeSuite, { path, network: NETWORK, maxBytes: MOST_BYTES });
  return {
    store: async (arrived) => void (await Promise.all(arrived.map((batch) => store.append(batch)))),
    close: () => store.close(),
  };
}

function ourStoreOneByOne(path: string): { readonly store: Store; close(): Promise<void> } {
  const store = openSqliteStore(nativeSuite, { path, network: NETWORK, maxBytes: MOST_BYTES });
  return {
    store: async (arrived) => {
      for (const batch of arrived) await store.append(batch);
    },
    close: () => store.close(),
  };
}

function rowStore(path: string): { readonly store: Store; close(): void } {
  const database = openDatabase({ path, migrations: [ROWS], maxBytes: MOST_BYTES });
  const addLeaf = database.prepare("INSERT INTO leaf VALUES (?, ?, ?, ?)");
  const addCheckpoint = database.prepare("INSERT INTO checkpoint VALUES (?, ?, ?, ?)");
  const add = ({ fromSize, leaves, checkpoint }: AcceptedBatch, log: number): void => {
    let from = 0;
    for (const [at, end] of leaves.ends.entries()) {
      const hash = leaves.hashes.subarray(32 * at, 32 * (at + 1));
      addLeaf.run(log, fromSize + at, leaves.bytes.subarray(from, end), hash);
      from = end;
    }
    addCheckpoint.run(log, checkpoint.size, checkpoint.bytes, checkpoint.receipt);
  };
  const addAll = database.transaction((arrived: readonly AcceptedBatch[]) => arrived.forEach(add));
  return { store: (arrived) => addAll.immediate(arrived), close: () => void database.close() };
}
