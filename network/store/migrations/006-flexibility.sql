-- Orders that this node has signed for devices, and what has become of each.
CREATE TABLE flex_order (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  -- The log that it is for.
  log INTEGER NOT NULL REFERENCES log (id),
  kind TEXT NOT NULL CHECK (kind IN ('commitment', 'dispatch', 'challenge')),
  object_id BLOB NOT NULL UNIQUE CHECK (length(object_id) = 16),
  -- SHA-256 of the whole object, by which a device refuses it.
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
  -- The COSE_Sign1, the same at every sending.
  bytes BLOB NOT NULL,
  -- Of a dispatch: the commitment that it calls, and the dispatch that it ends; object ids.
  commitment_id BLOB CHECK (length(commitment_id) = 16),
  withdraws BLOB CHECK (length(withdraws) = 16),
  -- 1 for a challenge at a random time, which nobody has asked for.
  random INTEGER NOT NULL CHECK (random IN (0, 1)),
  issued_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  -- What it is about, [from, to).
  from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'sealed', 'refused', 'expired', 'withdrawn')),
  sent_ms INTEGER,
  -- Why it is refused.
  code TEXT,
  message TEXT,
  -- The leaf that holds it, and the device's own settlement of it.
  seq INTEGER,
  settlement_seq INTEGER,
  -- Of a commitment: the node's signed list of dispatches.
  list BLOB,
  list_sent_ms INTEGER,
  -- Of a commitment or a challenge: what this node computes of it, JSON; final when nothing more can change it.
  result TEXT,
  result_ms INTEGER,
  result_final INTEGER NOT NULL DEFAULT 0 CHECK (result_final IN (0, 1)),
  CHECK ((state = 'sealed') = (seq IS NOT NULL)),
  CHECK ((state = 'refused') = (code IS NOT NULL)),
  CHECK (kind = 'dispatch' OR (commitment_id IS NULL AND withdraws IS NULL)),
  CHECK (kind = 'commitment' OR (list IS NULL AND settlement_seq IS NULL)),
  CHECK (kind <> 'dispatch' OR result IS NULL)
) STRICT;

CREATE INDEX flex_order_log ON flex_order (log, id);
CREATE INDEX flex_order_leaf ON flex_order (log, seq) WHERE seq IS NOT NULL;
CREATE INDEX flex_order_commitment ON flex_order (commitment_id, id) WHERE commitment_id IS NOT NULL;
CREATE INDEX flex_order_open ON flex_order (expires_ms) WHERE state IN ('pending', 'sent');
CREATE INDEX flex_order_unlisted ON flex_order (to_ms) WHERE kind = 'commitment' AND state = 'sealed' AND list IS NULL;
CREATE INDEX flex_order_unjudged ON flex_order (to_ms)
WHERE kind <> 'dispatch' AND state = 'sealed' AND result_final = 0;

-- What the device has answered to a dispatch or a challenge, by its leaves.
CREATE TABLE flex_acknowledgement (
  flex_order INTEGER NOT NULL REFERENCES flex_order (id),
  seq INTEGER NOT NULL,
  state INTEGER NOT NULL,
  reason TEXT,
  leaf_ms INTEGER NOT NULL,
  PRIMARY KEY (flex_order, seq)
) STRICT, WITHOUT ROWID;

-- How far each log that orders were signed for has been looked at.
CREATE TABLE flex_looked (
  log INTEGER PRIMARY KEY REFERENCES log (id),
  next_seq INTEGER NOT NULL
) STRICT;
