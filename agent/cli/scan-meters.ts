import type { FoundMeter, MeterOptions, MeterPlace } from "../../drivers/discovery/terms.ts";
import type { MeterIdentity } from "../../drivers/driver.ts";
import { formatText } from "../../drivers/line/address.ts";
import type { DeviceConfig } from "../config/config.ts";
import type { ProbeResult } from "./probe-device.ts";
import { configOf, lineAddress, type ScanEntry, scanEntry } from "./scan-entry.ts";
import { type LookOptions, readOnce } from "./scan-look.ts";

/** A meter that was found without Modbus, with what its driver read. */
export interface SeenMeter {
  readonly meter: FoundMeter;
  readonly entry: ScanEntry;
  /** Absent where its driver cannot read it: without the key, or at all. */
  readonly result?: ProbeResult;
}

/** A meter with its name in the configuration. */
export interface MeterFinding {
  readonly id: string;
  readonly seen: SeenMeter;
  readonly identity: MeterIdentity | undefined;
  /** Its driver read it with exactly the entry that is proposed. */
  readonly readable: boolean;
  readonly sameAs?: string;
  readonly configured: boolean;
}

/** Meters that are asked speak slowly: a readout of an optical port at 300 baud takes most of a minute. */
const ASKED_PATIENCE = 3;

/** Reads a meter with the driver of its kind, unless that takes a key or cannot be. */
export async function lookAtMeter(meter: FoundMeter, options: LookOptions): Promise<SeenMeter> {
  const entry = scanEntry(meter.driver, { ...placeKeys(meter.place), ...meter.options });
  if (isUntried(meter) || meter.unfit !== undefined) return { meter, entry };
  const patienceMs = meter.how === "asked" ? ASKED_PATIENCE * options.patienceMs : options.patienceMs;
  return { meter, entry, result: await readOnce(configOf(entry, entry.driver), { ...options, patienceMs }) };
}

/** Whether its entry is proposed though nobody could try it. */
export function isUntried({ encrypted, needs }: FoundMeter): boolean {
  return encrypted || needs !== undefined;
}

/** The entry for the configuration; a meter that is encrypted has a file with its key in it. */
export function entryOfMeter({ id, seen: { meter, entry } }: MeterFinding): ScanEntry {
  const intervalSeconds = meter.how === "asked" ? ASKED_SECONDS.get(entry.driver) : undefined;
  if (intervalSeconds !== undefined) return { ...entry, intervalSeconds };
  if (!meter.encrypted) return entry;
  return scanEntry(entry.driver, { ...entry.options, keyFile: keyFileOf(id) });
}

/** A readout takes seconds on a bus that others share, and up to a minute at an optical port. */
const ASKED_SECONDS: ReadonlyMap<string, number> = new Map([
  ["mbus", 60],
  ["iec62056-21", 300],
]);

/** Where the proposed entry has the key of an encrypted meter. */
export function keyFileOf(id: string): string {
  return `/etc/kilowitness/${id}.key`;
}

/** Whether a meter belongs into the block that is proposed. */
export function isProposedMeter({ seen, readable, sameAs, configured }: MeterFinding): boolean {
  return (readable || isUntried(seen.meter)) && sameAs === undefined && !configured;
}

/** "/dev/ttyUSB0 9600 8N1", "192.168.1.20". */
export function meterPlaceText(place: MeterPlace): string {
  return place.kind === "network" ? place.host : `${place.path} ${formatText(place.format)}`;
}

/** Whether the configuration's device is this meter, as far as place and address there say. */
export function isConfiguredMeter({ definition, options }: DeviceConfig, { meter }: SeenMeter): boolean {
  const { place } = meter;
  const addressed = Object.entries(meter.options).every(
    ([key, value]) => options[key] === undefined || options[key] === value,
  );
  if (place.kind === "network") return definition.name === meter.driver && addressed;
  const { line } = options;
  return typeof line === "object" && line !== null && "path" in line && line.path === place.path && addressed;
}

function placeKeys(place: MeterPlace): MeterOptions {
  return place.kind === "network" ? {} : { line: lineAddress(place.path, place.format, place.ownFormat) };
}
