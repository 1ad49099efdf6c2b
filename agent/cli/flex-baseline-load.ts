import type { IntervalEnergy } from "../../attest/baseline/energies.ts";
import { rational, roundHalfUp, times } from "../../attest/baseline/rational.ts";
import { instants, type Zone } from "../../attest/baseline/zone.ts";
import { Problem } from "../../attest/problem.ts";
import { type WrittenTime, writtenTime } from "./flex-baseline-time.ts";

/** How the times and powers of a file are to be read. */
export interface LoadTerms {
  readonly zone: Zone;
  readonly intervalMs: number;
}

/** One interval of a file of nominations. */
export interface NominatedInterval extends IntervalEnergy {
  readonly receiptedMs: number;
}

interface Line {
  /** File and line number, for whoever must repair it. */
  readonly where: string;
  readonly cells: readonly string[];
}

const POWER = /^([+-]?)(\d{1,12})(?:\.(\d{1,12}))?$/;
const MISSING = /^(?:nan)?$/i;
/** One W over 3600 ms is one mWh. */
const MS_PER_MWH = 3600n;

/**
 * The intervals of a load curve: `local time,mean kW` a line, a first line of words left out. A power is rounded to
 * whole W and its energy to whole mWh, each half up. Throws Problem `flex-csv` with the number of the line.
 */
export function parseLoad(text: string, path: string, terms: LoadTerms): IntervalEnergy[] {
  return rows(text, path, { terms, columns: ["time", "kW"] }).map(({ startMs, energyMwh }) => ({
    startMs,
    energyMwh,
  }));
}

/** As {@link parseLoad}, with the time of the nomination's receipt in a third column. */
export function parseNominations(text: string, path: string, terms: LoadTerms): NominatedInterval[] {
  return rows(text, path, { terms, columns: ["time", "kW", "receipt"] }).map(({ line, ...row }) => ({
    ...row,
    receiptedMs: instantIn(line, line.cells[2] ?? "", terms.zone),
  }));
}

interface Row extends IntervalEnergy {
  readonly line: Line;
}

function rows(
  text: string,
  path: string,
  { terms, columns }: { readonly terms: LoadTerms; readonly columns: readonly string[] },
): Row[] {
  const seen = new Set<number>();
  return linesOf(text, path, columns).flatMap((line) => {
    const startMs = startOf(line, terms, seen);
    const power = line.cells[1] ?? "";
    return MISSING.test(power)
      ? []
      : [{ line, startMs, energyMwh: energyMwh(line, power, terms.intervalMs) }];
  });
}

function linesOf(text: string, path: string, columns: readonly string[]): Line[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  return lines.flatMap((content, index) => {
    const isHeader = index === 0 && /^[^\d]/.test(content);
    if (isHeader || content.trim() === "") return [];
    const line = { where: `${path}:${index + 1}`, cells: content.split(",").map((cell) => cell.trim()) };
    if (line.cells.length === columns.length) return [line];
    throw wrong(line, `${columns.length} columns, ${columns.join(",")}`, `${line.cells.length}`);
  });
}

/** `seen` are the instants that the file has had: the second time that a time stands in it is the hour that comes again. */
function startOf(line: Line, { zone, intervalMs }: LoadTerms, seen: Set<number>): number {
  const text = line.cells[0] ?? "";
  const written = timeIn(line, text);
  const candidates = written.isUtc ? [written.ms] : instants(zone, written.ms);
  if (candidates.length === 0) throw wrong(line, `a time that a clock in ${zone.name} shows`, text);
  const startMs = candidates.find((atMs) => !seen.has(atMs));
  if (startMs === undefined) throw wrong(line, "each interval once", `${text} again`);
  if (startMs % intervalMs !== 0)
    throw wrong(line, `the beginning of an interval of ${intervalMs / 60_000} min`, text);
  seen.add(startMs);
  return startMs;
}

function instantIn(line: Line, text: string, zone: Zone): number {
  const written = timeIn(line, text);
  const atMs = written.isUtc ? written.ms : instants(zone, written.ms)[0];
  if (atMs !== undefined) return atMs;
  throw wrong(line, `a time that a clock in ${zone.name} shows`, text);
}

function timeIn(line: Line, text: string): WrittenTime {
  try {
    const written = writtenTime(text);
    if (written !== undefined) return written;
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
  }
  throw wrong(line, "a time such as 2013-09-21 16:00", text);
}

function energyMwh(line: Line, text: string, intervalMs: number): number {
  const [, sign, kilowatts = "", decimals = ""] = POWER.exec(text) ?? [];
  if (sign === undefined) throw wrong(line, "a power in kW such as 5.168, or nan", text);
  const digits = BigInt(`${kilowatts}${decimals}`) * (sign === "-" ? -1n : 1n);
  const watts = roundHalfUp(times(rational(digits, 10n ** BigInt(decimals.length)), rational(1000n)));
  return roundHalfUp(rational(BigInt(watts) * BigInt(intervalMs), MS_PER_MWH));
}

function wrong(line: Line, expected: string, got: string): Problem {
  return new Problem("flex-csv", "not a line of it", {
    where: line.where,
    expected,
    got: JSON.stringify(got),
  });
}
