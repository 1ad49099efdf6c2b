import { Problem } from "../../attest/problem.ts";
import { type MeterReading, READING_STATUS } from "../../attest/reading.ts";
import type { ChannelDescription } from "../driver.ts";
import { present } from "../present.ts";
import type { TelegramValue } from "./telegram.ts";

/** Of a reading what a list of values with OBIS codes can say. */
export type ObisQuantities = Pick<
  MeterReading,
  | "importMwh"
  | "exportMwh"
  | "activePowerMw"
  | "voltageMv"
  | "currentMa"
  | "frequencyMhz"
  | "resolutionMwh"
  | "status"
>;

/** The values of a list, and in words what could not be used. */
export interface ObisReading {
  readonly values: ObisQuantities;
  readonly absent: readonly string[];
}

/** The boundary that a utility's meter measures. */
export const GRID_CHANNEL = "grid";

/** What a unit is in the reading's: `digits` times ten to the exponent makes mWh, mW, mV, mA, mHz. */
const UNITS: ReadonlyMap<string, { readonly of: Quantity; readonly exponent: number }> = new Map([
  ["Wh", { of: "energy", exponent: 3 }],
  ["kWh", { of: "energy", exponent: 6 }],
  ["MWh", { of: "energy", exponent: 9 }],
  ["W", { of: "power", exponent: 3 }],
  ["kW", { of: "power", exponent: 6 }],
  ["V", { of: "voltage", exponent: 3 }],
  ["kV", { of: "voltage", exponent: 6 }],
  ["A", { of: "current", exponent: 3 }],
  ["mA", { of: "current", exponent: 0 }],
  ["Hz", { of: "frequency", exponent: 3 }],
  ["mHz", { of: "frequency", exponent: 0 }],
] as const);

type Quantity = "energy" | "power" | "voltage" | "current" | "frequency";

interface Whole {
  readonly value: number;
  /** What one step of the value is. */
  readonly step: number;
}

const PHASE_CODES = {
  voltageMv: ["32.7.0", "52.7.0", "72.7.0"],
  currentMa: ["31.7.0", "51.7.0", "71.7.0"],
} as const;

/**
 * A reading out of values with OBIS codes `A-B:C.D.E*F` (IEC 62056-6-1): 1.8 is energy into the boundary, 2.8 out of it,
 * each the total or else the sum of all its tariffs of this list; the power is 16.7, or 1.7 less 2.7. Only codes of
 * electricity (A = 1) or without A count; those of a later point in time (F other than 255) do not.
 *
 * @throws Problem `telegram-unit` for a unit that is none of the quantity, `telegram-range` for a number beyond what a
 *   reading holds, `telegram-conflict` for a code with two values, `telegram-empty` without register and power
 */
export function obisReading(values: readonly TelegramValue[]): ObisReading {
  const list = new ObisList(values);
  const found = {
    ...list.registers(),
    ...list.power(),
    ...list.phases(),
    ...list.frequency(),
  };
  if (found.importMwh === undefined && found.exportMwh === undefined && found.activePowerMw === undefined)
    throw new Problem("telegram-empty", "the telegram says nothing of energy or power", {
      where: "telegram",
      expected: "at least one of 1.8.x, 2.8.x, 16.7.0, 1.7.0",
      got: `${values.length} other values`,
    });
  return { values: present<ObisQuantities>(found), absent: list.absent };
}

const CODE = /^(?:(\d+)-(\d+):)?(\d+\.\d+(?:\.\d+)?)(?:\*(\d+))?$/;

/** `C.D.E` of an electricity value of now; undefined for all others. */
export function plainCode(code: string): string | undefined {
  const [whole, medium = "1", , middle, period = "255"] = CODE.exec(code) ?? [];
  if (whole === undefined || middle === undefined || medium !== "1" || period !== "255") return undefined;
  return middle.split(".").length === 2 ? `${middle}.0` : middle;
}

