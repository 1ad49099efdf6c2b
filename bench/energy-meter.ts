import type { ReadLimits } from "../drivers/modbus/plan-reads.ts";
import type { WantedRange } from "../drivers/modbus/wanted.ts";

/**
 * Where a three-phase meter of the SDM630's kind has its values: input registers, a float32 in two of them, at most 40
 * values a request (Eastron SDM630 Modbus protocol).
 */
const VALUES: readonly number[] = [
  ...every(0, 42),
  ...[42, 46, 48, 52, 56, 60, 62, 66],
  ...every(70, 88),
  ...every(100, 108),
  ...every(200, 208),
  ...[224],
  ...every(234, 246),
  ...[248, 250],
  ...every(258, 270),
  ...every(334, 382),
];

/** Power and energy every second; what moves slowly every ten. */
export const METER_VALUES: readonly WantedRange[] = VALUES.map((start) => ({
  ...{ table: "input", start, count: 2 },
  intervalMs: start < 88 || start >= 342 ? 1000 : 10_000,
}));

export const METER_LIMITS: ReadLimits = {
  maxRegisters: 80,
  readable: [
    { table: "input", start: 0, count: 108 },
    { table: "input", start: 200, count: 70 },
    { table: "input", start: 334, count: 48 },
  ],
};

function every(from: number, to: number): number[] {
  return Array.from({ length: (to - from) / 2 }, (_, at) => from + 2 * at);
}
