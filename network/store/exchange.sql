-- name: self
SELECT id FROM exchange_self;

-- name: moved
SELECT exchange_move.move, device.key AS deviceKey, log.epoch, checkpoint.size, checkpoint.bytes AS checkpoint,
  checkpoint.receipt
FROM exchange_move
JOIN log ON log.id = exchange_move.log
JOIN device ON device.id = log.device
JOIN checkpoint ON checkpoint.log = log.id
  AND checkpoint.size = (SELECT max(size) FROM checkpoint WHERE checkpoint.log = log.id)
WHERE exchange_move.move > :after AND exchange_move.move <= :upTo
ORDER BY exchange_move.move LIMIT :limit;

-- name: last-move
SELECT coalesce(max(move), 0) AS move FROM exchange_move;

-- name: holds
SELECT 1 FROM log JOIN device ON device.id = log.device WHERE device.key = :deviceKey LIMIT 1;

-- name: log-of
SELECT log.id AS log, log.epoch, log.size, device.key AS deviceKey
FROM log JOIN device ON device.id = log.device
WHERE log.log_id = :logId;

-- name: place
SELECT place, own_move AS ownMove FROM exchange_peer WHERE key = :peer;

-- name: keep-place
INSERT INTO exchange_peer (key, place, own_move) VALUES (:peer, :place, 0)
ON CONFLICT (key) DO UPDATE SET place = :place;

-- name: keep-own-move
INSERT INTO exchange_peer (key, place, own_move) VALUES (:peer, '', :ownMove)
ON CONFLICT (key) DO UPDATE SET own_move = :ownMove;

-- name: shown
SELECT id, device_key AS deviceKey, epoch, log_id AS logId, size, checkpoint, compared, proven, judged
FROM exchange_shown
WHERE device_key = :deviceKey AND peer = :peer AND epoch = :epoch;

-- name: keep-shown
INSERT INTO exchange_shown (peer, device_key, epoch, log_id, size, checkpoint, compared, proven, judged)
VALUES (:peer, :deviceKey, :epoch, :logId, :size, :checkpoint, :compared, :proven, :judged)
ON CONFLICT (device_key, peer, epoch) DO UPDATE
SET size = :size, checkpoint = :checkpoint, compared = :compared, proven = max(proven, :proven),
  judged = :judged
WHERE size <= :size;

-- name: forget-shown
DELETE FROM exchange_shown
WHERE device_key = :deviceKey AND peer = :peer AND epoch < (
  SELECT min(epoch) FROM (
    SELECT epoch FROM exchange_shown WHERE device_key = :deviceKey AND peer = :peer ORDER BY epoch DESC LIMIT :keep));

-- name: waiting
SELECT shown.id, shown.device_key AS deviceKey, shown.epoch, shown.log_id AS logId, shown.size, shown.checkpoint,
  shown.compared, shown.proven, shown.judged
FROM exchange_shown AS shown JOIN log ON log.log_id = shown.log_id
WHERE shown.peer = :peer AND shown.id > :after AND shown.compared < shown.size AND shown.proven = 0
  AND shown.compared < log.size
ORDER BY shown.id LIMIT :limit;

-- name: unjudged
SELECT id, device_key AS deviceKey, epoch, log_id AS logId, size, checkpoint, compared, proven, judged
FROM exchange_shown WHERE peer = :peer AND judged = 0 AND id > :after ORDER BY id LIMIT :limit;

-- name: other-epochs
SELECT exchange_move.move, shown.id, shown.device_key AS deviceKey, shown.epoch, shown.log_id AS logId, shown.size,
  shown.checkpoint, shown.compared, shown.proven, shown.judged
FROM exchange_move
JOIN log ON log.id = exchange_move.log
JOIN device ON device.id = log.device
JOIN exchange_shown AS shown ON shown.device_key = device.key AND shown.peer = :peer AND shown.epoch <> log.epoch
WHERE exchange_move.move > :after AND exchange_move.move <= :upTo
ORDER BY exchange_move.move;

-- name: quarantine
SELECT epoch, since_ms AS sinceMs FROM quarantine WHERE device_key = :deviceKey;

-- name: quarantined
SELECT device_key AS deviceKey, epoch, since_ms AS sinceMs FROM quarantine WHERE device_key > :after
ORDER BY device_key LIMIT :limit;

-- name: quarantine-count
SELECT count(*) AS count FROM quarantine;

-- name: opened
SELECT log.epoch FROM log JOIN device ON device.id = log.device
WHERE device.key = :deviceKey AND log.opened_ms > :afterMs AND log.opened_ms <= :upToMs AND log.opened_ms > coalesce(
  (SELECT max(approved_ms) FROM epoch_approval WHERE device_key = :deviceKey AND approved_ms <= :upToMs), -1)
ORDER BY log.epoch DESC LIMIT :limit;

-- name: add-quarantine
INSERT INTO quarantine (device_key, epoch, since_ms) VALUES (:deviceKey, :epoch, :nowMs) ON CONFLICT DO NOTHING;

-- name: end-quarantine
DELETE FROM quarantine WHERE device_key = :deviceKey;

-- name: add-approval
INSERT INTO epoch_approval (device_key, approved_by, approved_ms, epoch, since_ms)
VALUES (:deviceKey, :approvedBy, :nowMs, :epoch, :sinceMs);

-- name: approvals
SELECT approved_by AS approvedBy, approved_ms AS approvedMs, epoch, since_ms AS sinceMs FROM epoch_approval
WHERE device_key = :deviceKey ORDER BY id DESC LIMIT :limit;
