import { ONE, type Rational, rational, times } from "../modbus/rational.ts";
import { widthOf } from "../modbus/registers.ts";
import type { CompiledPoint, CompiledProfile, PointField, ReadPlan } from "./compiled.ts";
import { compileCommands } from "./control-compile.ts";
import type { LoadedProfile } from "./load.ts";
import { planSnapshots } from "./plan.ts";
import type { Profile, ProfilePoint, ProfileSnapshot } from "./profile.ts";
import { checkChannels } from "./reference-channels.ts";
import { checkPoints, invalidProfile } from "./reference-points.ts";
import { UNITS } from "./units.ts";

/**
 * Checks every reference of a profile and plans its reads.
 *
 * @param name name of the driver
 * @throws Problem `profile-invalid` where something is named that is not there, does not fit its use, or cannot be read
 *   in one request within the limits
 */
export function compileProfile(name: string, { file, profile, digest }: LoadedProfile): CompiledProfile {
  checkPoints(profile, file);
  const points = new Map(
    Object.entries(profile.points).map(([key, point]) => [key, compiledPoint(profile, key, point)] as const),
  );
  checkChannels({ profile, points }, file);
  const plans = new Map<string, ReadPlan>();
  const plan = (snapshots: readonly string[]): ReadPlan => {
    const key = [...snapshots].sort().join(" ");
    const known = plans.get(key);
    if (known !== undefined) return known;
    const made = planSnapshots({ profile, points }, snapshots, file);
    plans.set(key, made);
    return made;
  };
  plan(Object.keys(profile.snapshots));
  const commands = compileCommands({ profile, points }, file);
  return { name, profile, digest, points, commands, plan };
}

function compiledPoint(profile: Profile, name: string, point: ProfilePoint): CompiledPoint {
  const snapshot: ProfileSnapshot | undefined = profile.snapshots[point.snapshot];
  if (snapshot === undefined) throw invalidProfile(name, "no such snapshot", { got: point.snapshot });
  const { quantity, factor: unit } = UNITS[point.unit];
  const unitFactor = rational(unit);
  const factor: Rational = times(rational(point.scale), unitFactor);
  const read = fieldOf(profile, point);
  const width = read.way === "text" ? read.field.registers : widthOf(widthField(point));
  return {
    name,
    point,
    snapshot,
    read,
    width,
    quantity,
    factor: point.type === "text" ? ONE : factor,
    unitFactor,
  };
}

function fieldOf({ layout }: Profile, point: ProfilePoint): PointField {
  const { address: offset, type, registers, bits } = point;
  const byteOrder = point.byteOrder ?? layout.byteOrder ?? "big";
  const wordOrder = point.wordOrder ?? layout.wordOrder ?? "big";
  if (type === "text") return { way: "text", field: { offset, registers: registers ?? 1, byteOrder } };
  const order = { byteOrder, wordOrder };
  if (bits !== undefined && (type === "u16" || type === "u32" || type === "u64"))
    return { way: "bits", field: { offset, type, lowest: bits[0], width: bits[1], ...order } };
  const notImplemented = point.notImplemented.map(BigInt);
  const size = registers === undefined ? {} : { registers };
  return { way: "number", field: { offset, type, ...size, ...order, notImplemented } };
}

function widthField({ type, registers }: ProfilePoint): Parameters<typeof widthOf>[0] {
  const size = registers === undefined ? {} : { registers };
  return { type: type === "text" ? "u16" : type, ...size };
}
