import { KNOWN_TIME } from "../../attest/leaf.ts";
import type { JournalStatus } from "../journal/journal-status.ts";
import { durationText } from "../words.ts";
import { controlAttention } from "./control-text.ts";
import type { OpenFailure } from "./log-memory.ts";
import { panelAttention } from "./panel-text.ts";
import type {
  Attention,
  ChannelReport,
  DeviceReport,
  JudgedReport,
  NodeReport,
  OutletReport,
  Report,
} from "./report.ts";

/** A channel without an accepted reading for so many of its intervals, and for so long, is quiet. */
export const QUIET_INTERVALS = 4;
export const QUIET_MS = 60_000;
/** A node that has been sent something answers within seconds, or after a look at a backlog. */
const BEHIND_MS = 600_000;
/** A first connection takes this long at most, with a slow handshake. */
const FIRST_CONNECTION_MS = 15_000;
const LEAST_FREE_BYTES = 256 * 1024 ** 2;

/** Failures that a log line opens, what to say of them, and whether they stop readings on their way. */
const FAILURES: ReadonlyMap<string, readonly [what: string, failing: boolean]> = new Map([
  ["commit-failed", ["readings cannot be written to the journal", true]],
  ["checkpoint-failed", ["the log cannot be signed", true]],
  ["close-failed", ["intervals cannot be closed", true]],
  ["clock-step-failed", ["a change of the clock cannot be written to the log", true]],
  ["journal-lost", ["no file takes the journal, readings wait in memory", true]],
  ["seal-refused", ["a reading was refused by the log's own rules", true]],
  ["channel-refused", ["a channel cannot be opened", true]],
  ["channel-not-found", ["the configuration names a channel that the device does not have", false]],
  ["journal-full", ["there is no room left for the journal", false]],
  ["journal-leaves-damaged", ["the journal's file has forgotten some of what was sealed", false]],
  ["journal-upkeep-failed", ["old readings cannot be cleared away", false]],
  ["frames-failed", ["raw frames for audits cannot be kept", false]],
  ["anchor-failed", ["a node's receipt cannot be taken into the log", false]],
  ["signer-used-elsewhere", ["somebody else has the coprocessor sign with this device's key", false]],
  ["control-leases-failed", ["the file of leases cannot be written: no device is told anything", false]],
  ["tamper-unsealed", ["what happened to the enclosure is not in the log yet", false]],
  ["indicator-failed", ["a lamp shows nothing", false]],
  ["journal-damaged", ["the journal was damaged; it was set aside and a new one begun", false]],
]);

/** A report with what somebody should look at, the worst first. */
export function judged(report: Report): JudgedReport {
  const all = [
    ...report.failures.flatMap(failureAttention),
    ...report.devices.flatMap((device) => deviceAttention(device, report.uptimeMs)),
    ...controlAttention(report),
    ...panelAttention(report),
    ...clockAttention(report),
    ...journalAttention(report),
    ...report.nodes.flatMap((node) => nodeAttention(node, report)),
    ...signingAttention(report),
    ...outletAttention(report),
  ];
  const failing = all.filter((one) => one.failing);
  return { ...report, attention: [...failing, ...all.filter((one) => !one.failing)] };
}

function failureAttention({ event, message }: OpenFailure): Attention[] {
  const [what, failing] = FAILURES.get(event) ?? [];
  if (what === undefined || failing === undefined) return [];
  return [{ code: event, what: `${what}: ${message}`, failing }];
}

function deviceAttention(device: DeviceReport, uptimeMs: number): Attention[] {
  const { id, online, problem } = device;
  if (online) return device.channels.flatMap((channel) => channelAttention(channel, { device, uptimeMs }));
  if (problem === undefined)
    return [{ code: "device-offline", what: `${id} has not answered yet`, failing: true }];
  const { hint } = problem;
  const what = `${id} does not answer: ${problem.message}`;
  // A Problem's sentence ends with its hint already.
  const said = hint === undefined || problem.message.endsWith(hint) ? {} : { hint };
  return [{ code: "device-offline", what, ...said, failing: true }];
}

/** When a channel's last value is too old to be shown as its present one. */
export function quietAfterMs(intervalMs: number): number {
  return Math.max(QUIET_MS, QUIET_INTERVALS * intervalMs);
}

