import { CHANNEL_ROLES, type ChannelRole } from "../../attest/reading.ts";
import type { ChannelDescription } from "../../drivers/driver.ts";
import { modbusLines } from "../../drivers/modbus/registry.ts";
import { VERSION } from "../../runtime/version.ts";
import type { AgentConfig, DeviceConfig } from "../config/config.ts";
import type { SamplingStatistics } from "../sampling/condition.ts";
import type { AgentStatus, ChannelStatus } from "../status.ts";
import type { UplinkStatus } from "../uplink/uplink.ts";
import type { DeviceObserver } from "./device-observer.ts";
import { type DiskWrites, journalFiles } from "./disk.ts";
import type { LogMemory } from "./log-memory.ts";
import type { AgentView, ChannelReport, DeviceReport, NodeReport, Outlets, Report } from "./report.ts";
import { withoutSecrets } from "./shown-url.ts";

/** Where a report comes from. */
export interface ReportSources {
  readonly config: AgentConfig;
  readonly agent: AgentView;
  readonly observer: DeviceObserver;
  readonly memory: LogMemory;
  readonly writes: DiskWrites;
  readonly outlets: () => Outlets;
  /** When the agent was made, on the clock of `performance.now`. */
  readonly startedMs: number;
}

/** How everything stands now. Asks the journal's file system, and otherwise only memory. */
export function buildReport(sources: ReportSources): Report {
  const { config, agent, memory, writes } = sources;
  const status = agent.status();
  const { clock, signedAgoMs, signingWaits } = agent.vitals();
  const written = writes.written();
  const uptimeMs = Math.floor(performance.now() - sources.startedMs);
  const { size, durable, signed } = status.log;
  return {
    ...{ atMs: status.atMs, version: VERSION, startedAtMs: status.atMs - uptimeMs, uptimeMs },
    ...{ network: config.network, deviceKey: status.deviceKey, epoch: status.epoch },
    devices: deviceReports(sources, status),
    log: {
      ...{ leaves: size, durableLeaves: durable, signedLeaves: signed, signingWaits },
      ...(signedAgoMs === undefined ? {} : { signedAgoMs }),
    },
    journal: {
      ...journalFiles(config.journal),
      ...(written === undefined ? {} : { written }),
      ...(status.journal === undefined ? {} : { keeping: status.journal }),
    },
    nodes: status.nodes.map((node) => nodeReport(node, status)),
    clock,
    ...(status.control === undefined ? {} : { control: status.control }),
    ...(status.panel === undefined ? {} : { panel: status.panel }),
    failures: memory.failures(),
    lines: modbusLines.statistics(),
    outlets: sources.outlets(),
    process: { rssBytes: process.memoryUsage.rss(), node: process.version },
  };
}

/** The devices alone, for outlets that look every second. */
export function deviceReports(sources: ReportSources, status: AgentStatus): DeviceReport[] {
  const { samplings } = sources.agent.vitals();
  return sources.config.devices.flatMap((device, index) => {
    const statistics = samplings[index];
    return statistics === undefined ? [] : [deviceReport(sources, { device, statistics, status })];
  });
}

interface DeviceParts {
  readonly device: DeviceConfig;
  readonly statistics: SamplingStatistics;
  readonly status: AgentStatus;
}

function deviceReport(
  { observer, memory }: ReportSources,
  { device, statistics, status }: DeviceParts,
): DeviceReport {
  const { identity, channels, problem, stepsMwh } = observer.of(device.id);
  const { failures, online, ...sampling } = statistics;
  return {
    ...{ id: device.id, driver: device.definition.name, intervalMs: device.intervalMs, online },
    ...identity,
    ...(problem === undefined || online ? {} : { problem }),
    sampling: { ...sampling, failures: Object.fromEntries(failures) },
    channels: channels.flatMap((description) => {
      const name = nameInLog(device, description.name);
      const found = status.channels.find((candidate) => candidate.name === name);
      return found === undefined
        ? []
        : [
            channelReport(found, {
              description,
              memory,
              atMs: status.atMs,
              stepMwh: stepsMwh?.get(description.name),
            }),
          ];
    }),
  };
}

/** As the intake names it. */
function nameInLog(device: DeviceConfig, channel: string): string {
  return device.channels[channel]?.name ?? `${device.id}/${channel}`;
}

interface ChannelSources {
  readonly description: ChannelDescription;
  readonly memory: LogMemory;
  readonly atMs: number;
  readonly stepMwh: number | undefined;
}

function channelReport(
  { number: _, role, reasons = [], ...status }: ChannelStatus,
  beside: ChannelSources,
): ChannelReport {
  const lastReason = beside.memory.reasonOf(status.name);
  const { acceptedAtMs = beside.atMs, acceptedAgoMs = Math.max(0, beside.atMs - acceptedAtMs) } = status;
  const { name: channel, quantities } = beside.description;
  return {
    ...status,
    ...{ role: knownRole(role), channel, quantities, reasons },
    ...(beside.stepMwh === undefined ? {} : { resolutionMwh: beside.stepMwh }),
    ...(status.acceptedAtMs === undefined ? {} : { ageMs: acceptedAgoMs }),
    ...(lastReason === undefined ? {} : { lastReason }),
  };
}

function knownRole(role: string): ChannelRole {
  return isRole(role) ? role : "load";
}

function isRole(role: string): role is ChannelRole {
  return role in CHANNEL_ROLES;
}

function nodeReport({ url, lastReceiptMs, problem, ...node }: UplinkStatus, status: AgentStatus): NodeReport {
  const shown = withoutSecrets(url);
  return {
    ...{ url: shown, nodeKey: node.nodeKey, connected: node.connected },
    receiptedLeaves: node.receiptedSize,
    unreceiptedLeaves: Math.max(0, status.log.signed - node.receiptedSize),
    // Taken on the same clock that is never set.
    ...(lastReceiptMs === undefined ? {} : { lastReceiptAgeMs: ageOf(lastReceiptMs) }),
    ...(problem === undefined ? {} : { problem: problem.replaceAll(url, shown) }),
  };
}

function ageOf(onMonotonicClockMs: number): number {
  return Math.max(0, Math.floor(performance.timeOrigin + performance.now() - onMonotonicClockMs));
}
