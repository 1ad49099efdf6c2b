import type { ChannelRole } from "../../attest/reading.ts";
import type { ControlKind, ControlMode } from "../control.ts";
import type { NumberType } from "../modbus/registers.ts";
import type { RegisterTable } from "../modbus/request.ts";
import type { Unit } from "./units.ts";

/** A Modbus device as data, as a profile's YAML says it after the defaults were filled in. */
export interface Profile {
  readonly format: 1;
  /** Make and model, as an installer knows it. */
  readonly title: string;
  readonly category: "meter" | "inverter" | "battery" | "hybrid" | "pdu";
  readonly identity: ProfileIdentity;
  readonly transport: ProfileTransport;
  readonly layout: { readonly wordOrder?: WordOrder; readonly byteOrder?: WordOrder };
  readonly snapshots: Readonly<Record<string, ProfileSnapshot>>;
  readonly points: Readonly<Record<string, ProfilePoint>>;
  readonly channels: Readonly<Record<string, ProfileChannel>>;
  readonly checks: readonly ProfileCheck[];
  /** Absent: it is only read. */
  readonly control?: ProfileControl;
  readonly provenance: readonly Provenance[];
  readonly captures: "none" | readonly Capture[];
}

export type WordOrder = "big" | "little";

/** A literal text, or a point that is read from the device. */
export type IdentityText = string | { readonly point: string };

export interface ProfileIdentity {
  readonly make: IdentityText;
  readonly model: IdentityText;
  readonly serial?: IdentityText;
  readonly firmware?: IdentityText;
  /** What tells the device from others; all rules must hold. */
  readonly match: readonly MatchRule[];
  /** Settings of the device that this profile relies on. */
  readonly requires: readonly Requirement[];
}

export interface Requirement {
  readonly point: string;
  /** Raw values with which the profile reads right. */
  readonly equals: readonly number[];
  /** What the installer has to set on the device. */
  readonly hint: string;
}

/** Either `deviceIdentification`, or `point` with one of the others. */
export interface MatchRule {
  readonly point?: string;
  /** Raw integers, or texts, of which it must be one. */
  readonly equals?: readonly (number | string)[];
  /** Limits in the point's unit. */
  readonly between?: readonly [number, number];
  /** Regular expression that a text must match. */
  readonly pattern?: string;
  /** Regular expressions for objects of Read Device Identification (Modbus v1.1b3, 6.21). */
  readonly deviceIdentification?: Readonly<Partial<Record<IdentificationName, string>>>;
}

export type IdentificationName = "vendorName" | "productCode" | "revision" | "productName" | "modelName";

export interface ReadableBlock {
  readonly table: RegisterTable;
  readonly start: number;
  readonly count: number;
}

export interface ProfileTransport {
  /** As delivered; absent: it has no serial port. */
  readonly serial?: SerialDelivery;
  /** Absent: Modbus TCP only through a gateway. */
  readonly tcp?: { readonly port: number };
  readonly unit: number;
  readonly maxRegisters: number;
  readonly minGapMs: number;
  readonly connectDelayMs: number;
  readonly timeoutMs?: number;
  readonly maxClients?: number;
  /** False where function 8 confuses it. */
  readonly echo: boolean;
  /** Blocks a request may range over, where larger than the snapshots. */
  readonly readable?: readonly ReadableBlock[];
  readonly maxGap?: number;
}

export interface SerialDelivery {
  readonly baud: number;
  readonly parity: "none" | "even" | "odd";
  readonly stopBits: 1 | 2;
  /** Other rates that it can be set to, likely ones first. */
  readonly alsoBaud: readonly number[];
}

/** A block of registers that may be read through. */
export interface ProfileSnapshot extends ReadableBlock {
  /** At every reading, once on identification, or every so many seconds. */
  readonly interval: "poll" | "identify" | number;
  /** All its points come from one request. */
  readonly atomic: boolean;
  /** Some devices of the kind do not have it. */
  readonly optional: boolean;
}

