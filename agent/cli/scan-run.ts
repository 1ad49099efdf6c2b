import { type DiscoveryPlan, discover } from "../../drivers/discovery/discovery.ts";
import type { ProgressState } from "../../drivers/discovery/progress.ts";
import type { LineReport } from "../../drivers/discovery/serial-survey.ts";
import type { DiscoveryTerms, FoundMeter, FoundUnit, PlaceReport } from "../../drivers/discovery/terms.ts";
import { type LineSettings, nameOfLine } from "../../drivers/modbus/settings.ts";
import { type Look, type LookOptions, lookAt } from "./scan-look.ts";
import { lookAtMeter, meterPlaceText, type SeenMeter } from "./scan-meters.ts";

/** A unit that answers, with what its drivers read; the best one first, none when nobody knows it. */
export interface SeenUnit {
  readonly place: LineSettings;
  readonly unit: FoundUnit;
  readonly looks: readonly Look[];
}

export interface ScanProblem {
  readonly where: string;
  readonly problem: Error;
}

/** Everything that a scan brought. */
export interface ScanResult {
  readonly seen: readonly SeenUnit[];
  /** Meters that were found without Modbus. */
  readonly meters: readonly SeenMeter[];
  /** Every port and every setting that something answered at. */
  readonly places: readonly PlaceReport[];
  readonly lines: readonly LineReport[];
  readonly problems: readonly ScanProblem[];
  readonly interrupted: boolean;
  readonly seconds: number;
}

export interface RunOptions extends Omit<LookOptions, "signal"> {
  readonly terms: DiscoveryTerms;
  onProgress(state: ProgressState): void;
}

/** Discovers, and reads every device that is recognised as soon as its place is free. Never throws for a device. */
export async function runScan(plan: DiscoveryPlan, options: RunOptions): Promise<ScanResult> {
  const { terms } = options;
  const begunMs = performance.now();
  const places: PlaceReport[] = [];
  const lines: LineReport[] = [];
  const problems: ScanProblem[] = [];
  const looking: Promise<Seen>[] = [];
  const onFound = (reports: readonly PlaceReport[], meters: readonly FoundMeter[]): void => {
    places.push(...reports);
    for (const { place, problem } of reports)
      if (problem !== undefined) problems.push({ where: nameOfLine(place), problem });
    const looks = lookAtAll(reports, meters, options);
    // A fault of the program is thrown when all is done, and not before.
    looks.catch(() => undefined);
    looking.push(looks);
  };
  const onLine = (report: LineReport): void => {
    lines.push(report);
    if (report.problem !== undefined) problems.push({ where: report.path, problem: report.problem });
    onFound(report.places, report.meters);
  };
  await discover(plan, {
    terms,
    listener: {
      onLine,
      onHost: (reports) => onFound(reports, []),
      onSenders: ({ meters, problems: failed }) => {
        problems.push(...failed);
        onFound([], meters);
      },
      onProblem: ({ name }, problem) => void problems.push({ where: name, problem }),
      onProgress: (state) => options.onProgress(state),
    },
  });
  const all = await Promise.all(looking);
  const seen = all.flatMap(({ units }) => units).sort(byPlace);
  const meters = all.flatMap((one) => one.meters).sort(byMeterPlace);
  const interrupted = terms.signal.aborted;
  const seconds = (performance.now() - begunMs) / 1000;
  return { seen, meters, places, lines, problems, interrupted, seconds };
}

interface Seen {
  readonly units: readonly SeenUnit[];
  readonly meters: readonly SeenMeter[];
}

const naturally = new Intl.Collator("en", { numeric: true });

function byPlace(a: SeenUnit, b: SeenUnit): number {
  return naturally.compare(nameOfLine(a.place), nameOfLine(b.place)) || a.unit.unit - b.unit.unit;
}

function byMeterPlace(a: SeenMeter, b: SeenMeter): number {
  return naturally.compare(meterPlaceText(a.meter.place), meterPlaceText(b.meter.place));
}

/** The devices of one host or one line in turn: many hosts, and every line, serve one client at a time. */
async function lookAtAll(
  reports: readonly PlaceReport[],
  found: readonly FoundMeter[],
  { patienceMs, restMs, terms: { signal } }: RunOptions,
): Promise<Seen> {
  const options: LookOptions = { patienceMs, restMs, signal };
  const units: SeenUnit[] = [];
  for (const { place, units: there } of reports)
    for (const unit of there) units.push({ place, unit, looks: await lookAt(place, unit, options) });
  const meters: SeenMeter[] = [];
  for (const meter of found) meters.push(await lookAtMeter(meter, options));
  return { units, meters };
}
