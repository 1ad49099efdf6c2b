-- A fault is of a device's log, whether or not that log is stored: a first batch that breaks the rules opens none.
CREATE TABLE fault_002 (
  id INTEGER PRIMARY KEY,
  device_key BLOB NOT NULL CHECK (length(device_key) = 32),
  epoch INTEGER NOT NULL CHECK (epoch > 0),
  log_id BLOB NOT NULL CHECK (length(log_id) = 32),
  kind TEXT NOT NULL,
  size INTEGER NOT NULL,
  -- The stored checkpoint that theirs contradicts; NULL where theirs is wrong by itself.
  ours BLOB,
  theirs BLOB NOT NULL,
  detail TEXT NOT NULL,
  -- The fault file that shows it to a stranger; NULL where none can be built.
  proof BLOB,
  found_ms INTEGER NOT NULL,
  UNIQUE (log_id, theirs)
) STRICT;

INSERT INTO fault_002 (id, device_key, epoch, log_id, kind, size, ours, theirs, detail, found_ms)
SELECT fault.id, device.key, log.epoch, log.log_id, fault.kind, fault.size, fault.ours, fault.theirs, fault.detail,
  fault.found_ms
FROM fault JOIN log ON log.id = fault.log JOIN device ON device.id = log.device;

DROP TABLE fault;
ALTER TABLE fault_002 RENAME TO fault;
CREATE INDEX fault_device ON fault (device_key, id);