export interface ProfilePoint {
  readonly snapshot: string;
  /** Protocol address, from 0. */
  readonly address: number;
  readonly type: NumberType | "text";
  /** Of a bcd or a text. */
  readonly registers?: number;
  /** Registers from one repeated point to the next. */
  readonly stride?: number;
  readonly wordOrder?: WordOrder;
  readonly byteOrder?: WordOrder;
  /** Lowest bit and number of bits of an unsigned type. */
  readonly bits?: readonly [number, number];
  /** Raw values that mean that there is none. */
  readonly notImplemented: readonly (number | string)[];
  /** What one step of the register is in the unit. */
  readonly scale: number | string;
  readonly scaleBy?: ScaleBy;
  /** Settings that it is to be multiplied by, read with every reading: a meter that shows the secondary side. */
  readonly times?: readonly string[];
  readonly unit: Unit;
  readonly kind: "gauge" | "counter" | "state" | "setting" | "text";
  /** A magnitude whose direction stands in another point of the snapshot; a value that is negative already stays so. */
  readonly negativeWhen?: { readonly point: string; readonly equals: readonly number[] };
  /** Meaning of a state's raw values; "else" for all others. */
  readonly values?: Readonly<Record<string, StateWord>>;
  /** In the unit; outside of it the value is absent. */
  readonly valid?: { readonly min?: number; readonly max?: number };
}

export type StateWord = "ok" | "standby" | "fault";

/** A register of the same snapshot that a value is scaled by. */
export interface ScaleBy {
  readonly point: string;
  readonly as: "power-of-ten" | "factor" | "divisor" | "table";
  readonly table?: Readonly<Record<string, number | string>>;
}

/** One point, or points of one request that are added up; "-name" is subtracted. */
export type ProfileValue = string | readonly string[];

export interface Literal {
  readonly value: number;
  readonly unit: Unit;
}

/** Primary and secondary, each a point or a number; or a point with the ratio to 1. */
export type Ratio = readonly [string | number, string | number] | string;

export interface ProfileChannel {
  readonly role: ChannelRole;
  readonly power?: ProfileValue;
  readonly sign?: ProfileSign;
  readonly import?: ProfileValue;
  readonly export?: ProfileValue;
  readonly stateOfCharge?: string;
  /** Phase to neutral, L1 first. */
  readonly voltage?: readonly string[];
  readonly current?: readonly string[];
  readonly frequency?: string;
  readonly status?: string;
  readonly maxImport?: ProfileValue | Literal;
  readonly maxExport?: ProfileValue | Literal;
  readonly ctRatio?: Ratio;
  readonly vtRatio?: Ratio;
  readonly accuracyClass?: string;
  /** The energy registers are sums of all tariffs. */
  readonly tariffSum: boolean;
  readonly counter: ProfileCounter;
  readonly battery?: ProfileBattery;
}

export interface ProfileSign {
  /** Direction of positive power, seen from the metered boundary. */
  readonly positive: "import" | "export";
  readonly source: string;
}

export interface ProfileCounter {
  /** Where the energy registers begin again at 0; absent: by their width, if they are integers. */
  readonly modulus?: Literal;
  /** False: they stop at the end, or nobody knows. */
  readonly wraps: boolean;
  readonly resettable: boolean;
  /** How phases of opposite direction are counted. */
  readonly netting: "vectorial" | "arithmetic" | "per-phase" | "single-phase" | "unknown";
}

/** What a battery can do, for flexibility. */
export interface ProfileBattery {
  readonly capacity?: ProfileValue | Literal;
  readonly reserve?: string | Literal;
  readonly maxCharge?: ProfileValue | Literal;
  readonly maxDischarge?: ProfileValue | Literal;
  readonly setpoint?: ProfileValue;
}

/** Points whose sum has to be another point, all of one snapshot. */
export interface ProfileCheck {
  readonly sum: readonly string[];
  readonly equals: string;
  readonly tolerance: { readonly absolute: number; readonly percent: number };
  /** Channel that is doubted where it does not hold. */
  readonly channel: string;
  readonly affects: readonly ("power" | "import" | "export")[];
}

