import { Problem } from "../../attest/problem.ts";
import { READING_STATUS } from "../../attest/reading.ts";
import { type ObisQuantities, obisReading } from "../telegram/obis-reading.ts";
import type { TelegramValue } from "../telegram/telegram.ts";
import { type MakerCodes, makerCodes } from "./makers.ts";
import type { Readout } from "./readout.ts";
import type { MbusValue } from "./records.ts";

/** What a readout says of the one boundary that an electricity meter measures. */
export interface MbusReading {
  readonly values: ObisQuantities;
  readonly absent: readonly string[];
  /** OBIS codes of the registers that the energies are or are summed from, in order. */
  readonly registers: readonly string[];
  /** Where both registers wrap, in mWh; absent where they are not BCD. */
  readonly rolloverMwh?: number;
}

/** A record under the OBIS code of what it says. */
interface Coded {
  /** `1.8` or `2.8`, `16.7`, `32.7` … */
  readonly group: string;
  /** Last part of the code: the tariff, 0 for the total and for all that has none. */
  readonly tariff: number;
  readonly value: MbusValue;
  /** A VIFE says that it flows forward: then it is no sum of both directions. */
  readonly directed: boolean;
}

/** A sum of tariffs covers these; a meter with more and without a total has no register. */
const MAX_TARIFF = 4;

/** By quantity and phase. */
const PHASE_GROUPS: ReadonlyMap<string, string> = new Map([
  ["voltage L1", "32.7"],
  ["voltage L2", "52.7"],
  ["voltage L3", "72.7"],
  ["current L1", "31.7"],
  ["current L2", "51.7"],
  ["current L3", "71.7"],
  ["frequency ", "14.7"],
  ["power ", "16.7"],
  ["power forward", "1.7"],
  ["power backward", "2.7"],
]);

/** Units that the quantity of a group must have here; a heat meter's joules are none. */
const UNITS: ReadonlyMap<string, string> = new Map([
  ["energy", "Wh"],
  ["power", "W"],
  ["voltage", "V"],
  ["current", "A"],
  ["frequency", "Hz"],
]);

/**
 * The reading of a readout: records of now (instantaneous, storage 0) whose place says what they are. Energy of subunit
 * 0 is imported unless a VIFE says backward; what a maker means by another subunit or by codes of its own counts where
 * that is known ({@link makerCodes}), else such a record says nothing. Where the digits of a total are bad it is absent,
 * and no sum of tariffs takes its place; a sum with a bad tariff is absent.
 *
 * @throws Problem `mbus-no-energy` where no record is electric energy or power, and those of {@link obisReading}
 */
export function readingOf({ telegrams, header }: Pick<Readout, "telegrams" | "header">): MbusReading {
  const maker = makerCodes(header.manufacturer);
  const absent: string[] = [];
  const coded: Coded[] = [];
  for (const values of telegrams) {
    // A record that comes again in a later telegram is of a later instant.
    const known = new Set(coded.map(obisCode));
    const found = values.flatMap((value) => codedOf(value, maker));
    coded.push(...preferred(found).filter((one) => !known.has(obisCode(one))));
  }
  const usable = usableOf(coded, absent);
  requireEnergy(usable, telegrams, absent);
  const { values, absent: unused } = obisReading(usable.map(telegramValue));
  const registers = usable.filter(isEnergy);
  return {
    values: { ...values, ...resolutionOf(values, registers), ...statusOf(values, header) },
    absent: [...absent, ...unused],
    registers: registers.map(obisCode).sort(),
    ...rolloverOf(registers),
  };
}

function codedOf(value: MbusValue, maker: MakerCodes | undefined): Coded[] {
  if (value.function !== "instantaneous" || value.storage !== 0) return [];
  const { base, notes } = partsOf(value.quantity);
  const { tariff, subunit } = value;
  if (base === "energy") {
    if (value.realStep !== undefined && maker?.wrongRealEnergy === true) return [];
    if (tariff !== 0 && maker?.restingTariffs === true) return [];
    const group = energyGroup(notes, subunit, maker);
    return group === undefined ? [] : [{ group, tariff, value, directed: notes === "forward" }];
  }
  const group = PHASE_GROUPS.get(`${base} ${notes}`);
  return group === undefined || subunit + tariff !== 0 ? [] : [{ group, tariff: 0, value, directed: false }];
}

function energyGroup(notes: string, subunit: number, maker: MakerCodes | undefined): string | undefined {
  if (subunit !== 0) return notes === "" && subunit === maker?.exportSubunit ? "2.8" : undefined;
  if (notes === "" || notes === "forward") return "1.8";
  return notes === "backward" ? "2.8" : undefined;
}

/** `energy(backward)(error-15)`: a record with an error keeps its place. */
function partsOf(quantity: string): { readonly base: string; readonly notes: string } {
  const [base = "", ...notes] = quantity.split("(").map((part) => part.replace(/\)$/, ""));
  return { base, notes: notes.filter((note) => !note.startsWith("error-")).join(" ") };
}

