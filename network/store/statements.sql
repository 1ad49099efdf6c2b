-- name: other-network
SELECT network FROM log WHERE network <> ? LIMIT 1;

-- name: newest-head
SELECT log.id AS log, log.log_id AS logId, log.epoch, log.size, log.rules
FROM log JOIN device ON device.id = log.device
WHERE device.key = ?
ORDER BY log.epoch DESC LIMIT 1;

-- name: later-heads
SELECT log.id AS log, log.log_id AS logId, log.epoch, log.size, log.rules
FROM log JOIN device ON device.id = log.device
WHERE device.key = ? AND log.epoch > ?
ORDER BY log.epoch LIMIT ?;

-- name: head
SELECT log.id AS log, log.log_id AS logId, log.epoch, log.size, log.rules
FROM log JOIN device ON device.id = log.device
WHERE device.key = ? AND log.epoch = ?;

-- name: rules-at
SELECT rules FROM log WHERE log_id = ? AND size = ?;

-- name: newest-checkpoint
SELECT log.epoch, checkpoint.size, checkpoint.root, checkpoint.bytes, checkpoint.receipt
FROM device
JOIN log ON log.device = device.id
JOIN checkpoint ON checkpoint.log = log.id
WHERE device.key = ?
ORDER BY log.epoch DESC, checkpoint.size DESC LIMIT 1;

-- name: checkpoint-over
SELECT size, root, bytes, receipt FROM checkpoint WHERE log = ? AND size >= ? ORDER BY size LIMIT 1;

-- name: checkpoint-at
SELECT size, root, bytes, receipt FROM checkpoint WHERE log = ? AND size = ?;

-- name: add-checkpoint
INSERT INTO checkpoint (log, size, root, bytes, receipt, received_ms) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- name: see-device
INSERT INTO device (key, agent_version, first_seen_ms, last_seen_ms)
VALUES (:key, :agentVersion, :nowMs, :nowMs)
ON CONFLICT (key) DO UPDATE SET last_seen_ms = :nowMs
RETURNING id;

-- name: touch-device
UPDATE device SET agent_version = :agentVersion, last_seen_ms = :nowMs WHERE key = :key;

-- name: open-log
INSERT INTO log (device, network, epoch, log_id, size, rules, opened_ms)
SELECT :device, :network, :epoch, :logId, :size, :rules, :nowMs
WHERE NOT EXISTS (SELECT 1 FROM log WHERE device = :device AND epoch >= :epoch)
RETURNING id;

-- name: move-log
UPDATE log SET size = :size, rules = :rules
WHERE log_id = :logId AND size = :fromSize
  AND NOT EXISTS (SELECT 1 FROM log AS later WHERE later.device = log.device AND later.epoch > log.epoch)
RETURNING id;

-- name: add-batch
INSERT INTO batch (log, first_seq, next_seq, last_ms, ends, leaves) VALUES (?, ?, ?, ?, ?, ?);

-- name: add-mark
INSERT INTO mark (log, seq, kind, channel, t0_ms, t1_ms) VALUES (?, ?, ?, ?, ?, ?);

-- name: add-subtree
INSERT INTO subtree (log, place, hash) VALUES (?, ?, ?);

-- name: add-anchor
INSERT INTO anchor (log, seq, receipt_size) VALUES (?, ?, ?);

-- name: faults-beside
SELECT count(*) AS count,
  max(log_id = :logId AND theirs = :theirs) AS known,
  max(log_id = :logId AND theirs = :theirs AND proof IS NOT NULL) AS proven
FROM fault
WHERE device_key = :deviceKey AND (log_id = :logId OR (
  NOT EXISTS (SELECT 1 FROM log WHERE log.log_id = :logId)
  AND NOT EXISTS (SELECT 1 FROM log WHERE log.log_id = fault.log_id)));

-- name: add-fault
INSERT INTO fault (device_key, epoch, log_id, kind, size, ours, theirs, detail, proof, found_ms)
VALUES (:deviceKey, :epoch, :logId, :kind, :size, :ours, :theirs, :detail, :proof, :nowMs)
ON CONFLICT (log_id, theirs) DO UPDATE SET kind = :kind, ours = :ours, detail = :detail, proof = :proof
WHERE proof IS NULL AND :proof IS NOT NULL;

-- name: devices
SELECT key, agent_version AS agentVersion, first_seen_ms AS firstSeenMs, last_seen_ms AS lastSeenMs,
  (SELECT count(*) FROM fault WHERE fault.device_key = device.key) AS faults
FROM device WHERE key > ? ORDER BY key LIMIT ?;

