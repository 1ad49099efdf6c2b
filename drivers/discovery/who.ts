import type { MeterIdentity } from "../driver.ts";
import { compare, type Rational } from "../modbus/rational.ts";
import { decodeText } from "../modbus/registers.ts";
import { identityOf } from "../profile/identity.ts";
import type { RegisterRange, UnitFacts } from "./facts.ts";
import { rangesOf, valuesOf } from "./known.ts";
import { type Candidate, sunspecMarker } from "./recognise.ts";

/** A unit with what it said and what it is taken for; no candidates: nobody knows it. */
export interface Surveyed {
  readonly unit: number;
  readonly facts: UnitFacts;
  /** Best first. */
  readonly candidates: readonly Candidate[];
  /** False when it kept silent so often that it was not asked for everything. */
  readonly complete: boolean;
}

/** Marker and the header of the common model, which stand before its texts. */
const COMMON_TEXTS_AT = 4;
/** Manufacturer, model, options, version, serial number (SunSpec model 1), in registers. */
const COMMON_TEXTS = { make: [0, 16], model: [16, 16], firmware: [40, 8], serial: [48, 16] } as const;
const COMMON_REGISTERS = 64;
/** What of a stranger is asked again to see whether another unit is the same one. */
const SAMPLES = 6;

/** Registers that say who a device is. */
export function namingRanges({ profile, base }: Candidate): readonly RegisterRange[] {
  if (profile !== undefined) return profile.naming.flatMap((name) => rangesOf(profile.compiled, name));
  return base === undefined ? [] : [commonTexts(base)];
}

/** The energy registers of a device. */
export function counterRanges({ profile }: Candidate): readonly RegisterRange[] {
  return profile?.counters.flatMap((name) => rangesOf(profile.compiled, name)) ?? [];
}

/** Who a device says it is, if it is what it is taken for; empty texts where it did not say. */
export function identityFrom(candidate: Candidate, facts: UnitFacts): MeterIdentity {
  const { profile, base } = candidate;
  if (profile !== undefined)
    return identityOf(profile.compiled, valuesOf(profile.compiled, profile.naming, facts));
  const registers = base === undefined ? undefined : facts.registersOf(commonTexts(base));
  const text = (part: keyof typeof COMMON_TEXTS): string => {
    const [offset, count] = COMMON_TEXTS[part];
    const decoded = registers === undefined ? undefined : decodeText(registers, { offset, registers: count });
    return decoded === undefined || "absent" in decoded ? "" : decoded.value;
  };
  return { make: text("make"), model: text("model"), serial: text("serial"), firmware: text("firmware") };
}

/** Registers that another unit would answer alike only if it were the same device, or one of its kind. */
export function distinctiveRanges({ candidates, facts }: Surveyed): readonly RegisterRange[] {
  const [best] = candidates;
  if (best === undefined)
    return facts.learnt
      .toSorted((a, b) => Number("refused" in a.fact) - Number("refused" in b.fact))
      .slice(0, SAMPLES)
      .map(({ range }) => range);
  const fixed = best.profile?.rules.flatMap(({ rule, ranges }) => (rule.between === undefined ? ranges : []));
  return [...(fixed ?? [sunspecMarker(best.base)]), ...namingRanges(best)];
}

/** What can be told about two units that answer alike. */
export type Sameness = "same" | "different" | "unsure";

/** Energy registers read in turn: of one unit, of the other, of the first again. */
export interface CounterReads {
  readonly before: UnitFacts;
  readonly other: UnitFacts;
  readonly after: UnitFacts;
}

/**
 * Whether two units are one device, by their energy registers: the registers of one device never go back between two
 * reads, and those of two devices are hardly ever alike. At zero nothing can be told.
 */
export function sameCounters(candidate: Candidate, { before, other, after }: CounterReads): Sameness {
  const [first, between, last] = [before, other, after].map((facts) => countersIn(candidate, facts));
  const pairs = (first ?? []).flatMap((low, at) => {
    const [middle, high] = [between?.[at], last?.[at]];
    return low === undefined || middle === undefined || high === undefined ? [] : [{ low, middle, high }];
  });
  if (pairs.some(({ low, middle, high }) => compare(low, middle) > 0n || compare(middle, high) > 0n))
    return "different";
  return pairs.some(({ middle }) => middle.numerator !== 0n) ? "same" : "unsure";
}

function countersIn({ profile }: Candidate, facts: UnitFacts): readonly (Rational | undefined)[] {
  if (profile === undefined) return [];
  const values = valuesOf(profile.compiled, profile.counters, facts);
  return profile.counters.map((name) => {
    const value = values.value(name);
    return "absent" in value ? undefined : value.value.value;
  });
}

function commonTexts(base: number): RegisterRange {
  return { table: "holding", start: base + COMMON_TEXTS_AT, count: COMMON_REGISTERS };
}
