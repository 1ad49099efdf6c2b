-- name: add
INSERT INTO flex_order (log, kind, object_id, digest, bytes, commitment_id, withdraws, random, issued_ms, expires_ms,
  from_ms, to_ms, state)
VALUES (:log, :kind, :objectId, :digest, :bytes, :commitmentId, :withdraws, :random, :issuedMs, :expiresMs,
  :fromMs, :toMs, 'pending');

-- name: begin-looking
INSERT INTO flex_looked (log, next_seq) SELECT id, size FROM log WHERE id = :log ON CONFLICT DO NOTHING;

-- name: count-live
SELECT count(*) AS count FROM flex_order JOIN log ON log.id = flex_order.log
WHERE log.device = (SELECT device FROM log WHERE id = :log)
  AND flex_order.state IN ('pending', 'sent', 'sealed') AND to_ms > :nowMs;

-- name: oldest-kept
SELECT flex_order.id FROM flex_order JOIN log ON log.id = flex_order.log
WHERE log.device = (SELECT device FROM log WHERE id = :log)
ORDER BY flex_order.id DESC LIMIT 1 OFFSET :kept;

-- name: forget-acknowledgements
DELETE FROM flex_acknowledgement WHERE flex_order IN (
  SELECT flex_order.id FROM flex_order JOIN log ON log.id = flex_order.log
  WHERE log.device = (SELECT device FROM log WHERE id = :log) AND flex_order.id <= :id AND to_ms <= :nowMs);

-- name: forget
DELETE FROM flex_order WHERE id IN (
  SELECT flex_order.id FROM flex_order JOIN log ON log.id = flex_order.log
  WHERE log.device = (SELECT device FROM log WHERE id = :log) AND flex_order.id <= :id AND to_ms <= :nowMs);

-- name: find
SELECT flex_order.*, log.epoch, log.log_id, device.key AS device_key
FROM flex_order JOIN log ON log.id = flex_order.log JOIN device ON device.id = log.device
WHERE device.key = :deviceKey AND flex_order.object_id = :objectId;

-- name: list
SELECT flex_order.*, log.epoch, log.log_id, device.key AS device_key
FROM flex_order JOIN log ON log.id = flex_order.log JOIN device ON device.id = log.device
WHERE device.key = :deviceKey AND flex_order.id < :before AND (:kind IS NULL OR flex_order.kind = :kind)
ORDER BY flex_order.id DESC LIMIT :limit;

-- name: live
SELECT flex_order.*, log.epoch, log.log_id, device.key AS device_key
FROM flex_order JOIN log ON log.id = flex_order.log JOIN device ON device.id = log.device
WHERE device.key = :deviceKey AND flex_order.state IN ('pending', 'sent', 'sealed') AND flex_order.to_ms > :nowMs
ORDER BY flex_order.id;

-- name: unsealed
SELECT flex_order.*, log.epoch, log.log_id, device.key AS device_key
FROM flex_order JOIN log ON log.id = flex_order.log JOIN device ON device.id = log.device
WHERE device.key = :deviceKey AND flex_order.state IN ('pending', 'sent') AND flex_order.expires_ms > :nowMs
ORDER BY flex_order.id;

-- name: dispatches
SELECT flex_order.*, log.epoch, log.log_id, device.key AS device_key
FROM flex_order JOIN log ON log.id = flex_order.log JOIN device ON device.id = log.device
WHERE flex_order.commitment_id = :objectId ORDER BY flex_order.id;

-- name: acknowledgements
SELECT seq, state, reason, leaf_ms AS leafMs FROM flex_acknowledgement WHERE flex_order = :id ORDER BY seq;

-- name: mark-sent
UPDATE flex_order SET state = 'sent', sent_ms = :nowMs WHERE id = :id AND state = 'pending';

-- name: refuse
UPDATE flex_order SET state = 'refused', code = :code, message = :message
WHERE digest = :digest AND state IN ('sent', 'expired')
  AND log IN (SELECT log.id FROM log JOIN device ON device.id = log.device WHERE device.key = :deviceKey);

-- name: by-digest
SELECT flex_order.*, log.epoch, log.log_id, device.key AS device_key
FROM flex_order JOIN log ON log.id = flex_order.log JOIN device ON device.id = log.device
WHERE flex_order.digest = :digest;

-- name: withdraw
UPDATE flex_order SET state = 'withdrawn' WHERE id = :id AND state = 'pending';