-- name: device
SELECT key, agent_version AS agentVersion, first_seen_ms AS firstSeenMs, last_seen_ms AS lastSeenMs,
  (SELECT count(*) FROM fault WHERE fault.device_key = device.key) AS faults
FROM device WHERE key = ?;

-- name: logs
SELECT log.id AS log, log.log_id AS logId, log.epoch, log.size, log.rules, log.opened_ms AS openedMs,
  (SELECT count(*) FROM checkpoint WHERE checkpoint.log = log.id) AS receipts,
  (SELECT received_ms FROM checkpoint WHERE checkpoint.log = log.id ORDER BY size DESC LIMIT 1) AS receivedMs,
  (SELECT bytes FROM checkpoint WHERE checkpoint.log = log.id ORDER BY size DESC LIMIT 1) AS checkpoint,
  (SELECT count(*) FROM fault WHERE fault.log_id = log.log_id) AS faults
FROM log JOIN device ON device.id = log.device
WHERE device.key = ?
ORDER BY log.epoch;

-- name: closes
SELECT seq FROM mark
WHERE log = :log AND kind = :kind AND channel = :channel
  AND t0_ms >= :fromMs AND t1_ms <= :toMs AND seq > :afterSeq
ORDER BY seq LIMIT :limit;

-- name: closes-of-span
SELECT seq FROM mark INDEXED BY mark_begin
WHERE log = :log AND kind = :kind AND channel = :channel
  AND t0_ms BETWEEN :fromMs AND :toMs AND t1_ms <= :toMs
ORDER BY seq LIMIT :limit;

-- name: begins
SELECT DISTINCT t0_ms AS ms FROM mark
WHERE log = :log AND kind = :kind AND channel = :channel AND seq < :size AND t0_ms IN (
  (SELECT max(t0_ms) FROM mark
   WHERE log = :log AND kind = :kind AND channel = :channel AND seq < :size AND t0_ms <= :ms),
  (SELECT min(t0_ms) FROM mark
   WHERE log = :log AND kind = :kind AND channel = :channel AND seq < :size AND t0_ms >= :ms))
ORDER BY ms;

-- name: ends
SELECT DISTINCT t1_ms AS ms FROM mark
WHERE log = :log AND kind = :kind AND channel = :channel AND seq < :size AND t1_ms IN (
  (SELECT max(t1_ms) FROM mark
   WHERE log = :log AND kind = :kind AND channel = :channel AND seq < :size AND t1_ms <= :ms),
  (SELECT min(t1_ms) FROM mark
   WHERE log = :log AND kind = :kind AND channel = :channel AND seq < :size AND t1_ms >= :ms))
ORDER BY ms;

-- name: first-begin
SELECT t0_ms AS ms FROM mark
WHERE log = :log AND kind = :kind AND channel = :channel AND seq < :size
ORDER BY seq LIMIT 1;

-- name: last-end
SELECT t1_ms AS ms FROM mark INDEXED BY mark_end
WHERE log = :log AND kind = :kind AND channel = :channel AND seq < :size AND t1_ms <= :ms
ORDER BY seq DESC LIMIT 1;

-- name: last-at
SELECT seq, t0_ms AS ms FROM mark
WHERE log = :log AND kind = :kind AND channel = :channel AND seq < :size AND t0_ms <= :ms
ORDER BY t0_ms DESC, seq DESC LIMIT 1;

-- name: first-after
SELECT seq, t0_ms AS ms FROM mark
WHERE log = :log AND kind = :kind AND channel = :channel AND seq < :size AND t0_ms > :ms
ORDER BY t0_ms, seq LIMIT 1;

-- name: batch-of
SELECT first_seq AS firstSeq, next_seq AS nextSeq, ends, leaves FROM batch
WHERE log = ? AND first_seq <= ? ORDER BY first_seq DESC LIMIT 1;

-- name: batches-from
SELECT first_seq AS firstSeq, next_seq AS nextSeq, ends, leaves FROM batch
WHERE log = :log AND next_seq > :fromSeq AND last_ms >= :fromMs
  AND first_seq >= (SELECT coalesce(max(first_seq), 0) FROM batch WHERE log = :log AND first_seq <= :fromSeq)
ORDER BY first_seq;

-- name: subtree
SELECT hash FROM subtree WHERE log = ? AND place = ?;

-- name: size
SELECT size FROM log WHERE id = ?;

-- name: anchor-below
SELECT anchor.seq, checkpoint.receipt
FROM anchor JOIN checkpoint ON checkpoint.log = anchor.log AND checkpoint.size = anchor.receipt_size
WHERE anchor.log = ? AND anchor.seq < ?
ORDER BY anchor.seq DESC LIMIT 1;

