import { judged } from "../../../agent/outlet/attention.ts";
import type {
  ChannelReport,
  DeviceReport,
  JudgedReport,
  NodeReport,
  Report,
} from "../../../agent/outlet/report.ts";
import type { EnclosureStatus } from "../../../agent/panel/panel-status.ts";
import type { UnitStatistics } from "../../../drivers/modbus/statistics.ts";

/** Noon of a day in 2026, UTC. */
export const NOW_MS: number = Date.UTC(2026, 10, 1, 12);
export const DEVICE_KEY: string = "ab".repeat(32);

export function channelReport(changes: Partial<ChannelReport> = {}): ChannelReport {
  return {
    ...{ name: "house/grid", channel: "grid", role: "grid", quantities: ["import", "export", "power"] },
    ...{ accepted: 1234, held: 0, rejected: 0, reasons: [], acceptedAtMs: NOW_MS - 3000, ageMs: 3000 },
    ...{ importMwh: 12_345_678_901, exportMwh: 1_000_000, activePowerMw: -1_234_500 },
    ...changes,
  };
}

export function deviceReport(changes: Partial<DeviceReport> = {}): DeviceReport {
  return {
    ...{ id: "meter", driver: "dsmr-p1", intervalMs: 5000, online: true },
    ...{ make: "Landis+Gyr", model: "E350", serial: "E0012345678", firmware: "50" },
    sampling: { reads: 1234, skipped: 1, thinned: 0, rereads: 2, reopened: 3, failures: { "dsmr-crc": 4 } },
    channels: [channelReport()],
    ...changes,
  };
}

export function nodeReport(changes: Partial<NodeReport> = {}): NodeReport {
  return {
    ...{ url: "wss://node.example.org", nodeKey: "cd".repeat(32), connected: true },
    ...{ receiptedLeaves: 1200, unreceiptedLeaves: 0, lastReceiptAgeMs: 12_000 },
    ...changes,
  };
}

export function enclosureStatus(changes: Partial<EnclosureStatus> = {}): EnclosureStatus {
  return {
    ...{ name: "lid", state: "closed", sinceMs: NOW_MS - 7_200_000 },
    ...{ openings: 0, leaves: 1, waiting: 0 },
    ...changes,
  };
}

/** An agent that is well, three hours after its start. */
export function report(changes: Partial<Report> = {}): JudgedReport {
  return judged({
    ...{ atMs: NOW_MS, version: "1.2.3", startedAtMs: NOW_MS - 10_800_000, uptimeMs: 10_800_000 },
    ...{ network: "test", deviceKey: DEVICE_KEY, epoch: 1, devices: [deviceReport()] },
    log: { leaves: 1211, durableLeaves: 1210, signedLeaves: 1200, signedAgoMs: 12_000, signingWaits: false },
    journal: {
      ...{ bytes: 12_345_678, freeBytes: 21e9, written: { bytes: 800_000, overMs: 10_800_000 } },
      keeping: {
        ...{ state: "ok", leftBytes: 4e9, pace: 1, leftOut: 5, released: 6 },
        frames: { bytes: 7000, refused: 0 },
      },
    },
    nodes: [nodeReport()],
    clock: { timeMs: NOW_MS, timeQuality: 3 },
    ...{ failures: [], lines: [], process: { rssBytes: 80_000_000, node: "v24.0.0" } },
    outlets: { socket: { address: "/journal.sock", working: true } },
    ...changes,
  });
}

export function unitStatistics(changes: Partial<UnitStatistics> = {}): UnitStatistics {
  const buckets = [1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 1];
  return {
    ...{ requests: 9, replies: 7, echoes: 1, errors: new Map([["modbus-timeout", 2]]) },
    latency: { count: 7, sumMs: 6123, maxMs: 6000, buckets },
    ...changes,
  };
}
