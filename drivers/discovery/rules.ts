import { Problem } from "../../attest/problem.ts";
import type { CompiledProfile } from "../profile/compiled.ts";
import type { Values } from "../profile/evaluate.ts";
import { requireMatch } from "../profile/identity.ts";
import type { MatchRule } from "../profile/profile.ts";
import type { UnitFacts, Wanted } from "./facts.ts";
import { type KnownProfile, type KnownRule, valuesOf } from "./known.ts";

/** How much a rule says that holds: a name the device gives itself, a number given to a kind of device, a range. */
export const WEIGHT = { name: 1000, code: 100, narrow: 5, wide: 1, nothing: 0 } as const;

export type RuleVerdict =
  | { readonly state: "holds"; readonly weight: number; readonly words: string }
  | { readonly state: "fails" }
  | { readonly state: "open"; readonly wanted: Wanted };

/** Smaller numbers stand in many registers of many devices. */
const LEAST_CODE = 16n;
/** A range of at most so many whole numbers is a list of codes. */
const MOST_CODES = 64;
const LEAST_NAME_LENGTH = 2;
/** A range whose ends differ by at most this factor, such as 45 to 65 Hz. */
const NARROW = 10;

/** Holds one rule against what a unit has said, by the rules of the profile's own driver. */
export async function judgeRule(
  { compiled }: KnownProfile,
  { rule, ranges }: KnownRule,
  facts: UnitFacts,
): Promise<RuleVerdict> {
  const { objects } = facts;
  if (ranges.length === 0 && objects === undefined) return { state: "open", wanted: { objects: true } };
  const range = ranges.find((one) => facts.of(one) === undefined);
  if (range !== undefined) return { state: "open", wanted: { range } };
  const values = valuesOf(compiled, rule.point === undefined ? [] : [rule.point], facts);
  if (!(await holds(compiled, rule, { values, objects }))) return { state: "fails" };
  return { state: "holds", ...evidence(compiled, rule, { values, objects }) };
}

interface Said {
  readonly values: Values;
  readonly objects: ReadonlyMap<number, string> | undefined;
}

async function holds(
  compiled: CompiledProfile,
  rule: MatchRule,
  { values, objects }: Said,
): Promise<boolean> {
  const { profile } = compiled;
  const alone = { ...compiled, profile: { ...profile, identity: { ...profile.identity, match: [rule] } } };
  const readObjects = (): Promise<typeof objects> => Promise.resolve(objects);
  try {
    await requireMatch(alone, values, { where: "", readObjects });
    return true;
  } catch (error) {
    if (error instanceof Problem && error.code === "driver-not-matching") return false;
    throw error;
  }
}

interface Evidence {
  readonly weight: number;
  readonly words: string;
}

function evidence(compiled: CompiledProfile, rule: MatchRule, { values, objects }: Said): Evidence {
  if (rule.deviceIdentification !== undefined) {
    const said = [...(objects ?? new Map<number, string>()).values()].map(quoted).join(" ");
    return { weight: WEIGHT.name, words: `it calls itself ${said}` };
  }
  const { point = "", between } = rule;
  const compiledPoint = compiled.points.get(point);
  if (between !== undefined) {
    const unit = compiledPoint?.point.unit ?? "none";
    const words = `${point} is within ${between[0]} to ${between[1]}${unit === "none" ? "" : ` ${unit}`}`;
    return { weight: rangeWeight(between, { values, point, isPlain: unit === "none" }), words };
  }
  const text = values.text(point);
  const said = "absent" in text ? "" : text.value;
  if (compiledPoint?.read.way === "text")
    return {
      weight: said.length >= LEAST_NAME_LENGTH ? WEIGHT.name : WEIGHT.narrow,
      words: `${point} is ${quoted(said)}`,
    };
  return {
    weight: magnitude(BigInt(said)) >= LEAST_CODE ? WEIGHT.code : WEIGHT.narrow,
    words: `${point} is ${said}`,
  };
}

interface Ranged {
  readonly values: Values;
  readonly point: string;
  /** A number without a unit. */
  readonly isPlain: boolean;
}

function rangeWeight([from, to]: readonly [number, number], { values, point, isPlain }: Ranged): number {
  const value = values.value(point);
  // A zero stands in every register that nobody has filled.
  if ("absent" in value || value.value.value.numerator === 0n) return WEIGHT.nothing;
  if (isPlain && from >= LEAST_CODE && to - from < MOST_CODES) return WEIGHT.code;
  return from > 0 && to <= from * NARROW ? WEIGHT.narrow : WEIGHT.wide;
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** A device's own words, unable to break a line or to steer a terminal. */
function quoted(text: string): string {
  return `"${text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, "?")}"`;
}
