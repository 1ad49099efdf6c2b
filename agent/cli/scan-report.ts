import { describeProblem } from "../../attest/problem.ts";
import type { Certainty } from "../../drivers/discovery/recognise.ts";
import type { LineReport } from "../../drivers/discovery/serial-survey.ts";
import type { Nothing, PlaceReport } from "../../drivers/discovery/terms.ts";
import type { LineSettings } from "../../drivers/modbus/settings.ts";
import { probeText } from "./probe-report.ts";
import { entryYaml, lineAddress } from "./scan-entry.ts";
import { type Finding, type Findings, isProposed, placeText, type Stranger } from "./scan-findings.ts";
import { meterText, meterYaml } from "./scan-meter-report.ts";
import { isProposedMeter, isUntried } from "./scan-meters.ts";
import type { ScanProblem, ScanResult } from "./scan-run.ts";
import { directionWords, oneLine, whoText } from "./scan-words.ts";

const CERTAINTY_WORDS: Readonly<Record<Certainty, string>> = {
  sure: "sure, it says so itself",
  likely: "likely, by a number that its kind has",
  possible: "possible, no more than values where they should be",
  hint: "perhaps, nothing but plausible values",
};

const TRIED = "each entry tried as it stands here";

const NOTHING_WORDS: Readonly<Record<Nothing, string>> = {
  mute: "takes a connection and answers no request: not Modbus, another unit (--host asks more), or busy",
  foreign: "answers, but not in Modbus",
  "hung-up": "takes a connection and ends it: not Modbus, or busy with another client",
  gateway: "a gateway that finds none of these units",
  filler: "answers with nothing but zeros or ones, as gateways do for units that are not there",
};

/** The report for an installer, the block for the configuration in it. */
export function scanText(result: ScanResult, findings: Findings): string {
  const { devices, meters, strangers, empty } = findings;
  const sections = [
    [...devices.map(deviceText), ...meters.map(meterText)].join("\n\n"),
    section("Answers, but no profile matches:", strangers.map(strangerText)),
    section("Takes connections, but shows no device:", empty.map(emptyText)),
    section("Speaks by itself, and nobody knows it:", result.lines.flatMap(unknownText)),
    section("Damaged answers:", result.lines.flatMap(damagedText)),
    section("Not scanned:", result.problems.map(problemText)),
    blockText(findings),
    summaryText(result, findings),
  ];
  return `${sections.filter((text) => text !== "").join("\n\n")}\n`;
}

/** Devices that are ready to be pasted into the configuration; empty without any. */
export function configBlock({ devices, meters }: Pick<Findings, "devices" | "meters">): string {
  const answering = devices
    .filter(isProposed)
    .map((finding) => entryYaml(finding.best.entry, finding.id, commentsOf(finding)));
  const entries = [...answering, ...meters.flatMap(meterYaml)];
  return entries.length === 0 ? "" : `devices:\n${entries.join("\n")}`;
}

function deviceText(finding: Finding): string {
  const { id, seen, best, others, certainty, sameAs, configured } = finding;
  const { place, unit } = seen;
  const [heading = "", ...values] = probeText([{ ...best.result, device: { ...best.result.device, id } }])
    .trimEnd()
    .split("\n");
  const { because } = best.candidate;
  const notes = [
    `at ${placeText(place)}, unit ${unit.unit}`,
    ...(configured ? ["the configuration has it already"] : []),
    ...(sameAs === undefined
      ? []
      : [`the same make, model and serial as ${sameAs}: one device, found twice`]),
    `recognised: ${CERTAINTY_WORDS[certainty]} (${because.join(", ")})`,
    ...(others.length === 0
      ? []
      : [`could also be one of: ${others.map(nameOf).join(", ")}; see the nameplate`]),
    ...alikeWords(unit),
  ];
  return [heading, ...notes.map((note) => `  ${note}`), ...values].join("\n");
}

function alikeWords({ alike, perhapsAlike, complete }: Finding["seen"]["unit"]): string[] {
  return [
    ...(alike.length === 0 ? [] : [`the same device answers as ${unitsText(alike)}`]),
    ...(perhapsAlike.length === 0
      ? []
      : [
          `perhaps the same device: ${unitsText(perhapsAlike)}; without a serial number and with registers at 0 nothing tells`,
        ]),
    ...(complete ? [] : ["it kept silent so often that it was not asked for everything"]),
  ];
}

