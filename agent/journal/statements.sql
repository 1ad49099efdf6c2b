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

-- name: addReceipt
INSERT INTO receipt (epoch, size, node_key, hash, bytes) VALUES (:epoch, :size, :nodeKey, :hash, :bytes)
ON CONFLICT DO NOTHING

-- name: leaves
SELECT seq, bytes FROM leaf WHERE epoch = :epoch AND seq >= :from AND seq < :to ORDER BY seq

-- name: size
SELECT coalesce(max(seq) + 1, 0) AS size FROM leaf WHERE epoch = :epoch

-- name: lastCheckpoint
SELECT size, bytes FROM checkpoint WHERE epoch = :epoch ORDER BY size DESC LIMIT 1

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
SELECT bytes FROM receipt ORDER BY epoch DESC, size DESC LIMIT 1

-- name: receiptNodes
SELECT DISTINCT node_key AS nodeKey FROM receipt

-- name: closes
SELECT seq FROM mark
WHERE epoch = :epoch AND channel = :channel AND kind = 'intervalClose' AND t0_ms >= :fromMs AND t1_ms <= :toMs
ORDER BY seq

-- name: recentCloses
SELECT seq FROM mark WHERE epoch = :epoch AND kind = 'intervalClose' ORDER BY seq DESC LIMIT :limit

-- name: anchorsBelow
SELECT seq FROM mark WHERE epoch = :epoch AND kind = 'anchor' AND seq < :seq ORDER BY seq DESC LIMIT 1
