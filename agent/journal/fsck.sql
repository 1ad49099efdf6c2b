-- Byte strings are cut behind the most that they may have: what is longer is wrong, however it goes on.

-- name: notes
SELECT name, value FROM note ORDER BY name LIMIT 100

-- name: epochs
WITH RECURSIVE
  leaf_epoch (epoch) AS (SELECT min(epoch) FROM leaf UNION ALL
    SELECT (SELECT min(epoch) FROM leaf WHERE epoch > leaf_epoch.epoch) FROM leaf_epoch WHERE epoch IS NOT NULL),
  mark_epoch (epoch) AS (SELECT min(epoch) FROM mark UNION ALL
    SELECT (SELECT min(epoch) FROM mark WHERE epoch > mark_epoch.epoch) FROM mark_epoch WHERE epoch IS NOT NULL),
  flexibility_epoch (epoch) AS (SELECT min(epoch) FROM flexibility UNION ALL
    SELECT (SELECT min(epoch) FROM flexibility WHERE epoch > flexibility_epoch.epoch)
    FROM flexibility_epoch WHERE epoch IS NOT NULL),
  released_epoch (epoch) AS (SELECT min(epoch) FROM released UNION ALL
    SELECT (SELECT min(epoch) FROM released WHERE epoch > released_epoch.epoch)
    FROM released_epoch WHERE epoch IS NOT NULL),
  subtree_epoch (epoch) AS (SELECT min(epoch) FROM subtree UNION ALL
    SELECT (SELECT min(epoch) FROM subtree WHERE epoch > subtree_epoch.epoch)
    FROM subtree_epoch WHERE epoch IS NOT NULL),
  checkpoint_epoch (epoch) AS (SELECT min(epoch) FROM checkpoint UNION ALL
    SELECT (SELECT min(epoch) FROM checkpoint WHERE epoch > checkpoint_epoch.epoch)
    FROM checkpoint_epoch WHERE epoch IS NOT NULL),
  receipt_epoch (epoch) AS (SELECT min(epoch) FROM receipt UNION ALL
    SELECT (SELECT min(epoch) FROM receipt WHERE epoch > receipt_epoch.epoch)
    FROM receipt_epoch WHERE epoch IS NOT NULL)
SELECT 'leaf' AS "table", epoch FROM leaf_epoch WHERE epoch IS NOT NULL
UNION ALL SELECT 'mark', epoch FROM mark_epoch WHERE epoch IS NOT NULL
UNION ALL SELECT 'flexibility', epoch FROM flexibility_epoch WHERE epoch IS NOT NULL
UNION ALL SELECT 'released', epoch FROM released_epoch WHERE epoch IS NOT NULL
UNION ALL SELECT 'subtree', epoch FROM subtree_epoch WHERE epoch IS NOT NULL
UNION ALL SELECT 'checkpoint', epoch FROM checkpoint_epoch WHERE epoch IS NOT NULL
UNION ALL SELECT 'receipt', epoch FROM receipt_epoch WHERE epoch IS NOT NULL
LIMIT 10000

-- name: extent
SELECT
  (SELECT min(seq) FROM leaf WHERE epoch = :epoch) AS firstSeq,
  (SELECT max(seq) FROM leaf WHERE epoch = :epoch) AS lastSeq,
  (SELECT max(seq) FROM mark WHERE epoch = :epoch) AS lastMark,
  (SELECT max(seq) FROM flexibility WHERE epoch = :epoch) AS lastFlexibility,
  (SELECT max(position) FROM subtree WHERE epoch = :epoch) AS lastSubtree,
  (SELECT max(seq) FROM released WHERE epoch = :epoch) AS lastReleased,
  (SELECT count(*) FROM released WHERE epoch = :epoch) AS releasedRows,
  (SELECT max(size) FROM checkpoint WHERE epoch = :epoch) AS signed,
  (SELECT max(size) FROM receipt WHERE epoch = :epoch) AS receipted

-- name: leaves
SELECT seq, iif(length(bytes) > 4096, substr(bytes, 1, 4097), bytes) AS bytes FROM leaf
WHERE epoch = :epoch AND seq >= :from AND seq < :to ORDER BY seq

-- A tombstone is the map of eight pairs or so that begins with key 0, kind 7.
-- name: tombstones
SELECT seq, iif(length(bytes) > 4096, substr(bytes, 1, 4097), bytes) AS bytes FROM leaf
WHERE epoch = :epoch AND seq >= :from AND substr(bytes, 2, 2) = x'0007' ORDER BY seq

-- name: nextSeq
SELECT min(seq) AS seq FROM leaf WHERE epoch = :epoch AND seq >= :from

-- name: marks
SELECT seq, kind, channel, t0_ms AS t0Ms, t1_ms AS t1Ms FROM mark
WHERE epoch = :epoch AND seq >= :from AND seq < :to ORDER BY seq

-- name: subtree
SELECT hash FROM subtree WHERE epoch = :epoch AND position = :position

-- name: subtrees
SELECT count(*) AS count FROM subtree WHERE epoch = :epoch AND position < :below

-- name: checkpoints
SELECT size, iif(length(bytes) > 8192, substr(bytes, 1, 8193), bytes) AS bytes FROM checkpoint
WHERE epoch = :epoch AND size > :after AND size <= :signed ORDER BY size LIMIT 256

-- name: receipts
SELECT size, node_key AS nodeKey, hash,
  iif(length(bytes) > 8192, substr(bytes, 1, 8193), bytes) AS bytes FROM receipt
WHERE epoch = :epoch AND size > :after AND size <= :to ORDER BY size, node_key LIMIT :limit

-- name: receiptByHash
SELECT epoch, size, node_key AS nodeKey, bytes FROM receipt WHERE hash = :hash

-- name: newestReceiptBelow
SELECT epoch, size, bytes FROM receipt WHERE epoch < :epoch ORDER BY epoch DESC, size DESC LIMIT 1

-- name: receiptedBy
SELECT DISTINCT node_key AS nodeKey FROM receipt WHERE epoch = :epoch AND size >= :from AND size <= :most LIMIT 1000

-- name: released
SELECT level, hash FROM released WHERE epoch = :epoch AND seq = :seq

-- name: carry
SELECT one, epoch, path, old_epoch AS oldEpoch, next_seq AS nextSeq, end_seq AS endSeq FROM carry LIMIT 2

-- name: passedOver
SELECT epoch, node_key AS nodeKey FROM passed_over LIMIT 10000

-- name: heldEpoch
SELECT 1 AS held FROM leaf WHERE epoch = :epoch LIMIT 1

-- name: flexibility
SELECT 1 AS held FROM flexibility WHERE epoch = :epoch AND channel = :channel AND time_ms = :ms AND seq = :seq

-- name: flexibilityCount
SELECT count(*) AS count FROM flexibility WHERE epoch = :epoch AND seq < :size

-- name: flexibilityAfter
SELECT channel, time_ms AS ms, seq FROM flexibility
WHERE epoch = :epoch AND (channel, time_ms, seq) > (:channel, :ms, :seq) AND seq < :size
ORDER BY channel, time_ms, seq LIMIT 1024
