-- One row per device key that has had a batch accepted here.
CREATE TABLE device (
  id INTEGER PRIMARY KEY,
  key BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
  agent_version TEXT NOT NULL,
  first_seen_ms INTEGER NOT NULL,
  last_seen_ms INTEGER NOT NULL
) STRICT;

-- Head of each log. Only a compare-and-swap on size moves it.
CREATE TABLE log (
  id INTEGER PRIMARY KEY,
  device INTEGER NOT NULL REFERENCES device (id),
  network TEXT NOT NULL,
  epoch INTEGER NOT NULL CHECK (epoch > 0),
  log_id BLOB NOT NULL UNIQUE CHECK (length(log_id) = 32),
  size INTEGER NOT NULL CHECK (size > 0),
  -- What the rules remember behind the last leaf (LogRules.toText).
  rules TEXT NOT NULL,
  opened_ms INTEGER NOT NULL,
  UNIQUE (device, epoch)
) STRICT;

-- Leaves first_seq to next_seq - 1, back to back; ends holds the end offset of each, u32 big-endian.
CREATE TABLE batch (
  log INTEGER NOT NULL REFERENCES log (id),
  first_seq INTEGER NOT NULL,
  next_seq INTEGER NOT NULL CHECK (next_seq > first_seq),
  last_ms INTEGER NOT NULL,
  ends BLOB NOT NULL CHECK (length(ends) = 4 * (next_seq - first_seq)),
  leaves BLOB NOT NULL,
  PRIMARY KEY (log, first_seq)
) STRICT;

-- What the device signed and what this node answered: written once, never changed.
CREATE TABLE checkpoint (
  log INTEGER NOT NULL REFERENCES log (id),
  size INTEGER NOT NULL,
  root BLOB NOT NULL CHECK (length(root) = 32),
  bytes BLOB NOT NULL,
  receipt BLOB NOT NULL,
  received_ms INTEGER NOT NULL,
  PRIMARY KEY (log, size)
) STRICT, WITHOUT ROWID;

-- Leaves that are not readings; t0 and t1 span what a close or a gap spans, else both are the leaf's time.
CREATE TABLE mark (
  log INTEGER NOT NULL REFERENCES log (id),
  seq INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  channel INTEGER,
  t0_ms INTEGER NOT NULL,
  t1_ms INTEGER NOT NULL,
  PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX mark_begin ON mark (log, kind, channel, t0_ms);
CREATE INDEX mark_end ON mark (log, kind, channel, t1_ms);

-- Hashes of complete subtrees of 256 leaves (level 8).
CREATE TABLE subtree (
  log INTEGER NOT NULL REFERENCES log (id),
  place INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (log, place)
) STRICT, WITHOUT ROWID;

-- Anchor leaves that name a receipt of this node, which stands beside the checkpoint of receipt_size.
CREATE TABLE anchor (
  log INTEGER NOT NULL REFERENCES log (id),
  seq INTEGER NOT NULL,
  receipt_size INTEGER NOT NULL,
  PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;

-- Two signed statements that cannot both be true.
CREATE TABLE fault (
  id INTEGER PRIMARY KEY,
  log INTEGER NOT NULL REFERENCES log (id),
  kind TEXT NOT NULL,
  size INTEGER NOT NULL,
  ours BLOB NOT NULL,
  theirs BLOB NOT NULL,
  detail TEXT NOT NULL,
  found_ms INTEGER NOT NULL,
  UNIQUE (log, theirs)
) STRICT;
