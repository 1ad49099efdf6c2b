import type { MeterReading } from "../../attest/reading.ts";
import type { ChannelDescription, Snapshot } from "../driver.ts";

/**
 * What snapshots of a driver must be like, as functions of nothing but the snapshots: each gives the first thing
 * that is wrong in words, or undefined.
 */
export interface Observed {
  readonly channels: readonly ChannelDescription[];
  readonly snapshots: readonly Snapshot[];
}

const EVIDENCE_BYTES = 32;
const FULL_PPM = 1_000_000;
const ROLES = ["grid", "generation", "storage", "load", "compute"];

/** Names are unique and not empty, roles and quantities known, steps and limits positive whole numbers. */
export function channelFault(channels: readonly ChannelDescription[]): string | undefined {
  if (channels.length === 0) return "no channel is described";
  const names = channels.map((channel) => channel.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return `two channels have the name "${twice}"`;
  return firstOf(channels, oneChannelFault);
}

function oneChannelFault(channel: ChannelDescription): string | undefined {
  const { name, role, quantities, ...rest } = channel;
  if (name === "") return "a channel has no name";
  if (!ROLES.includes(role)) return `channel ${name}: role "${role}" is none of ${ROLES.join(", ")}`;
  if (quantities.length === 0) return `channel ${name}: no quantity is described`;
  if (new Set(quantities).size < quantities.length) return `channel ${name}: a quantity is described twice`;
  const wrong = NUMBERS.find((key) => rest[key] !== undefined && !isCount(rest[key]));
  if (wrong !== undefined) return `channel ${name}: ${wrong} is ${String(rest[wrong])}`;
  const ratio = ([rest.ctRatio, rest.vtRatio] as const).find((one) => one?.every(isPositive) === false);
  if (ratio !== undefined) return `channel ${name}: a transformer ratio is ${ratio.join(":")}`;
  const { profileDigest } = rest;
  return profileDigest === undefined || profileDigest.length === EVIDENCE_BYTES
    ? undefined
    : `channel ${name}: the profile's digest has ${profileDigest.length} bytes, expected ${EVIDENCE_BYTES}`;
}

const NUMBERS = ["resolutionMwh", "rolloverMwh", "maxImportMw", "maxExportMw"] as const;

function isCount(value: number | undefined): boolean {
  return Number.isSafeInteger(value) && (value ?? -1) >= 0;
}

function isPositive(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

/** Every reading belongs to a described channel, and none has two. */
export function membershipFault({ channels, snapshots }: Observed): string | undefined {
  return firstOf(snapshots, ({ readings }) => {
    const names = readings.map((reading) => reading.channel);
    const stranger = names.find((name) => !channels.some((channel) => channel.name === name));
    if (stranger !== undefined) return `a reading belongs to "${stranger}", which is not described`;
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    return twice === undefined ? undefined : `a snapshot has two readings of "${twice}"`;
  });
}

/** Every number is a safe integer within what its unit allows. */
export function integerFault({ snapshots }: Observed): string | undefined {
  return firstReading(snapshots, (reading) => {
    for (const [name, value] of numbersOf(reading)) {
      if (!Number.isSafeInteger(value)) return `${name} is ${value}, which is no whole number`;
      if (value < 0 && name !== "activePowerMw") return `${name} is ${value}, which is negative`;
      if (name === "stateOfChargePpm" && value > FULL_PPM) return `${name} is ${value}, more than 100 %`;
    }
    return undefined;
  });
}

/** A value that is absent has no property; a value that is there was described. */
export function absenceFault({ channels, snapshots }: Observed): string | undefined {
  return firstReading(snapshots, (reading) => {
    const empty = Object.entries(reading).find(([, value]) => value === undefined || value === null);
    if (empty !== undefined) return `${empty[0]} is there without a value`;
    const list = Object.entries(reading).find(([, value]) => Array.isArray(value) && value.length === 0);
    if (list !== undefined) return `${list[0]} is an empty list`;
    const described = channels.find((channel) => channel.name === reading.channel);
    const extra = QUANTITIES.find(
      ([name, quantity]) => name in reading && described?.quantities.includes(quantity) === false,
    );
    return extra === undefined ? undefined : `${extra[0]} is there and "${extra[1]}" is not described`;
  });
}

const QUANTITIES = [
  ["importMwh", "import"],
  ["exportMwh", "export"],
  ["activePowerMw", "power"],
  ["stateOfChargePpm", "stateOfCharge"],
] as const;

/** The evidence is a SHA-256 digest, and not of nothing. */
export function evidenceFault({ snapshots }: Observed): string | undefined {
  return firstOf(snapshots, ({ readings, flexibility }) =>
    firstOf([...readings, ...flexibility], ({ channel, evidence }) => {
      if (!(evidence instanceof Uint8Array)) return `channel ${channel}: the evidence is no Uint8Array`;
      if (evidence.length !== EVIDENCE_BYTES)
        return `channel ${channel}: the evidence has ${evidence.length} bytes, expected ${EVIDENCE_BYTES}`;
      return evidence.every((byte) => byte === 0)
        ? `channel ${channel}: the evidence is all zeros`
        : undefined;
    }),
  );
}

/** No register falls from one snapshot to the next. */
export function registerFault({ snapshots }: Observed): string | undefined {
  const last = new Map<string, number>();
  return firstReading(snapshots, (reading) => {
    for (const name of ["importMwh", "exportMwh"] as const) {
      const now = reading[name];
      if (now === undefined) continue;
      const key = `${reading.channel} ${name}`;
      const before = last.get(key) ?? now;
      if (now < before) return `${name} fell from ${before} to ${now}`;
      last.set(key, now);
    }
    return undefined;
  });
}

function numbersOf(reading: MeterReading): (readonly [string, number])[] {
  const { channel: _c, evidence: _e, ...values } = reading;
  return Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one) => [name, one] as const),
  );
}

function firstReading(
  snapshots: readonly Snapshot[],
  fault: (reading: MeterReading) => string | undefined,
): string | undefined {
  return firstOf(snapshots, ({ readings }) =>
    firstOf(readings, (reading) => {
      const said = fault(reading);
      return said === undefined ? undefined : `channel ${reading.channel}: ${said}`;
    }),
  );
}

function firstOf<T>(items: readonly T[], fault: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const said = fault(item);
    if (said !== undefined) return said;
  }
  return undefined;
}
