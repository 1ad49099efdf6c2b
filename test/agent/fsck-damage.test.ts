import { afterAll, beforeAll, describe } from "vitest";
import { type DamageCase, itNames, itPasses, Victim, writtenJournal } from "./fsck-kit.ts";
import { temporaryFolder } from "./kit.ts";

let victim: Victim;

beforeAll(async () => {
  const { folder, remove } = temporaryFolder();
  victim = new Victim(await writtenJournal(folder));
  remove();
});
afterAll(() => victim.remove());

const LEAF = "epoch = 1 AND seq = 203";
const CLOSE = "epoch = 1 AND seq = (SELECT min(seq) FROM mark WHERE epoch = 1 AND kind = 'intervalClose')";
const FIRST_FLEXIBLE = "epoch = 1 AND seq = (SELECT min(seq) FROM flexibility WHERE epoch = 1)";
const SMALLEST = "epoch = 1 AND size = (SELECT min(size) FROM receipt)";
const CARRY = "INSERT INTO carry VALUES";

const CHANGED_CELLS: readonly DamageCase[] = [
  ["UPDATE note SET name = flip(name, 4) WHERE name = 'rules'", "fsck-note", 'name "ruler"'],
  ["UPDATE note SET value = '1' WHERE name = 'epoch'", "fsck-note", 'name "epoch"'],
  ["UPDATE note SET value = '3' WHERE name = 'epoch'", "fsck-note", 'name "epoch"'],
  ["UPDATE note SET value = x'32' WHERE name = 'epoch'", "fsck-note", 'name "epoch"'],
  ["UPDATE note SET value = flip(value, 0) WHERE name = 'bootCount'", "fsck-note", 'name "bootCount"'],
  ["UPDATE note SET value = 'x' || value WHERE name = 'bootId'", "fsck-note", 'name "bootId"'],
  ["UPDATE note SET value = replace(value, '\"size\":', '\"sizf\":')", "rules-version", 'name "rules"'],
  ["UPDATE note SET value = substr(value, 1, 90) || '}' WHERE name = 'rules'", "json", 'name "rules"'],
  [
    "UPDATE note SET value = replace(value, 'lastTimeMs\":1', 'lastTimeMs\":2')",
    "fsck-rules",
    'name "rules"',
  ],
  [`UPDATE leaf SET epoch = 2 WHERE ${LEAF}`, "fsck-gap", "epoch 1, seq 203"],
  [`UPDATE leaf SET epoch = 'x' WHERE ${LEAF}`, "fsck-epoch", 'epoch "x"'],
  [`UPDATE leaf SET seq = 9999 WHERE ${LEAF}`, "fsck-gap", "epoch 1, seq 203"],
  [`UPDATE leaf SET seq = -1 WHERE ${LEAF}`, "row-type", "table leaf, epoch 1"],
  [`UPDATE leaf SET seq = 203.5 WHERE ${LEAF}`, "fsck-gap", "epoch 1, seq 203"],
  [`UPDATE leaf SET bytes = flip(bytes, 0) WHERE ${LEAF}`, "field", "epoch 1, seq 203"],
  [`UPDATE leaf SET bytes = flip(bytes, 3) WHERE ${LEAF}`, "seq", "epoch 1, seq 203"],
  [`UPDATE leaf SET bytes = 'text' WHERE ${LEAF}`, "row-type", "epoch 1, seq 203"],
  [`UPDATE leaf SET bytes = CAST(bytes || x'00' AS BLOB) WHERE ${LEAF}`, "leaf-trailing", "epoch 1, seq 203"],
  [`UPDATE leaf SET bytes = zeroblob(9000000) WHERE ${LEAF}`, "leaf-type", "epoch 1, seq 203"],
  [
    "UPDATE leaf SET bytes = CAST(replace(bytes, 'test', 't st') AS BLOB) WHERE epoch = 1 AND seq = 0",
    "network-name",
    "table leaf, epoch 1, seq 0",
  ],
  ["UPDATE mark SET epoch = 9 WHERE epoch = 1 AND seq = 1", "fsck-orphan", "table mark, epoch 9"],
  [`UPDATE mark SET seq = seq + 1 WHERE ${CLOSE}`, "fsck-index", "table mark, epoch 1, seq"],
  [`UPDATE mark SET seq = seq - 1 WHERE ${CLOSE}`, "fsck-index", "table mark, epoch 1, seq"],
  [`UPDATE mark SET kind = flip(kind, 3) WHERE ${CLOSE}`, "fsck-index", "table mark, epoch 1, seq"],
  [`UPDATE mark SET channel = 2 WHERE ${CLOSE}`, "fsck-index", "table mark, epoch 1, seq"],
  [`UPDATE mark SET channel = NULL WHERE ${CLOSE}`, "fsck-index", "table mark, epoch 1, seq"],
  [`UPDATE mark SET t0_ms = t0_ms + 1 WHERE ${CLOSE}`, "fsck-index", "table mark, epoch 1, seq"],
  [`UPDATE mark SET t1_ms = t1_ms - 1 WHERE ${CLOSE}`, "fsck-index", "table mark, epoch 1, seq"],
  ["UPDATE subtree SET epoch = 2", "fsck-beyond", "table subtree, epoch 2, position 0"],
  ["UPDATE subtree SET position = 1", "fsck-beyond", "table subtree, epoch 1, position 1"],
  ["UPDATE subtree SET position = -1", "fsck-subtree", "table subtree, epoch 1, position 0"],
  ["UPDATE subtree SET hash = flip(hash, 31)", "fsck-subtree", "table subtree, epoch 1, position 0"],
  ["UPDATE subtree SET hash = 7", "row-type", "table subtree, epoch 1, position 0"],
  [`UPDATE checkpoint SET epoch = 3 WHERE ${SMALLEST}`, "fsck-orphan", "table checkpoint, epoch 3"],
  [`UPDATE checkpoint SET size = size + 1 WHERE ${SMALLEST}`, "checkpoint-size", "table checkpoint, epoch 1"],
  [
    `UPDATE checkpoint SET size = 0 WHERE ${SMALLEST}`,
    "checkpoint-size",
    "table checkpoint, epoch 1, size 0",
  ],
  [
    `UPDATE checkpoint SET bytes = flip(bytes, 20) WHERE ${SMALLEST}`,
    "cose-kid",
    "table checkpoint, epoch 1",
  ],
  [`UPDATE checkpoint SET bytes = flip(bytes, 200) WHERE ${SMALLEST}`, "cose-signature", "table checkpoint"],
  [`UPDATE receipt SET epoch = 2 WHERE ${SMALLEST}`, "fsck-anchor", "table leaf, epoch 1"],
  [`UPDATE receipt SET size = size + 1 WHERE ${SMALLEST}`, "fsck-anchor", "table leaf, epoch 1"],
  ["UPDATE receipt SET size = size + 100 WHERE epoch = 2", "fsck-beyond", "table receipt, epoch 2, size"],
  [`UPDATE receipt SET node_key = flip(node_key, 9) WHERE ${SMALLEST}`, "key-invalid", "table receipt"],
  [`UPDATE receipt SET node_key = x'00' WHERE ${SMALLEST}`, "key-invalid", "table receipt, epoch 1"],
  [`UPDATE receipt SET hash = flip(hash, 0) WHERE ${SMALLEST}`, "fsck-hash", "table receipt, epoch 1"],
  [`UPDATE receipt SET bytes = flip(bytes, 180) WHERE ${SMALLEST}`, "cose-signature", "table receipt"],
  [`UPDATE flexibility SET epoch = 9 WHERE ${FIRST_FLEXIBLE}`, "fsck-orphan", "table flexibility, epoch 9"],
  [`UPDATE flexibility SET channel = 9 WHERE ${FIRST_FLEXIBLE}`, "fsck-index", "table flexibility, epoch 1"],
  [`UPDATE flexibility SET time_ms = 9 WHERE ${FIRST_FLEXIBLE}`, "fsck-index", "table flexibility, epoch 1"],
  [
    `UPDATE flexibility SET seq = seq + 1 WHERE ${FIRST_FLEXIBLE}`,
    "fsck-index",
    "table flexibility, epoch 1",
  ],
];

