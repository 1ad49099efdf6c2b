CREATE TABLE note (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE leaf (
  epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (epoch, seq)
) WITHOUT ROWID;

-- Closes, anchors and channel manifests, so that a proof finds them without decoding the log.
CREATE TABLE mark (
  epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  channel INTEGER,
  t0_ms INTEGER,
  t1_ms INTEGER,
  PRIMARY KEY (epoch, seq)
) WITHOUT ROWID;
CREATE INDEX mark_by_channel ON mark (epoch, channel, t0_ms);
CREATE INDEX mark_by_kind ON mark (epoch, kind, seq);

-- Hashes of complete subtrees of 256 leaves.
CREATE TABLE subtree (
  epoch INTEGER NOT NULL,
  position INTEGER NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (epoch, position)
) WITHOUT ROWID;

CREATE TABLE checkpoint (
  epoch INTEGER NOT NULL,
  size INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (epoch, size)
) WITHOUT ROWID;

CREATE TABLE receipt (
  epoch INTEGER NOT NULL,
  size INTEGER NOT NULL,
  node_key BLOB NOT NULL,
  hash BLOB NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (epoch, size, node_key)
) WITHOUT ROWID;
CREATE INDEX receipt_by_hash ON receipt (hash);
