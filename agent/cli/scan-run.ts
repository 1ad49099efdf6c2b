import { type DiscoveryPlan, discover } from "../../drivers/discovery/discovery.ts";
import type { ProgressState } from "../../drivers/discovery/progress.ts";
import type { LineReport } from "../../drivers/discovery/serial-survey.ts";
import type { DiscoveryTerms, FoundUnit, PlaceReport } from "../../drivers/discovery/terms.ts";
import { type LineSettings, nameOfLine } from "../../drivers/modbus/settings.ts";
import { type Look, type LookOptions, lookAt } from "./scan-look.ts";

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
  const looking: Promise<readonly SeenUnit[]>[] = [];
  const onReports = (reports: readonly PlaceReport[]): void => {
    places.push(...reports);
    for (const { place, problem } of reports)
      if (problem !== undefined) problems.push({ where: nameOfLine(place), problem });
    const looks = lookAtAll(reports, options);
    // A fault of the program is thrown when all is done, and not before.
    looks.catch(() => undefined);
    looking.push(looks);
  };
  const onLine = (report: LineReport): void => {
    lines.push(report);
    if (report.problem !== undefined) problems.push({ where: report.path, problem: report.problem });
    onReports(report.places);
  };
  await discover(plan, {
    terms,
    listener: {
      ...{ onHost: onReports, onLine },
      onProblem: ({ name }, problem) => void problems.push({ where: name, problem }),
      onProgress: (state) => options.onProgress(state),
    },
  });
  const seen = (await Promise.all(looking)).flat().sort(byPlace);
  const interrupted = terms.signal.aborted;
  return { seen, places, lines, problems, interrupted, seconds: (performance.now() - begunMs) / 1000 };
}

const naturally = new Intl.Collator("en", { numeric: true });

function byPlace(a: SeenUnit, b: SeenUnit): number {
  return naturally.compare(nameOfLine(a.place), nameOfLine(b.place)) || a.unit.unit - b.unit.unit;
}

/** The devices of one host or one line in turn: many hosts, and every line, serve one client at a time. */
async function lookAtAll(
  reports: readonly PlaceReport[],
  { patienceMs, restMs, terms: { signal } }: RunOptions,
): Promise<readonly SeenUnit[]> {
  const seen: SeenUnit[] = [];
  for (const { place, units } of reports)
    for (const unit of units)
      seen.push({ place, unit, looks: await lookAt(place, unit, { patienceMs, restMs, signal }) });
  return seen;
}
