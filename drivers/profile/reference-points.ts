import { Problem, type ProblemDetail } from "../../attest/problem.ts";
import { widthOf } from "../modbus/registers.ts";
import type { Profile, ProfilePoint, ProfileSnapshot } from "./profile.ts";

/** A profile whose parts do not fit each other. */
export function invalidProfile(
  where: string,
  what: string,
  detail: Pick<ProblemDetail, "expected" | "got" | "hint"> = {},
): Problem {
  return new Problem("profile-invalid", what, { where, ...detail });
}

const UNSIGNED: ReadonlySet<string> = new Set(["u16", "u32", "u64"]);
const MOST_BCD_REGISTERS = 4;

/** Throws Problem `profile-invalid` where a point does not fit its snapshot or names another that is not beside it. */
export function checkPoints(profile: Profile, file: string): void {
  for (const [name, point] of Object.entries(profile.points)) {
    const where = `${file}: points.${name}`;
    const snapshot = profile.snapshots[point.snapshot];
    if (snapshot === undefined)
      throw invalidProfile(where, "no such snapshot", oneOf(profile.snapshots, point.snapshot));
    checkType(point, where);
    checkPlace(point, snapshot, where);
    checkNeighbours(profile, point, where);
    checkFactors(profile, point, where);
  }
}

/** What a message says of a name that nobody has. */
export function oneOf(
  entries: Readonly<Record<string, unknown>>,
  got: string,
): { expected: string; got: string } {
  return { expected: `one of ${Object.keys(entries).join(", ")}`, got: JSON.stringify(got) };
}

function checkType(point: ProfilePoint, where: string): void {
  const { type, registers, bits, kind, values } = point;
  if (type === "text" && registers === undefined)
    throw invalidProfile(where, 'a text has to say its "registers"');
  if (type === "bcd" && (registers === undefined || registers > MOST_BCD_REGISTERS))
    throw invalidProfile(where, 'a bcd has to say its "registers"', {
      expected: "1 to 4",
      got: String(registers),
    });
  if (bits !== undefined && !UNSIGNED.has(type))
    throw invalidProfile(where, "bits are of an unsigned integer", {
      expected: "u16, u32 or u64",
      got: type,
    });
  if (bits !== undefined && bits[0] + bits[1] > 16 * widthOf({ type: type === "text" ? "u16" : type }))
    throw invalidProfile(where, "these bits are not there", {
      got: `${bits[0]} and ${bits[1]} more in ${type}`,
    });
  if (values !== undefined && kind !== "state")
    throw invalidProfile(where, "values with a meaning are of a state", {
      expected: "kind: state",
      got: kind,
    });
}

function checkPlace(point: ProfilePoint, snapshot: ProfileSnapshot, where: string): void {
  const { address, type, registers } = point;
  const width =
    type === "text" ? (registers ?? 1) : widthOf({ type, ...(registers === undefined ? {} : { registers }) });
  const { start, count } = snapshot;
  if (address >= start && address + width <= start + count) return;
  throw invalidProfile(where, `it lies outside of its snapshot ${point.snapshot}`, {
    expected: `within ${start} to ${start + count - 1}`,
    got: `${address} to ${address + width - 1}`,
  });
}

/** A value and what it is scaled or signed by are of one request. */
function checkNeighbours(profile: Profile, point: ProfilePoint, where: string): void {
  for (const name of neighboursOf(point)) {
    const other = profile.points[name];
    if (other === undefined) throw invalidProfile(where, "no such point", oneOf(profile.points, name));
    if (other.snapshot !== point.snapshot)
      throw invalidProfile(where, `${name} is of another snapshot`, {
        expected: point.snapshot,
        got: other.snapshot,
        hint: "a value and what it is scaled or signed by come from one request",
      });
    if (other.scaleBy !== undefined || other.type === "text")
      throw invalidProfile(where, `${name} is no plain number`, { expected: "an integer register" });
  }
  const { scaleBy } = point;
  if ((scaleBy?.as === "table") !== (scaleBy?.table !== undefined))
    throw invalidProfile(where, '"table" goes with "as: table"');
}

/** A factor may be of another request, because a change of it ends the reading before anything is made of it. */
function checkFactors(profile: Profile, point: ProfilePoint, where: string): void {
  for (const name of point.times ?? []) {
    const other = profile.points[name];
    if (other === undefined) throw invalidProfile(where, "no such point", oneOf(profile.points, name));
    const interval = profile.snapshots[other.snapshot]?.interval;
    if (other.kind !== "setting" || interval !== "poll" || other.times !== undefined)
      throw invalidProfile(where, `${name} is no setting that is read with every reading`, {
        expected: "kind: setting, of a snapshot with interval: poll",
        got: `kind: ${other.kind}, interval: ${interval}`,
      });
  }
}

/** Points of the same request that a point cannot be decoded without. */
export function neighboursOf({ scaleBy, negativeWhen }: ProfilePoint): string[] {
  return [scaleBy?.point, negativeWhen?.point].flatMap((name) => name ?? []);
}
