import { isoTime } from "../../attest/iso-time.ts";
import { TIME_QUALITY } from "../../attest/leaf.ts";
import { durationText, powerWords, registerWords, stateOfChargeWords, stepText } from "../words.ts";
import { helpFor } from "./attention.ts";
import { controlLines } from "./control-text.ts";
import { panelLines } from "./panel-text.ts";
import type { Attention, ChannelReport, DeviceReport, JudgedReport, NodeReport } from "./report.ts";

/** A report for an installer to read in ten seconds: what needs attention first, then how everything stands. */
export function statusText(report: JudgedReport): string {
  const { attention, devices } = report;
  const blocks = [
    attentionLines(report),
    [runningLine(report)],
    ...devices.map(deviceLines),
    controlLines(report),
    panelLines(report),
    [...journalLines(report), ...nodeLines(report), clockLine(report), ...outletLines(report)],
  ];
  const shown = attention.length === 0 ? blocks : [[headline(attention)], ...blocks];
  return `${shown
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

function headline(attention: readonly Attention[]): string {
  const count = attention.length === 1 ? "1 thing needs" : `${attention.length} things need`;
  return `${count} attention: ${attention.map(({ what }) => firstClause(what)).join("; ")}`;
}

/** A headline names things; the reasons stand below it. */
function firstClause(what: string): string {
  return what.split(/: (?=\S)/, 2)[0] ?? what;
}

function attentionLines(report: JudgedReport): string[] {
  if (report.attention.length === 0) return [allWell(report)];
  return report.attention.flatMap(({ what, hint, code }) => [
    `- ${what} (${code})`,
    ...(hint === undefined ? [] : [`  ${hint}`]),
  ]);
}

function allWell({ devices, nodes }: JudgedReport): string {
  const answer = devices.length === 1 ? "the device answers" : `all ${devices.length} devices answer`;
  const node = nodes.length === 1 ? "the node is connected" : `all ${nodes.length} nodes are connected`;
  return `All is well: ${answer}, readings are sealed${nodes.length === 0 ? "" : `, ${node}`}`;
}

function runningLine({ startedAtMs, uptimeMs, version, deviceKey, network, epoch }: JudgedReport): string {
  const since = `Running since ${isoTime(startedAtMs)} (${durationText(uptimeMs)}), version ${version}`;
  return `${since}\nDevice key ${deviceKey}, network ${network}, epoch ${epoch}`;
}

function deviceLines(device: DeviceReport): string[] {
  const { id, driver, online, problem } = device;
  const since = problem === undefined ? "" : ` since ${isoTime(problem.sinceMs)}`;
  const state = online
    ? "answers"
    : problem === undefined
      ? "has not answered yet"
      : `does not answer${since}`;
  return [
    `${id} (${driver})${identityWords(device)}: ${state}`,
    ...failureLines(device),
    ...device.channels.flatMap((channel) => channelLines(channel, driver)),
  ];
}

/** A disturbed telegram now and then is none of anybody's business; one in fifty is a cable or an optical head. */
const NOTED_SHARE = 50;
const LEAST_NOTED = 5;

function failureLines({ online, sampling: { reads, failures } }: DeviceReport): string[] {
  // Of one that does not answer the first lines say why.
  if (!online) return [];
  const each = Object.entries(failures);
  const failed = each.reduce((sum, [, count]) => sum + count, 0);
  if (failed < LEAST_NOTED || failed * NOTED_SHARE < reads + failed) return [];
  const codes = each.map(([code, count]) => `${count} ${code}`).join(", ");
  return [`  ${failed} of ${reads + failed} reads failed since the start: ${codes}`];
}

function identityWords({ make = "", model = "", serial = "" }: DeviceReport): string {
  const words = [make, model, ...(serial === "" ? [] : [`serial ${serial}`])].filter((word) => word !== "");
  return words.length === 0 ? "" : `, ${words.join(" ")}`;
}

function channelLines(channel: ChannelReport, driver: string): string[] {
  const { name, role, ageMs, accepted, held, rejected, lastReason } = channel;
  const age = ageMs === undefined ? "" : `, ${durationText(ageMs)} ago`;
  const counts = `    ${accepted} accepted, ${held} held, ${rejected} rejected`;
  return [
    `  ${name} (${role}): ${valueWords(channel).join("; ") || "no value"}${age}`,
    ...coarseLines(channel, driver),
    ...(accepted > 0 && held + rejected === 0 ? [] : [counts]),
    ...reasonLines(channel),
    ...(lastReason === undefined
      ? []
      : [
          `    last said ${isoTime(lastReason.atMs)}, ${lastReason.code}: ${lastReason.reason}`,
          `    ${helpFor(lastReason.code)}`,
        ]),
  ];
}

const MWH_PER_KWH = 1_000_000;

/** Registers that a home moves only now and then: its intervals are mostly 0, and that is no fault. */
function coarseLines({ resolutionMwh = 0 }: ChannelReport, driver: string): string[] {
  if (resolutionMwh < MWH_PER_KWH) return [];
  const hint = driver === "sml" ? "; enter the meter's PIN, and it shows more (docs/meters.md)" : "";
  return [
    `    its registers go in steps of ${stepText(resolutionMwh)}: most short intervals will be 0 Wh${hint}`,
  ];
}

function valueWords({
  role,
  activePowerMw,
  importMwh,
  exportMwh,
  stateOfChargePpm,
}: ChannelReport): string[] {
  return [
    ...(activePowerMw === undefined ? [] : [powerWords(activePowerMw, role)]),
    ...(importMwh === undefined ? [] : [registerWords("import", importMwh)]),
    ...(exportMwh === undefined ? [] : [registerWords("export", exportMwh)]),
    ...(stateOfChargePpm === undefined ? [] : [stateOfChargeWords(stateOfChargePpm)]),
  ];
}

function reasonLines({ reasons }: ChannelReport): string[] {
  if (reasons.length === 0) return [];
  const each = reasons.map(({ outcome, code, count }) => `${count} ${outcome} for ${code}`);
  return [`    since the start: ${each.join(", ")}`];
}

function journalLines({ journal, log }: JudgedReport): string[] {
  const { bytes, freeBytes, written } = journal;
  const free = freeBytes === undefined ? "" : `, ${bytesText(freeBytes)} free`;
  const signed =
    log.signedAgoMs === undefined
      ? "nothing signed in this run"
      : `last signed ${durationText(log.signedAgoMs)} ago`;
  return [
    `Journal: ${bytesText(bytes)}${free}${written === undefined ? "" : `, ${writtenText(written)}`}`,
    `Log: ${log.leaves} entries, ${log.durableLeaves} written, ${log.signedLeaves} signed; ${signed}`,
  ];
}

const DAY_MS = 86_400_000;
/** Over less time, a rate says more of the start than of the day. */
const LEAST_RATE_MS = 600_000;

function writtenText({ bytes, overMs }: { readonly bytes: number; readonly overMs: number }): string {
  const so = `${bytesText(bytes)} written in ${durationText(overMs)}`;
  return overMs < LEAST_RATE_MS ? so : `${so} (${bytesText(Math.round((bytes / overMs) * DAY_MS))} a day)`;
}

/** "812 bytes", "1.4 MB", "21 GB". */
function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  const power = Math.min(3, Math.floor((String(bytes).length - 1) / 3));
  const scaled = bytes / 1000 ** power;
  return `${scaled < 10 ? scaled.toFixed(1) : Math.round(scaled)} ${["", "kB", "MB", "GB"][power]}`;
}

function nodeLines({ nodes, log }: JudgedReport): string[] {
  if (nodes.length === 0) return ["Nodes: none configured; the log stays here"];
  return nodes.map((node) => nodeLine(node, log.leaves));
}

function nodeLine(node: NodeReport, leaves: number): string {
  const { url, connected, receiptedLeaves, unreceiptedLeaves, lastReceiptAgeMs } = node;
  const upToDate = connected && unreceiptedLeaves === 0;
  const behind = upToDate ? "has all that is signed" : `behind by ${leaves - receiptedLeaves} entries`;
  const last = lastReceiptAgeMs === undefined ? "" : `, last receipt ${durationText(lastReceiptAgeMs)} ago`;
  return `Node ${url}: ${connected ? "connected" : "not connected"}, ${behind}${last}`;
}

const CLOCK_WORDS: ReadonlyMap<number, string> = new Map([
  [TIME_QUALITY.none, "unknown"],
  [TIME_QUALITY.sinceBoot, "not known; readings carry the time since boot"],
  [TIME_QUALITY.batteryClock, "set; not known to be synchronised"],
  [TIME_QUALITY.ntp, "set and synchronised"],
  [TIME_QUALITY.anchored, "set and confirmed by a node"],
]);

function clockLine({ clock, atMs }: JudgedReport): string {
  return `Clock: ${isoTime(atMs)}, ${CLOCK_WORDS.get(clock.timeQuality) ?? `quality ${clock.timeQuality}`}`;
}

function outletLines({ outlets: { http, mqtt } }: JudgedReport): string[] {
  const words = (working: boolean): string => (working ? "works" : "does not work");
  return [
    ...(http === undefined ? [] : [`HTTP ${http.address}: ${words(http.working)}`]),
    ...(mqtt === undefined ? [] : [`MQTT ${mqtt.address}: ${words(mqtt.working)}`]),
  ];
}