function nameOf({ candidate }: Finding["best"]): string {
  return candidate.driver;
}

function strangerText({ seen: { place, unit }, says, hints }: Stranger): string[] {
  const words =
    says.length === 0 ? "" : `; it calls itself ${says.map((text) => JSON.stringify(text)).join(" ")}`;
  return [
    `something answers at ${placeText(place)} as unit ${unit.unit}, no profile matches${words}`,
    ...alikeWords(unit).map((line) => `  ${line}`),
    ...(hints.length === 0
      ? []
      : [`  nothing speaks against ${hints.map(({ driver }) => driver).join(", ")}, and nothing for`]),
    `  record what it says: kilowitness capture ${placeArguments(place, unit.unit)} --range TABLE:FROM-TO`,
  ];
}

function placeArguments(place: LineSettings, unit: number): string {
  if (place.transport !== "rtu") return `--host ${place.host} --port ${place.port} --unit ${unit}`;
  return `--line '${lineAddress(place.path, place)}' --unit ${unit}`;
}

function emptyText({ place, asked, nothing }: PlaceReport): string[] {
  const words = nothing === undefined ? "" : NOTHING_WORDS[nothing];
  return [`${placeText(place)}: ${words} (asked: ${unitsText(asked)})`];
}

function damagedText({ path, places, damaged }: LineReport): string[][] {
  if (places.length > 0 || damaged.length === 0) return [];
  const where = damaged.join(", ");
  return [
    [
      `${path} at ${where}: bytes come that are no answer: two units with one number, A and B swapped, an adapter`,
      "  that hears itself, or a device that speaks by itself, less than every ten seconds",
    ],
  ];
}

function unknownText({ path, unknown }: LineReport): string[][] {
  if (unknown.length === 0) return [];
  return [
    [
      `${path}: bytes come without a question, heard at ${unknown.join(", ")}; nothing was asked there`,
      "  perhaps another program or device asks meters on this line, a signal is inverted, or it is a kind that no",
      "  driver knows",
    ],
  ];
}

function problemText({ where, problem }: ScanProblem): string[] {
  const { code, message } = describeProblem(problem);
  return [message.startsWith(where) ? `${message} (${code})` : `${where}: ${message} (${code})`];
}

function section(title: string, entries: readonly (readonly string[])[]): string {
  return entries.length === 0 ? "" : [title, ...entries.flat().map((line) => `  ${line}`)].join("\n");
}

function blockText(findings: Findings): string {
  const block = configBlock(findings);
  const untried = findings.meters.some(
    (finding) => isUntried(finding.seen.meter) && isProposedMeter(finding),
  );
  const words = untried ? "each entry tried as it stands here unless it says otherwise" : TRIED;
  return block === "" ? "" : `For the configuration, ${words}:\n\n${block.trimEnd()}`;
}

/** What an installer should know who reads the configuration later. */
function commentsOf({ best, others, certainty }: Finding): readonly string[] {
  const { identity, channels } = best.result;
  return [
    oneLine([...whoText(identity), CERTAINTY_WORDS[certainty]].join("; ")),
    ...(others.length === 0 ? [] : [`or driver: ${others.map(nameOf).join(", ")}; see the nameplate`]),
    ...directionWords(channels),
  ];
}

function summaryText(
  { places, lines, problems, interrupted, seconds }: ScanResult,
  findings: Findings,
): string {
  const requests =
    places.filter(({ place }) => place.transport === "tcp").reduce((sum, { requests }) => sum + requests, 0) +
    lines.reduce((sum, line) => sum + line.requests, 0);
  const parts = [
    `${findings.devices.length + findings.meters.length} recognised`,
    `${findings.strangers.length} unknown`,
    `${problems.length} not scanned`,
    `${requests} requests`,
    `${seconds.toFixed(0)} s`,
  ];
  return `${interrupted ? "Interrupted; found so far: " : ""}${parts.join(", ")}`;
}

/** "unit 1", "units 1, 2, 3". */
export function unitsText(units: readonly number[]): string {
  return `${units.length === 1 ? "unit" : "units"} ${units.join(", ")}`;
}