const ROWS_GONE_OR_ADDED: readonly DamageCase[] = [
  ["DELETE FROM note WHERE name = 'epoch'", "fsck-note", 'name "epoch"'],
  ["DELETE FROM note WHERE name = 'rules'", "fsck-note", 'name "rules"'],
  ["DELETE FROM note WHERE name = 'bootId'", "fsck-note", 'name "bootId"'],
  ["INSERT INTO note VALUES ('more', '')", "fsck-note", 'name "more"'],
  ["DELETE FROM leaf WHERE epoch = 1 AND seq = 0", "fsck-gap", "epoch 1, seq 0"],
  ["DELETE FROM leaf WHERE epoch = 1 AND seq = 100", "fsck-gap", "epoch 1, seq 100"],
  ["DELETE FROM leaf WHERE epoch = 1 AND seq < 256", "fsck-gap", "epoch 1, seq 0"],
  ["DELETE FROM leaf WHERE epoch = 2 AND seq > 50", "fsck-beyond", "table checkpoint, epoch 2"],
  [
    "DELETE FROM leaf WHERE epoch = 2 AND seq = (SELECT max(seq) FROM leaf WHERE epoch = 2)",
    "fsck-beyond",
    'table note, name "rules"',
  ],
  ["DELETE FROM leaf WHERE epoch = 1", "fsck-orphan", "epoch 1"],
  ["INSERT INTO leaf SELECT epoch, 9999, bytes FROM leaf WHERE epoch = 1 AND seq = 7", "fsck-gap", "epoch 1"],
  ["INSERT INTO leaf SELECT 2, max(seq) + 1, bytes FROM leaf WHERE epoch = 2", "seq", "table leaf, epoch 2"],
  [`DELETE FROM mark WHERE ${CLOSE}`, "fsck-index", "table mark, epoch 1"],
  ["INSERT INTO mark SELECT epoch, 9, kind, channel, t0_ms, t1_ms FROM mark LIMIT 1", "fsck-index", "seq 9"],
  ["DELETE FROM subtree", "fsck-subtree", "epoch 1, position 0"],
  ["INSERT INTO subtree SELECT epoch, -5, hash FROM subtree", "fsck-subtree", "table subtree, epoch 1"],
  [`DELETE FROM checkpoint WHERE ${SMALLEST}`, "fsck-orphan", "table receipt, epoch 1"],
  [`DELETE FROM receipt WHERE ${SMALLEST}`, "fsck-anchor", "table leaf, epoch 1"],
  ["DELETE FROM flexibility WHERE epoch = 2", "fsck-index", "table flexibility, epoch 2"],
  [
    "INSERT INTO flexibility SELECT epoch, channel, time_ms, seq + 1 FROM flexibility LIMIT 1",
    "fsck-index",
    "table flexibility, epoch 1",
  ],
  ["INSERT INTO released SELECT epoch, 5, 0, hash FROM subtree", "fsck-released", "table released, epoch 1"],
  ["INSERT INTO released SELECT 5, 5, 0, hash FROM subtree", "fsck-orphan", "table released, epoch 5"],
  ["INSERT INTO released SELECT epoch, 9999, 0, hash FROM subtree", "fsck-beyond", "table released, epoch 1"],
  [`${CARRY} (1, 3, '', 1, 5, 9)`, "fsck-carry", "table carry"],
  [`${CARRY} (1, 2, '', 2, 5, 9)`, "fsck-carry", "table carry"],
  [`${CARRY} (1, 2, '', 1, 9, 5)`, "fsck-carry", "table carry"],
  [`${CARRY} (1, 2, '', 1, 5, 9999)`, "fsck-carry", "table carry"],
  [`${CARRY} (1, 2, '', 1, 'x', 9)`, "row-type", "table carry"],
  ["INSERT INTO passed_over VALUES (2, x'00')", "key-invalid", "table passed_over, epoch 2"],
  [
    "INSERT INTO passed_over SELECT 3, node_key FROM receipt LIMIT 1",
    "fsck-epoch",
    "table passed_over, epoch 3",
  ],
];

