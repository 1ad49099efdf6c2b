import type { AxdrValue } from "./axdr.ts";
import { obisOf, quantityOf } from "./obis.ts";
import { octetText, type Scale } from "./values.ts";

/** Meter type number 685…: the OMNIPOWER for current transformers, whose transformer ratio is not in the list. */
const TRANSFORMER_TYPE = /^685/;
const TYPE = "1-1:96.1.1*255";

/**
 * Units of Kamstrup's lists, which state none: W, var, V, hundredths of an ampere, and 10 Wh (toreamun/amshan
 * @ 3571bed, han/kamstrup.py; UtilitechAS/amsreader-firmware @ 0145be8, src/IEC6205675.cpp, which has the power factor
 * in hundredths too). The energies of the phases add up to the meter's in the OMNIPOWER capture of esphome-libs/dlms_parser,
 * so they have its unit.
 */
const SCALES: readonly (readonly [RegExp, Scale])[] = [
  [/^(?:1|2|21|22|41|42|61|62)\.7\.0$/, { unit: "W", exponent: 0 }],
  [/^[34]\.7\.0$/, { unit: "var", exponent: 0 }],
  [/^(?:31|51|71)\.7\.0$/, { unit: "A", exponent: -2 }],
  [/^(?:13|33|53|73)\.7\.0$/, { unit: "", exponent: -2 }],
  [/^(?:1|2|21|22|41|42|61|62)\.8\.0$/, { unit: "Wh", exponent: 1 }],
  [/^[34]\.8\.0$/, { unit: "varh", exponent: 1 }],
];
const VOLTAGE = /^(?:32|52|72)\.7\.0$/;

export function isKamstrupVersion(item: AxdrValue | undefined): boolean {
  return item?.kind === "text" && octetText(item.bytes).startsWith("Kamstrup_");
}

/** Scale of each code in this list. Behind current transformers only voltages are what they say. */
export function kamstrupScales(items: readonly AxdrValue[]): (code: string) => Scale | undefined {
  const behindTransformers = TRANSFORMER_TYPE.test(typeOf(items));
  return (code) => {
    const quantity = quantityOf(code);
    if (VOLTAGE.test(quantity)) return { unit: "V", exponent: 0 };
    if (behindTransformers) return undefined;
    return SCALES.find(([pattern]) => pattern.test(quantity))?.[1];
  };
}

function typeOf(items: readonly AxdrValue[]): string {
  const value = items[items.findIndex((item) => obisOf(item) === TYPE) + 1];
  return value?.kind === "text" ? octetText(value.bytes) : "";
}
