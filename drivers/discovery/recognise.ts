import type { RegisterRange, UnitFacts, Wanted } from "./facts.ts";
import type { KnownProfile } from "./known.ts";
import { judgeRule, WEIGHT } from "./rules.ts";

/**
 * How far a device is recognised: `sure` by a name that it gives itself, `likely` by a number that is given to its kind,
 * `possible` by values that lie where they should; `hint` says only that nothing contradicts.
 */
export type Certainty = "sure" | "likely" | "possible" | "hint";

/** A driver that a unit may be for. */
export interface Candidate {
  readonly driver: string;
  /** Make and model, as an installer knows it. */
  readonly title: string;
  readonly certainty: Certainty;
  /** Sum of what its rules say; for comparison among candidates only. */
  readonly weight: number;
  /** What it was recognised by, in words. */
  readonly because: readonly string[];
  /** Undefined: SunSpec, with its map's first register. */
  readonly profile: KnownProfile | undefined;
  readonly base?: number;
}

/** What follows from what a unit has said. */
export interface Judgement {
  /** Best first. */
  readonly candidates: readonly Candidate[];
  /** What to ask for next; undefined when nothing would change. */
  readonly wanted: Wanted | undefined;
  /** Profiles that nothing speaks against: whatever the unit says next, no other one has to be judged again. */
  readonly remaining: readonly KnownProfile[];
}

export interface JudgeOptions {
  /** Likely ones first. */
  readonly profiles: readonly KnownProfile[];
  /** Go on when a device has said its name already. */
  readonly thorough: boolean;
}

/** Where a SunSpec map may begin (Device Information Model Specification 1.1, 6.2), likeliest first. */
const SUNSPEC_BASES = [40000, 0, 50000] as const;
/** "SunS". */
const SUNSPEC_MARKER = [0x5375, 0x6e53] as const;

/** The registers that hold "SunS" in a map that begins at `base`. */
export function sunspecMarker(base: number = SUNSPEC_BASES[0]): RegisterRange {
  return { table: "holding", start: base, count: SUNSPEC_MARKER.length };
}

/**
 * Judges a unit by what it has said: SunSpec first, then Read Device Identification, then the rules of the profiles.
 * Pure: the same facts give the same judgement.
 */
export async function judge(facts: UnitFacts, { profiles, thorough }: JudgeOptions): Promise<Judgement> {
  const sunspec = sunspecOf(facts);
  const isSunSpec = "candidate" in sunspec;
  const unjudged = { candidates: [], remaining: profiles };
  if (isSunSpec && !thorough) return { ...unjudged, candidates: [sunspec.candidate], wanted: undefined };
  if ("wanted" in sunspec) return { ...unjudged, wanted: sunspec.wanted };
  if (facts.objects === undefined) return { ...unjudged, wanted: { objects: true } };
  const candidates: Candidate[] = isSunSpec ? [sunspec.candidate] : [];
  const open: Open[] = [];
  const remaining: KnownProfile[] = [];
  for (const profile of profiles) {
    const verdict = await judgeProfile(profile, facts);
    if (!("none" in verdict)) remaining.push(profile);
    if ("candidate" in verdict) candidates.push(verdict.candidate);
    if ("wanted" in verdict) open.push(verdict);
  }
  candidates.sort((a, b) => b.weight - a.weight);
  // Who has said its name is asked only what its namesakes take: two kinds may have one name.
  const isNamed = candidates[0]?.certainty === "sure" && !thorough;
  const next = isNamed ? open.find(({ held }) => held >= WEIGHT.name) : open[0];
  return { candidates, wanted: next?.wanted, remaining };
}

/** What has to be asked for next to judge a profile, and what the strongest of its rules says that holds by now. */
interface Open {
  readonly wanted: Wanted;
  readonly held: number;
}

/** What one profile makes of a unit. */
export type Verdict = { readonly candidate: Candidate } | Open | { readonly none: true };

function sunspecOf(facts: UnitFacts): Verdict {
  for (const base of SUNSPEC_BASES) {
    const range = sunspecMarker(base);
    if (facts.of(range) === undefined) return { wanted: { range }, held: WEIGHT.nothing };
    const registers = facts.registersOf(range);
    if (!SUNSPEC_MARKER.every((word, at) => registers?.[at] === word)) continue;
    const because = [`"SunS" at register ${base}`];
    const [driver, title] = ["sunspec", "SunSpec device"];
    // A map of registers says what it is; no profile says it better.
    return {
      candidate: {
        driver,
        title,
        certainty: "sure",
        weight: 2 * WEIGHT.name,
        because,
        profile: undefined,
        base,
      },
    };
  }
  return { none: true };
}

/** Rules are judged in turn, so that a device is asked for no more than it takes to refuse a profile. */
export async function judgeProfile(profile: KnownProfile, facts: UnitFacts): Promise<Verdict> {
  const held: { readonly weight: number; readonly words: string }[] = [];
  const strongest = (): number => Math.max(WEIGHT.nothing, ...held.map(({ weight }) => weight));
  for (const rule of profile.rules) {
    const verdict = await judgeRule(profile, rule, facts);
    if (verdict.state === "fails") return { none: true };
    if (verdict.state === "open") return { wanted: verdict.wanted, held: strongest() };
    held.push(verdict);
  }
  const { name: driver, profile: said } = profile.compiled;
  return {
    candidate: {
      ...{ driver, title: said.title, certainty: certaintyOf(strongest()), profile },
      weight: held.reduce((sum, { weight }) => sum + weight, 0),
      because: held.map(({ words }) => words),
    },
  };
}

function certaintyOf(weight: number): Certainty {
  if (weight >= WEIGHT.name) return "sure";
  if (weight >= WEIGHT.code) return "likely";
  return weight > WEIGHT.nothing ? "possible" : "hint";
}