/** No signature, index or other row speaks of these, so that nobody can tell. */
const UNSEEN: readonly string[] = [
  "UPDATE note SET value = '2' WHERE name = 'bootCount'",
  "UPDATE note SET value = '00000000-0000-0000-0000-000000000000' WHERE name = 'bootId'",
  "DELETE FROM checkpoint WHERE size NOT IN (SELECT size FROM receipt WHERE receipt.epoch = checkpoint.epoch)",
  "DELETE FROM leaf WHERE epoch = 1 AND seq = (SELECT max(seq) FROM leaf WHERE epoch = 1)",
];

const LAWFUL: readonly string[] = [
  `${CARRY} (1, 2, '', 1, 5, 9)`,
  `${CARRY} (1, 2, 'journal.sqlite.damaged-1', 1, 5, 9999)`,
  "INSERT INTO passed_over SELECT 2, node_key FROM receipt LIMIT 1",
];

describe("fsck names what is wrong in a journal:", () => {
  itNames("a changed cell", CHANGED_CELLS, () => victim);
  itNames("a row too few or too many", ROWS_GONE_OR_ADDED, () => victim);
  itPasses("nothing where nothing can show it", UNSEEN, () => victim);
  itPasses("nothing where it may be so", LAWFUL, () => victim);
});
