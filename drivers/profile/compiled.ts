import type { PlannedRead } from "../modbus/plan-reads.ts";
import type { Rational } from "../modbus/rational.ts";
import type { BitField, NumberField, TextField } from "../modbus/registers.ts";
import type { Profile, ProfilePoint, ProfileSnapshot } from "./profile.ts";
import type { Quantity } from "./units.ts";

/** How a point lies in its snapshot's table; `offset` is its address there. */
export type PointField =
  | { readonly way: "number"; readonly field: NumberField }
  | { readonly way: "bits"; readonly field: BitField }
  | { readonly way: "text"; readonly field: TextField };

/** A point, ready to be decoded. */
export interface CompiledPoint {
  readonly name: string;
  readonly point: ProfilePoint;
  readonly snapshot: ProfileSnapshot;
  readonly read: PointField;
  /** Registers that it takes. */
  readonly width: number;
  readonly quantity: Quantity;
  /** What one step of the register is in the unit of a reading, before `scaleBy`. */
  readonly factor: Rational;
  /** What one of the point's unit is in the unit of a reading. */
  readonly unitFactor: Rational;
}

/** The requests of one reading, and where each point is found in their answers. */
export interface ReadPlan {
  readonly requests: readonly PlannedRequest[];
  /** Index into the requests, by point. */
  readonly places: ReadonlyMap<string, number>;
}

export interface PlannedRequest extends PlannedRead {
  readonly table: "holding" | "input";
  /** Snapshots whose points it brings. */
  readonly snapshots: readonly string[];
  /** A device may do without it. */
  readonly optional: boolean;
}

/** A profile whose references are good and whose reads are planned. */
export interface CompiledProfile {
  readonly name: string;
  readonly profile: Profile;
  /** SHA-256 of the profile's text. */
  readonly digest: Uint8Array;
  readonly points: ReadonlyMap<string, CompiledPoint>;
  /** The fewest requests for these snapshots. */
  plan(snapshots: readonly string[]): ReadPlan;
}
