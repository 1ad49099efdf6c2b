import { Problem } from "../../attest/problem.ts";
import { planReads, type ReadLimits } from "../modbus/plan-reads.ts";
import type { WantedRange } from "../modbus/wanted.ts";
import type { CompiledPoint, PlannedRequest, ReadPlan } from "./compiled.ts";
import type { Profile, ProfileSnapshot } from "./profile.ts";
import type { Resolved } from "./reference-channels.ts";
import { invalidProfile, neighboursOf } from "./reference-points.ts";
import { termsOf } from "./terms.ts";

/** All snapshots of one reading are read equally often. */
const ONE_READING_MS = 1000;

/**
 * The fewest requests that bring all points of these snapshots. A snapshot that a device may lack is planned by itself,
 * so that it cannot take others with it.
 */
export function planSnapshots(resolved: Resolved, snapshots: readonly string[], file: string): ReadPlan {
  const { profile, points } = resolved;
  const groups = groupsOf(resolved);
  const chosen = [...points.values()].filter(({ point }) => snapshots.includes(point.snapshot));
  const optional = snapshots.filter((name) => profile.snapshots[name]?.optional === true);
  const needed = chosen.filter(({ snapshot }) => !snapshot.optional);
  const parts = [
    planPart(needed, { profile, groups, file, optional: false }),
    ...optional.map((name) =>
      planPart(
        chosen.filter(({ point }) => point.snapshot === name),
        { profile, groups, file, optional: true },
      ),
    ),
  ];
  const requests: PlannedRequest[] = [];
  const places = new Map<string, number>();
  for (const part of parts) {
    for (const [name, at] of part.places) places.set(name, at + requests.length);
    requests.push(...part.requests);
  }
  return { requests, places };
}

interface PartContext {
  readonly profile: Profile;
  readonly groups: ReadonlyMap<string, string>;
  readonly file: string;
  readonly optional: boolean;
}

function planPart(points: readonly CompiledPoint[], context: PartContext): ReadPlan {
  const { profile, groups, file, optional } = context;
  if (points.length === 0) return { requests: [], places: new Map() };
  const wanted = points.map(({ name, point, snapshot, width }): WantedRange => {
    const group = groups.get(name);
    const range = { table: snapshot.table, start: point.address, count: width, intervalMs: ONE_READING_MS };
    return group === undefined ? range : { ...range, group };
  });
  const planned = plannedReads(wanted, limitsOf(profile), file);
  const places = new Map<string, number>();
  const requests = planned.map((request, at): PlannedRequest => {
    const served = request.serves.flatMap((index) => points[index] ?? []);
    for (const { name } of served) places.set(name, at);
    const snapshots = [...new Set(served.map(({ point }) => point.snapshot))];
    return { ...request, table: served[0]?.snapshot.table ?? "holding", snapshots, optional };
  });
  return { requests, places };
}

function plannedReads(
  wanted: readonly WantedRange[],
  limits: ReadLimits,
  file: string,
): ReturnType<typeof planReads> {
  try {
    return planReads(wanted, limits);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { where, expected, got } = error.detail;
    throw invalidProfile(`${file}: snapshots`, `registers ${where} cannot be read in one request`, {
      ...(expected === undefined ? {} : { expected }),
      ...(got === undefined ? {} : { got }),
      hint: "take the snapshot apart, or say atomic: false",
    });
  }
}

function limitsOf({ transport, snapshots }: Profile): ReadLimits {
  const { maxRegisters, readable, maxGap } = transport;
  return {
    maxRegisters,
    readable: [...(readable ?? []), ...Object.values(snapshots)],
    ...(maxGap === undefined ? {} : { maxGap }),
  };
}

/** Names of the groups of points that have to come from one request. */
function groupsOf({ profile, points }: Resolved): ReadonlyMap<string, string> {
  const sets = new Map<string, string>();
  const joined = (name: string): string => {
    const parent = sets.get(name) ?? name;
    return parent === name ? name : joined(parent);
  };
  const join = (names: readonly string[]): void => {
    const [first, ...rest] = names;
    if (first === undefined) return;
    for (const name of rest) sets.set(joined(name), joined(first));
  };
  for (const bundle of bundlesOf(profile)) join(bundle);
  const isAlone = ({ atomic }: ProfileSnapshot): boolean => !atomic;
  return new Map(
    [...points.values()].map(({ name, point, snapshot }) => [
      name,
      isAlone(snapshot) ? `point ${joined(name)}` : `snapshot ${point.snapshot}`,
    ]),
  );
}

/** Points that are scaled, signed, added up or compared with each other. */
function bundlesOf({ points, channels, checks }: Profile): readonly (readonly string[])[] {
  const values = Object.values(channels).flatMap(({ power, import: into, export: out, battery }) =>
    [power, into, out, battery?.setpoint].flatMap((value) =>
      value === undefined ? [] : [termsOf(value).map((term) => term.name)],
    ),
  );
  return [
    ...Object.entries(points).map(([name, point]) => [name, ...neighboursOf(point)]),
    ...values,
    ...checks.map(({ sum, equals }) => [...sum, equals]),
  ];
}
