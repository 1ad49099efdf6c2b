-- What came of asking a device for the frame behind one of its readings; the newest of each device.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  device_key BLOB NOT NULL CHECK (length(device_key) = 32),
  epoch INTEGER NOT NULL CHECK (epoch > 0),
  seq INTEGER NOT NULL,
  channel INTEGER NOT NULL,
  leaf_ms INTEGER NOT NULL,
  audited_ms INTEGER NOT NULL,
  verdict TEXT NOT NULL CHECK (verdict IN
    ('matches', 'differs', 'wrong-frame', 'gone', 'silent', 'cannot-decode', 'profile-unknown')),
  detail TEXT NOT NULL,
  -- Of a difference: which value, what the frame says and what the leaf says.
  value TEXT,
  expected TEXT,
  got TEXT,
  -- And what shows it to a stranger: the frame, the leaf, and the path from the leaf to a signed checkpoint.
  frame BLOB,
  leaf BLOB,
  path BLOB CHECK (length(path) % 32 = 0),
  checkpoint BLOB,
  CHECK ((verdict = 'differs') = (value IS NOT NULL))
) STRICT;

CREATE INDEX audit_device ON audit (device_key, id);
