-- Byte strings are cut behind the most that they may have: what is longer is wrong, however it goes on.

-- name: leaves
SELECT coalesce(sum(size), 0) AS count FROM log

-- name: devices
SELECT id, key, first_seen_ms AS firstSeenMs,
  (SELECT opened_ms FROM log WHERE log.device = device.id ORDER BY log.id LIMIT 1) AS openedMs
FROM device WHERE id > :after ORDER BY id LIMIT 256

-- name: nextLog
SELECT id FROM log WHERE device = :device AND epoch > :after ORDER BY epoch LIMIT 1

-- name: log
SELECT network, epoch, log_id AS logId, size, rules, opened_ms AS openedMs,
  (SELECT next_seq FROM batch WHERE batch.log = log.id ORDER BY first_seq DESC LIMIT 1) AS lastNextSeq,
  (SELECT max(size) FROM checkpoint WHERE checkpoint.log = log.id) AS lastCheckpoint,
  (SELECT max(seq) FROM mark WHERE mark.log = log.id) AS lastMark,
  (SELECT max(seq) FROM anchor WHERE anchor.log = log.id) AS lastAnchor,
  (SELECT max(place) FROM subtree WHERE subtree.log = log.id) AS lastSubtree,
  (SELECT log FROM enclosure_backlog WHERE enclosure_backlog.log = log.id) AS enclosureBacklog,
  (SELECT json_group_array(json_object('input', input, 'seq', seq, 'state', state, 'timeMs', time_ms,
    'timeQuality', time_quality, 'sinceMs', since_ms, 'sinceQuality', since_quality, 'knownOpen', known_open,
    'openings', openings)) FROM enclosure WHERE enclosure.log = log.id) AS enclosures,
  (SELECT json_group_array(json_object('leaves', leaves, 'opened', opened))
    FROM enclosure_further WHERE enclosure_further.log = log.id) AS enclosureFurther
FROM log WHERE id = :log

-- name: nextBatch
SELECT rowid, first_seq AS firstSeq, next_seq AS nextSeq, last_ms AS lastMs,
  iif(length(ends) > 16384, substr(ends, 1, 16385), ends) AS ends,
  iif(length(leaves) > 16777216, substr(leaves, 1, 16777217), leaves) AS leaves FROM batch
WHERE log = :log AND first_seq > :after AND first_seq < :size ORDER BY first_seq LIMIT 1

-- name: checkpoints
SELECT size, root, received_ms AS receivedMs,
  iif(length(bytes) > 8192, substr(bytes, 1, 8193), bytes) AS bytes,
  iif(length(receipt) > 8192, substr(receipt, 1, 8193), receipt) AS receipt
FROM checkpoint
WHERE log = :log AND size > :after AND size <= :to ORDER BY size

-- name: checkpointAt
SELECT receipt FROM checkpoint WHERE log = :log AND size = :size

-- name: marks
SELECT seq, kind, channel, t0_ms AS t0Ms, t1_ms AS t1Ms FROM mark
WHERE log = :log AND seq > :after AND seq < :to ORDER BY seq

-- name: anchors
SELECT seq, receipt_size AS receiptSize FROM anchor WHERE log = :log AND seq > :after AND seq < :to ORDER BY seq

-- name: subtree
SELECT hash FROM subtree WHERE log = :log AND place = :place

-- name: subtreeCount
SELECT count(*) AS count FROM subtree WHERE log = :log AND place < :below

-- name: faults
SELECT id, device_key AS deviceKey, epoch, log_id AS logId, kind, size, ours, theirs, proof FROM fault
WHERE id > :after ORDER BY id LIMIT 1

-- name: checkpointOfLog
SELECT checkpoint.bytes, log.epoch, device.key AS deviceKey
FROM log JOIN device ON device.id = log.device JOIN checkpoint ON checkpoint.log = log.id
WHERE log.log_id = :logId AND checkpoint.size = :size


-- name: orders
SELECT flex_order.id, flex_order.kind, flex_order.object_id AS objectId, flex_order.digest, flex_order.bytes,
  flex_order.commitment_id AS commitmentId, flex_order.withdraws, flex_order.issued_ms AS issuedMs,
  flex_order.expires_ms AS expiresMs, flex_order.from_ms AS fromMs, flex_order.to_ms AS toMs, flex_order.seq,
  flex_order.list, flex_order.result, log.log_id AS logId, log.id AS log
FROM flex_order JOIN log ON log.id = flex_order.log
WHERE flex_order.id > :after ORDER BY flex_order.id LIMIT 1

-- name: orderLeaf
SELECT first_seq AS firstSeq, next_seq AS nextSeq, ends, leaves FROM batch
WHERE log = :log AND first_seq <= :seq ORDER BY first_seq DESC LIMIT 1
