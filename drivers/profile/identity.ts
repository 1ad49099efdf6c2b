import { Problem } from "../../attest/problem.ts";
import type { MeterIdentity } from "../driver.ts";
import { IDENTIFICATION_OBJECTS } from "../modbus/identification.ts";
import { approximate, rational, times } from "../modbus/rational.ts";
import type { CompiledProfile } from "./compiled.ts";
import type { Values } from "./evaluate.ts";
import type { IdentificationName, IdentityText, MatchRule } from "./profile.ts";

/** What the device says of itself. */
export function identityOf({ profile }: CompiledProfile, values: Values): MeterIdentity {
  const { make, model, serial, firmware } = profile.identity;
  const text = (source: IdentityText | undefined): string => {
    if (source === undefined) return "";
    if (typeof source === "string") return source;
    const read = values.text(source.point);
    return "absent" in read ? "" : read.value;
  };
  return { make: text(make), model: text(model), serial: text(serial), firmware: text(firmware) };
}

/** Objects of Read Device Identification, or undefined when the device does not know the function. */
export type ReadObjects = () => Promise<ReadonlyMap<number, string> | undefined>;

/** Throws Problem `driver-not-matching` with the first rule of the profile that does not hold. */
export async function requireMatch(
  compiled: CompiledProfile,
  values: Values,
  { where, readObjects }: { readonly where: string; readonly readObjects: ReadObjects },
): Promise<void> {
  for (const rule of compiled.profile.identity.match) {
    const fault =
      rule.deviceIdentification === undefined
        ? pointFault(compiled, values, rule)
        : objectsFault(rule.deviceIdentification, await readObjects());
    if (fault !== undefined)
      throw new Problem("driver-not-matching", `this is no ${compiled.profile.title}`, {
        where,
        ...fault,
        hint: "check driver, address and unit; 'kilowitness scan' says what answers where",
      });
  }
}

/** Throws Problem `driver-wrong-setting` where the device is set in a way that the profile would read wrongly. */
export function requireSettings({ profile }: CompiledProfile, values: Values, where: string): void {
  for (const { point, equals, hint } of profile.identity.requires) {
    const raw = values.raw(point);
    if ("value" in raw && equals.some((one) => BigInt(one) === raw.value)) continue;
    throw new Problem("driver-wrong-setting", `the device's setting ${point} does not fit`, {
      where,
      expected: equals.join(" or "),
      got: "absent" in raw ? raw.absent : String(raw.value),
      hint,
    });
  }
}

interface Mismatch {
  readonly expected: string;
  readonly got: string;
}

function pointFault(compiled: CompiledProfile, values: Values, rule: MatchRule): Mismatch | undefined {
  const { point = "", equals, between, pattern } = rule;
  if (between !== undefined) return rangeFault(compiled, values, { point, between });
  const text = values.text(point);
  if ("absent" in text) return { expected: `a value of ${point}`, got: text.absent };
  const fits =
    equals === undefined
      ? new RegExp(pattern ?? "", "u").test(text.value)
      : equals.some((one) => String(one) === text.value);
  if (fits) return undefined;
  const expected = equals === undefined ? `text like ${pattern}` : equals.join(" or ");
  return { expected: `${point}: ${expected}`, got: JSON.stringify(text.value) };
}

function rangeFault(
  { points }: CompiledProfile,
  values: Values,
  { point, between }: { readonly point: string; readonly between: readonly [number, number] },
): Mismatch | undefined {
  const [from, to] = between;
  const unit = points.get(point);
  const expected = `${point} between ${from} and ${to} ${unit?.point.unit ?? ""}`.trimEnd();
  const value = values.value(point);
  if ("absent" in value) return { expected, got: value.absent };
  const { numerator, denominator } = unit?.unitFactor ?? rational(1);
  const shown = approximate(times(value.value.value, { numerator: denominator, denominator: numerator }));
  return shown >= from && shown <= to ? undefined : { expected, got: String(shown) };
}

function objectsFault(
  wanted: Readonly<Partial<Record<IdentificationName, string>>>,
  objects: ReadonlyMap<number, string> | undefined,
): Mismatch | undefined {
  for (const [name, pattern] of Object.entries(wanted)) {
    const number = IDENTIFICATION_OBJECTS[name as IdentificationName];
    const text = objects?.get(number);
    if (text !== undefined && new RegExp(pattern, "u").test(text)) continue;
    return {
      expected: `device identification ${name} like ${pattern}`,
      got: text === undefined ? "none" : JSON.stringify(text),
    };
  }
  return undefined;
}