function channelAttention(
  { name, ageMs, lastReason }: ChannelReport,
  { device, uptimeMs }: { readonly device: DeviceReport; readonly uptimeMs: number },
): Attention[] {
  const quietMs = ageMs ?? uptimeMs;
  if (quietMs <= quietAfterMs(device.intervalMs)) return [];
  const what = `${name}: no reading accepted for ${durationText(quietMs)}`;
  if (lastReason === undefined) return [{ code: "channel-quiet", what, failing: true }];
  const { code, reason } = lastReason;
  return [{ code: "channel-quiet", what: `${what}: ${reason}`, hint: helpFor(code), failing: true }];
}

/** Where an installer reads what a quality code means and what to check. */
export function helpFor(code: string): string {
  return `see docs/quality-codes.md#${code}`;
}

function clockAttention({ clock }: Report): Attention[] {
  if (clock.timeQuality >= KNOWN_TIME) return [];
  const hint = "connect the gateway to a time server (docs/clock.md); until then no interval is closed";
  return [{ code: "clock-unknown", what: "the time is not known", hint, failing: false }];
}

function journalAttention({ journal }: Report): Attention[] {
  const { freeBytes, keeping } = journal;
  return [...paceAttention(keeping ?? { state: "ok", pace: 1 }), ...spaceAttention(freeBytes)];
}

function paceAttention({ state, pace }: Pick<JournalStatus, "state" | "pace">): Attention[] {
  // Leaves of the epoch before come first, for moments.
  if (pace === 1 || state === "takes-over") return [];
  const hint = "free space where the journal is, or raise retention.maxMegabytes (docs/journal.md)";
  if (pace === 0)
    return [{ code: "sampling-stopped", what: "there is no room to seal readings in", hint, failing: true }];
  const what = `room is short: one sample of ${pace} is sealed, and the last one of each interval`;
  return [{ code: "sampling-slow", what, hint, failing: false }];
}

function spaceAttention(freeBytes: number | undefined): Attention[] {
  if (freeBytes === undefined || freeBytes >= LEAST_FREE_BYTES) return [];
  const what = `only ${Math.floor(freeBytes / 1024 ** 2)} MiB are free where the journal is`;
  return [{ code: "disk-space", what, hint: "delete something there, or use a larger card", failing: false }];
}

function nodeAttention(node: NodeReport, { uptimeMs }: Report): Attention[] {
  const { url, connected, problem, unreceiptedLeaves, lastReceiptAgeMs = uptimeMs } = node;
  if (!connected && problem === undefined && uptimeMs < FIRST_CONNECTION_MS) return [];
  if (!connected) {
    const what = `node ${url} is not connected${problem === undefined ? "" : `: ${problem}`}`;
    return [{ code: "node-offline", what, failing: false }];
  }
  if (unreceiptedLeaves === 0 || lastReceiptAgeMs <= BEHIND_MS) return [];
  const what = `node ${url} has given no receipt for ${durationText(lastReceiptAgeMs)}`;
  return [{ code: "node-behind", what, hint: "ask its operator to look at its log", failing: false }];
}

function signingAttention({ log, nodes, uptimeMs }: Report): Attention[] {
  // While no node is connected, that is what needs to be looked at.
  const waitsForMore = nodes.some(({ connected }) => connected);
  if (!log.signingWaits || !waitsForMore || uptimeMs < FIRST_CONNECTION_MS) return [];
  const what = "nothing is signed until a node that holds receipts of this device has answered";
  const hint = "take a node that is gone for good out of the configuration";
  return [{ code: "signing-waits", what, hint, failing: false }];
}

function outletAttention({ outlets }: Report): Attention[] {
  const one = (code: string, name: string, outlet: OutletReport | undefined): Attention[] => {
    if (outlet === undefined || outlet.working || outlet.problem === undefined) return [];
    return [{ code, what: `${name} ${outlet.address} does not work: ${outlet.problem}`, failing: false }];
  };
  return [
    ...one("mqtt-failed", "MQTT", outlets.mqtt),
    ...one("http-failed", "HTTP", outlets.http),
    ...one("socket-failed", "the socket", outlets.socket),
  ];
}