-- name: expired
SELECT flex_order.*, log.epoch, log.log_id, device.key AS device_key
FROM flex_order JOIN log ON log.id = flex_order.log JOIN device ON device.id = log.device
WHERE (flex_order.state = 'pending' AND flex_order.expires_ms <= :nowMs)
  OR (flex_order.state = 'sent' AND flex_order.expires_ms <= :sentMs);

-- name: expire
UPDATE flex_order SET state = 'expired' WHERE id = :id AND state IN ('pending', 'sent');

-- name: watched
SELECT DISTINCT flex_looked.log, device.key AS deviceKey
FROM flex_looked JOIN log ON log.id = flex_looked.log JOIN device ON device.id = log.device;

-- name: looked
SELECT flex_looked.next_seq AS nextSeq, log.size FROM flex_looked JOIN log ON log.id = flex_looked.log
WHERE flex_looked.log = :log;

-- name: look
UPDATE flex_looked SET next_seq = :nextSeq WHERE log = :log;

-- name: new-marks
SELECT seq FROM mark
WHERE log = :log AND seq >= :fromSeq AND seq < :toSeq AND kind BETWEEN :firstKind AND :lastKind
ORDER BY seq LIMIT :limit;

-- name: seal
UPDATE flex_order SET state = 'sealed', seq = :seq, code = NULL, message = NULL
WHERE log = :log AND digest = :digest AND state <> 'sealed';

-- name: order-at
SELECT id, kind FROM flex_order WHERE log = :log AND seq = :seq;

-- name: acknowledge
INSERT INTO flex_acknowledgement (flex_order, seq, state, reason, leaf_ms)
SELECT :order, :seq, :state, :reason, :leafMs
WHERE (SELECT count(*) FROM flex_acknowledgement WHERE flex_order = :order) < :most
ON CONFLICT DO NOTHING;

-- name: settled-by-device
UPDATE flex_order SET settlement_seq = :seq WHERE id = :id AND kind = 'commitment';

-- name: unlisted
SELECT flex_order.*, log.epoch, log.log_id, device.key AS device_key
FROM flex_order JOIN log ON log.id = flex_order.log JOIN device ON device.id = log.device
WHERE flex_order.kind = 'commitment' AND flex_order.state = 'sealed' AND flex_order.list IS NULL
  AND flex_order.to_ms <= :nowMs
ORDER BY flex_order.to_ms LIMIT :limit;

-- name: keep-list
UPDATE flex_order SET list = :list WHERE id = :id AND list IS NULL;

-- name: lists
SELECT flex_order.*, log.epoch, log.log_id, device.key AS device_key
FROM flex_order JOIN log ON log.id = flex_order.log JOIN device ON device.id = log.device
WHERE device.key = :deviceKey AND flex_order.list IS NOT NULL
  AND (flex_order.list_sent_ms IS NULL OR flex_order.list_sent_ms > :sinceMs)
ORDER BY flex_order.id;

-- name: list-sent
UPDATE flex_order SET list_sent_ms = coalesce(list_sent_ms, :nowMs) WHERE id = :id;

-- name: unjudged
SELECT flex_order.*, log.epoch, log.log_id, device.key AS device_key
FROM flex_order JOIN log ON log.id = flex_order.log JOIN device ON device.id = log.device
WHERE flex_order.kind <> 'dispatch' AND flex_order.state = 'sealed' AND flex_order.result_final = 0
  AND flex_order.to_ms <= :nowMs
ORDER BY flex_order.to_ms;

-- name: keep-result
UPDATE flex_order SET result = :result, result_ms = :nowMs, result_final = :final WHERE id = :id;

-- name: log-by-id
SELECT log.id AS log, log.log_id AS logId, log.epoch, log.size, log.rules, device.key AS deviceKey
FROM log JOIN device ON device.id = log.device WHERE log.id = :log;

-- name: lifecycle
SELECT seq FROM mark
WHERE log = :log AND kind BETWEEN :firstKind AND :lastKind AND t0_ms BETWEEN :fromMs AND :toMs
ORDER BY seq LIMIT :limit;

-- name: newest-of-kind
SELECT seq FROM mark WHERE log = :log AND kind = :kind ORDER BY t0_ms DESC, seq DESC LIMIT :limit;

-- name: newest-of-channel
SELECT seq FROM mark WHERE log = :log AND kind = :kind AND channel = :channel ORDER BY t0_ms DESC, seq DESC LIMIT 1;

-- name: batches-after
SELECT first_seq AS firstSeq, next_seq AS nextSeq, ends, leaves FROM batch
WHERE log = :log AND next_seq > :fromSeq ORDER BY first_seq LIMIT :limit;

-- name: receipted
SELECT min(received_ms) AS ms FROM checkpoint WHERE log = :log AND size >= :size;
