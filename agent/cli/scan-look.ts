import { setTimeout as sleep } from "node:timers/promises";
import { Problem } from "../../attest/problem.ts";
import type { Candidate, Certainty } from "../../drivers/discovery/recognise.ts";
import type { FoundUnit } from "../../drivers/discovery/terms.ts";
import { identityFrom } from "../../drivers/discovery/who.ts";
import type { MeterDriver, Snapshot } from "../../drivers/driver.ts";
import type { LineSettings } from "../../drivers/modbus/settings.ts";
import type { DeviceConfig } from "../config/config.ts";
import { type ProbeResult, probeDevice } from "./probe-device.ts";
import { configOf, entryOf, type ScanEntry } from "./scan-entry.ts";

/** What a candidate's driver reads when it is used as its entry in the configuration says. */
export interface Look {
  readonly candidate: Candidate;
  readonly entry: ScanEntry;
  readonly result: ProbeResult;
  readonly fit: Fit;
}

/** How the values look: voltages and frequencies that mains have, and what speaks against the values. */
export interface Fit {
  readonly good: number;
  readonly bad: number;
}

export interface LookOptions {
  /** Longest wait for one driver. */
  readonly patienceMs: number;
  /** What a device gets between two clients: some serve one at a time, and take a moment to see that it is gone. */
  readonly restMs: number;
  readonly signal: AbortSignal;
}

/** More drivers are not tried on one device. */
const MOST_LOOKS = 4;
/** Phase to neutral, in any country, with a wide margin. */
const VOLTAGE_MV = [80_000, 300_000] as const;
const FREQUENCY_MHZ = [45_000, 65_000] as const;
const ORDER: readonly Certainty[] = ["sure", "likely", "possible", "hint"];

/**
 * Reads a unit with the drivers of its best candidates, one after the other, and gives those that fit, the best one first.
 * A candidate that nothing speaks for but silence has to show values that mains have.
 */
export async function lookAt(
  place: LineSettings,
  unit: FoundUnit,
  options: LookOptions,
): Promise<readonly Look[]> {
  const looks: Look[] = [];
  for (const candidate of rivalsOf(unit.candidates)) {
    const entry = entryOf(candidate, place, unit.unit);
    if (entry === undefined) continue;
    const device = configOf(entry, entry.driver);
    const read = await readOnce(device, options);
    // Who could not be read has said all the same who it is.
    const result = { ...read, identity: read.identity ?? identityFrom(candidate, unit.facts) };
    looks.push({ candidate, entry, result, fit: fitOf(result.snapshot) });
  }
  return looks.filter(isMeant).sort(byFit);
}

/** Those that are as certain as the best one; weak evidence is not told apart any further. */
export function rivalsOf(candidates: readonly Candidate[]): readonly Candidate[] {
  const [best] = candidates;
  if (best === undefined) return [];
  const isWeak = (certainty: Certainty): boolean => certainty === "possible" || certainty === "hint";
  return candidates
    .filter(({ certainty }) => certainty === best.certainty || (isWeak(certainty) && isWeak(best.certainty)))
    .slice(0, MOST_LOOKS);
}

/** How the values of a device look. */
export function fitOf(snapshot: Snapshot | undefined): Fit {
  const seen = (snapshot?.readings ?? []).flatMap(({ voltageMv, frequencyMhz }) => [
    ...(voltageMv ?? []).map((value) => isWithin(value, VOLTAGE_MV)),
    ...(frequencyMhz === undefined ? [] : [isWithin(frequencyMhz, FREQUENCY_MHZ)]),
  ]);
  const doubts = snapshot?.doubts?.length ?? 0;
  const good = seen.filter((fits) => fits).length;
  return { good, bad: seen.length - good + doubts };
}

function isWithin(value: number, [from, to]: readonly [number, number]): boolean {
  return value >= from && value <= to;
}

function isMeant({ candidate, result, fit }: Look): boolean {
  return candidate.certainty !== "hint" || (result.problem === undefined && fit.good > 0 && fit.bad === 0);
}

function byFit(a: Look, b: Look): number {
  return (
    Number(a.result.problem !== undefined) - Number(b.result.problem !== undefined) ||
    ORDER.indexOf(a.candidate.certainty) - ORDER.indexOf(b.candidate.certainty) ||
    a.fit.bad - b.fit.bad ||
    // A meter of three phases has what one of a single phase has: who explains more of what is there goes first.
    b.fit.good - a.fit.good ||
    b.candidate.weight - a.candidate.weight
  );
}

function notRead(device: DeviceConfig): ProbeResult {
  const problem = new Problem("scan-interrupted", "not read: the scan was interrupted before");
  return { device, channels: [], problem };
}

/** As {@link probeDevice}, but lets go of the device when the signal is aborted. */
export async function readOnce(
  device: DeviceConfig,
  { patienceMs, restMs, signal }: LookOptions,
): Promise<ProbeResult> {
  if (signal.aborted) return notRead(device);
  let meter: MeterDriver | undefined;
  const { definition } = device;
  const open: typeof definition.open = (options) => {
    meter = definition.open(options);
    return meter;
  };
  const release = (): void => void meter?.close();
  signal.addEventListener("abort", release, { once: true });
  try {
    await sleep(restMs);
    return await probeDevice({ ...device, definition: { ...definition, open } }, patienceMs);
  } finally {
    signal.removeEventListener("abort", release);
  }
}
