-- Hashes in place of leaves that were released: of each largest complete subtree none of whose leaves is left and into
-- which no signed size cuts, its first leaf and its level (2^level leaves).
CREATE TABLE released (
  epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  level INTEGER NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (epoch, seq)
) WITHOUT ROWID;

-- At most one row: which leaves of the epoch before the newest one has still to append again.
CREATE TABLE carry (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  epoch INTEGER NOT NULL,
  path TEXT NOT NULL,
  old_epoch INTEGER NOT NULL,
  next_seq INTEGER NOT NULL,
  end_seq INTEGER NOT NULL
);

-- Nodes that an epoch was opened to do without.
CREATE TABLE passed_over (
  epoch INTEGER NOT NULL,
  node_key BLOB NOT NULL,
  PRIMARY KEY (epoch, node_key)
) WITHOUT ROWID;
