import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Checkpoint, openCheckpoint, signCheckpoint } from "../../attest/checkpoint.ts";
import { logIdOf } from "../../attest/identity.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { openReceipt, type Receipt, signReceipt } from "../../attest/receipt.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import { ALL, type DamageCase, itNames, itPasses, Victim } from "../agent/fsck-kit.ts";
import { temporaryFolder } from "../agent/kit.ts";
import { NETWORK, seedOf } from "../kit/device.ts";
import { nodeSigner, writtenStore } from "./fsck-kit.ts";

let victim: Victim;

beforeAll(async () => {
  const { folder, remove } = temporaryFolder();
  victim = new Victim(await writtenStore(folder));
  remove();
});
afterAll(() => victim.remove());

const CLOSE = "log = 1 AND seq = (SELECT min(seq) FROM mark WHERE log = 1 AND kind = 3)";
const FORK = "kind = 'fork' AND proof IS NOT NULL";
const LATE = "log = 1 AND size = (SELECT min(size) FROM checkpoint WHERE log = 1)";

const CHANGED_CELLS: readonly DamageCase[] = [
  ["UPDATE device SET id = 9 WHERE id = 1", "fsck-orphan", "table log, rowid 1"],
  ["UPDATE device SET key = flip(key, 5) WHERE id = 1", "key-invalid", "table device, id 1"],
  ["UPDATE device SET key = x'00' WHERE id = 1", "key-invalid", "table device, id 1"],
  ["UPDATE device SET first_seen_ms = first_seen_ms + 1", "fsck-time", "table device, id 1"],
  ["UPDATE log SET id = 9 WHERE id = 1", "fsck-orphan", "table "],
  ["UPDATE log SET device = 9 WHERE id = 1", "fsck-orphan", "table log, rowid 1"],
  ["UPDATE log SET network = 'x' WHERE id = 1", "fsck-log-id", "table log, id 1"],
  ["UPDATE log SET network = 'x' WHERE id = 3", "fsck-network", "table log, id 3"],
  ["UPDATE log SET epoch = 3 WHERE id = 1", "fsck-log-id", "table log, id 1"],
  ["UPDATE log SET log_id = flip(log_id, 9) WHERE id = 1", "fsck-log-id", "table log, id 1"],
  ["UPDATE log SET size = size + 1 WHERE id = 1", "fsck-batch", "table log, id 1"],
  ["UPDATE log SET size = size - 1 WHERE id = 1", "fsck-beyond", "table batch, log 1, next_seq"],
  [
    "UPDATE log SET rules = replace(rules, 'bootCount\":1', 'bootCount\":2')",
    "fsck-rules",
    "table log, id 1",
  ],
  ["UPDATE log SET rules = substr(rules, 1, 50)", "fsck-rules", "table log, id 1"],
  ["UPDATE log SET opened_ms = opened_ms + 1 WHERE id = 2", "fsck-time", "table log, id 2"],
  ["UPDATE batch SET log = 2 WHERE log = 1 AND first_seq > 250", "fsck-orphan", "table checkpoint, log 1"],
  ["UPDATE batch SET log = 9 WHERE log = 1 AND first_seq > 250", "fsck-orphan", "table batch, rowid 2"],
  ["UPDATE batch SET first_seq = 1 WHERE log = 1 AND first_seq = 0", "fsck-batch", "first_seq 1, rowid 1"],
  [
    "UPDATE batch SET first_seq = first_seq + 1, ends = substr(ends, 5) WHERE log = 1 AND first_seq > 250",
    "fsck-batch",
    "table batch, log 1, first_seq",
  ],
  ["UPDATE batch SET last_ms = last_ms + 1 WHERE log = 1", "fsck-time", "table batch, log 1, first_seq 0"],
  [
    "UPDATE batch SET ends = flip(ends, 7) WHERE log = 1",
    "fsck-ends",
    "table batch, log 1, first_seq 0, rowid 1, leaf 1",
  ],
  [
    "UPDATE batch SET leaves = flip(leaves, 9) WHERE log = 1",
    "checkpoint-root",
    "table batch, log 1, first_seq 0",
  ],
  ["UPDATE batch SET leaves = x'' WHERE log = 1 AND first_seq = 0", "checkpoint-size", "table batch, log 1"],
  ["UPDATE checkpoint SET log = 9 WHERE log = 1", "fsck-orphan", "table checkpoint"],
  [
    `UPDATE checkpoint SET size = size + 1 WHERE ${LATE}`,
    "checkpoint-size",
    "table checkpoint, log 1, size 35",
  ],
  ["UPDATE checkpoint SET size = size - 1 WHERE log = 2", "fsck-checkpoint", "table checkpoint, log 2"],
  [`UPDATE checkpoint SET size = -1 WHERE ${LATE}`, "row-type", "table checkpoint, log 1, size -1"],
  ["UPDATE checkpoint SET root = flip(root, 0) WHERE log = 1", "fsck-root", "table checkpoint, log 1"],
  [
    "UPDATE checkpoint SET bytes = flip(bytes, 150) WHERE log = 1",
    "cose-signature",
    "table checkpoint, log 1",
  ],
  [
    "UPDATE checkpoint SET receipt = flip(receipt, 190) WHERE log = 1",
    "cose-signature",
    "table checkpoint, log 1",
  ],
  [
    "UPDATE checkpoint SET received_ms = received_ms + 1 WHERE log = 2",
    "receipt-foreign",
    "table checkpoint, log 2",
  ],
  ["UPDATE mark SET log = 2 WHERE log = 1 AND seq > 350", "fsck-index", "table mark, log 1, seq"],
  [`UPDATE mark SET seq = seq + 1 WHERE ${CLOSE}`, "fsck-index", "table mark, log 1, seq"],
  [`UPDATE mark SET kind = 4 WHERE ${CLOSE}`, "fsck-index", "table mark, log 1, seq"],
  [`UPDATE mark SET channel = 2 WHERE ${CLOSE}`, "fsck-index", "table mark, log 1, seq"],
  [`UPDATE mark SET t0_ms = t0_ms - 1 WHERE ${CLOSE}`, "fsck-index", "table mark, log 1, seq"],
  [`UPDATE mark SET t1_ms = t1_ms + 1 WHERE ${CLOSE}`, "fsck-index", "table mark, log 1, seq"],
  ["UPDATE subtree SET log = 2", "fsck-subtree", "table subtree, log 1, place 0"],
  ["UPDATE subtree SET place = -1", "fsck-subtree", "table subtree, log 1, place 0"],
  ["UPDATE subtree SET place = 7", "fsck-beyond", "table subtree, log 1, place 7"],
  ["UPDATE subtree SET hash = flip(hash, 0)", "fsck-subtree", "table subtree, log 1, place 0"],
  ["UPDATE anchor SET log = 3 WHERE log = 1", "fsck-index", "table anchor, log 1"],
  ["UPDATE anchor SET seq = seq + 1 WHERE log = 1", "fsck-index", "table anchor, log 1"],
  ["UPDATE anchor SET receipt_size = 34 WHERE log = 1", "fsck-index", "table anchor, log 1"],
  ["UPDATE fault SET device_key = flip(device_key, 0)", "cose-signature", "table fault, id 1, column theirs"],
  ["UPDATE fault SET epoch = 2 WHERE id = 1", "fsck-fault", "table fault, id 1"],
  ["UPDATE fault SET log_id = flip(log_id, 0)", "cose-kid", "table fault, id 1, column theirs"],
  ["UPDATE fault SET kind = 'fork' WHERE kind = 'false-leaf'", "fsck-fault", "table fault, id 1"],
  ["UPDATE fault SET kind = 'fault'", "fsck-fault", "table fault, id 1"],
  ["UPDATE fault SET size = size + 1", "fsck-fault", "table fault, id 1"],
  [`UPDATE fault SET ours = NULL WHERE ${FORK}`, "fsck-fault", "table fault"],
  [`UPDATE fault SET ours = theirs WHERE ${FORK}`, "fsck-fault", "table fault"],
  [`UPDATE fault SET ours = flip(ours, 190) WHERE ${FORK}`, "fsck-fault", "table fault"],
  ["UPDATE fault SET theirs = flip(theirs, 190)", "cose-signature", "table fault, id 1, column theirs"],
  ["UPDATE fault SET proof = NULL WHERE kind = 'two-epochs'", "fsck-fault", "table fault, id 4"],
  [`UPDATE fault SET proof = flip(proof, 300) WHERE ${FORK}`, "cose-signature", "column proof"],
  [
    `UPDATE fault SET proof = (SELECT proof FROM fault WHERE id = 1) WHERE ${FORK}`,
    "fsck-fault",
    "table fault, id 3",
  ],
];