/** What the device can be told. */
export interface ProfileControl {
  readonly registers: Readonly<Record<string, ControlRegister>>;
  readonly commands: Readonly<Partial<Record<ControlKind, ProfileCommand>>>;
}

export type ControlUnit = "W" | "kW" | "%" | "s" | "min" | "none";

/** A holding register that commands are written into. */
export interface ControlRegister {
  /** Protocol address, from 0. */
  readonly address: number;
  readonly type: "u16" | "s16" | "u32" | "s32";
  readonly wordOrder?: WordOrder;
  /** What one step is in the unit. */
  readonly scale: number | string;
  readonly unit: ControlUnit;
  /** Of a signed power: the direction of positive values, seen from the channel's boundary. */
  readonly positive?: "import" | "export";
  /** 6 or 16; default 6 for one register and 16 for two. */
  readonly function?: 6 | 16;
}

/** What a command writes: a raw value, or what was asked for. */
export interface CommandWrite {
  readonly register: string;
  readonly value: number | CommandWord;
  /** False for what the device changes by itself, or does not give back. */
  readonly verify: boolean;
}

export type CommandWord = "power" | "limit" | "reserve" | "lease";

/** `any` value; or a power into the boundary, out of it, and none; or a mode. */
export type CommandVariant = "any" | "into" | "outOf" | "zero" | ControlMode;

export interface ProfileCommand {
  readonly channel: string;
  /** Writes in their order: what limits and ends the command first, what switches it on at last. */
  readonly apply: Readonly<Partial<Record<CommandVariant, readonly CommandWrite[]>>>;
  /** Writes that end it; raw values only. */
  readonly revert: readonly CommandWrite[];
  /** "before": a setting of the owner's, which is put back as it was. */
  readonly revertsTo: "automatic" | "before";
  readonly lease: { readonly shortestSeconds: number; readonly longestSeconds: number };
  /** Raw values that other settings must have, or the command would not be obeyed. */
  readonly requires: readonly CommandRequirement[];
  /** The most power; default: what the channel says of itself. */
  readonly maxImport?: ProfileValue | Literal;
  readonly maxExport?: ProfileValue | Literal;
  /** Limits of a reserve. */
  readonly minReserve?: Literal;
  readonly maxReserve?: Literal;
  /** From a command to the first change of power. */
  readonly responseSeconds?: number;
  /** Who says so. */
  readonly source: string;
}

export interface CommandRequirement {
  readonly register: string;
  readonly equals: readonly number[];
  readonly hint: string;
}

export interface Provenance {
  readonly document: string;
  readonly version?: string;
  readonly url?: string;
  readonly firmware?: string;
  readonly note?: string;
}

/** Registers of a real device and what they say. */
export interface Capture {
  /**
   * device: registers as a device sent them; values: made again from what software printed of a device, which proves
   * less; simulated: made up, which proves nothing about a device.
   */
  readonly origin: "device" | "values" | "simulated";
  readonly device: string;
  /** Who published it and where, or who took it. */
  readonly source: string;
  readonly taken?: string;
  /** Hexadecimal registers by table and address of the first of each block. */
  readonly registers?: CapturedRegisters;
  /** Instead of registers: file of the public collection that tests read where it is present. */
  readonly corpus?: string;
  /** By channel, in the units of a reading. */
  readonly expected: Readonly<Record<string, ExpectedReading>>;
  /** Direction of each channel's power at that moment, where it is known from elsewhere. */
  readonly shows: Readonly<Record<string, "import" | "export">>;
  readonly because?: string;
}

export type CapturedRegisters = Readonly<Partial<Record<RegisterTable, Readonly<Record<string, string>>>>>;

export type ExpectedReading = Readonly<Partial<Record<ExpectedName, number | readonly number[]>>>;

export type ExpectedName =
  | "importMwh"
  | "exportMwh"
  | "activePowerMw"
  | "stateOfChargePpm"
  | "voltageMv"
  | "currentMa"
  | "frequencyMhz"
  | "status";
