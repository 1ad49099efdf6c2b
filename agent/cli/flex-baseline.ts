import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { type BaselineRequest, deliveryOf, pastError } from "../../attest/baseline/baseline.ts";
import { energiesOf } from "../../attest/baseline/energies.ts";
import { METHOD_NAMES } from "../../attest/baseline/methods.ts";
import type { Direction, NominationAt } from "../../attest/baseline/nomination.ts";
import { dayNumber, openZone, type Zone } from "../../attest/baseline/zone.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { runCommand } from "../../runtime/command.ts";
import { type LoadTerms, parseLoad, parseNominations } from "./flex-baseline-load.ts";
import { baselineJson, baselineText, type Computed } from "./flex-baseline-text.ts";
import { parseEvent, parseInstant } from "./flex-baseline-time.ts";

interface BaselineOptions {
  readonly load: string;
  readonly event: readonly string[];
  readonly method: string;
  readonly zone?: Zone;
  readonly holiday?: readonly number[];
  readonly exclude?: readonly number[];
  readonly direction: Direction;
  readonly interval: number;
  readonly notice?: string;
  readonly nominations?: string;
  readonly json?: boolean;
}

const HELP = `
The load is a file with one interval a line, its beginning in local time and the mean power in kW, + into the site:
  2013-08-01 00:00:00,5.168
A value that is missing is empty or nan; a time may also say its zone (2013-08-01T07:00:00Z). Nominations have a third
column, the time of their receipt. See docs/flexibility.md.

  kilowitness flex baseline --load load.csv --zone America/Los_Angeles --holiday 2013-09-02 \\
    --exclude 2013-09-23 --event 2013-09-21T16:00/18:00 --method h10/1
Exit status: 0 done, 1 it cannot be computed from this data, 2 the command line is wrong.`;

/** `kilowitness flex baseline`: days, baseline, actual and delivered of an event on a load curve. */
export function flexBaselineCommand(): Command {
  return new Command("baseline")
    .description("what a baseline method says of an event on a load curve")
    .requiredOption("--load <file>", "load curve, CSV")
    .requiredOption("--event <window>", "local time, 2013-09-21T16:00/18:00; may be repeated", collected)
    .addOption(new Option("--method <name>", "baseline method").choices(METHOD_NAMES).makeOptionMandatory())
    .option("--zone <name>", "time zone of the site; left out: UTC", zoneNamed)
    .option("--holiday <date>", "a day that counts as a Sunday; may be repeated", days)
    .option("--exclude <date>", "a day that no baseline uses; may be repeated", days)
    .addOption(
      new Option("--direction <name>", "what was asked for")
        .choices(["reduce", "increase"])
        .default("reduce"),
    )
    .option("--interval <minutes>", "length of an interval", minutes, 15)
    .option("--notice <time>", "when the notice came, local time; no adjustment looks at what is later")
    .option("--nominations <file>", "for nom/1: CSV of interval, nominated kW, time of the receipt")
    .option("--json", "print one JSON object with integer units")
    .addHelpText("after", HELP)
    .action((options: BaselineOptions) => runCommand("flex baseline", () => baseline(options)));
}

function baseline(options: BaselineOptions): void {
  const request = requestOf(options);
  const computed = computedOf(request);
  process.stdout.write(
    options.json === true ? `${JSON.stringify(baselineJson(computed))}\n` : baselineText(computed),
  );
}

function computedOf(request: BaselineRequest): Computed {
  const { intervalMs, calendar } = request;
  try {
    return { zone: calendar.zone, intervalMs, delivery: deliveryOf(request), past: pastError(request) };
  } catch (cause) {
    if (!(cause instanceof Problem) || cause.code !== "baseline-event") throw cause;
    throw new Problem("config-event", cause.message, { where: "--event", cause });
  }
}

/** Whatever the command line says is read before any file is. */
function requestOf(options: BaselineOptions): BaselineRequest {
  const { zone = openZone("UTC"), method, direction, notice, nominations } = options;
  const terms: LoadTerms = { zone, intervalMs: options.interval * 60_000 };
  const windows = options.event.map((text) => parseEvent(text, zone)).sort((a, b) => a.fromMs - b.fromMs);
  const noticed = notice === undefined ? {} : { noticeMs: parseInstant(notice, zone, "--notice") };
  const load = parseLoad(readFileSync(options.load, "utf8"), options.load, terms);
  return {
    ...{ method, direction, windows, intervalMs: terms.intervalMs, ...noticed },
    energyAt: energiesOf(load, terms.intervalMs),
    calendar: { zone, holidays: new Set(options.holiday), excluded: new Set(options.exclude) },
    ...(nominations === undefined ? {} : { nominationAt: nominationsOf(nominations, terms) }),
  };
}

function nominationsOf(path: string, terms: LoadTerms): NominationAt {
  const rows = parseNominations(readFileSync(path, "utf8"), path, terms);
  const known = new Map(rows.map((row) => [row.startMs, row]));
  return (startMs) => known.get(startMs);
}

function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

function days(text: string, before: readonly number[] = []): readonly number[] {
  return [...before, taken(() => dayNumber(text))];
}

function zoneNamed(text: string): Zone {
  return taken(() => openZone(text));
}

function minutes(text: string): number {
  const value = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (value > 0 && 1440 % value === 0) return value;
  throw new InvalidArgumentError(`expected a divisor of 1440, got "${text}"`);
}

function taken<T>(parse: () => T): T {
  try {
    return parse();
  } catch (thrown) {
    throw new InvalidArgumentError(describeProblem(thrown).message);
  }
}