/** Of one telegram's records for the same: the directed before the others, whole numbers before reals. */
function preferred(found: readonly Coded[]): Coded[] {
  const directed = found.some((one) => one.directed);
  const whole = new Set(
    found.filter(({ value }) => value.realStep === undefined && value.scaled !== undefined).map(obisCode),
  );
  return found.filter((one) => {
    if (directed && one.group === "1.8" && !one.directed) return false;
    return one.value.realStep === undefined || !whole.has(obisCode(one));
  });
}

/** Without what is no number, and without a tariff where the sum of all would be wrong or is not needed. */
function usableOf(coded: readonly Coded[], absent: string[]): Coded[] {
  for (const one of coded) {
    const fault = faultOf(one);
    if (fault !== undefined) absent.push(`${one.value.code}: ${fault}`);
  }
  const totals = new Set(coded.flatMap(({ group, tariff }) => (tariff === 0 ? [group] : [])));
  const broken = new Set(coded.flatMap((one) => (isBrokenTariff(one) ? [one.group] : [])));
  return coded.filter((one) => {
    if (faultOf(one) !== undefined) return false;
    return one.tariff === 0 || !(totals.has(one.group) || broken.has(one.group));
  });
}

function isBrokenTariff(one: Coded): boolean {
  return one.tariff > MAX_TARIFF || (one.tariff > 0 && faultOf(one) !== undefined);
}

function faultOf({ value }: Coded): string | undefined {
  if (value.doubt !== undefined) return `${value.doubt} ${JSON.stringify(value.text.slice(0, 40))}`;
  const unit = UNITS.get(partsOf(value.quantity).base);
  return value.unit === unit ? undefined : `in ${value.unit ?? "no unit"}, expected ${unit ?? "none"}`;
}

function obisCode({ group, tariff }: Pick<Coded, "group" | "tariff">): string {
  return `1-0:${group}.${tariff}`;
}

/** A reading has no place for digits below a millionth. */
const LEAST_EXPONENT = -6;

/** The code names the record too, so that whoever reads a message finds it. */
function telegramValue(one: Coded): TelegramValue {
  const { text, unit, scaled } = one.value;
  const shown = { code: obisCode(one), text, ...(unit === undefined ? {} : { unit }) };
  if (scaled === undefined || scaled.exponent >= LEAST_EXPONENT)
    return { ...shown, ...(scaled === undefined ? {} : { scaled }) };
  // The exact value of a real may have more than a hundred digits.
  const digits = scaled.digits / 10n ** BigInt(LEAST_EXPONENT - scaled.exponent);
  return { ...shown, scaled: { digits, exponent: LEAST_EXPONENT } };
}

function isEnergy({ group }: Coded): boolean {
  return group === "1.8" || group === "2.8";
}

const SAID: ReadonlySet<string> = new Set(["1.8", "2.8", "16.7", "1.7"]);

function requireEnergy(
  usable: readonly Coded[],
  telegrams: Readout["telegrams"],
  absent: readonly string[],
): void {
  if (usable.some(({ group }) => SAID.has(group))) return;
  const records = telegrams.flat().map(({ code }) => code);
  throw new Problem("mbus-no-energy", "no record is known to be electric energy or power", {
    where: "readout",
    expected: "energy or power of subunit 0 and storage 0, or a maker's own code that is known",
    got: (absent.length > 0 ? absent : records).slice(0, 6).join(", "),
    hint: "show the readout with `kilowitness decode` and compare it with the meter's manual",
  });
}

/** Permanent and temporary error in the header's status (EN 13757-3). */
const ERROR_BITS = 0x18;

function statusOf(values: ObisQuantities, header: Readout["header"]): Pick<ObisQuantities, "status"> {
  if (((header.status ?? 0) & ERROR_BITS) === 0) return {};
  return { status: (values.status ?? 0) | READING_STATUS.deviceFault };
}

/** A real counts in steps that grow with it. */
function resolutionOf(
  { resolutionMwh }: ObisQuantities,
  registers: readonly Coded[],
): Pick<ObisQuantities, "resolutionMwh"> {
  if (resolutionMwh === undefined) return {};
  const steps = registers.map(({ value }) => Math.ceil((value.realStep ?? 0) * 1_000));
  return { resolutionMwh: Math.max(resolutionMwh, ...steps) };
}

function rolloverOf(registers: readonly Coded[]): Pick<MbusReading, "rolloverMwh"> {
  const wraps = registers.map(({ tariff, value: { bcdDigits, scaled } }) =>
    tariff !== 0 || bcdDigits === undefined ? Number.NaN : 10 ** (bcdDigits + (scaled?.exponent ?? 0) + 3),
  );
  const [wrap = Number.NaN] = wraps;
  return Number.isSafeInteger(wrap) && wraps.every((one) => one === wrap) ? { rolloverMwh: wrap } : {};
}