const ROWS_GONE_OR_ADDED: readonly DamageCase[] = [
  ["DELETE FROM device WHERE id = 2", "fsck-orphan", "table log, rowid 3"],
  ["INSERT INTO device SELECT 7, zeroblob(32), '', 0, 0", "key-invalid", "table device, id 7"],
  ["DELETE FROM log WHERE id = 2", "fsck-orphan", "table "],
  ["DELETE FROM batch WHERE log = 1 AND first_seq = 0", "fsck-batch", "table batch, log 1"],
  ["DELETE FROM batch WHERE log = 1 AND first_seq > 0", "fsck-orphan", "table checkpoint, log 1"],
  ["DELETE FROM checkpoint WHERE log = 2 AND size > 30", "fsck-checkpoint", "table checkpoint, log 2"],
  ["DELETE FROM mark WHERE log = 3 AND seq = 0", "fsck-index", "table mark, log 3, seq 0"],
  ["INSERT INTO mark VALUES (1, 20, 3, 1, 0, 0)", "fsck-index", "table mark, log 1, seq 20"],
  ["DELETE FROM subtree", "fsck-subtree", "table subtree, log 1, place 0"],
  ["INSERT INTO subtree SELECT log, -1, hash FROM subtree", "fsck-subtree", "table subtree, log 1"],
  ["DELETE FROM anchor WHERE log = 2", "fsck-index", "table anchor, log 2"],
  // The anchor of another node's receipt is only a leaf.
  [
    "INSERT INTO anchor SELECT log, seq + 1, receipt_size FROM anchor WHERE log = 1",
    "fsck-index",
    "table anchor",
  ],
];

