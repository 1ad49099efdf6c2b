-- name: add
INSERT INTO audit (device_key, epoch, seq, channel, leaf_ms, audited_ms, verdict, detail, value, expected, got,
  frame, leaf, path, checkpoint)
VALUES (:deviceKey, :epoch, :seq, :channel, :leafMs, :auditedMs, :verdict, :detail, :value, :expected, :got,
  :frame, :leaf, :path, :checkpoint);

-- name: forget
DELETE FROM audit
WHERE device_key = :deviceKey AND (verdict = 'differs') = :differs AND id <= (
  SELECT id FROM audit WHERE device_key = :deviceKey AND (verdict = 'differs') = :differs
  ORDER BY id DESC LIMIT 1 OFFSET :kept);

-- name: newest
SELECT id, device_key AS deviceKey, epoch, seq, channel, leaf_ms AS leafMs, audited_ms AS auditedMs, verdict, detail,
  value, expected, got
FROM audit WHERE device_key = :deviceKey AND id < :before ORDER BY id DESC LIMIT :limit;

-- name: find
SELECT id, device_key AS deviceKey, epoch, seq, channel, leaf_ms AS leafMs, audited_ms AS auditedMs, verdict, detail,
  value, expected, got, frame, leaf, path, checkpoint
FROM audit WHERE device_key = :deviceKey AND id = :id;
