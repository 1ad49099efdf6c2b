import type { TelegramValue } from "../telegram/telegram.ts";
import { decimalText } from "../telegram/text.ts";
import type { SpeedwireRecord } from "./telegram.ts";

interface RecordUnit {
  readonly unit?: string;
  readonly exponent: number;
}

const TYPE_NOW = 4;
const TYPE_COUNTER = 8;
/** Index 1 to 20 is the total, 21 to 40 phase L1, 41 to 60 L2, 61 to 80 L3, each in the same order. */
const PER_PHASE = 20;
const LAST_INDEX = 4 * PER_PHASE;
/** From here on channels are the maker's own. */
const OWN_CHANNELS = 128;

/** Of one phase, or of all, by its place in the twenty (datenschuft/SMA-EM, speedwiredecoder.py, fcf0a8ec). */
const NOW: ReadonlyMap<number, RecordUnit> = new Map([
  [1, { unit: "W", exponent: -1 }],
  [2, { unit: "W", exponent: -1 }],
  [3, { unit: "var", exponent: -1 }],
  [4, { unit: "var", exponent: -1 }],
  [9, { unit: "VA", exponent: -1 }],
  [10, { unit: "VA", exponent: -1 }],
  [11, { unit: "A", exponent: -3 }],
  [12, { unit: "V", exponent: -3 }],
  [13, { exponent: -3 }],
  [14, { unit: "Hz", exponent: -3 }],
]);

const COUNTERS: ReadonlyMap<number, RecordUnit> = new Map([
  [1, { unit: "Ws", exponent: 0 }],
  [2, { unit: "Ws", exponent: 0 }],
  [3, { unit: "vars", exponent: 0 }],
  [4, { unit: "vars", exponent: 0 }],
  [9, { unit: "VAs", exponent: 0 }],
  [10, { unit: "VAs", exponent: 0 }],
]);

/** One record as SMA writes it, `0:1.4.0`, with its unit. */
export function telegramValue(record: SpeedwireRecord): TelegramValue {
  const code = `${record.channel}:${record.index}.${record.type}.${record.tariff}`;
  const known = unitOf(record);
  if (known === undefined) return { code, text: String(record.value) };
  const scaled = { digits: record.value, exponent: known.exponent };
  const unit = known.unit === undefined ? {} : { unit: known.unit };
  return { code, text: decimalText(scaled), ...unit, scaled };
}

function unitOf({ channel, index, type }: SpeedwireRecord): RecordUnit | undefined {
  if (channel >= OWN_CHANNELS || index < 1 || index > LAST_INDEX) return undefined;
  const place = ((index - 1) % PER_PHASE) + 1;
  if (type === TYPE_COUNTER) return COUNTERS.get(place);
  return type === TYPE_NOW ? NOW.get(place) : undefined;
}
