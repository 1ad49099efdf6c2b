import { durations, HOURS_TO_YEARS, type MeaningTable, one, SECONDS_TO_DAYS, steps } from "./meaning.ts";

/**
 * VIF without its extension bit (EN 13757-3:2018, table 10). Codes and scales checked against rscada/libmbus
 * f09d613 `mbus/mbus-protocol-aux.c`, pokerazor/jmbus 23c1c11 `DataRecord.java` and tudborg/exmbus 01f5925
 * `vif_table_main.ex`.
 */
export const PRIMARY: MeaningTable = new Map([
  ...steps(0x00, 8, ["energy", "Wh", -3]),
  ...steps(0x08, 8, ["energy", "J", 0]),
  ...steps(0x10, 8, ["volume", "m³", -6]),
  ...steps(0x18, 8, ["mass", "kg", -3]),
  ...durations(0x20, "on-time", SECONDS_TO_DAYS),
  ...durations(0x24, "operating-time", SECONDS_TO_DAYS),
  ...steps(0x28, 8, ["power", "W", -3]),
  ...steps(0x30, 8, ["power", "J/h", 0]),
  ...steps(0x38, 8, ["volume-flow", "m³/h", -6]),
  ...steps(0x40, 8, ["volume-flow", "m³/min", -7]),
  ...steps(0x48, 8, ["volume-flow", "m³/s", -9]),
  ...steps(0x50, 8, ["mass-flow", "kg/h", -3]),
  ...steps(0x58, 4, ["flow-temperature", "°C", -3]),
  ...steps(0x5c, 4, ["return-temperature", "°C", -3]),
  ...steps(0x60, 4, ["temperature-difference", "K", -3]),
  ...steps(0x64, 4, ["external-temperature", "°C", -3]),
  ...steps(0x68, 4, ["pressure", "bar", -3]),
  ...one(0x6c, "date", "time"),
  ...one(0x6d, "date-time", "time"),
  ...one(0x6e, "heat-cost-units", "number"),
  ...durations(0x70, "averaging-duration", SECONDS_TO_DAYS),
  ...durations(0x74, "actuality-duration", SECONDS_TO_DAYS),
  ...one(0x78, "fabrication-number", "identifier"),
  ...one(0x79, "enhanced-identification", "identifier"),
  ...one(0x7a, "bus-address", "identifier"),
]);

/**
 * First VIFE after VIF FD, without its extension bit (EN 13757-3:2018, table 12: binary data of identifications,
 * flags and counts is unsigned, remark k). Checked against pokerazor/jmbus 23c1c11 and tudborg/exmbus 01f5925
 * `vif_table_fd.ex`; what only one source has is left out and comes as a reserved code.
 */
