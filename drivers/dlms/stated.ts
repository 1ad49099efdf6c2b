import { Problem } from "../../attest/problem.ts";
import { quantityOf } from "./obis.ts";
import type { DlmsTelegram } from "./telegram.ts";
import type { DlmsValue, Scale } from "./values.ts";

/** Values of a telegram whose unit is sure, and in words what is left out. */
export interface StatedValues {
  readonly values: readonly DlmsValue[];
  readonly absent: readonly string[];
}

const REGISTER = /^[12]\.8\.\d+$/;
const REGISTER_TEXT = /:[12]\.8\.\d+\b/;
const POWER = /^(?:1|2|16)\.7\.0$/;
const VOLTAGE = /^[357]2\.7\.0$/;
/** Some of Kamstrup's meters in Sweden send hundredths of a volt (UtilitechAS/amsreader-firmware issue 970). */
const MAX_KAMSTRUP_VOLT = 500n;

/**
 * Gives values of lists that state no units theirs. Kamstrup's registers count 10 Wh in Norway and Denmark and 1 Wh in
 * Sweden and Switzerland, and nothing in the telegram tells which (UtilitechAS/amsreader-firmware issues 239, 359, 874,
 * toreamun/amshan-homeassistant issue 43): without `registerStepWh` they are left out.
 *
 * @throws Problem `dlms-units` where nothing of energy or power is left
 */
export function statedValues(telegram: DlmsTelegram, registerStepWh: number | undefined): StatedValues {
  const absent: string[] = [];
  const values = telegram.values.flatMap((value): DlmsValue[] => {
    const quantity = quantityOf(value.code);
    if (telegram.layout === "kamstrup" && VOLTAGE.test(quantity)) return [plausibleVoltage(value)];
    if (!isBare(value) && !(telegram.layout === "kamstrup" && isRegister(value))) return [value];
    if (!REGISTER.test(quantity) && !POWER.test(quantity)) return [value];
    if (registerStepWh === undefined || isBehindTransformer(telegram, value)) {
      absent.push(unstatedText(value, REGISTER.test(quantity)));
      return [];
    }
    return [withScale(value, REGISTER.test(quantity) ? registerScale(registerStepWh) : WATT)];
  });
  // The one that the display shows, too.
  const example = absent.find((text) => REGISTER_TEXT.test(text)) ?? absent[0] ?? "";
  if (absent.length > 0 && !values.some(isUsable)) throw unstated(telegram, example);
  return { values, absent };
}

function unstatedText({ code, text }: DlmsValue, isEnergy: boolean): string {
  const todo = isEnergy ? '; compare with the display and set "registerStepWh"' : "";
  return `${code} is ${text}, of a unit that the meter does not state${todo}`;
}

/** A whole number without a unit. */
function isBare({ text, unit, scaled }: DlmsValue): boolean {
  return unit === undefined && scaled === undefined && /^\d+$/.test(text);
}

function isRegister({ code }: DlmsValue): boolean {
  return REGISTER.test(quantityOf(code));
}

function isUsable({ code, scaled }: DlmsValue): boolean {
  const quantity = quantityOf(code);
  return scaled !== undefined && (REGISTER.test(quantity) || POWER.test(quantity));
}

/** Bare numbers of Kamstrup's are those of a meter behind current transformers, whose ratio nobody states. */
function isBehindTransformer({ layout }: DlmsTelegram, value: DlmsValue): boolean {
  return layout === "kamstrup" && isBare(value);
}

const WATT: Scale = { unit: "W", exponent: 0 };

function registerScale(stepWh: number): Scale {
  return { unit: "Wh", exponent: String(stepWh).length - 1 };
}

function withScale(value: DlmsValue, { unit, exponent }: Scale): DlmsValue {
  const digits = value.scaled?.digits ?? BigInt(value.text);
  return {
    code: value.code,
    text: (digits * 10n ** BigInt(exponent)).toString(),
    unit,
    scaled: { digits, exponent },
  };
}

function plausibleVoltage(value: DlmsValue): DlmsValue {
  const { code, text, scaled } = value;
  return scaled === undefined || scaled.digits <= MAX_KAMSTRUP_VOLT ? value : { code, text };
}

function unstated({ layout }: DlmsTelegram, example: string): Problem {
  return new Problem("dlms-units", "the meter states no units", {
    where: layout,
    got: example.replace(/;.*/, ""),
    hint: 'compare 1.8.0 with the display and set "registerStepWh" to the Wh that one step of it is',
  });
}
