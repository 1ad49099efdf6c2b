import type { AxdrValue } from "./axdr.ts";
import { METER_NUMBER, quantityOf } from "./obis.ts";
import { type DlmsValue, layoutProblem, octetText, type Scale, telegramValue } from "./values.ts";

/** What stands at a place: the type it has there, and its code; a value without a code is not read. */
interface Column {
  readonly type: string;
  readonly code: string;
}

const ID = columns("octets", [METER_NUMBER]);
const NAME = columns("octets", [""]);
const POWER = columns("double-long-unsigned", ["1.7.0", "2.7.0", "3.7.0", "4.7.0"]);
const VOLTAGES = columns("long-unsigned", ["32.7.0", "52.7.0", "72.7.0"]);
const CURRENTS = columns("long-unsigned", ["31.7.0", "51.7.0", "71.7.0"]);
const PHASE_POWER = [
  ...columns("double-long-unsigned", ["21.7.0", "41.7.0", "61.7.0"]),
  ...columns("double-long-unsigned", ["22.7.0", "42.7.0", "62.7.0"]),
];
const REGISTERS = [
  ...columns("double-long-unsigned", ["1.8.0", "1.8.1", "1.8.2"]),
  ...columns("double-long-unsigned", ["2.8.0", "2.8.1", "2.8.2"]),
];
const QUADRANTS = columns("double-long-unsigned", ["5.8.0", "6.8.0", "7.8.0", "8.8.0"]);

/**
 * Iskra's lists without codes, by the types of their values: AM550 in Slovenia (issues 615, 869 and 956), IE.5 in
 * Croatia (issue 1072, with decodings by Gurux) of UtilitechAS/amsreader-firmware @ a88a0be, whose captures are in
 * test/payloads/iskraemeco and whose reading of them is in src/decoder/src/IEC6205675.cpp. In the captures the tariffs
 * add up to the totals and the phases to the power.
 */
const LISTS: readonly (readonly Column[])[] = [
  [...ID, ...NAME, ...POWER, ...VOLTAGES, ...CURRENTS, ...PHASE_POWER],
  [...ID, ...NAME, ...VOLTAGES, ...CURRENTS, ...POWER],
  [...ID, ...NAME, ...POWER, ...VOLTAGES.slice(0, 1), ...CURRENTS.slice(0, 1), ...unnamed(2)],
  [...ID, ...NAME, ...POWER, ...VOLTAGES.slice(0, 1), ...unnamed(2)],
  [...ID, ...POWER.slice(0, 2), ...REGISTERS],
  [
    ...[...ID, ...NAME, ...columns("enum", [""]), ...NAME, ...REGISTERS],
    ...columns("double-long-unsigned", ["3.8.0", "4.8.0"]),
  ],
  [...ID, ...columns("unsigned", [""]), ...columns("double-long-unsigned", ["1.8.0", "2.8.0"])],
  [
    ...[...ID, ...NAME, ...NAME, ...REGISTERS, ...QUADRANTS, ...POWER.slice(0, 2)],
    ...[...columns("long-unsigned", [""]), ...PHASE_POWER, ...VOLTAGES, ...CURRENTS],
    ...[...unnamed(1), ...columns("list", ["", "", ""]), ...columns("boolean", [""])],
  ],
];

/** The logical device name, or the eight digits on the meter. */
const METER_ID = /^(?:ISK\d{13}|\d{8})$/;

/**
 * @returns undefined for a list that is none of Iskra's
 * @throws Problem `dlms-layout` where a total is not the sum of its tariffs: the list is another one
 */
export function readIskraList(items: readonly AxdrValue[]): DlmsValue[] | undefined {
  const [first] = items;
  if (first?.kind !== "octets" || !METER_ID.test(octetText(first.bytes))) return undefined;
  const list = LISTS.find((columns) => fits(columns, items));
  if (list === undefined) return undefined;
  const values = items.flatMap((item, at) => {
    const code = list[at]?.code ?? "";
    return code === "" ? [] : (telegramValue(code, item, scaleOf(code)) ?? []);
  });
  for (const quantity of ["1.8", "2.8"]) requireSum(values, quantity, first.offset);
  return values;
}

function fits(list: readonly Column[], items: readonly AxdrValue[]): boolean {
  return list.length === items.length && items.every((item, at) => typeOf(item) === list[at]?.type);
}

function typeOf(item: AxdrValue): string {
  return item.kind === "integer" ? item.type : item.kind;
}

/** Wh, varh, W, var, tenths of a volt and hundredths of an ampere (issue 1072, comment 27). */
function scaleOf(code: string): Scale | undefined {
  const quantity = quantityOf(code);
  if (code === METER_NUMBER) return undefined;
  if (/^[12]\.8\./.test(quantity)) return { unit: "Wh", exponent: 0 };
  if (/^[3-8]\.8\./.test(quantity)) return { unit: "varh", exponent: 0 };
  if (/^[357]2\.7\.0$/.test(quantity)) return { unit: "V", exponent: -1 };
  if (/^[357]1\.7\.0$/.test(quantity)) return { unit: "A", exponent: -2 };
  return { unit: /^[34]\.7\.0$/.test(quantity) ? "var" : "W", exponent: 0 };
}

/** Registers are rounded one by one: two tariffs may miss their total by one. */
function requireSum(values: readonly DlmsValue[], quantity: string, offset: number): void {
  const [total, ...tariffs] = [0, 1, 2].map(
    (tariff) => values.find(({ code }) => quantityOf(code) === `${quantity}.${tariff}`)?.scaled?.digits,
  );
  const [first, second] = tariffs;
  if (total === undefined || first === undefined || second === undefined) return;
  const missed = total - first - second;
  if (missed < -1n || missed > 1n)
    throw layoutProblem(offset, `${quantity}.0 is not the sum of ${quantity}.1 and ${quantity}.2`);
}

function columns(type: string, codes: readonly string[]): Column[] {
  return codes.map((code) => ({
    type,
    code: code === "" || code === METER_NUMBER ? code : `1-0:${code}*255`,
  }));
}

function unnamed(count: number): Column[] {
  return Array.from({ length: count }, () => ({ type: "double-long-unsigned", code: "" }));
}
