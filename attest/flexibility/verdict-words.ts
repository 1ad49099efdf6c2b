import type { ExclusionReason } from "../baseline/like-days.ts";
import { dayText } from "../baseline/zone.ts";
import { isoTime } from "../iso-time.ts";
import type { Edge } from "../verdict-bounds.ts";
import { printable } from "../verdict-words.ts";
import type { Remark, SettledInterval } from "./settle-types.ts";
import type { SettlementVerdict } from "./verdict.ts";
import type { JudgedDispatch, PlainAdjustment, PlainSettled } from "./verdict-data.ts";

const COLUMNS = 100;
const LABEL = 10;
const RESULTS: Readonly<Record<NonNullable<PlainSettled["result"]>, string>> = {
  delivered: "delivered",
  partial: "partly delivered",
  notDelivered: "not delivered",
  optedOut: "opted out",
  unavailable: "unavailable",
  dataInvalid: "data invalid",
  unknown: "unknown",
};
const REASONS: Readonly<Record<ExclusionReason, string>> = {
  listed: "left out by the terms",
  incomplete: "an interval is missing",
  unlike: "another kind of day",
  tooNear: "too near to the event",
  notChosen: "not chosen by its energy",
};
const COMMANDS = ["nothing", "power setpoint", "import limit", "export limit"] as const;
const STATES: Readonly<Record<string, string>> = { optedOut: "opted out" };

/** The verdict in plain words for a terminal of 100 columns; the first line says whether it counts. */
export function settlementWords(verdict: SettlementVerdict): string[] {
  return [
    firstLine(verdict),
    "",
    ...verdict.faults.flatMap((fault) => named("but", remarkText(fault))),
    ...resultLines(verdict),
    ...commitmentLines(verdict),
    ...dispatchLines(verdict),
    ...dayLines(verdict.settled),
    ...intervalLines(verdict.settled),
    ...verdict.remarks.flatMap((remark) => named("note", remarkText(remark))),
    ...accountLines(verdict),
    ...backingLines(verdict),
    "",
    "Not proven by this file:",
    ...notProven(verdict).flatMap((sentence) => wrapped("  - ", sentence, 4)),
  ].map(printable);
}

function firstLine(verdict: SettlementVerdict): string {
  if (verdict.trust === "none")
    return `consistent, signed by an unknown key ${verdict.fingerprint} (pass --trust KEY to check whose)`;
  const result = resultOf(verdict.settled);
  if (!verdict.counts)
    return `valid, but it DOES NOT COUNT (${verdict.faults.map(({ code }) => code).join(", ")}): ${result}`;
  return `valid, and it counts: ${result}, ${verdict.standing}`;
}

function resultOf({ called, result }: PlainSettled): string {
  return called ? RESULTS[result ?? "unknown"] : "not called, nothing is owed";
}

function resultLines({ settled }: SettlementVerdict): string[] {
  const { totals, completenessPpm, reason } = settled;
  const lines = named("result", resultOf(settled));
  if (reason !== undefined) lines.push(...more(remarkText(reason)));
  if (!settled.called) return lines;
  const words = [
    `counted ${kwh(totals.countedMwh)} kWh${share(totals.countedMwh, totals.committedMwh)}`,
    `shortfall ${kwh(totals.shortfallMwh)} kWh`,
    `rebound ${kwh(totals.reboundMwh)} kWh`,
    `${completenessPpm / 10_000} % of the intervals are there`,
  ];
  return [...lines, ...more(words.slice(0, 3).join(", ")), ...more(words.slice(3).join(", "))];
}

function share(part: number, whole: number): string {
  return whole > 0 ? `, ${Math.floor((part * 1000) / whole) / 10} % of what was committed` : "";
}

