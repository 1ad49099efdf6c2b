import type { TelegramValue } from "../telegram/telegram.ts";

/** A number times ten to `exponent` is in `unit`. */
interface LabelUnit {
  readonly unit?: string;
  readonly exponent: number;
}

const COUNT: LabelUnit = { exponent: 0 };
const MILLIVOLT: LabelUnit = { unit: "mV", exponent: 0 };
const MILLIAMPERE: LabelUnit = { unit: "mA", exponent: 0 };
const WATT: LabelUnit = { unit: "W", exponent: 0 };
const AMPERE_HOUR: LabelUnit = { unit: "mAh", exponent: 0 };
const ENERGY: LabelUnit = { unit: "kWh", exponent: -2 };
const PERMILLE: LabelUnit = { unit: "%", exponent: -1 };
const HUNDREDTH_VOLT: LabelUnit = { unit: "V", exponent: -2 };
const TENTH_AMPERE: LabelUnit = { unit: "A", exponent: -1 };

/** VE.Direct Protocol 3.32, field descriptions, as SignalK/vedirect-serial-usb (src/fields.ts) repeats them. */
const UNITS: ReadonlyMap<string, LabelUnit> = new Map([
  ...["V", "V2", "V3", "VS", "VM", "VPV", "H7", "H8", "H15", "H16"].map(
    (label) => [label, MILLIVOLT] as const,
  ),
  ...["I", "I2", "I3", "IL"].map((label) => [label, MILLIAMPERE] as const),
  ...["P", "PPV", "H21", "H23", "DC_IN_P"].map((label) => [label, WATT] as const),
  ...["CE", "H1", "H2", "H3", "H6"].map((label) => [label, AMPERE_HOUR] as const),
  ...["H17", "H18", "H19", "H20", "H22"].map((label) => [label, ENERGY] as const),
  ...["SOC", "DM"].map((label) => [label, PERMILLE] as const),
  ...["AC_OUT_V", "DC_IN_V"].map((label) => [label, HUNDREDTH_VOLT] as const),
  ...["AC_OUT_I", "DC_IN_I"].map((label) => [label, TENTH_AMPERE] as const),
  ...["H4", "H5", "H10", "H11", "H12", "H13", "H14", "HSDS"].map((label) => [label, COUNT] as const),
  ["T", { unit: "°C", exponent: 0 }],
  ["TTG", { unit: "min", exponent: 0 }],
  ["H9", { unit: "s", exponent: 0 }],
  ["AC_OUT_S", { unit: "VA", exponent: 0 }],
]);

/** Stands where a device has no value. */
export const NOT_AVAILABLE = "---";

/** More digits than any field has. */
const NUMBER = /^-?\d{1,15}$/;

/** One field as it stands in a block. */
export function telegramValue(label: string, text: string): TelegramValue {
  const known = UNITS.get(label);
  if (known === undefined || !NUMBER.test(text)) return { code: label, text };
  const scaled = { digits: BigInt(text), exponent: known.exponent };
  const unit = known.unit === undefined ? {} : { unit: known.unit };
  return { code: label, text: decimal(text, known.exponent), ...unit, scaled };
}

/** A whole number that stands in a field, undefined where the text is none. */
export function wholeNumber(text: string): number | undefined {
  // Never -0.
  return NUMBER.test(text) ? Number(text) + 0 : undefined;
}

function decimal(digits: string, exponent: number): string {
  if (exponent === 0) return digits;
  const [sign, plain] = digits.startsWith("-") ? ["-", digits.slice(1)] : ["", digits];
  const padded = plain.padStart(1 - exponent, "0");
  return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
}
