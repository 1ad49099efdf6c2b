import { equalBytes, toHex } from "../../attest/bytes.ts";
import { requireKey } from "../../attest/key-checks.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import {
  at,
  bytesOf,
  type Findings,
  guarded,
  placeOf,
  type Row,
  Rows,
  wholeOf,
} from "../../runtime/fsck-rows.ts";
import { checkFaults } from "./fsck-faults.ts";
import { checkLink } from "./fsck-links.ts";
import { checkLog, storedLog } from "./fsck-log.ts";
import { checkOrders } from "./fsck-orders.ts";
import type { StoreCheck, StoreContext, StoreCounts, StoredLog } from "./fsck-types.ts";
import { Statements } from "./statements.ts";

const DEVICE_HINT = "keep the file: the row is damaged, or the store is put together of several";

/**
 * Checks a node's store from end to end and hands out what is wrong, device after device and epoch after epoch, then the
 * faults and the orders. Changes nothing, and holds no read for longer than one batch, so that the node may write meanwhile. Throws
 * what SQLite throws where the file cannot be read on.
 */
export function* checkStore({ database, trust, looked }: StoreCheck): Findings<StoreCounts> {
  const rows = new Rows(database, new URL("./fsck.sql", import.meta.url));
  const total = Number(rows.one("leaves")?.["count"]);
  const counts = { devices: 0, logs: 0, batches: 0, leaves: 0, checkpoints: 0, receipts: 0, faults: 0 };
  const context: StoreContext = {
    ...{
      rows,
      database,
      statements: new Statements(database),
      counts,
      deviceKeys: trust.deviceKeys,
      nodeKeys: trust.nodeKeys,
    },
    ...{ network: trust.network, looked: () => looked(counts.leaves, total) },
  };
  let after = Number.MIN_SAFE_INTEGER;
  for (let page = rows.all("devices", { after }); page.length > 0; page = rows.all("devices", { after })) {
    for (const row of page) {
      after = Number(row["id"]);
      yield* checkDevice(context, row);
    }
  }
  yield* checkFaults(context);
  yield* checkOrders(context);
  return counts;
}

function* checkDevice(context: StoreContext, row: Row): Findings {
  const { rows, counts } = context;
  counts.devices += 1;
  const device = Number(row["id"]);
  const key = yield* guarded(() => deviceKeyOf(context, row));
  if (key === undefined) return;
  let before: StoredLog | undefined;
  let epoch = 0;
  for (;;) {
    const log = rows.one("nextLog", { device, after: epoch })?.["id"];
    const found = log === undefined ? undefined : rows.one("log", { log });
    if (found === undefined) return;
    epoch = Number(found["epoch"]);
    counts.logs += 1;
    const stored = yield* guarded(() => storedLog(context, { log: Number(log), deviceKey: key }, found));
    if (stored === undefined) continue;
    const { isSound, second } = yield* checkLog(context, stored, found);
    if (isSound) yield* checkLink(context.database, { stored, before }, second);
    before = isSound ? stored : undefined;
  }
}

/** The key of a device that has had a batch accepted here; its first log was opened when it was first seen. */
function deviceKeyOf({ deviceKeys }: StoreContext, row: Row): Uint8Array {
  const where = placeOf("device", { id: row["id"] });
  const key = bytesOf(row, "key", where);
  at(where, DEVICE_HINT, () => requireKey(nativeSuite, key, "device key"));
  if (deviceKeys.length > 0 && !deviceKeys.some((other) => equalBytes(other, key))) {
    throw new Problem("fsck-device", "the device is not one of those that are trusted", {
      ...{ where, expected: deviceKeys.map(toHex).join(" or "), got: toHex(key), hint: DEVICE_HINT },
    });
  }
  if (row["openedMs"] === null) {
    throw new Problem("fsck-orphan", "the device has no log", {
      ...{ where, expected: "a log that its first batch opened", got: "none", hint: DEVICE_HINT },
    });
  }
  const [opened, seen] = [wholeOf(row, "openedMs", where), wholeOf(row, "firstSeenMs", where)];
  if (opened === seen) return key;
  throw new Problem("fsck-time", "the device was first seen at another time than its first log was opened", {
    ...{ where, expected: String(opened), got: String(seen), hint: DEVICE_HINT },
  });
}
