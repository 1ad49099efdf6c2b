-- name: state
SELECT state FROM enrolment WHERE key = ?

-- name: record
SELECT key, state, label, source, changed_ms AS changedMs, statement, countersignature FROM enrolment WHERE key = ?

-- name: list
SELECT key, state, label, source, changed_ms AS changedMs, statement, countersignature
FROM enrolment WHERE (:state IS NULL OR state = :state) AND key > :after ORDER BY key LIMIT :limit

-- name: count
SELECT state, count(*) AS count FROM enrolment GROUP BY state

-- name: wait
INSERT INTO enrolment (key, state, label, source, changed_ms, statement)
VALUES (:key, 'waiting', '', :source, :nowMs, :statement)
ON CONFLICT (key) DO UPDATE SET source = :source, changed_ms = :nowMs, statement = :statement
WHERE state = 'waiting'

-- name: forget-waiting
DELETE FROM enrolment WHERE key IN (
  SELECT key FROM enrolment WHERE state = 'waiting' ORDER BY changed_ms DESC, key LIMIT -1 OFFSET :most
)

-- name: forget-waiting-of-source
DELETE FROM enrolment WHERE key IN (
  SELECT key FROM enrolment WHERE state = 'waiting' AND source = :source
  ORDER BY changed_ms DESC, key LIMIT -1 OFFSET :most
)

-- name: enrol
INSERT INTO enrolment (key, state, label, source, changed_ms, statement, countersignature)
VALUES (:key, 'enrolled', :label, :source, :nowMs, :statement, :countersignature)
ON CONFLICT (key) DO UPDATE SET state = 'enrolled', label = :label, source = :source, changed_ms = :nowMs,
  statement = :statement, countersignature = :countersignature

-- name: decide
INSERT INTO enrolment (key, state, label, source, changed_ms) VALUES (:key, :state, :label, '', :nowMs)
ON CONFLICT (key) DO UPDATE SET state = :state, label = :label, changed_ms = :nowMs

-- name: remove
DELETE FROM enrolment WHERE key = ?

-- name: add-code
INSERT INTO enrolment_code (label, code_key, created_ms, expires_ms)
VALUES (:label, :codeKey, :nowMs, :expiresMs) RETURNING id

-- name: codes
SELECT id, label, code_key AS codeKey, created_ms AS createdMs, expires_ms AS expiresMs FROM enrolment_code
ORDER BY id

-- name: count-codes
SELECT count(*) AS count FROM enrolment_code

-- name: clear-codes
DELETE FROM enrolment_code WHERE expires_ms <= ?

-- name: use-code
DELETE FROM enrolment_code WHERE id = :id AND expires_ms > :nowMs RETURNING label

-- name: remove-code
DELETE FROM enrolment_code WHERE id = ?
