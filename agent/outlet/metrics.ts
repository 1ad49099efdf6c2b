import {
  type BusStatistics,
  LATENCY_BOUNDS_MS,
  type UnitStatistics,
} from "../../drivers/modbus/statistics.ts";
import { Exposition, type Row } from "../../runtime/exposition.ts";
import type { JournalStatus } from "../journal/journal-status.ts";
import { REASON_CODES } from "../quality/reason.ts";
import { addEnclosures } from "./enclosure-metrics.ts";
import type { ChannelReport, JudgedReport } from "./report.ts";

/** More channels than these share the series "other": whoever collects them must not be flooded. */
const MOST_CHANNELS = 256;
const KNOWN_CODES: ReadonlySet<string> = new Set(REASON_CODES);

/** A report as a Prometheus server reads it; units are its base units (seconds, bytes). */
export function expose(report: JudgedReport): Exposition {
  const exposition = new Exposition();
  addProcess(exposition, report);
  addReadings(exposition, report);
  addDevices(exposition, report);
  addLines(exposition, report.lines);
  addUnits(exposition, report.lines);
  addLog(exposition, report);
  addNodes(exposition, report);
  addOutlets(exposition, report);
  addEnclosures(exposition, report);
  return exposition;
}

function addProcess(to: Exposition, report: JudgedReport): void {
  const { attention, process, uptimeMs, version } = report;
  const codes = [...new Set(attention.map(({ code }) => code))];
  to.gauge({ name: "kilowitness_info", help: "1, with the versions as labels" }, [
    [{ version, node_version: process.node }, 1],
  ])
    .gauge({ name: "kilowitness_healthy", help: "1 while readings are taken, sealed and written" }, [
      one(attention.some(({ failing }) => failing) ? 0 : 1),
    ])
    .gauge(
      { name: "kilowitness_attention", help: "things that somebody should look at, by code" },
      codes.map((code) => [{ code }, attention.filter((item) => item.code === code).length]),
    )
    .gauge({ name: "kilowitness_uptime_seconds", help: "time since the agent started" }, [
      one(seconds(uptimeMs)),
    ])
    .gauge({ name: "kilowitness_resident_memory_bytes", help: "memory that the process holds" }, [
      one(process.rssBytes),
    ])
    .gauge(
      {
        name: "kilowitness_clock_quality",
        help: "0 unknown, 1 since boot, 2 set, 3 synchronised, 4 confirmed by a node",
      },
      [one(report.clock.timeQuality)],
    );
}

function addReadings(to: Exposition, { devices }: JudgedReport): void {
  const channels = devices.flatMap((device) => device.channels);
  const shown = channels.slice(0, MOST_CHANNELS);
  to.counter(
    {
      name: "kilowitness_readings_total",
      help: "readings by what became of them, and for which reason where there was one",
    },
    merged(
      channels.flatMap((channel, at) => readingRows(channel, at < MOST_CHANNELS ? channel.name : "other")),
    ),
  ).gauge(
    { name: "kilowitness_reading_age_seconds", help: "time since the channel's last accepted reading" },
    shown.flatMap(({ name, ageMs }): Row[] =>
      ageMs === undefined ? [] : [[{ channel: name }, seconds(ageMs)]],
    ),
  );
}

/** Held and rejected readings by reason, and without one as far as none was counted for them. */
function readingRows({ accepted, held, rejected, reasons }: ChannelReport, channel: string): Row[] {
  const row = (outcome: string, reason: string, count: number): Row => [{ channel, outcome, reason }, count];
  const explained = (outcome: string): number =>
    reasons.reduce((sum, reason) => sum + (reason.outcome === outcome ? reason.count : 0), 0);
  return [
    row("accepted", "", accepted),
    row("held", "", Math.max(0, held - explained("held"))),
    row("rejected", "", Math.max(0, rejected - explained("rejected"))),
    ...reasons.map(({ outcome, code, count }) => row(outcome, KNOWN_CODES.has(code) ? code : "other", count)),
  ];
}