class ObisList {
  readonly absent: string[] = [];
  readonly #values = new Map<string, TelegramValue>();
  /** The second value of a code that has two: none of them can be used, and most are of no use. */
  readonly #others = new Map<string, TelegramValue>();

  constructor(values: readonly TelegramValue[]) {
    for (const value of values) {
      const code = plainCode(value.code);
      if (code === undefined) continue;
      const known = this.#values.get(code);
      if (known === undefined) this.#values.set(code, value);
      else if (known.text !== value.text || known.unit !== value.unit) this.#others.set(code, value);
    }
  }

  registers(): Partial<ObisQuantities> {
    const imported = this.#register("1.8");
    const exported = this.#register("2.8");
    const registers = [imported, exported].filter((register) => register !== undefined);
    if (registers.length === 0) return {};
    const summed = registers.some((register) => register.summed);
    return {
      ...(imported === undefined ? {} : { importMwh: imported.value }),
      ...(exported === undefined ? {} : { exportMwh: exported.value }),
      resolutionMwh: Math.max(...registers.map(({ step }) => step)),
      ...(summed ? { status: READING_STATUS.tariffSum } : {}),
    };
  }

  /** The total, or the sum of all tariffs of this list, never a mix of both and never of some of them. */
  #register(prefix: string): (Whole & { readonly summed: boolean }) | undefined {
    const total = this.#whole(`${prefix}.0`, "energy");
    if (total !== undefined) return { ...total, summed: false };
    const codes = [...this.#values.keys()].filter((code) => isTariffOf(prefix, code));
    const found = codes.map((code) => this.#whole(code, "energy"));
    const tariffs = found.filter((tariff) => tariff !== undefined);
    if (tariffs.length === 0 || tariffs.length < found.length) return undefined;
    const value = tariffs.reduce((sum, tariff) => sum + tariff.value, 0);
    if (!Number.isSafeInteger(value))
      throw new Problem("telegram-range", "the sum of the tariffs is too large", { where: `${prefix}.x` });
    return { value, step: Math.max(...tariffs.map(({ step }) => step)), summed: true };
  }

  power(): Partial<ObisQuantities> {
    const net = this.#whole("16.7.0", "power", true);
    if (net !== undefined) return { activePowerMw: net.value };
    const imported = this.#whole("1.7.0", "power");
    const exported = this.#whole("2.7.0", "power");
    if (imported !== undefined && exported !== undefined)
      return { activePowerMw: imported.value - exported.value };
    if (imported !== undefined && (imported.value > 0 || !this.#countsExport()))
      return { activePowerMw: imported.value };
    // One direction at rest says nothing about the other, and 0 would be an invention.
    if (imported !== undefined) this.absent.push("activePowerMw: 1.7.0 is 0, and 2.7.0 is not there");
    if (exported !== undefined) this.absent.push("activePowerMw: 2.7.0 is there without 1.7.0");
    return {};
  }

  #countsExport(): boolean {
    return [...this.#values.keys()].some((code) => code === "2.8.0" || isTariffOf("2.8", code));
  }

  phases(): Partial<ObisQuantities> {
    return { ...this.#phases("voltageMv", "voltage"), ...this.#phases("currentMa", "current") };
  }

  /**
   * A phase that is missing between others would move the next one into its place. The sign that some meters give a current
   * is that of its power.
   */
  #phases(name: keyof typeof PHASE_CODES, quantity: Quantity): Partial<ObisQuantities> {
    const codes = PHASE_CODES[name];
    const found = codes.map((code) => magnitude(this.#whole(code, quantity, true)?.value));
    const values = found.filter((value) => value !== undefined);
    if (values.length === 0) return {};
    if (found.slice(0, values.length).includes(undefined)) {
      this.absent.push(`${name}: a phase is missing before ${codes[found.length - 1]}`);
      return {};
    }
    return { [name]: values };
  }

  frequency(): Partial<ObisQuantities> {
    const frequency = this.#whole("14.7.0", "frequency");
    return frequency === undefined ? {} : { frequencyMhz: frequency.value };
  }

  #whole(code: string, quantity: Quantity, signed = false): Whole | undefined {
    const value = this.#values.get(code);
    if (value === undefined) return undefined;
    const other = this.#others.get(code);
    if (other !== undefined) throw conflict(value, other);
    if (value.scaled === undefined) {
      this.absent.push(`${value.code} is no number: ${JSON.stringify(value.text.slice(0, 40))}`);
      return undefined;
    }
    return wholeOf(value, value.scaled, { quantity, signed });
  }
}

interface Wanted {
  readonly quantity: Quantity;
  readonly signed: boolean;
}

/** Cut towards zero where the telegram is finer than the reading's unit. */
function wholeOf(
  value: TelegramValue,
  scaled: NonNullable<TelegramValue["scaled"]>,
  { quantity, signed }: Wanted,
): Whole {
  const unit = UNITS.get(value.unit ?? "");
  if (unit?.of !== quantity)
    throw new Problem("telegram-unit", "a value has a unit that is none of its quantity", {
      where: value.code,
      expected: [...UNITS].flatMap(([name, { of }]) => (of === quantity ? [name] : [])).join(", "),
      got: value.unit === undefined ? "none" : JSON.stringify(value.unit),
    });
  const exponent = scaled.exponent + unit.exponent;
  if (Math.abs(exponent) > 20) throw outOfRange(value);
  const power = 10n ** BigInt(Math.abs(exponent));
  const digits = exponent < 0 ? scaled.digits / power : scaled.digits * power;
  const whole = { value: Number(digits), step: exponent < 0 ? 1 : Number(power) };
  const fits = Number.isSafeInteger(whole.value) && Number.isSafeInteger(whole.step);
  if (!fits || (digits < 0n && !signed)) throw outOfRange(value);
  return whole;
}

/** E is the tariff, 1 to 63 (IEC 62056-6-1, value group E). */
function isTariffOf(prefix: string, code: string): boolean {
  const tariff = code.startsWith(`${prefix}.`) ? Number(code.slice(prefix.length + 1)) : 0;
  return tariff >= 1 && tariff <= 63;
}

function magnitude(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.abs(value);
}

function outOfRange({ code, text, unit = "" }: TelegramValue): Problem {
  return new Problem("telegram-range", "a value is beyond what a meter can show", {
    where: code,
    got: `${text.slice(0, 40)} ${unit}`.trim(),
  });
}

function conflict(first: TelegramValue, second: TelegramValue): Problem {
  return new Problem("telegram-conflict", "a telegram has two values for one code", {
    where: first.code,
    got: `${first.text} ${first.unit ?? ""} and ${second.text} ${second.unit ?? ""}`.slice(0, 80),
  });
}

/** Where the sign of a channel's power comes from. */
export interface SignOrigin {
  readonly signSource: string;
  readonly signVerified: boolean;
  /** What the channel has over all telegrams of the meter, where one alone does not show it. */
  readonly quantities?: ChannelDescription["quantities"];
}

/** The grid's channel as a reading shows it. */
export function gridChannel(
  { importMwh, exportMwh, activePowerMw, resolutionMwh }: ObisQuantities,
  { quantities, signSource, signVerified }: SignOrigin,
): ChannelDescription {
  const shown: ("import" | "export" | "power")[] = [];
  if (importMwh !== undefined) shown.push("import");
  if (exportMwh !== undefined) shown.push("export");
  if (activePowerMw !== undefined) shown.push("power");
  return {
    name: GRID_CHANNEL,
    role: "grid",
    quantities: quantities ?? shown,
    ...(resolutionMwh === undefined ? {} : { resolutionMwh }),
    ...{ signSource, signVerified },
  };
}
