import type { MbusValue } from "../../../drivers/mbus/records.ts";
import type { Decimal } from "../../../drivers/telegram/text.ts";

/** One `<DataRecord>` of libmbus' XML. */
export type ReferenceRecord = Readonly<Record<string, string>>;

export interface Reference {
  readonly slave: ReferenceRecord;
  readonly records: readonly ReferenceRecord[];
}

export function parseReference(xml: string): Reference {
  const slave = fields(/<SlaveInformation>(.*?)<\/SlaveInformation>/s.exec(xml)?.[1] ?? "");
  const records = [...xml.matchAll(/<DataRecord id="\d+">(.*?)<\/DataRecord>/gs)];
  return { slave, records: records.map((match) => fields(match[1] ?? "")) };
}

function fields(xml: string): ReferenceRecord {
  const found = [...xml.matchAll(/<(\w+)>(.*?)<\/\1>/gs)];
  return Object.fromEntries(found.map(([, name = "", text = ""]) => [name, unescapeXml(text)]));
}

/** The files say ISO 8859-1, and hold the degree sign in both ISO 8859-1 and UTF-8. */
function unescapeXml(text: string): string {
  return text
    .replaceAll("\u00c2\u00b0", "°")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

const FUNCTIONS: ReferenceRecord = {
  "Instantaneous value": "instantaneous",
  "Actual value": "instantaneous",
  "Manufacturer specific": "instantaneous",
  "More records follow": "instantaneous",
  "Maximum value": "maximum",
  "Minimum value": "minimum",
  "Value during error state": "error",
};

/** libmbus' normalised quantities by ours. */
const QUANTITIES: ReferenceRecord = {
  date: "Time point (date)",
  "date-time": "Time point (date & time)",
  "fabrication-number": "Fabrication No",
  "heat-cost-units": "H.C.A.",
  "parameter-set": "Parameter set identification",
  "model-version": "Model / Version",
  "averaging-duration": "Averaging Duration",
  "actuality-duration": "Actuality Duration",
  "digital-input": "Digital Input",
  "manufacturer-data": "",
};

const SECONDS: Readonly<Record<string, bigint>> = { s: 1n, min: 60n, h: 3600n, d: 86_400n };
const UNITS: ReferenceRecord = { "m³": "m^3", "m³/h": "m^3/h" };

/** Where ours says something else than the normalised XML, each part in words. */
export function compareNormalised(ours: MbusValue, theirs: ReferenceRecord): string[] {
  const wrong = comparePlace(ours, theirs);
  const base = ours.quantity.replace(/\(.*$/, "");
  const words = base.startsWith("text:") ? base.slice(5) : base.replaceAll("-", " ");
  const quantity = QUANTITIES[base] ?? words;
  const known = theirs["Quantity"]?.toLowerCase() === quantity.toLowerCase();
  if (!known) wrong.push(`quantity ${ours.quantity} for ${theirs["Quantity"]}`);
  const seconds = SECONDS[ours.unit ?? ""];
  const unit = seconds === undefined ? (UNITS[ours.unit ?? ""] ?? ours.unit ?? "") : "s";
  const theirUnit = theirs["Unit"] === "-" ? "" : theirs["Unit"];
  const bare = ours.scaled === undefined || base === "heat-cost-units";
  if (!bare && unit !== theirUnit) wrong.push(`unit ${ours.unit} for ${theirs["Unit"]}`);
  const value = theirs["Value"] ?? "";
  if (!sameValue(ours, value, seconds ?? 1n)) wrong.push(`value ${ours.text} for ${value}`);
  return wrong;
}

function comparePlace(ours: MbusValue, theirs: ReferenceRecord): string[] {
  const expected = [
    FUNCTIONS[theirs["Function"] ?? ""] ?? theirs["Function"],
    theirs["StorageNumber"] ?? "0",
    theirs["Tariff"] ?? "0",
    theirs["Device"] ?? "0",
  ].join("/");
  const got = [ours.function, ours.storage, ours.tariff, ours.subunit].join("/");
  return got === expected ? [] : [`place ${got} for ${expected}`];
}

function sameValue(ours: MbusValue, value: string, factor: bigint): boolean {
  if (ours.scaled !== undefined) return nearly(millionths(ours.text) * factor, value);
  if (ours.quantity === "manufacturer-data") return ours.text === value.replaceAll(" ", "");
  if (/^-?\d+$/.test(ours.text) && /^-?[\d.]+$/.test(value)) return nearly(millionths(ours.text), value);
  return ours.text === value.replace(/:00Z$/, "");
}

/** They print a double with six decimals: half of the last one, and a double's 52 bits, may be off. */
function nearly(exact: bigint, printed: string): boolean {
  if (!/^-?\d+\.\d{6}$/.test(printed)) return false;
  const off = exact - millionths(printed);
  const size = exact < 0n ? -exact : exact;
  return (off < 0n ? -off : off) <= 1n + size / 2n ** 52n;
}

/** Cut after six decimals. */
function millionths(text: string): bigint {
  const [whole = "", fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(6, "0").slice(0, 6));
}

const PREFIXES: Readonly<Record<string, number>> = {
  m: -3,
  my: -6,
  k: 3,
  M: 6,
  "10": 1,
  "100": 2,
  "0.1": -1,
};

/** The power of ten in `Energy (10 kWh)`, `1e-1  V` or `Volume (m m^3)`; undefined where there is none to read. */
export function plainExponent(unit: string): number | undefined {
  const inner = /\(([^()]*)\)$/.exec(unit)?.[1] ?? unit;
  const parts =
    /^(?:1e(-?\d+)|(10|100|0\.1))?\s*(my|m(?= )|[kM](?=W|J))?\s*(?:Wh|J|m\^3(?:\/h)?|W|V|A|deg C|%RH|hours|days|minutes|seconds)$/.exec(
      inner.trim(),
    );
  if (parts === null) return undefined;
  return Number(parts[1] ?? 0) + (PREFIXES[parts[2] ?? ""] ?? 0) + (PREFIXES[parts[3] ?? ""] ?? 0);
}

/** Whether the exact number is `value` times ten to the exponent; a real is printed with six decimals. */
export function samePlain(ours: Decimal, exponent: number, value: string): boolean {
  const power = ours.exponent - exponent;
  if (/^-?\d+$/.test(value)) return power === 0 && ours.digits === BigInt(value);
  const scale = power + 6;
  const exact = scale < 0 ? ours.digits / 10n ** BigInt(-scale) : ours.digits * 10n ** BigInt(scale);
  const off = exact - millionths(value);
  return off >= -1n && off <= 1n;
}