function commitmentLines({ commitment, counterparty, channel, meter }: SettlementVerdict): string[] {
  const { direction, boundary, fromMs, toMs, issuedAtMs, dueByMs, receiptedAtMs } = commitment;
  const receipted = receiptedAtMs === undefined ? "never, by a node that you trust" : time(receiptedAtMs);
  const whose = counterparty.trusted ? "a node that you trust" : "a key that you do not trust";
  return [
    ...named("agreed", `to ${direction} import at the ${boundary}, ${time(fromMs)} to ${time(toMs)}`),
    ...more(`ordered ${time(issuedAtMs)}, due by ${time(dueByMs)}, receipted ${receipted}`),
    ...more(`by ${whose}, ${counterparty.nodeKey}`),
    ...more(
      `baseline ${commitment.baselineMethod} in ${commitment.timeZone}, terms ${commitment.termsDigest}`,
    ),
    ...named(
      "meter",
      `${[meter.make, meter.model].filter((part) => part !== "").join(" ")}, serial ${meter.serial === "" ? "unknown" : meter.serial}, channel ${channel.name} (${channel.role})`,
    ),
  ];
}

function dispatchLines({ dispatches, list }: SettlementVerdict): string[] {
  const listed =
    list === undefined
      ? []
      : named("list", `of ${list.dispatches} dispatches, signed by the node at ${time(list.issuedAtMs)}`);
  return [...dispatches.flatMap((dispatch) => named("dispatch", dispatchText(dispatch))), ...listed];
}

function dispatchText({
  seq,
  command,
  value,
  fromMs,
  toMs,
  acknowledgements,
  withdraws,
}: JudgedDispatch): string {
  const what = `${COMMANDS[command ?? 0] ?? `command ${command}`}${value === undefined ? "" : ` ${value / 1000} W`}`;
  const answers = acknowledgements.map(
    ({ state, reason, timeMs }) =>
      `${STATES[state] ?? state} ${time(timeMs)}${reason === undefined ? "" : ` (${reason})`}`,
  );
  const ends = withdraws === undefined ? "" : `, withdraws ${withdraws}`;
  return `leaf ${seq}: ${what}, ${time(fromMs)} to ${time(toMs)}${ends}; ${answers.length === 0 ? "unanswered" : answers.join(", ")}`;
}

function dayLines({ days, method }: PlainSettled): string[] {
  return days.flatMap(({ day, usedDays, excludedDays, adjustment }) => [
    ...named(
      "baseline",
      `${method} for ${dayText(day)}, from ${usedDays.length} days: ${usedDays.map(dayText).join(", ") || "none"}`,
    ),
    ...named("left out", leftOut(excludedDays)),
    ...named("adjusted", adjustmentText(adjustment)),
  ]);
}

function leftOut(excluded: PlainSettled["days"][number]["excludedDays"]): string {
  if (excluded.length === 0) return "no day";
  return excluded.map(({ day, reason }) => `${dayText(day)} (${REASONS[reason]})`).join(", ");
}

function adjustmentText(adjustment: PlainAdjustment): string {
  if (adjustment.kind === "none") return `not (${adjustment.why})`;
  const { kind, fromMs, toMs } = adjustment;
  const by =
    kind === "ratio"
      ? `times ${adjustment.applied} (ratio ${adjustment.ratio})`
      : `plus ${adjustment.perIntervalMwh} mWh in each interval`;
  return `${by}, from ${time(fromMs)} to ${time(toMs)}`;
}

function intervalLines({ intervals, totals }: PlainSettled): string[] {
  if (intervals.length === 0) return [];
  const head = row("kWh", "interval, UTC", ["baseline", "actual", "delivered", "counted", "committed"]);
  const { baselineMwh, actualMwh, deliveredMwh, countedMwh, committedMwh } = totals;
  const sums = [baselineMwh, actualMwh, deliveredMwh, countedMwh, committedMwh].map(kwh);
  return [head, ...intervals.map(intervalLine), row("", "all that was called", sums)];
}

function intervalLine(interval: SettledInterval): string {
  const { startMs, called, missing, baselineMwh, actualMwh, deliveredMwh, countedMwh, committedMwh } =
    interval;
  const numbers = [baselineMwh, actualMwh, deliveredMwh].map((mwh) => (mwh === undefined ? "-" : kwh(mwh)));
  const line = row("", isoTime(startMs).slice(0, 16).replace("T", " "), [
    ...numbers,
    ...[called ? kwh(countedMwh) : "-", kwh(committedMwh)],
  ]);
  if (!called) return `${line} not called`;
  if (missing === undefined) return line;
  return `${line} ${missing === "gap" ? "missing" : "dark"}`;
}

