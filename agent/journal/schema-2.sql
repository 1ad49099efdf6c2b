-- Flexibility readings by time. They come as often as readings: a mark of each would cost five times as much, and
-- closes would have to be looked for among them.
CREATE TABLE flexibility (
  epoch INTEGER NOT NULL,
  channel INTEGER NOT NULL,
  time_ms INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (epoch, channel, time_ms, seq)
) WITHOUT ROWID;
