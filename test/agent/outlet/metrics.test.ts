import { describe, expect, it } from "vitest";
import { expose } from "../../../agent/outlet/metrics.ts";
import type { JudgedReport } from "../../../agent/outlet/report.ts";
import { channelReport, deviceReport, enclosureStatus, nodeReport, report, unitStatistics } from "./kit.ts";
import { documentedMetrics, type Sample, samplesOf } from "./prometheus.ts";

async function scraped(from: JudgedReport): Promise<Sample[]> {
  return samplesOf(await expose(from).text());
}

function numberOf(
  samples: readonly Sample[],
  name: string,
  labels: Record<string, string> = {},
): number | undefined {
  return samples.find(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  )?.value;
}

describe("the agent's metrics", () => {
  it("count readings by channel, outcome and reason, each of them once", async () => {
    const channel = channelReport({
      ...{ accepted: 100, held: 7, rejected: 5 },
      reasons: [
        { outcome: "held", code: "register-down", count: 4 },
        { outcome: "held", code: "invented-by-nobody", count: 1 },
        { outcome: "rejected", code: "frequency-range", count: 5 },
        { outcome: "stripped", code: "contradiction", count: 2 },
      ],
    });
    const samples = await scraped(report({ devices: [deviceReport({ channels: [channel] })] }));
    const readings = samples.filter(({ name }) => name === "kilowitness_readings_total");
    expect(readings.map(({ labels, value }) => [labels["outcome"], labels["reason"], value])).toEqual([
      ["accepted", "", 100],
      ["held", "", 2],
      ["rejected", "", 0],
      ["held", "register-down", 4],
      ["held", "other", 1],
      ["rejected", "frequency-range", 5],
      ["stripped", "contradiction", 2],
    ]);
    expect(new Set(readings.map(({ labels }) => labels["channel"]))).toEqual(new Set(["house/grid"]));
    expect(numberOf(samples, "kilowitness_reading_age_seconds", { channel: "house/grid" })).toBe(3);
  });

  it("have a bounded number of series, however many channels there are", async () => {
    const channels = Array.from({ length: 1000 }, (_, at) => channelReport({ name: `c${at}`, accepted: 1 }));
    const samples = await scraped(report({ devices: [deviceReport({ channels })] }));
    const readings = samples.filter(({ name }) => name === "kilowitness_readings_total");
    expect(readings.length).toBe(257 * 3);
    const accepted = readings.filter(({ labels }) => labels["outcome"] === "accepted");
    expect(accepted.reduce((sum, { value }) => sum + value, 0)).toBe(1000);
    expect(numberOf(accepted, "kilowitness_readings_total", { channel: "other" })).toBe(744);
  });

  it("show each Modbus unit's requests, errors and latency as a histogram", async () => {
    const bus = { connections: 2, connectFailures: 1, recoveries: 3, drainedBytes: 0, waiting: 4 };
    const lines = [{ line: "/dev/ttyUSB0", ...bus, units: new Map([[7, unitStatistics()]]) }];
    const samples = await scraped(report({ lines }));
    const unit = { line: "/dev/ttyUSB0", unit: "7" };
    expect(numberOf(samples, "kilowitness_modbus_requests_total", unit)).toBe(9);
    expect(numberOf(samples, "kilowitness_modbus_replies_total", unit)).toBe(7);
    expect(numberOf(samples, "kilowitness_modbus_errors_total", { ...unit, code: "modbus-timeout" })).toBe(2);
    expect(numberOf(samples, "kilowitness_modbus_waiting", { line: "/dev/ttyUSB0" })).toBe(4);
    const latency = "kilowitness_modbus_latency_seconds";
    const buckets = samples.filter(({ name }) => name === `${latency}_bucket`);
    expect(buckets.map(({ labels, value }) => [labels["le"], value])).toEqual([
      ...[
        ["0.005", 1],
        ["0.01", 3],
        ["0.02", 6],
        ["0.05", 6],
        ["0.1", 6],
        ["0.2", 6],
      ],
      ...[
        ["0.5", 6],
        ["1", 6],
        ["2", 6],
        ["5", 6],
        ["+Inf", 7],
      ],
    ]);
    expect(numberOf(samples, `${latency}_sum`, unit)).toBe(6.123);
    expect(numberOf(samples, `${latency}_count`, unit)).toBe(7);
  });

  it("show devices, log, journal, nodes and clock in base units", async () => {
    const devices = [deviceReport(), deviceReport({ id: "roof", online: false, channels: [] })];
    const samples = await scraped(report({ devices, nodes: [nodeReport({ unreceiptedLeaves: 11 })] }));
    const values = (names: readonly string[]) =>
      names.map((name) => numberOf(samples, `kilowitness_${name}`));
    expect(values(["healthy", "uptime_seconds", "clock_quality", "resident_memory_bytes"])).toEqual([
      ...[0, 10_800, 3, 80_000_000],
    ]);
    expect(
      values(["log_leaves", "log_durable_leaves", "log_signed_leaves", "checkpoint_age_seconds"]),
    ).toEqual([...[1211, 1210, 1200, 12]]);
    expect(values(["journal_bytes", "journal_free_bytes", "disk_written_bytes"])).toEqual([
      ...[12_345_678, 21e9, 800_000],
    ]);
    expect(values(["journal_left_bytes", "journal_pace", "journal_frames_bytes"])).toEqual([4e9, 1, 7000]);
    expect(values(["samples_left_out_total", "readings_released_total"])).toEqual([5, 6]);
    expect(values(["uplink_connected", "uplink_unreceipted_leaves", "uplink_receipt_age_seconds"])).toEqual([
      ...[1, 11, 12],
    ]);
    expect(numberOf(samples, "kilowitness_device_online", { device: "meter" })).toBe(1);
    expect(numberOf(samples, "kilowitness_device_online", { device: "roof" })).toBe(0);
    const failures = { device: "meter", code: "dsmr-crc" };
    expect(numberOf(samples, "kilowitness_device_failures_total", failures)).toBe(4);
    expect(numberOf(samples, "kilowitness_attention", { code: "device-offline" })).toBe(1);
  });

  it("say whether an enclosure is open only while somebody watches it", async () => {
    const enclosures = [
      enclosureStatus({ openings: 3 }),
      enclosureStatus({ name: "cover", state: "opened" }),
      enclosureStatus({ name: "door", state: "unwatched" }),
    ];
    const samples = await scraped(report({ panel: { enclosures } }));
    const of = (name: string) =>
      samples
        .filter((sample) => sample.name === `kilowitness_enclosure_${name}`)
        .map(({ labels, value }) => [labels["enclosure"], value]);
    expect(of("open")).toEqual([
      ["lid", 0],
      ["cover", 1],
    ]);
    expect(of("watched").map(([, value]) => value)).toEqual([1, 1, 0]);
    expect(of("openings_total").map(([, value]) => value)).toEqual([3, 0, 0]);
    expect(numberOf(samples, "kilowitness_attention", { code: "enclosure-unwatched" })).toBe(1);
  });

  it("leave out what is not known, and never show it as 0", async () => {
    const { signedAgoMs: _, ...log } = report().log;
    const { lastReceiptAgeMs: __, ...node } = nodeReport();
    const samples = await scraped(report({ log, nodes: [node], journal: { bytes: 1 } }));
    const names = new Set(samples.map(({ name }) => name));
    expect(names).not.toContain("kilowitness_checkpoint_age_seconds");
    expect(names).not.toContain("kilowitness_uplink_receipt_age_seconds");
    expect(names).not.toContain("kilowitness_journal_free_bytes");
    expect(names).not.toContain("kilowitness_journal_pace");
    expect(names).not.toContain("kilowitness_modbus_requests_total");
    expect(names).not.toContain("kilowitness_mqtt_connected");
  });

  it("are those of the page for operators", async () => {
    const bus = { connections: 2, connectFailures: 1, recoveries: 3, drainedBytes: 0, waiting: 4 };
    const lines = [{ line: "/dev/ttyUSB0", ...bus, units: new Map([[7, unitStatistics()]]) }];
    const socket = { address: "/journal.sock", working: true };
    const mqtt = { address: "mqtts://broker", working: false, problem: "refused", published: 1, skipped: 2 };
    const panel = { enclosures: [enclosureStatus()] };
    const text = await expose(report({ lines, outlets: { socket, mqtt }, panel })).text();
    const shown = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    expect(shown.sort()).toEqual(documentedMetrics("The agent's metrics"));
  });
});
