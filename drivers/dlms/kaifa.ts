import type { AxdrValue } from "./axdr.ts";
import { CLOCK, LIST_VERSION, quantityOf } from "./obis.ts";
import { type DlmsValue, layoutProblem, octetText, type Scale, telegramValue } from "./values.ts";

const IDENTIFICATION = [LIST_VERSION, "0-0:96.1.0*255", "0-0:96.1.7*255"];
const POWER = ["1-0:1.7.0*255", "1-0:2.7.0*255", "1-0:3.7.0*255", "1-0:4.7.0*255"];
const HOURLY = [CLOCK, "1-0:1.8.0*255", "1-0:2.8.0*255", "1-0:3.8.0*255", "1-0:4.8.0*255"];
const PHASE_1 = ["1-0:31.7.0*255", "1-0:32.7.0*255"];
const PHASES = [
  ...["1-0:31.7.0*255", "1-0:51.7.0*255", "1-0:71.7.0*255"],
  ...["1-0:32.7.0*255", "1-0:52.7.0*255", "1-0:72.7.0*255"],
];
const LIST_1 = ["1-0:1.7.0*255"];

/** Which code stands at which place: the number of values tells the lists apart. */
const LISTS: readonly (readonly string[])[] = [
  [...IDENTIFICATION, ...POWER, ...PHASE_1],
  [...IDENTIFICATION, ...POWER, ...PHASES],
  [...IDENTIFICATION, ...POWER, ...PHASE_1, ...HOURLY],
  [...IDENTIFICATION, ...POWER, ...PHASES, ...HOURLY],
];

const VERSION = /^KFM_\d+$/;

/**
 * Scale of a quantity in Kaifa's lists, which state none: W, var, Wh, varh, mA and tenths of a volt (toreamun/amshan
 * @ 3571bed, han/kaifa.py; UtilitechAS/amsreader-firmware @ 0145be8, src/IEC6205675.cpp).
 */
const SCALES: Readonly<Record<string, Scale>> = {
  ...scales(["1.7.0", "2.7.0"], "W", 0),
  ...scales(["3.7.0", "4.7.0"], "var", 0),
  ...scales(["31.7.0", "51.7.0", "71.7.0"], "A", -3),
  ...scales(["32.7.0", "52.7.0", "72.7.0"], "V", -1),
  ...scales(["1.8.0", "2.8.0"], "Wh", 0),
  ...scales(["3.8.0", "4.8.0"], "varh", 0),
};

function scales(quantities: readonly string[], unit: string, exponent: number): Record<string, Scale> {
  return Object.fromEntries(quantities.map((quantity) => [quantity, { unit, exponent }]));
}

export function kaifaScale(code: string): Scale | undefined {
  return SCALES[quantityOf(code)];
}

export function isKaifaVersion(value: AxdrValue | undefined): boolean {
  return value?.kind === "octets" && VERSION.test(octetText(value.bytes));
}

/**
 * The list of one value names no maker. Only Kaifa's meters are known to send it, and only they tag the date-time of
 * the notification before it.
 */
export function isKaifaList1(items: readonly AxdrValue[], taggedDateTime: boolean): boolean {
  const [only, ...more] = items;
  return taggedDateTime && more.length === 0 && isUnsigned32(only);
}

/**
 * Kaifa's Norwegian lists: values by place, no codes.
 *
 * @throws Problem `dlms-layout` for a number of values no list has, or a value that is not of its place's type
 */
export function readKaifaList(items: readonly AxdrValue[]): DlmsValue[] {
  const codes = items.length === 1 ? LIST_1 : LISTS.find((list) => list.length === items.length);
  if (codes === undefined) {
    throw layoutProblem(items[0]?.offset ?? 0, `no list of Kaifa has ${items.length} values`);
  }
  return items.flatMap((item, place) => {
    const code = codes[place] ?? "";
    const scale = kaifaScale(code);
    if (scale === undefined ? item.kind !== "octets" : !isUnsigned32(item)) {
      throw layoutProblem(item.offset, `the value at place ${place + 1} cannot be ${code}`);
    }
    return telegramValue(code, item, scale) ?? [];
  });
}

function isUnsigned32(item: AxdrValue | undefined): boolean {
  return item?.kind === "integer" && item.type === "double-long-unsigned";
}
