-- Names this store in the places that peers ask from: a place in another store's order means nothing here.
CREATE TABLE exchange_self (
  id BLOB NOT NULL CHECK (length(id) = 8)
) STRICT;

INSERT INTO exchange_self (id) VALUES (randomblob(8));

-- The logs in the order of their last move, so that a peer learns only of those that moved since it asked.
CREATE TABLE exchange_move (
  log INTEGER PRIMARY KEY REFERENCES log (id),
  move INTEGER NOT NULL UNIQUE CHECK (move > 0)
) STRICT;

INSERT INTO exchange_move (log, move) SELECT id, row_number() OVER (ORDER BY id) FROM log;

-- With the checkpoint, in its transaction: no move is missed, and none is named that did not become durable.
CREATE TRIGGER exchange_moves AFTER INSERT ON checkpoint
BEGIN
  INSERT INTO exchange_move (log, move)
  VALUES (NEW.log, (SELECT coalesce(max(move), 0) + 1 FROM exchange_move))
  ON CONFLICT (log) DO UPDATE SET move = excluded.move;
END;

-- How far this node has asked each peer, and up to which of its own moves it has looked at what the peer had shown.
CREATE TABLE exchange_peer (
  key BLOB PRIMARY KEY CHECK (length(key) = 32),
  place TEXT NOT NULL,
  own_move INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest checkpoint that each peer has shown of each log of a device that has logs here. Its signature was verified.
CREATE TABLE exchange_shown (
  id INTEGER PRIMARY KEY,
  peer BLOB NOT NULL CHECK (length(peer) = 32),
  device_key BLOB NOT NULL CHECK (length(device_key) = 32),
  epoch INTEGER NOT NULL CHECK (epoch > 0),
  log_id BLOB NOT NULL CHECK (length(log_id) = 32),
  size INTEGER NOT NULL CHECK (size > 0),
  checkpoint BLOB NOT NULL,
  -- Leaves under it that are known to be the same here.
  compared INTEGER NOT NULL,
  -- 1 when a fork of that log is kept with its proof: then there is nothing left to find.
  proven INTEGER NOT NULL,
  -- 0 while it waits to be held against the device's other epochs.
  judged INTEGER NOT NULL,
  UNIQUE (device_key, peer, epoch)
) STRICT;

CREATE INDEX exchange_waiting ON exchange_shown (peer, id) WHERE compared < size AND proven = 0;
CREATE INDEX exchange_unjudged ON exchange_shown (peer, id) WHERE judged = 0;

-- Keys that opened too many epochs in a day; gone when an operator releases them.
CREATE TABLE quarantine (
  device_key BLOB PRIMARY KEY CHECK (length(device_key) = 32),
  -- The epoch that was not taken.
  epoch INTEGER NOT NULL CHECK (epoch > 0),
  since_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What an operator has approved: epochs opened before do not count any more.
CREATE TABLE epoch_approval (
  id INTEGER PRIMARY KEY,
  device_key BLOB NOT NULL CHECK (length(device_key) = 32),
  approved_by TEXT NOT NULL,
  approved_ms INTEGER NOT NULL,
  -- Of the quarantine that it ended; NULL where there was none.
  epoch INTEGER,
  since_ms INTEGER
) STRICT;

CREATE INDEX epoch_approval_device ON epoch_approval (device_key, approved_ms);