/** Rows of the same labels as one, with their sum. */
function merged(rows: readonly Row[]): Row[] {
  const sums = new Map<string, Row>();
  for (const [labels, value] of rows) {
    const key = JSON.stringify(labels);
    sums.set(key, [labels, value + (sums.get(key)?.[1] ?? 0)]);
  }
  return [...sums.values()];
}

function addDevices(to: Exposition, { devices }: JudgedReport): void {
  const each = (of: (device: JudgedReport["devices"][number]) => number): Row[] =>
    devices.map((device) => [{ device: device.id }, of(device)]);
  to.gauge(
    { name: "kilowitness_device_online", help: "1 while the device answers" },
    devices.map(({ id, driver, online }) => [{ device: id, driver }, online ? 1 : 0]),
  )
    .counter(
      { name: "kilowitness_device_reads_total", help: "good snapshots, thinned-out telegrams among them" },
      each(({ sampling }) => sampling.reads),
    )
    .counter(
      {
        name: "kilowitness_device_failures_total",
        help: "failed reads, refused telegrams and lost lines, by code",
      },
      devices.flatMap(({ id, sampling }) =>
        Object.entries(sampling.failures).map(([code, count]): Row => [{ device: id, code }, count]),
      ),
    )
    .counter(
      {
        name: "kilowitness_device_skipped_total",
        help: "slots that passed while a read was still under way",
      },
      each(({ sampling }) => sampling.skipped),
    )
    .counter(
      { name: "kilowitness_device_rereads_total", help: "reads that were made once more because of a doubt" },
      each(({ sampling }) => sampling.rereads),
    )
    .counter(
      { name: "kilowitness_device_reopened_total", help: "times that the device's driver was opened anew" },
      each(({ sampling }) => sampling.reopened),
    );
}

function addLines(to: Exposition, lines: readonly BusStatistics[]): void {
  const each = (of: (line: BusStatistics) => number): Row[] =>
    lines.map((line) => [{ line: line.line }, of(line)]);
  to.gauge(
    { name: "kilowitness_modbus_waiting", help: "requests that wait for the line now" },
    each(({ waiting }) => waiting),
  )
    .counter(
      { name: "kilowitness_modbus_connections_total", help: "connections opened since the line was opened" },
      each(({ connections }) => connections),
    )
    .counter(
      { name: "kilowitness_modbus_connect_failures_total", help: "connections that could not be opened" },
      each(({ connectFailures }) => connectFailures),
    )
    .counter(
      { name: "kilowitness_modbus_recoveries_total", help: "times that the line was drained after a fault" },
      each(({ recoveries }) => recoveries),
    );
}

interface Unit {
  readonly labels: { readonly line: string; readonly unit: string };
  readonly statistics: UnitStatistics;
}

function addUnits(to: Exposition, lines: readonly BusStatistics[]): void {
  const units = lines.flatMap(({ line, units: onLine }) =>
    [...onLine].map(([unit, statistics]): Unit => ({ labels: { line, unit: String(unit) }, statistics })),
  );
  to.counter(
    { name: "kilowitness_modbus_requests_total", help: "requests sent to the unit, echoes not counted" },
    units.map(({ labels, statistics }) => [labels, statistics.requests]),
  )
    .counter(
      {
        name: "kilowitness_modbus_replies_total",
        help: "requests that the unit answered, exceptions included",
      },
      units.map(({ labels, statistics }) => [labels, statistics.replies]),
    )
    .counter(
      { name: "kilowitness_modbus_errors_total", help: "requests that failed, by code" },
      units.flatMap(({ labels, statistics }) =>
        [...statistics.errors].map(([code, count]): Row => [{ ...labels, code }, count]),
      ),
    )
    .histogram(
      {
        name: "kilowitness_modbus_latency_seconds",
        help: "from a request's first byte to its checked reply",
      },
      LATENCY_BOUNDS_MS.map(seconds),
      units.map(({ labels, statistics: { latency } }) => ({
        ...{ labels, buckets: latency.buckets, sum: latency.sumMs / 1000 },
      })),
    );
}

