import { type Answer, Blocks } from "../profile/blocks.ts";
import { bundledProfile, bundledProfiles } from "../profile/bundled.ts";
import type { CompiledPoint, CompiledProfile, PlannedRequest } from "../profile/compiled.ts";
import { Values } from "../profile/evaluate.ts";
import type { IdentityText, MatchRule, ProfileChannel } from "../profile/profile.ts";
import { neighboursOf } from "../profile/reference-points.ts";
import { termsOf } from "../profile/terms.ts";
import type { RegisterFact, RegisterRange, UnitFacts } from "./facts.ts";

/** A profile with what a device has to be asked for to be recognised by it. */
export interface KnownProfile {
  readonly compiled: CompiledProfile;
  /** Cheapest and strongest first; never none. */
  readonly rules: readonly KnownRule[];
  /** Points that say who the device is. */
  readonly naming: readonly string[];
  /** Energy registers. */
  readonly counters: readonly string[];
}

export interface KnownRule {
  readonly rule: MatchRule;
  /** Rules of a smaller rank say more. */
  readonly rank: number;
  /** What it is judged by; none: objects of Read Device Identification. */
  readonly ranges: readonly RegisterRange[];
}

/** Profiles that a device can be recognised by: one without rules says nothing about who it is for. */
export function knownProfiles(names: readonly string[] = bundledProfiles()): readonly KnownProfile[] {
  return names.map(bundledProfile).flatMap(knownProfile);
}

/** No profile or one. */
export function knownProfile(compiled: CompiledProfile): KnownProfile[] {
  const { identity, channels } = compiled.profile;
  if (identity.match.length === 0) return [];
  const rules = identity.match.map((rule): KnownRule => {
    const ranges = rule.point === undefined ? [] : rangesOf(compiled, rule.point);
    return { rule, ranges, rank: rankOf(compiled, rule) };
  });
  const naming = [identity.make, identity.model, identity.serial, identity.firmware].flatMap(pointOf);
  const counters = Object.values(channels).flatMap(countersOf);
  return [{ compiled, rules: rules.toSorted(byCost), naming, counters: [...new Set(counters)] }];
}

/** The registers that a point's value takes: its own, then those of settings that it is multiplied by. */
export function rangesOf(compiled: CompiledProfile, name: string): readonly RegisterRange[] {
  return [name, ...factors(compiled, name)].map((one) => rangeOf(compiled, one));
}

/** The values of some points in what a unit has said. */
export function valuesOf(compiled: CompiledProfile, names: readonly string[], facts: UnitFacts): Values {
  const all = new Set(names.flatMap((name) => [name, ...factors(compiled, name)]));
  const points = [...all].flatMap((name) => compiled.points.get(name) ?? []);
  const requests = points.map((point) => requestFor(compiled, point));
  const places = new Map(
    points.flatMap(({ name }, at) => [name, ...neighbours(compiled, name)].map((one) => [one, at] as const)),
  );
  const answers = requests.map((request) => answerOf(request, facts.of(request)));
  return new Values(compiled, new Blocks({ requests, places }, answers));
}

/** A point and what it is scaled or signed by, which lie in one block. */
function rangeOf(compiled: CompiledProfile, name: string): RegisterRange {
  const all = [name, ...neighbours(compiled, name)].flatMap((one) => compiled.points.get(one) ?? []);
  const start = Math.min(...all.map(({ point }) => point.address));
  const end = Math.max(...all.map(({ point, width }) => point.address + width));
  return { table: all[0]?.snapshot.table ?? "holding", start, count: end - start };
}

function requestFor(compiled: CompiledProfile, { name, point }: CompiledPoint): PlannedRequest {
  const range = rangeOf(compiled, name);
  return { ...range, intervalMs: 0, serves: [], snapshots: [point.snapshot], optional: true };
}

function answerOf(request: PlannedRequest, fact: RegisterFact | undefined): Answer {
  if (fact === undefined) return { request, absent: "not asked for" };
  return "registers" in fact ? { request, registers: fact.registers } : { request, absent: fact.refused };
}

function factors(compiled: CompiledProfile, name: string): readonly string[] {
  return compiled.points.get(name)?.point.times ?? [];
}

function neighbours(compiled: CompiledProfile, name: string): readonly string[] {
  const point = compiled.points.get(name);
  return point === undefined ? [] : neighboursOf(point.point);
}

function pointOf(text: IdentityText | undefined): string[] {
  return typeof text === "object" ? [text.point] : [];
}

function countersOf({ import: into, export: out }: ProfileChannel): string[] {
  return [into, out].flatMap((value) => (value === undefined ? [] : termsOf(value).map(({ name }) => name)));
}

/** What says most comes first, what takes fewest registers of that. */
function byCost(a: KnownRule, b: KnownRule): number {
  return a.rank - b.rank || registers(a) - registers(b);
}

/** Objects are read anyway; a name says more than a number, and a number more than a range. */
function rankOf(compiled: CompiledProfile, rule: MatchRule): number {
  if (rule.deviceIdentification !== undefined) return 0;
  if (compiled.points.get(rule.point ?? "")?.read.way === "text") return 1;
  return rule.between === undefined ? 2 : 3;
}

function registers({ ranges }: KnownRule): number {
  return ranges.reduce((sum, { count }) => sum + count, 0);
}