export const EXTENSION_FD: MeaningTable = new Map([
  ...steps(0x00, 4, ["credit", "currency", -3]),
  ...steps(0x04, 4, ["debit", "currency", -3]),
  ...one(0x08, "message-number", "identifier"),
  ...one(0x09, "device-type", "identifier"),
  ...one(0x0a, "manufacturer", "identifier"),
  ...one(0x0b, "parameter-set", "identifier"),
  ...one(0x0c, "model-version", "identifier"),
  ...one(0x0d, "hardware-version", "identifier"),
  ...one(0x0e, "firmware-version", "identifier"),
  ...one(0x0f, "software-version", "identifier"),
  ...one(0x10, "customer-location", "identifier"),
  ...one(0x11, "customer", "identifier"),
  ...one(0x12, "access-code-user", "identifier"),
  ...one(0x13, "access-code-operator", "identifier"),
  ...one(0x14, "access-code-system-operator", "identifier"),
  ...one(0x15, "access-code-developer", "identifier"),
  ...one(0x16, "password", "identifier"),
  ...one(0x17, "error-flags", "unsigned"),
  ...one(0x18, "error-mask", "unsigned"),
  ...one(0x19, "security-key", "bytes"),
  ...one(0x1a, "digital-output", "unsigned"),
  ...one(0x1b, "digital-input", "unsigned"),
  ...one(0x1c, "baud-rate", "unsigned", "baud"),
  ...one(0x1d, "response-delay", "unsigned", "bit"),
  ...one(0x1e, "retries", "unsigned"),
  ...one(0x1f, "remote-control", "unsigned"),
  ...one(0x20, "first-cyclic-storage", "unsigned"),
  ...one(0x21, "last-cyclic-storage", "unsigned"),
  ...one(0x22, "storage-block-size", "unsigned"),
  ...durations(0x24, "storage-interval", [...SECONDS_TO_DAYS, "month", "year"]),
  ...one(0x2a, "operator-data", "bytes"),
  ...one(0x2b, "time-point-second", "unsigned", "s"),
  ...durations(0x2c, "since-last-readout", SECONDS_TO_DAYS),
  ...one(0x30, "tariff-start", "time"),
  ...durations(0x31, "tariff-duration", ["min", "h", "d"]),
  ...durations(0x34, "tariff-period", [...SECONDS_TO_DAYS, "month", "year"]),
  ...one(0x3a, "dimensionless", "number"),
  ...one(0x3b, "wireless-container", "bytes"),
  ...durations(0x3c, "transmission-period", SECONDS_TO_DAYS),
  ...steps(0x40, 16, ["voltage", "V", -9]),
  ...steps(0x50, 16, ["current", "A", -12]),
  ...one(0x60, "reset-counter", "unsigned"),
  ...one(0x61, "cumulation-counter", "unsigned"),
  ...one(0x62, "control-signal", "unsigned"),
  ...one(0x63, "day-of-week", "unsigned"),
  ...one(0x64, "week-number", "unsigned"),
  ...one(0x65, "day-change", "time"),
  ...one(0x66, "parameter-activation", "unsigned"),
  ...one(0x67, "supplier-information", "bytes"),
  ...durations(0x68, "since-last-cumulation", HOURS_TO_YEARS),
  ...durations(0x6c, "battery-operating-time", HOURS_TO_YEARS),
  ...one(0x70, "battery-change", "time"),
  ...one(0x71, "rf-level", "number", "dBm"),
  // Types K and L: no two public sources give their bits alike, so that they are handed on as they came.
  ...one(0x72, "daylight-saving-rule", "bytes"),
  ...one(0x73, "listening-window", "bytes"),
  ...one(0x74, "battery-remaining", "unsigned", "d"),
  ...one(0x75, "stop-counter", "unsigned"),
  ...one(0x76, "manufacturer-container", "bytes"),
]);

/**
 * First VIFE after VIF FB, without its extension bit (EN 13757-3:2018, table 14). Checked against tudborg/exmbus
 * 01f5925 `vif_table_fb.ex` and maebli/m-bus-parser ffc1660 `value_information.rs`. The gallons and degrees
 * Fahrenheit of before 2004 are reserved now and not read: another meter may mean something else by them.
 */
export const EXTENSION_FB: MeaningTable = new Map([
  ...steps(0x00, 2, ["energy", "Wh", 5]),
  ...steps(0x02, 2, ["reactive-energy", "varh", 3]),
  ...steps(0x04, 2, ["apparent-energy", "VAh", 3]),
  ...steps(0x08, 2, ["energy", "J", 8]),
  ...steps(0x0c, 4, ["energy", "cal", 5]),
  ...steps(0x10, 2, ["volume", "m³", 2]),
  ...steps(0x14, 4, ["reactive-power", "var", 0]),
  ...steps(0x18, 2, ["mass", "kg", 5]),
  ...steps(0x1a, 2, ["relative-humidity", "%", -1]),
  ...one(0x20, "volume", "number", "ft³"),
  ...steps(0x21, 1, ["volume", "ft³", -1]),
  ...steps(0x28, 2, ["power", "W", 5]),
  ...steps(0x2a, 1, ["phase-voltage-to-voltage", "°", -1]),
  ...steps(0x2b, 1, ["phase-voltage-to-current", "°", -1]),
  ...steps(0x2c, 4, ["frequency", "Hz", -3]),
  ...steps(0x30, 2, ["power", "J/h", 8]),
  ...steps(0x34, 4, ["apparent-power", "VA", 0]),
  ...steps(0x74, 4, ["temperature-limit", "°C", -3]),
  ...steps(0x78, 8, ["cumulated-maximum-power", "W", -3]),
]);
