-- name: devices
SELECT key, agent_version AS agentVersion, first_seen_ms AS firstSeenMs, last_seen_ms AS lastSeenMs
FROM device WHERE key > ? ORDER BY key LIMIT ?;

-- name: device
SELECT key, agent_version AS agentVersion, first_seen_ms AS firstSeenMs, last_seen_ms AS lastSeenMs
FROM device WHERE key = ?;

-- name: logs
SELECT log.id AS log, log.log_id AS logId, log.epoch, log.size, log.rules, log.opened_ms AS openedMs,
  (SELECT count(*) FROM checkpoint WHERE checkpoint.log = log.id) AS receipts,
  (SELECT received_ms FROM checkpoint WHERE checkpoint.log = log.id ORDER BY size DESC LIMIT 1) AS receivedMs,
  (SELECT bytes FROM checkpoint WHERE checkpoint.log = log.id ORDER BY size DESC LIMIT 1) AS checkpoint,
  (SELECT count(*) FROM fault WHERE fault.log = log.id) AS faults
FROM log JOIN device ON device.id = log.device
WHERE device.key = ?
ORDER BY log.epoch;

-- name: closes
SELECT seq FROM mark
WHERE log = :log AND kind = :kind AND channel = :channel
  AND t0_ms >= :fromMs AND t1_ms <= :toMs AND seq > :afterSeq
ORDER BY seq LIMIT :limit;

-- name: begins
SELECT DISTINCT t0_ms AS ms FROM mark
WHERE log = :log AND kind = :kind AND channel = :channel AND (
  t0_ms = (SELECT max(t0_ms) FROM mark WHERE log = :log AND kind = :kind AND channel = :channel AND t0_ms <= :ms)
  OR t0_ms = (SELECT min(t0_ms) FROM mark WHERE log = :log AND kind = :kind AND channel = :channel AND t0_ms >= :ms))
ORDER BY ms;

-- name: ends
SELECT DISTINCT t1_ms AS ms FROM mark
WHERE log = :log AND kind = :kind AND channel = :channel AND (
  t1_ms = (SELECT max(t1_ms) FROM mark WHERE log = :log AND kind = :kind AND channel = :channel AND t1_ms <= :ms)
  OR t1_ms = (SELECT min(t1_ms) FROM mark WHERE log = :log AND kind = :kind AND channel = :channel AND t1_ms >= :ms))
ORDER BY ms;

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
SELECT log.epoch, log.log_id AS logId, fault.kind, fault.size, fault.ours, fault.theirs, fault.detail,
  fault.found_ms AS foundMs
FROM fault JOIN log ON log.id = fault.log JOIN device ON device.id = log.device
WHERE device.key = ?
ORDER BY fault.id;
