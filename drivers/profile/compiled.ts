import type { ControlKind } from "../control.ts";
import type { PlannedRead } from "../modbus/plan-reads.ts";
import type { Rational } from "../modbus/rational.ts";
import type { BitField, NumberField, TextField } from "../modbus/registers.ts";
import type {
  CommandVariant,
  CommandWrite,
  ControlRegister,
  Profile,
  ProfileCommand,
  ProfilePoint,
  ProfileSnapshot,
} from "./profile.ts";
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

/** A register of commands with its layout filled in. */
export interface CompiledRegister {
  readonly name: string;
  readonly register: ControlRegister;
  /** Registers that it takes. */
  readonly width: 1 | 2;
  readonly wordOrder: "big" | "little";
  readonly functionCode: 6 | 16;
  /** What one step is in mW, ppm, ms or raw. */
  readonly factor: Rational;
}

export interface CompiledWrite extends Pick<CommandWrite, "value" | "verify"> {
  readonly register: CompiledRegister;
}

/** A command whose registers are found. */
export interface CompiledCommand {
  readonly kind: ControlKind;
  readonly command: ProfileCommand;
  readonly apply: ReadonlyMap<CommandVariant, readonly CompiledWrite[]>;
  readonly revert: readonly CompiledWrite[];
  readonly requires: readonly {
    readonly register: CompiledRegister;
    readonly equals: readonly number[];
    readonly hint: string;
  }[];
  /** All registers that say whether it is on, each once. */
  readonly registers: readonly CompiledRegister[];
  /** The register that holds what was asked for; a mode has none. */
  readonly value: CompiledRegister | undefined;
  /** The device's own timer. */
  readonly timer: CompiledRegister | undefined;
}

/** A profile whose references are good and whose reads are planned. */
export interface CompiledProfile {
  readonly name: string;
  readonly profile: Profile;
  /** SHA-256 of the profile's text. */
  readonly digest: Uint8Array;
  readonly points: ReadonlyMap<string, CompiledPoint>;
  /** What it can be told; empty where it is only read. */
  readonly commands: readonly CompiledCommand[];
  /** The fewest requests for these snapshots. */
  plan(snapshots: readonly string[]): ReadPlan;
}
