-- name: putNote
INSERT INTO note (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: getNote
SELECT value FROM note WHERE name = :name

-- name: addLeaf
INSERT INTO leaf (epoch, seq, bytes) VALUES (:epoch, :seq, :bytes)

-- name: addMark
INSERT INTO mark (epoch, seq, kind, channel, t0_ms, t1_ms) VALUES (:epoch, :seq, :kind, :channel, :t0Ms, :t1Ms)

-- name: addSubtree
INSERT INTO subtree (epoch, position, hash) VALUES (:epoch, :position, :hash)

-- name: getSubtree
SELECT hash FROM subtree WHERE epoch = :epoch AND position = :position

-- name: addCheckpoint
INSERT INTO checkpoint (epoch, size, bytes) VALUES (:epoch, :size, :bytes)
ON CONFLICT DO NOTHING

-- name: addReceipt
INSERT INTO receipt (epoch, size, node_key, hash, bytes) VALUES (:epoch, :size, :nodeKey, :hash, :bytes)
ON CONFLICT DO NOTHING

-- name: leaves
SELECT seq, bytes FROM leaf WHERE epoch = :epoch AND seq >= :from AND seq < :to ORDER BY seq

-- name: size
SELECT coalesce(max(seq) + 1, 0) AS size FROM leaf WHERE epoch = :epoch

-- name: lastCheckpoint
SELECT size, bytes FROM checkpoint WHERE epoch = :epoch ORDER BY size DESC LIMIT 1

-- name: checkpointsDown
SELECT size, bytes FROM checkpoint WHERE epoch = :epoch ORDER BY size DESC LIMIT :limit

-- name: checkpointWithin
SELECT size, bytes FROM checkpoint WHERE epoch = :epoch AND size > :from AND size <= :to ORDER BY size DESC LIMIT 1

-- name: checkpointAfter
SELECT size, bytes FROM checkpoint WHERE epoch = :epoch AND size > :from ORDER BY size LIMIT 1

-- name: checkpointAt
SELECT size, bytes FROM checkpoint WHERE epoch = :epoch AND size = :size

-- name: receiptedAfter
SELECT min(size) AS size FROM receipt WHERE epoch = :epoch AND size > :from

-- name: receiptsAt
SELECT node_key AS nodeKey, bytes FROM receipt WHERE epoch = :epoch AND size = :size ORDER BY node_key

-- name: receiptByHash
SELECT bytes FROM receipt WHERE hash = :hash

-- name: receiptedSize
SELECT coalesce(max(size), 0) AS size FROM receipt WHERE epoch = :epoch AND node_key = :nodeKey

-- name: newestReceipt
SELECT epoch, bytes FROM receipt ORDER BY epoch DESC, size DESC LIMIT 1

-- name: receiptNodes
SELECT DISTINCT node_key AS nodeKey FROM receipt

-- name: epochs
WITH RECURSIVE held (epoch) AS (
  SELECT max(epoch) FROM leaf
  UNION ALL
  SELECT (SELECT max(leaf.epoch) FROM leaf WHERE leaf.epoch < held.epoch) FROM held WHERE held.epoch IS NOT NULL)
SELECT epoch FROM held WHERE epoch IS NOT NULL

-- name: channelManifests
SELECT seq FROM mark WHERE epoch = :epoch AND kind = 'channelManifest' ORDER BY seq

-- name: closes
SELECT seq FROM mark
WHERE epoch = :epoch AND channel = :channel AND kind = 'intervalClose' AND t0_ms >= :fromMs AND t1_ms <= :toMs
ORDER BY seq

-- name: closeBegins
SELECT DISTINCT t0_ms AS ms FROM mark
WHERE epoch = :epoch AND channel = :channel AND kind = 'intervalClose' AND seq < :size AND t0_ms IN (
  (SELECT max(t0_ms) FROM mark
   WHERE epoch = :epoch AND channel = :channel AND kind = 'intervalClose' AND seq < :size AND t0_ms <= :ms),
  (SELECT min(t0_ms) FROM mark
   WHERE epoch = :epoch AND channel = :channel AND kind = 'intervalClose' AND seq < :size AND t0_ms >= :ms))
ORDER BY ms

-- name: closeEnds
SELECT DISTINCT t1_ms AS ms FROM mark
WHERE epoch = :epoch AND channel = :channel AND kind = 'intervalClose' AND seq < :size AND t1_ms IN (
  (SELECT max(t1_ms) FROM mark
   WHERE epoch = :epoch AND channel = :channel AND kind = 'intervalClose' AND seq < :size AND t1_ms <= :ms),
  (SELECT min(t1_ms) FROM mark
   WHERE epoch = :epoch AND channel = :channel AND kind = 'intervalClose' AND seq < :size AND t1_ms >= :ms))
ORDER BY ms

-- name: firstClose
SELECT t0_ms AS ms FROM mark
WHERE epoch = :epoch AND channel = :channel AND kind = 'intervalClose' AND seq < :size ORDER BY seq LIMIT 1

-- name: lastClose
SELECT t1_ms AS ms FROM mark
WHERE epoch = :epoch AND channel = :channel AND kind = 'intervalClose' AND seq < :size AND t1_ms <= :ms
ORDER BY seq DESC LIMIT 1

-- name: addFlexibility
INSERT INTO flexibility (epoch, channel, time_ms, seq) VALUES (:epoch, :channel, :ms, :seq)

-- name: flexibilityBefore
SELECT seq, time_ms AS ms FROM flexibility
WHERE epoch = :epoch AND channel = :channel AND time_ms <= :ms AND seq < :size
ORDER BY time_ms DESC, seq DESC LIMIT 1

-- name: flexibilityAfter
SELECT seq, time_ms AS ms FROM flexibility
WHERE epoch = :epoch AND channel = :channel AND time_ms > :ms AND seq < :size
ORDER BY time_ms, seq LIMIT 1

-- name: recentCloses
SELECT seq FROM mark WHERE epoch = :epoch AND kind = 'intervalClose' AND seq < :size ORDER BY seq DESC LIMIT :limit

-- name: lifecycle
SELECT seq FROM mark
WHERE epoch = :epoch AND t0_ms >= :fromMs AND t0_ms <= :toMs AND kind IN
  ('offer', 'commitment', 'dispatch', 'challenge', 'acknowledgement', 'actuation', 'settlement')
ORDER BY seq

-- name: anchorsBelow
SELECT seq FROM mark WHERE epoch = :epoch AND kind = 'anchor' AND seq < :seq ORDER BY seq DESC LIMIT 1

-- name: dropLeaves
DELETE FROM leaf WHERE epoch = :epoch AND seq >= :from AND seq < :to

-- name: addReleased
INSERT INTO released (epoch, seq, level, hash) VALUES (:epoch, :seq, :level, :hash)

-- name: releasedHash
SELECT hash FROM released WHERE epoch = :epoch AND seq = :seq AND level = :level

-- name: releasedTo
SELECT (seq / 256 + 1) * 256 AS seq FROM released WHERE epoch = :epoch ORDER BY seq DESC LIMIT 1

-- name: signedSizes
SELECT size FROM checkpoint WHERE epoch = :epoch AND size > :from AND size <= :to ORDER BY size

-- name: receiptedBy
SELECT node_key AS nodeKey, max(size) AS size FROM receipt WHERE epoch = :epoch GROUP BY node_key

-- name: getCarry
SELECT epoch, path, old_epoch AS oldEpoch, next_seq AS nextSeq, end_seq AS endSeq FROM carry

-- name: putCarry
INSERT INTO carry (one, epoch, path, old_epoch, next_seq, end_seq)
VALUES (1, :epoch, :path, :oldEpoch, :nextSeq, :endSeq)
ON CONFLICT (one) DO UPDATE SET epoch = excluded.epoch, path = excluded.path, old_epoch = excluded.old_epoch,
  next_seq = excluded.next_seq, end_seq = excluded.end_seq

-- name: dropCarry
DELETE FROM carry

-- name: passOver
INSERT INTO passed_over (epoch, node_key) VALUES (:epoch, :nodeKey) ON CONFLICT DO NOTHING

-- name: passedOver
SELECT node_key AS nodeKey FROM passed_over WHERE epoch = :epoch

-- name: touch
SELECT
  (SELECT total(length(bytes)) FROM checkpoint WHERE epoch = :epoch AND size > :from AND size <= :to),
  (SELECT total(length(bytes)) FROM receipt WHERE epoch = :epoch AND size > :from AND size <= :to),
  (SELECT total(t1_ms) FROM mark WHERE epoch = :epoch AND seq >= :from AND seq < :to),
  (SELECT total(level) FROM released WHERE epoch = :epoch AND seq >= :from AND seq < :to)
