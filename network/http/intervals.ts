import { toHex } from "../../attest/bytes.ts";
import { isoTime } from "../../attest/iso-time.ts";
import { CLOSE_SHAPE, type IntervalClose, type ReadingLeaf } from "../../attest/leaf.ts";
import { type LogChannel, logsOf, logsWithChannel, type Questions } from "./device-logs.ts";
import { type Cursor, cursorOf, limitOf, type Query, requiredText, requireKnown, timeOf } from "./query.ts";

const MAX_INTERVALS = 1000;
const MAX_READINGS = 10_000;
const DEFAULT_READINGS = 1000;
const PAGE = ["channel", "from", "to", "limit", "after"];

/** Closed intervals of one channel within a span, oldest first: `{channel, intervals, next}`. */
export async function listIntervals(
  questions: Questions,
  deviceKey: Uint8Array,
  query: Query,
): Promise<object> {
  requireKnown(query, PAGE);
  const channel = requiredText(query, "channel");
  const limit = limitOf(query, MAX_INTERVALS, MAX_INTERVALS);
  const fromMs = timeOf(query, "from", 0);
  const toMs = timeOf(query, "to", Number.MAX_SAFE_INTEGER);
  const intervals: object[] = [];
  let next: Cursor | undefined;
  for (const { log, afterSeq } of logsAfter(await channelLogs(questions, deviceKey, channel), query)) {
    const wanted = { log: log.record.log, channel: log.channel, fromMs, toMs, afterSeq };
    const closes = await questions.archive.closes({ ...wanted, limit: limit - intervals.length });
    intervals.push(...closes.map((close) => describeClose(log.record.epoch, close)));
    if (intervals.length < limit) continue;
    next = { epoch: log.record.epoch, seq: closes.at(-1)?.seq ?? afterSeq };
    break;
  }
  return { channel, intervals, next: nextPage(`/devices/${toHex(deviceKey)}/intervals`, query, next) };
}

/** Stored readings of one channel from a time on, in log order: `{channel, readings, next}`. */
export async function listReadings(
  questions: Questions,
  deviceKey: Uint8Array,
  query: Query,
): Promise<object> {
  requireKnown(query, ["channel", "from", "limit", "after"]);
  const channel = requiredText(query, "channel");
  const limit = limitOf(query, MAX_READINGS, DEFAULT_READINGS);
  const fromMs = timeOf(query, "from", 0);
  const readings: object[] = [];
  let next: Cursor | undefined;
  for (const { log, afterSeq } of logsAfter(await channelLogs(questions, deviceKey, channel), query)) {
    const wanted = { log: log.record.log, channel: log.channel, fromMs, afterSeq };
    const page = await questions.archive.readings({ ...wanted, limit: limit - readings.length });
    readings.push(...page.readings.map((reading) => describeReading(log.record.epoch, reading)));
    if (page.scannedTo === undefined && readings.length < limit) continue;
    next = { epoch: log.record.epoch, seq: page.scannedTo ?? page.readings.at(-1)?.seq ?? afterSeq };
    break;
  }
  return { channel, readings, next: nextPage(`/devices/${toHex(deviceKey)}/readings`, query, next) };
}

async function channelLogs(
  questions: Questions,
  deviceKey: Uint8Array,
  channel: string,
): Promise<LogChannel[]> {
  return logsWithChannel(await logsOf(questions, deviceKey), channel);
}

/** The logs that are not wholly behind the cursor, each with where to go on in it. */
function logsAfter(
  logs: readonly LogChannel[],
  query: Query,
): { readonly log: LogChannel; readonly afterSeq: number }[] {
  const cursor = cursorOf(query);
  return logs
    .filter((log) => log.record.epoch >= cursor.epoch)
    .map((log) => ({ log, afterSeq: log.record.epoch === cursor.epoch ? cursor.seq : -1 }));
}

function nextPage(path: string, query: Query, next: Cursor | undefined): string | null {
  if (next === undefined) return null;
  return `${path}?${new URLSearchParams({ ...query, after: `${next.epoch}.${next.seq}` })}`;
}

function describeClose(epoch: number, close: IntervalClose): object {
  const { openingImportMwh, closingImportMwh, openingExportMwh, closingExportMwh } = close;
  const { seq, channel, t0Ms, t1Ms, count, minPowerMw, maxPowerMw, statusUnion } = close;
  return {
    ...{ epoch, seq, channel, t0: isoTime(t0Ms), t1: isoTime(t1Ms), t0Ms, t1Ms },
    ...{ openingImportMwh, closingImportMwh, openingExportMwh, closingExportMwh },
    importWh: wattHours(openingImportMwh, closingImportMwh),
    exportWh: wattHours(openingExportMwh, closingExportMwh),
    ...{ shape: shapeWords(close.shape ?? 0), count, minPowerMw, maxPowerMw, statusUnion },
  };
}

/** Whole Wh as evidence counts them: floor(closing/1000) - floor(opening/1000), so that sums never drift. */
function wattHours(openingMwh: number | undefined, closingMwh: number | undefined): number | undefined {
  if (openingMwh === undefined || closingMwh === undefined) return undefined;
  return Math.floor(closingMwh / 1000) - Math.floor(openingMwh / 1000);
}

function shapeWords(shape: number): string[] {
  return Object.entries(CLOSE_SHAPE)
    .filter(([, bit]) => (shape & bit) !== 0)
    .map(([name]) => name);
}

function describeReading(epoch: number, reading: ReadingLeaf): object {
  const { seq, timeMs, timeQuality, importMwh, exportMwh, activePowerMw, status } = reading;
  const time = isoTime(timeMs);
  return { epoch, seq, time, timeMs, timeQuality, importMwh, exportMwh, activePowerMw, status };
}