-- name: faults
SELECT id, epoch, log_id AS logId, kind, size, ours, theirs, detail, length(proof) AS proofBytes, found_ms AS foundMs
FROM fault WHERE device_key = ? ORDER BY id;

-- name: fault-proof
SELECT proof FROM fault WHERE device_key = ? AND id = ?;

-- name: enclosures-of-log
SELECT input, seq, state, time_ms AS timeMs, time_quality AS timeQuality, since_ms AS sinceMs,
  since_quality AS sinceQuality, known_open AS knownOpen, openings
FROM enclosure WHERE log = ?;

-- name: enclosure-before
SELECT enclosure.input, enclosure.seq, enclosure.state, enclosure.time_ms AS timeMs,
  enclosure.time_quality AS timeQuality, enclosure.since_ms AS sinceMs, enclosure.since_quality AS sinceQuality,
  enclosure.known_open AS knownOpen, enclosure.openings
FROM log AS this
JOIN log AS earlier ON earlier.device = this.device AND earlier.epoch < this.epoch
JOIN enclosure ON enclosure.log = earlier.id AND enclosure.input = :input
WHERE this.id = :log
ORDER BY earlier.epoch DESC LIMIT 1;

-- name: tamper-before
SELECT 1 FROM log AS this
JOIN log AS earlier ON earlier.device = this.device AND earlier.epoch < this.epoch
JOIN mark ON mark.log = earlier.id AND mark.kind = :kind AND mark.channel IS NULL AND mark.t0_ms = :timeMs
WHERE this.id = :log LIMIT 1;

-- name: last-tamper-before
SELECT coalesce(max((
  SELECT max(t0_ms) FROM mark WHERE mark.log = earlier.id AND mark.kind = :kind AND mark.channel IS NULL)), -1) AS timeMs
FROM log AS this JOIN log AS earlier ON earlier.device = this.device AND earlier.epoch < this.epoch
WHERE this.id = :log;

-- name: keep-enclosure
INSERT INTO enclosure
  (log, input, seq, state, time_ms, time_quality, since_ms, since_quality, known_open, openings)
VALUES (:log, :input, :seq, :state, :timeMs, :timeQuality, :sinceMs, :sinceQuality, :knownOpen, :openings)
ON CONFLICT (log, input) DO UPDATE
SET seq = :seq, state = :state, time_ms = :timeMs, time_quality = :timeQuality, since_ms = :sinceMs,
  since_quality = :sinceQuality, known_open = :knownOpen, openings = :openings;

-- name: enclosure-further
SELECT leaves, opened FROM enclosure_further WHERE log = ?;

-- name: keep-enclosure-further
INSERT INTO enclosure_further (log, leaves, opened) VALUES (:log, :leaves, :opened)
ON CONFLICT (log) DO UPDATE SET leaves = :leaves, opened = :opened;

-- name: enclosure-backlog
SELECT backlog.log FROM enclosure_backlog AS backlog JOIN log ON log.id = backlog.log
ORDER BY log.device, log.epoch;

-- name: tamper-seqs
SELECT seq FROM mark WHERE log = :log AND kind = :kind ORDER BY seq;

-- name: end-enclosure-backlog
DELETE FROM enclosure_backlog WHERE log = ?;

-- name: enclosures
-- Of the rows of one input, the columns that stand beside max() are those of the highest epoch.
SELECT input, max(epoch) AS epoch, seq, state, timeMs, timeQuality, sinceMs, sinceQuality, knownOpen, openings
FROM (
  SELECT enclosure.input, log.epoch, enclosure.seq, enclosure.state, enclosure.time_ms AS timeMs,
    enclosure.time_quality AS timeQuality, enclosure.since_ms AS sinceMs, enclosure.since_quality AS sinceQuality,
    enclosure.known_open AS knownOpen, enclosure.openings
  FROM device JOIN log ON log.device = device.id JOIN enclosure ON enclosure.log = log.id
  WHERE device.key = :deviceKey)
GROUP BY input ORDER BY max(epoch) DESC, input LIMIT :limit;

-- name: enclosures-further
SELECT count(DISTINCT enclosure.input) AS inputs,
  (SELECT coalesce(sum(leaves), 0) FROM enclosure_further JOIN log ON log.id = enclosure_further.log
   JOIN device ON device.id = log.device WHERE device.key = :deviceKey) AS leaves,
  (SELECT coalesce(sum(opened), 0) FROM enclosure_further JOIN log ON log.id = enclosure_further.log
   JOIN device ON device.id = log.device WHERE device.key = :deviceKey) AS opened
FROM device JOIN log ON log.device = device.id JOIN enclosure ON enclosure.log = log.id
WHERE device.key = :deviceKey;
