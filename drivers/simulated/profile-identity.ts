import { Problem } from "../../attest/problem.ts";
import { compare, type Rational, rational, times } from "../modbus/rational.ts";
import type { IdentificationName, IdentityText, MatchRule, Profile } from "../profile/profile.ts";
import { textLike } from "./profile-pattern.ts";
import { inReadingUnit, over, type Shown, type SimulatedPoint } from "./profile-point.ts";

/** What a device says of itself where no rule asks for anything else: the first one that fits its registers. */
const USUAL = {
  make: ["Kilowitness", "KWITNESS", "KW", "1"],
  model: ["Simulated", "SIM", "1"],
  serial: ["SIMULATED-0001", "SIM-000001", "SIM-0001", "S-0001", "0001", "26000001", "20001", "101", "7"],
  firmware: ["1.0.0", "1.0", "100", "1"],
} as const;
/** A code that nobody describes. */
const ANY = ["SIMULATED", "SIM", "1", "0"];
const REPEATS = [1, 0, 2, 3, 4, 8];
const OTHER_CHARACTERS = "23456789BCDEFGHIJKLMNOPQRSTUVWXYZ01A";

/** Numbers of the objects (Modbus Application Protocol v1.1b3, 6.21, table of object IDs). */
const OBJECTS: Readonly<Record<IdentificationName, number>> = {
  ...{ vendorName: 0, productCode: 1, revision: 2, productName: 4, modelName: 5 },
};

type Field = keyof typeof USUAL;

/** What the point of the identity or of its rules shows, so that every rule holds. Throws Problem `simulate-identity`. */
export function identityValue(profile: Profile, point: SimulatedPoint): Shown {
  const rules = rulesOf(profile, point.name);
  const shown = candidates(profile, point, rules).find((one) => one !== undefined);
  if (shown !== undefined) return shown;
  throw new Problem("simulate-identity", `nothing was found that point ${point.name} could show`, {
    expected: rules.map(wordsOfRule).join(" and "),
    hint: "a simulated device needs a rule that a plain text or number fits: equals, between or a simple pattern",
  });
}

/** Another value of the same kind, as a device that was put in its place would show; undefined where there is none. */
export function otherIdentityValue(profile: Profile, point: SimulatedPoint): Shown | undefined {
  const rules = rulesOf(profile, point.name);
  const text = textsFor(profile, point, rules).find((one) => accepted(point, one, rules) !== undefined);
  if (text === undefined) return undefined;
  const others = [...text].flatMap((_, back) => {
    const at = text.length - 1 - back;
    return [...OTHER_CHARACTERS].map((one) => text.slice(0, at) + one + text.slice(at + 1));
  });
  const same = accepted(point, text, rules)?.registers.words.join();
  return others
    .map((other) => accepted(point, other, rules))
    .find((shown) => shown !== undefined && shown.registers.words.join() !== same);
}

/** A number of whole steps, where the rules of its point allow it. */
export function keepingRules(profile: Profile, point: SimulatedPoint, value: Rational): Shown | undefined {
  const { numerator, denominator } = over(value, point.step);
  const whole = numerator % denominator === 0n ? String(numerator / denominator) : "";
  return accepted(point, whole, rulesOf(profile, point.name));
}

/** Objects of Read Device Identification, where the profile asks for them. Throws Problem `simulate-identity`. */
export function identificationObjects({ identity }: Profile): ReadonlyMap<number, string> | undefined {
  const wanted = identity.match.flatMap(({ deviceIdentification = {} }) =>
    Object.entries(deviceIdentification),
  );
  if (wanted.length === 0) return undefined;
  const objects = new Map([
    [OBJECTS.vendorName, "Kilowitness"],
    [OBJECTS.productCode, "SIMULATED"],
    [OBJECTS.revision, "1.0"],
  ]);
  for (const [name, number] of Object.entries(OBJECTS)) {
    const patterns = wanted.flatMap(([key, pattern]) => (key === name ? [pattern] : []));
    if (patterns.length > 0) objects.set(number, objectText(name, patterns));
  }
  return new Map([...objects].sort(([a], [b]) => a - b));
}

