import type { ChannelState } from "../../attest/channel-state.ts";
import {
  type ChannelManifest,
  DISCONTINUITY,
  type Discontinuity,
  REGISTER,
  type ReadingLeaf,
  type Unplaced,
} from "../../attest/leaf.ts";
import { BOUNDARY, type FlexibilityLeaf, type LifecycleLeaf } from "../../attest/leaf-flexibility.ts";
import { CHANNEL_ROLES, type FlexibilityReading, type MeterReading } from "../../attest/reading.ts";
import type { ChannelDescription, MeterIdentity } from "../../drivers/driver.ts";
import type { Instant } from "../clock/clock.ts";

/** What the installer says of a channel, beside what the driver reads. */
export interface ChannelSettings {
  /** Name in the log; `device/channel` unless configured. */
  readonly name: string;
  readonly role?: ChannelDescription["role"];
  readonly energySource?: string;
  readonly technology?: string;
  /** 1 injected into the grid, 2 used on site. */
  readonly use?: number;
  readonly maxImportMw?: number;
  readonly maxExportMw?: number;
}

/** Everything a channel manifest is made of. */
export interface ChannelSource {
  readonly driver: string;
  readonly samplingMs: number;
  readonly identity: MeterIdentity;
  readonly description: ChannelDescription;
  readonly settings: ChannelSettings;
}

/** First 16 bytes of the digest: what the leaf has room for. */
const EVIDENCE_BYTES = 16;
const AVAILABLE = 1;
const UNAVAILABLE = 2;

/** The manifest of a channel as number `channel`, at that time. */
export function manifestLeaf(channel: number, source: ChannelSource, at: Instant): Unplaced<ChannelManifest> {
  const { identity, description, settings } = source;
  const { role: _, ...stated } = settings;
  return defined({
    kind: "channelManifest" as const,
    ...at,
    channel,
    role: CHANNEL_ROLES[settings.role ?? description.role],
    make: identity.make,
    model: identity.model,
    serial: identity.serial,
    accuracyClass: description.accuracyClass,
    firmware: identity.firmware === "" ? undefined : identity.firmware,
    ctRatio: description.ctRatio,
    vtRatio: description.vtRatio,
    phaseMapping: description.phaseMapping,
    driver: source.driver,
    profileDigest: description.profileDigest,
    resolutionMwh: description.resolutionMwh,
    maxImportMw: description.maxImportMw,
    maxExportMw: description.maxExportMw,
    samplingMs: source.samplingMs,
    registers: registersOf(description),
    ...defined(stated),
  });
}

/**
 * `next` with what the same meter has shown before: a device that is asleep describes itself with less, and that is
 * no change. What comes from the profile or the installer is as it is said now. Another meter's manifest stays as it is.
 */
export function completedBy(
  known: ChannelManifest,
  next: Unplaced<ChannelManifest>,
): Unplaced<ChannelManifest> {
  if (!sameDevice(known, next)) return next;
  return defined({
    ...next,
    registers: next.registers | known.registers,
    ctRatio: next.ctRatio ?? known.ctRatio,
    vtRatio: next.vtRatio ?? known.vtRatio,
    resolutionMwh: next.resolutionMwh ?? known.resolutionMwh,
    maxImportMw: next.maxImportMw ?? known.maxImportMw,
    maxExportMw: next.maxExportMw ?? known.maxExportMw,
  });
}

/** Everything a manifest says beside its place, its time and its salt. */
export function sameManifest(known: ChannelManifest, next: Unplaced<ChannelManifest>): boolean {
  const text = (leaf: object): string => {
    const {
      seq: _s,
      salt: _l,
      timeMs: _t,
      timeQuality: _q,
      ...rest
    } = { seq: 0, salt: 0, timeMs: 0, timeQuality: 0, ...leaf };
    return JSON.stringify(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  return text(known) === text(next);
}

/**
 * The number of DISCONTINUITY for a change from the manifest under which a channel was last read to the one now:
 * another device, or the same one that counts otherwise (other registers, another transformer ratio).
 */
export function manifestChange(before: ChannelManifest, now: ChannelManifest): number {
  return sameDevice(before, now) ? DISCONTINUITY.settingsChanged : DISCONTINUITY.meterReplaced;
}

type Nameplate = Pick<ChannelManifest, "make" | "model" | "serial">;

function sameDevice(a: Nameplate, b: Nameplate): boolean {
  return a.make === b.make && a.model === b.model && a.serial === b.serial;
}

/** The leaf of an accepted reading. */
export function readingLeaf(channel: number, reading: MeterReading, at: Instant): Unplaced<ReadingLeaf> {
  const { channel: _name, evidence, status, ...values } = reading;
  return defined({
    kind: "reading" as const,
    ...at,
    channel,
    ...values,
    status: status === 0 ? undefined : status,
    evidence: evidence.slice(0, EVIDENCE_BYTES),
  });
}

/** The leaf of what a controllable device could do now. */
export function flexibilityLeaf(
  { manifest, manifestHash }: Pick<ChannelState, "manifest" | "manifestHash">,
  flexibility: FlexibilityReading,
  at: Instant,
): Unplaced<FlexibilityLeaf> {
  const { channel: _name, evidence, available, ...values } = flexibility;
  return defined({
    kind: "flexibility" as const,
    ...at,
    channel: manifest.channel,
    boundary: BOUNDARY.device,
    availability: available ? AVAILABLE : UNAVAILABLE,
    ...values,
    evidence: evidence.slice(0, EVIDENCE_BYTES),
    manifestSeq: manifest.seq,
    manifestHash,
  });
}

/** A leaf from an offer to a settlement, before it has a place and a time. */
export type UntimedLifecycle<L extends LifecycleLeaf = LifecycleLeaf> = L extends LifecycleLeaf
  ? Omit<Unplaced<L>, "timeMs" | "timeQuality">
  : never;

/** The energy registers that something shows. */
export type Registers = Pick<MeterReading, "importMwh" | "exportMwh">;

/** The leaf that states a break between `old` and the reading that follows. */
export function discontinuityLeaf(
  channel: number,
  body: Pick<Discontinuity, "classification" | "gapFromMs"> & {
    readonly old: Registers | undefined;
    readonly next: Registers;
    readonly previousDiscontinuitySeq: number | undefined;
  },
  at: Instant,
): Unplaced<Discontinuity> {
  return defined({
    kind: "discontinuity" as const,
    ...at,
    channel,
    classification: body.classification,
    oldImportMwh: body.old?.importMwh,
    newImportMwh: body.next.importMwh,
    oldExportMwh: body.old?.exportMwh,
    newExportMwh: body.next.exportMwh,
    gapFromMs: body.gapFromMs,
    gapToMs: at.timeMs,
    previousDiscontinuitySeq: body.previousDiscontinuitySeq,
  });
}

function registersOf(description: ChannelDescription): number {
  const has = (quantity: "import" | "export"): boolean => description.quantities.includes(quantity);
  return (has("import") ? REGISTER.import : 0) | (has("export") ? REGISTER.export : 0);
}

/** `value` without its undefined properties: absent on the wire is absent here. */
type Defined<T> = { [P in keyof T as undefined extends T[P] ? never : P]: T[P] } & {
  [P in keyof T as undefined extends T[P] ? P : never]?: Exclude<T[P], undefined>;
};

function defined<T extends object>(value: T): Defined<T> {
  // Dropping undefined properties is what Defined says of the type.
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Defined<T>;
}
