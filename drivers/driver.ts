import type { z } from "zod";
import type { ChannelRole, FlexibilityReading, MeterReading } from "../attest/reading.ts";
import type { Controllable } from "./control.ts";
import type { LineAddress } from "./line/address.ts";

/** Who a device says it is, read from the device. Empty text means that it does not say. */
export interface MeterIdentity {
  readonly make: string;
  readonly model: string;
  readonly serial: string;
  readonly firmware: string;
}

/** One metered boundary of a device. `name` is unique within the device ("grid", "pv", "battery"). */
export interface ChannelDescription {
  readonly name: string;
  readonly role: ChannelRole;
  readonly quantities: readonly ("import" | "export" | "power" | "stateOfCharge")[];
  /** Step of the energy registers in mWh: a register with 1 Wh steps has 1000. Absent without registers. */
  readonly resolutionMwh?: number;
  /** Value at which the energy registers wrap to 0, in mWh. Absent when unknown or never. */
  readonly rolloverMwh?: number;
  /** The most the channel can take in and give out, in mW. Absent when the device does not say. */
  readonly maxImportMw?: number;
  readonly maxExportMw?: number;
  /** Where the sign convention of the power comes from. */
  readonly signSource?: string;
  /** True where a capture of a real device or a second value of the device shows the sign; else the installer is asked. */
  readonly signVerified?: boolean;
  /** Current and voltage transformer ratios that the meter applies, numerator and denominator, where it says them. */
  readonly ctRatio?: readonly [number, number];
  readonly vtRatio?: readonly [number, number];
  /** Which of the site's phases the meter's L1, L2, L3 are, such as "L1 L2 L3". */
  readonly phaseMapping?: string;
  /** Accuracy class as it is printed on the meter, such as "B" (EN 50470-3) or "1" (IEC 62053-21). */
  readonly accuracyClass?: string;
  /** SHA-256 of the profile that reads the channel: 32 bytes. */
  readonly profileDigest?: Uint8Array;
}

/** Values of one snapshot that contradict each other, as a torn read leaves them. */
export interface Doubt {
  readonly channel: string;
  /** The values of the reading that cannot be trusted for it. */
  readonly quantities: readonly ("import" | "export" | "power")[];
  /** What contradicts what, with values, units and the tolerance. */
  readonly message: string;
}

/** Bytes that readings were decoded from, as the device sent them; docs/audits.md has their form. */
export interface RawFrame {
  /** SHA-256 of `bytes`: 32 bytes, the `evidence` of every reading that was decoded from them. */
  readonly digest: Uint8Array;
  /** The telegram or the registers, whole: they decode again without the device. */
  readonly bytes: Uint8Array;
  /** What they are, for whoever looks at them, such as "dsmr telegram". */
  readonly what: string;
}

/** A stretch in which a channel's registers did not count what flowed. */
export interface CounterDowntime {
  readonly channel: string;
  /** From when to when, in words. */
  readonly message: string;
}

/** What one read or one telegram gave: every channel of the device at one instant. */
export interface Snapshot {
  readonly readings: readonly MeterReading[];
  readonly flexibility: readonly FlexibilityReading[];
  /** Values that were refused before they became readings (not implemented, out of the format), in words. */
  readonly absent: readonly string[];
  /** What contradicts itself; the readings carry it all the same, and who seals them decides. */
  readonly doubts?: readonly Doubt[];
  /** Channels whose registers did not count for a while before these readings: no energy may span that. */
  readonly downtime?: readonly CounterDowntime[];
  /** What the readings were decoded from, each frame once. */
  readonly frames?: readonly RawFrame[];
}

interface MeterDriverBase {
  /** Asks the device who it is. Throws a Problem with code `driver-…` when it does not answer. */
  identify(): Promise<MeterIdentity>;
  /** The device's channels. Valid after {@link identify} has resolved. */
  channels(): readonly ChannelDescription[];
  /**
   * What the device can be told. Valid after {@link identify} has resolved; absent where it takes no commands. It goes
   * over the same line, before readings, and ends with {@link close}, which reverts nothing.
   */
  readonly control?: Controllable | undefined;
  /** Releases line and timers. Never throws, may be called twice. */
  close(): Promise<void>;
}

/** A meter that answers when asked. */
export interface PolledMeter extends MeterDriverBase {
  readonly mode: "polled";
  /** One coherent snapshot, or a Problem within the driver's own deadline. */
  read(): Promise<Snapshot>;
}

/** A meter that speaks by itself. */
export interface PushMeter extends MeterDriverBase {
  readonly mode: "push";
  /** Delivers every good telegram to `onSnapshot` and every refused one, or a lost line, to `onProblem`. */
  start(listener: PushListener): void;
}

export interface PushListener {
  onSnapshot(snapshot: Snapshot): void;
  onProblem(problem: Error): void;
}

export type MeterDriver = PolledMeter | PushMeter;

/** A line that a device is on, and with whom it can be shared. */
export interface UsedPort {
  readonly address: LineAddress;
  /** Devices with the same text take turns on a serial port; left out: nobody else can have it. */
  readonly sharedBy?: string;
  /** What those who share it have to agree about, in words. */
  readonly settings?: string;
}

/**
 * One kind of device, as the catalogue lists it. `schema` is the strict schema of the device's own part of the
 * configuration (everything beside `id`, `driver`, `intervalMs` and `channels`); `open` gets its parsed output
 * and must not touch the line before {@link MeterDriverBase.identify} or `start`.
 */
export interface DriverDefinition<Schema extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly summary: string;
  readonly schema: Schema;
  /** Options that are paths of files: a relative one is seen from the folder of the configuration. */
  readonly files?: readonly string[];
  /**
   * The one of {@link files} in which the driver remembers what has to outlive the program. Left out of a configuration it
   * is made beside the journal, with the device's id as its name.
   */
  readonly remembers?: string;
  /** The lines that a device with these options is on, without touching them; left out: nobody is told. */
  ports?(options: z.output<Schema>): readonly UsedPort[];
  open(options: z.output<Schema>): MeterDriver;
}