function objectText(name: string, patterns: readonly string[]): string {
  const texts = patterns.flatMap((pattern) => REPEATS.flatMap((repeats) => textLike(pattern, repeats) ?? []));
  const text = texts.find(
    (one) => one !== "" && patterns.every((pattern) => new RegExp(pattern, "u").test(one)),
  );
  if (text !== undefined) return text;
  throw new Problem(
    "simulate-identity",
    `no text was found for the object ${name} of device identification`,
    {
      expected: patterns.join(" and "),
      hint: "a simulated device needs a simple pattern, without look-ahead or back references",
    },
  );
}

/** What the point has to hold for the device to be taken for itself, and for one that is set as it has to be. */
export function rulesOf({ identity }: Profile, name: string): readonly MatchRule[] {
  return [...identity.match, ...identity.requires].filter(({ point }) => point === name);
}

/** Whether a raw value is one of those that rules list for the point. */
export function isListed(profile: Profile, name: string, raw: bigint): boolean {
  return rulesOf(profile, name).every(
    ({ equals }) => equals === undefined || equals.map(String).includes(String(raw)),
  );
}

/** In the order in which they are liked; what does not fit is undefined. */
function candidates(
  profile: Profile,
  point: SimulatedPoint,
  rules: readonly MatchRule[],
): readonly (Shown | undefined)[] {
  const middles = rules.flatMap(({ between }) =>
    between === undefined ? [] : [(between[0] + between[1]) / 2],
  );
  return [
    ...textsFor(profile, point, rules).map((text) => accepted(point, text, rules)),
    ...middles.map((middle) => acceptedValue(point, middle, rules)),
  ];
}

function textsFor(profile: Profile, point: SimulatedPoint, rules: readonly MatchRule[]): readonly string[] {
  const field = fieldOf(profile, point.name);
  const usual = field === undefined ? ANY : USUAL[field];
  return [
    ...rules.flatMap(({ equals = [] }) => equals.map(String)),
    ...oneOfSetting(point),
    ...usual,
    ...rules.flatMap(({ pattern }) =>
      pattern === undefined ? [] : REPEATS.map((n) => textLike(pattern, n) ?? ""),
    ),
  ];
}

/** A ratio or factor of 1, as its register says it. */
function oneOfSetting(point: SimulatedPoint): readonly string[] {
  const { kind, unit } = point.point;
  if (kind !== "setting") return [];
  const { numerator, denominator } = over(inReadingUnit(1, unit), point.step);
  return numerator % denominator === 0n ? [String(numerator / denominator)] : [];
}

function fieldOf({ identity }: Profile, name: string): Field | undefined {
  const named = (text: IdentityText | undefined): boolean => typeof text === "object" && text.point === name;
  return (["serial", "make", "model", "firmware"] as const).find((field) => named(identity[field]));
}

function accepted(point: SimulatedPoint, text: string, rules: readonly MatchRule[]): Shown | undefined {
  // A reader takes blanks at the ends for filling.
  if (text === "" || text.trim() !== text) return undefined;
  if (!point.isText && String(Number(text)) !== text) return undefined;
  const holds = rules.every(({ equals, pattern, between }) => {
    if (between !== undefined) return isBetween(point, text, between);
    if (pattern !== undefined && !new RegExp(pattern, "u").test(text)) return false;
    return equals === undefined || equals.some((one) => String(one) === text);
  });
  return holds ? point.showText(text) : undefined;
}

function isBetween(point: SimulatedPoint, text: string, [from, to]: readonly [number, number]): boolean {
  if (point.isText || !/^-?\d+$/.test(text)) return false;
  const inUnit = over(times(rational(text), point.step), inReadingUnit(1, point.point.unit));
  return compare(inUnit, rational(from)) >= 0n && compare(inUnit, rational(to)) <= 0n;
}

function acceptedValue(
  point: SimulatedPoint,
  middle: number,
  rules: readonly MatchRule[],
): Shown | undefined {
  const { unit } = point.point;
  const value = inReadingUnit(middle, unit);
  if (point.isText || !point.holds([value, value])) return undefined;
  const shown = point.show(value);
  const inUnit = over(shown.value, inReadingUnit(1, unit));
  const holds = rules.every(({ between }) => {
    if (between === undefined) return false;
    return compare(inUnit, rational(between[0])) >= 0n && compare(inUnit, rational(between[1])) <= 0n;
  });
  return holds ? shown : undefined;
}

function wordsOfRule({ equals, pattern, between }: MatchRule): string {
  if (equals !== undefined) return `one of ${equals.join(", ")}`;
  return between === undefined ? `text like ${pattern ?? ""}` : `${between[0]} to ${between[1]}`;
}
