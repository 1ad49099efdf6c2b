-- One-time codes that can still be used, and expired ones until they are cleared away. A code that is used is gone.
CREATE TABLE enrolment_code (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  label TEXT NOT NULL,
  -- SHA-256 of the code, the key of the proof that a device sends.
  code_key BLOB NOT NULL UNIQUE CHECK (length(code_key) = 32),
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL
) STRICT;

-- What the node has decided about a key, or has to. Removing the row forgets the key.
CREATE TABLE enrolment (
  key BLOB PRIMARY KEY CHECK (length(key) = 32),
  state TEXT NOT NULL CHECK (state IN ('waiting', 'approved', 'rejected', 'enrolled')),
  -- Of the code that it came with, or none.
  label TEXT NOT NULL,
  -- Where it last asked from.
  source TEXT NOT NULL,
  changed_ms INTEGER NOT NULL,
  -- The device's statement; NULL for a key that was approved or rejected before it asked.
  statement BLOB,
  countersignature BLOB,
  CHECK ((state = 'enrolled') = (countersignature IS NOT NULL)),
  CHECK (countersignature IS NULL OR statement IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX enrolment_state ON enrolment (state, changed_ms);
CREATE INDEX enrolment_waiting ON enrolment (source, changed_ms) WHERE state = 'waiting';