function addLog(to: Exposition, { log, journal, epoch }: JudgedReport): void {
  const { written, freeBytes, bytes } = journal;
  to.gauge({ name: "kilowitness_log_epoch", help: "epoch of the log that is written now" }, [one(epoch)])
    .gauge({ name: "kilowitness_log_leaves", help: "entries of the log" }, [one(log.leaves)])
    .gauge({ name: "kilowitness_log_durable_leaves", help: "entries that are on the disk" }, [
      one(log.durableLeaves),
    ])
    .gauge({ name: "kilowitness_log_signed_leaves", help: "entries under a signed checkpoint" }, [
      one(log.signedLeaves),
    ])
    .gauge(
      { name: "kilowitness_checkpoint_age_seconds", help: "time since the last signature of this run" },
      optional(log.signedAgoMs, seconds),
    )
    .gauge({ name: "kilowitness_journal_bytes", help: "the journal with its write-ahead log" }, [one(bytes)])
    .gauge(
      { name: "kilowitness_journal_free_bytes", help: "free on the journal's file system" },
      optional(freeBytes),
    )
    .gauge(
      { name: "kilowitness_disk_written_bytes", help: "written to disks within the window, 24 h at most" },
      optional(written?.bytes),
    )
    .gauge(
      { name: "kilowitness_disk_written_window_seconds", help: "length of that window" },
      optional(written?.overMs, seconds),
    );
  addKeeping(to, journal.keeping);
}

function addKeeping(to: Exposition, keeping: JournalStatus | undefined): void {
  to.gauge(
    { name: "kilowitness_journal_left_bytes", help: "what readings may still take" },
    optional(keeping?.leftBytes),
  )
    .gauge(
      { name: "kilowitness_journal_pace", help: "one sample of so many is sealed; 0: none" },
      optional(keeping?.pace),
    )
    .gauge(
      { name: "kilowitness_journal_frames_bytes", help: "raw frames that are kept for audits" },
      optional(keeping?.frames.bytes),
    )
    .counter(
      { name: "kilowitness_samples_left_out_total", help: "samples not sealed because room was short" },
      optional(keeping?.leftOut),
    )
    .counter(
      { name: "kilowitness_readings_released_total", help: "readings that every node has, cleared away" },
      optional(keeping?.released),
    );
}

function addNodes(to: Exposition, { nodes }: JudgedReport): void {
  to.gauge(
    { name: "kilowitness_uplink_connected", help: "1 while the node is connected" },
    nodes.map(({ url, connected }) => [{ node: url }, connected ? 1 : 0]),
  )
    .gauge(
      {
        name: "kilowitness_uplink_unreceipted_leaves",
        help: "signed entries that the node has not receipted",
      },
      nodes.map(({ url, unreceiptedLeaves }) => [{ node: url }, unreceiptedLeaves]),
    )
    .gauge(
      {
        name: "kilowitness_uplink_receipt_age_seconds",
        help: "time since the node's last receipt in this run",
      },
      nodes.flatMap(({ url, lastReceiptAgeMs }): Row[] =>
        lastReceiptAgeMs === undefined ? [] : [[{ node: url }, seconds(lastReceiptAgeMs)]],
      ),
    );
}

function addOutlets(to: Exposition, { outlets: { mqtt } }: JudgedReport): void {
  if (mqtt === undefined) return;
  to.gauge({ name: "kilowitness_mqtt_connected", help: "1 while the broker is connected" }, [
    one(mqtt.working ? 1 : 0),
  ])
    .counter(
      { name: "kilowitness_mqtt_published_total", help: "messages handed to the broker's connection" },
      [one(mqtt.published)],
    )
    .counter(
      { name: "kilowitness_mqtt_skipped_total", help: "rounds left out because the broker was slow" },
      [one(mqtt.skipped)],
    );
}

function one(value: number): Row {
  return [{}, value];
}

function optional(value: number | undefined, as: (value: number) => number = (same) => same): Row[] {
  return value === undefined ? [] : [one(as(value))];
}

function seconds(ms: number): number {
  return ms / 1000;
}