/** Nothing vouches for these: they are notes of the node for people, and what no other row knows of. */
const UNSEEN: readonly string[] = [
  "UPDATE device SET agent_version = '9', last_seen_ms = 9",
  "UPDATE fault SET detail = '', found_ms = 9",
  "DELETE FROM fault",
  `DELETE FROM checkpoint WHERE ${LATE}`,
];

describe("fsck names what is wrong in a store:", () => {
  itNames("a changed cell", CHANGED_CELLS, () => victim);
  itNames("a row too few or too many", ROWS_GONE_OR_ADDED, () => victim);
  itPasses("nothing where nothing can show it", UNSEEN, () => victim);
});

describe("fsck names what was signed and is not so:", () => {
  const device = nativeSigner(seedOf(3));
  const elsewhere = new Uint8Array(32).fill(3);

  interface Row {
    readonly size: number;
    readonly bytes: Buffer;
    readonly receipt: Buffer;
  }

  /** The last checkpoint of log 1, with which a batch came, or the late one. */
  function rowOf(which: "last" | "late"): Row {
    const order = which === "last" ? "DESC" : "ASC";
    const [row] = victim.heal().rows(`checkpoint WHERE log = 1 ORDER BY size ${order}`);
    return row as unknown as Row;
  }

  async function forgeCheckpoint(
    which: "last" | "late",
    changes: Partial<Checkpoint>,
    signer: LocalSigner,
  ): Promise<Victim> {
    const { size, bytes } = rowOf(which);
    const deviceKey = device.publicKey;
    const logId = logIdOf(nativeSuite, { network: NETWORK, deviceKey, epoch: 1 });
    const said = { ...openCheckpoint(nativeSuite, bytes, { deviceKey, logId }), ...changes };
    const forged = Buffer.from(await signCheckpoint(signer, logId, said));
    const sql = "UPDATE checkpoint SET bytes = ?, root = ? WHERE log = 1 AND size = ?";
    return victim.damage([sql, forged, Buffer.from(said.root), size]);
  }

  async function forgeReceipt(changes: Partial<Receipt>, signer: LocalSigner): Promise<Victim> {
    const { size, receipt } = rowOf("last");
    const said = { ...openReceipt(nativeSuite, receipt, nodeSigner.publicKey), ...changes };
    const forged = Buffer.from(await signReceipt(signer, said));
    return victim.damage(["UPDATE checkpoint SET receipt = ? WHERE log = 1 AND size = ?", forged, size]);
  }

  it.each(["last", "late"] as const)("a root, a time or a manifest of the %s checkpoint", async (which) => {
    for (const [changes, code] of [
      [{ root: elsewhere }, "checkpoint-root"],
      [{ lastLeafMs: 5 }, "checkpoint-time"],
      [{ manifestHash: elsewhere }, "checkpoint-manifest"],
    ] as const)
      expect(
        (await forgeCheckpoint(which, changes, device)).check(ALL).findings.map((found) => found.code),
      ).toContain(code);
    expect((await forgeCheckpoint(which, {}, nativeSigner(seedOf(9)))).first()?.[0]).toBe("cose-signature");
  });

  it("a receipt of another log, root, size or node", async () => {
    for (const changes of [{ manifestHash: elsewhere }, { root: elsewhere }, { size: 5 }])
      expect((await forgeReceipt(changes, nodeSigner)).first()?.[0]).toBe("receipt-foreign");
    const stranger = nativeSigner(seedOf(9));
    const forged = await forgeReceipt({}, stranger);
    expect(forged.first()?.[0]).toBe("fsck-node");
    const nodeKeys = [nodeSigner.publicKey, stranger.publicKey];
    // A node whose key was exchanged has receipts of both; the anchor names the one that stood there.
    expect(forged.check({ ...ALL, nodeKeys }).findings.map(({ code }) => code)).not.toContain("fsck-node");
  });

  it("an epoch that continues another history", () => {
    const moved =
      "UPDATE batch SET leaves = CAST(replace(leaves, ?, ?) AS BLOB) WHERE log = 2 AND first_seq = 0";
    const root = openReceipt(nativeSuite, rowOf("last").receipt, nodeSigner.publicKey).root;
    const [finding] = victim.damage([moved, Buffer.from(root), Buffer.from(elsewhere)]).check(ALL).findings;
    // The batch is not the one that was signed any more, before anything is asked of its link.
    expect(finding?.code).toBe("checkpoint-root");
  });
});
