import type { Meaning } from "./meaning.ts";

/** A meaning under way: each VIFE may narrow the quantity, change the unit, or take the number away. */
export interface Refined extends Meaning {
  /** Why the value must not be taken for a number of this quantity. */
  readonly doubt?: string;
}

const PER: Readonly<Record<number, string>> = {
  32: "/s",
  33: "/min",
  34: "/h",
  35: "/d",
  36: "/week",
  37: "/month",
  38: "/year",
  39: "/revolution",
  40: "/input-pulse-0",
  41: "/input-pulse-1",
  42: "/output-pulse-0",
  43: "/output-pulse-1",
  44: "/l",
  45: "/m³",
  46: "/kg",
  47: "/K",
  48: "/kWh",
  49: "/GJ",
  50: "/kW",
  51: "/(K·l)",
  52: "/V",
  53: "/A",
  54: "·s",
  55: "·s/V",
  56: "·s/A",
};

const NARROWING: Readonly<Record<number, string>> = {
  18: "average",
  58: "uncorrected",
  59: "forward",
  60: "backward",
  62: "base-conditions",
  64: "lower-limit",
  72: "upper-limit",
  104: "during-lower-exceed",
  105: "leakage",
  108: "during-upper-exceed",
  109: "overflow",
  126: "future",
};

/** After VIFE FC (EN 13757-3:2018). */
const PHASES: Readonly<Record<number, string>> = {
  1: "L1",
  2: "L2",
  3: "L3",
  4: "N",
  5: "L1-L2",
  6: "L2-L3",
  7: "L3-L1",
  16: "absolute",
};

/** Table 18: the record has no error. ABB's meters send it with every record. */
const NO_ERROR = 0x00;

const TIME_UNITS = ["s", "min", "h", "d"] as const;

/**
 * Applies one combinable VIFE, given without its extension bit (EN 13757-3:2018, tables 15 and 18). Checked against
 * maebli/m-bus-parser ffc1660 `value_information.rs` and tudborg/exmbus 01f5925 `vife.ex`.
 */
export function refine(meaning: Refined, code: number): Refined {
  if (code === NO_ERROR) return meaning;
  const narrowing = NARROWING[code];
  if (narrowing !== undefined) return narrow(meaning, narrowing);
  const per = PER[code];
  if (per !== undefined) return rate(meaning, per);
  if (code >= 0x70 && code <= 0x77) return { ...meaning, exponent: meaning.exponent + code - 0x76 };
  if (code === 0x7d) return { ...meaning, exponent: meaning.exponent + 3 };
  if (code >= 0x78 && code <= 0x7b) {
    // The standard leaves open whether the constant counts in the unit or in the VIF's power of ten of it.
    return doubtful(narrow(meaning, `offset-1e${code - 0x7b}`), "offset");
  }
  if (isRecordError(code)) return doubtful(narrow(meaning, `error-${hex(code)}`), "record-error");
  return refineTime(meaning, code);
}

/** Applies the VIFE after FC. */
export function refinePhase(meaning: Refined, code: number): Refined {
  const phase = PHASES[code];
  return phase === undefined ? reserved(meaning, `fc-${hex(code)}`) : narrow(meaning, phase);
}

/** After VIFE 7F or FF nothing of the record is as the standard says. */
export function manufacturerSpecific(meaning: Refined, codes: readonly number[]): Refined {
  const named = ["manufacturer", ...codes.map(hex)].join("-");
  return doubtful(narrow(meaning, named), "manufacturer-specific");
}

export function reserved(meaning: Refined, name: string): Refined {
  return doubtful(narrow(meaning, name), "reserved-code");
}

/** Dates, durations and counts that belong to the quantity take the place of its value. */
function refineTime(meaning: Refined, code: number): Refined {
  const upper = (code & 0x08) !== 0 ? "upper" : "lower";
  const last = (code & 0x04) !== 0 ? "last" : "first";
  const end = (code & 0x01) !== 0 ? "end" : "begin";
  if (code === 0x39) return instead(meaning, "start", "time");
  if (code === 0x41 || code === 0x49) return instead(meaning, `${upper}-exceeds`, "unsigned");
  if ((code & 0x72) === 0x42) return instead(meaning, `${last}-${upper}-exceed-${end}`, "time");
  if ((code & 0x7a) === 0x6a) return instead(meaning, `${last}-${end}`, "time");
  const unit = TIME_UNITS[code & 0x03] ?? "s";
  if ((code & 0x70) === 0x50) return instead(meaning, `${last}-${upper}-exceed-duration`, "unsigned", unit);
  if ((code & 0x78) === 0x60) return instead(meaning, `${last}-duration`, "unsigned", unit);
  return reserved(meaning, `vife-${hex(code)}`);
}

function instead(
  { quantity, doubt }: Refined,
  name: string,
  coding: Meaning["coding"],
  unit?: string,
): Refined {
  const base = { quantity: `${quantity}(${name})`, exponent: 0, coding };
  return { ...base, ...(unit === undefined ? {} : { unit }), ...(doubt === undefined ? {} : { doubt }) };
}

/** A value per something is another quantity: `volume(per-input-pulse-0)`. */
function rate(meaning: Refined, per: string): Refined {
  const name = per.startsWith("/") ? `per-${per.slice(1)}` : `times-${per.slice(1)}`;
  return { ...narrow(meaning, name), unit: `${meaning.unit ?? ""}${per}` };
}

export function narrow(meaning: Refined, name: string): Refined {
  return { ...meaning, quantity: `${meaning.quantity}(${name})` };
}

function doubtful(meaning: Refined, doubt: string): Refined {
  return { ...meaning, doubt: meaning.doubt ?? doubt };
}

/** Table 18. */
function isRecordError(code: number): boolean {
  return (code >= 0x01 && code <= 0x0f) || (code >= 0x15 && code <= 0x1c);
}

export function hex(code: number): string {
  return code.toString(16).padStart(2, "0");
}