function row(label: string, begin: string, numbers: readonly string[]): string {
  return `${label.padEnd(LABEL)}${begin.padEnd(20)}${numbers.map((text) => text.padStart(11)).join("")}`;
}

function accountLines({ account }: SettlementVerdict): string[] {
  if (account === undefined) return [];
  if (account.agrees) return named("device", `says the same in leaf ${account.seq}`);
  return account.differences.flatMap(({ field, device, computed }) =>
    named("device", `says ${field} ${listText(device)}; computed is ${listText(computed)}`),
  );
}

function listText(value: string | number | readonly number[] | undefined): string {
  return value === undefined ? "nothing" : typeof value === "object" ? value.join(", ") : String(value);
}

function backingLines(verdict: SettlementVerdict): string[] {
  const trusted = verdict.witnesses.filter(({ trusted: isTrusted }) => isTrusted);
  const nodes = new Set(trusted.map(({ nodeKey }) => nodeKey)).size;
  const whose = {
    none: "nobody you know",
    device: "you trust its key",
    enrolled: "a node that you trust has enrolled it",
  };
  return [
    ...named("signed", `by ${verdict.deviceKey}: ${whose[verdict.trust]}`),
    ...more(
      `network ${verdict.network}, epoch ${verdict.epochs.join(", ")}, fingerprint ${verdict.fingerprint}, tier ${verdict.tier}`,
    ),
    ...named("witnesses", `${nodes} of ${verdict.witnessesWanted} nodes asked for: ${verdict.standing}`),
    ...verdict.edges.flatMap((edge) => named(edge.edge, edgeText(edge))),
  ];
}

function edgeText({ timeMs, notBeforeMs, notAfterMs }: Edge): string {
  const after = notBeforeMs === undefined ? "no lower bound" : `written after ${time(notBeforeMs)}`;
  const before = notAfterMs === undefined ? "no upper bound" : `before ${time(notAfterMs)}`;
  return `${time(timeMs)} by the device's clock; ${after}, ${before}`;
}

function notProven(verdict: SettlementVerdict): string[] {
  const sentences = [
    "that the meter measures what its channel says, or is wired right: whoever has root on the gateway can feed it false registers",
    "that the device showed every answer that it wrote to a dispatch: answers are not chained",
    "that what was delivered came from following the dispatch: only what the meter counted against the baseline is computed",
  ];
  if (verdict.trust === "none")
    sentences.unshift("whose key this is: anyone can make a consistent file with a key of their own");
  if (verdict.list === undefined)
    sentences.push("that these are all dispatches: the node's signed list is not in the file");
  return sentences;
}

function remarkText({ code, message }: Remark): string {
  return `${message} (${code})`;
}

/** A name in its column and what it names, broken at 100 columns. */
function named(name: string, text: string): string[] {
  return wrapped(name.padEnd(LABEL), text, LABEL);
}

function more(text: string): string[] {
  return wrapped(" ".repeat(LABEL), text, LABEL);
}

function wrapped(begin: string, text: string, indent: number): string[] {
  const lines: string[] = [];
  let line = begin;
  for (const word of text.split(" ")) {
    const isFresh = line.trim() === "" || line === begin;
    if (!isFresh && line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = " ".repeat(indent) + word;
    } else line += isFresh ? word : ` ${word}`;
  }
  return [...lines, line];
}

/** Whole mWh as kWh, exact. */
function kwh(mwh: number): string {
  const sign = mwh < 0 ? "-" : "";
  const size = Math.abs(mwh);
  return `${sign}${Math.floor(size / 1_000_000)}.${String(size % 1_000_000).padStart(6, "0")}`;
}

function time(ms: number): string {
  return isoTime(ms).replace(/\.000Z$/, "Z");
}
