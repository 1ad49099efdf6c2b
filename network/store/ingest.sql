-- name: other-network
SELECT network FROM log WHERE network <> ? LIMIT 1;

-- name: newest-head
SELECT log.id AS log, log.log_id AS logId, log.epoch, log.size, log.rules
FROM log JOIN device ON device.id = log.device
WHERE device.key = ?
ORDER BY log.epoch DESC LIMIT 1;

-- name: head
SELECT log.id AS log, log.log_id AS logId, log.epoch, log.size, log.rules
FROM log JOIN device ON device.id = log.device
WHERE device.key = ? AND log.epoch = ?;

-- name: newest-checkpoint
SELECT log.epoch, checkpoint.size, checkpoint.root, checkpoint.bytes, checkpoint.receipt
FROM device
JOIN log ON log.device = device.id
JOIN checkpoint ON checkpoint.log = log.id
WHERE device.key = ?
ORDER BY log.epoch DESC, checkpoint.size DESC LIMIT 1;

-- name: checkpoint-over
SELECT size, root, bytes, receipt FROM checkpoint WHERE log = ? AND size >= ? ORDER BY size LIMIT 1;

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

-- name: add-fault
INSERT INTO fault (log, kind, size, ours, theirs, detail, found_ms)
SELECT :log, :kind, :size, :ours, :theirs, :detail, :nowMs
WHERE (SELECT count(*) FROM fault WHERE log = :log) < :most
ON CONFLICT DO NOTHING;
