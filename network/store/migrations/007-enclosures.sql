-- What each log says of the enclosures that it watches: the newest state of each input, of at most 8 inputs a log.
CREATE TABLE enclosure (
  log INTEGER NOT NULL REFERENCES log (id),
  input TEXT NOT NULL,
  -- Of the newest leaf of that input in this log.
  seq INTEGER NOT NULL,
  state INTEGER NOT NULL,
  time_ms INTEGER NOT NULL,
  time_quality INTEGER NOT NULL,
  -- Of the first leaf of the run that says the same, which may lie in an earlier epoch of the device.
  since_ms INTEGER NOT NULL,
  since_quality INTEGER NOT NULL,
  -- 1 when it was open when somebody last watched, 0 when it was closed; NULL when nobody has ever watched.
  known_open INTEGER CHECK (known_open IN (0, 1)),
  -- Openings, those of earlier epochs with them.
  openings INTEGER NOT NULL,
  PRIMARY KEY (log, input)
) STRICT, WITHOUT ROWID;

-- Leaves of inputs that are above that number.
CREATE TABLE enclosure_further (
  log INTEGER PRIMARY KEY REFERENCES log (id),
  leaves INTEGER NOT NULL,
  opened INTEGER NOT NULL
) STRICT;

-- Logs of an older store whose tamper leaves (kind 8) have not been looked at yet.
CREATE TABLE enclosure_backlog (
  log INTEGER PRIMARY KEY REFERENCES log (id)
) STRICT;

INSERT INTO enclosure_backlog (log)
SELECT id FROM log WHERE EXISTS (SELECT 1 FROM mark WHERE mark.log = log.id AND mark.kind = 8);
