import type { ChannelRole } from "../../attest/reading.ts";
import type { ChannelDescription } from "../../drivers/driver.ts";
import type { BusStatistics } from "../../drivers/modbus/statistics.ts";
import type { Instant } from "../clock/clock.ts";
import type { ControlStatus } from "../flexibility/control-report.ts";
import type { JournalStatus } from "../journal/journal-status.ts";
import type { PanelStatus } from "../panel/panel-status.ts";
import type { SamplingStatistics } from "../sampling/condition.ts";
import type { AgentStatus, ChannelStatus, ReasonCount } from "../status.ts";
import type { DeviceProblem } from "./device-observer.ts";
import type { JournalFiles, Written } from "./disk.ts";
import type { OpenFailure, SaidReason } from "./log-memory.ts";

/** What the agent shows of itself beside its status. */
export interface AgentVitals {
  readonly clock: Instant;
  /** One for each configured device, in their order. */
  readonly samplings: readonly SamplingStatistics[];
  /** Since the last signature of this run. */
  readonly signedAgoMs?: number;
  /** Nothing is signed before the nodes have shown what they hold. */
  readonly signingWaits: boolean;
}

/** The agent, as the outlets see it. */
export interface AgentView {
  status(): AgentStatus;
  vitals(): AgentVitals;
}

/** Something that somebody should look at. */
export interface Attention {
  readonly code: string;
  /** A sentence without its full stop. */
  readonly what: string;
  readonly hint?: string;
  /** Whether it keeps a reading from being taken, sealed or signed. */
  readonly failing: boolean;
}

export interface ChannelReport extends Omit<ChannelStatus, "number" | "role" | "reasons"> {
  readonly role: ChannelRole;
  /** The driver's name of it; unique within the device. */
  readonly channel: string;
  readonly quantities: ChannelDescription["quantities"];
  /** Step of its registers, where it is known. */
  readonly resolutionMwh?: number;
  readonly ageMs?: number;
  readonly reasons: readonly ReasonCount[];
  readonly lastReason?: SaidReason;
}

export interface DeviceReport {
  readonly id: string;
  readonly driver: string;
  readonly intervalMs: number;
  readonly online: boolean;
  readonly make?: string;
  readonly model?: string;
  readonly serial?: string;
  readonly firmware?: string;
  /** Why it does not answer, where it has said. */
  readonly problem?: DeviceProblem;
  readonly sampling: Omit<SamplingStatistics, "failures" | "online"> & {
    readonly failures: Readonly<Record<string, number>>;
  };
  readonly channels: readonly ChannelReport[];
}

export interface NodeReport {
  /** Without name, password and query. */
  readonly url: string;
  readonly nodeKey: string;
  readonly connected: boolean;
  readonly receiptedLeaves: number;
  /** Signed leaves that it has not receipted. */
  readonly unreceiptedLeaves: number;
  readonly lastReceiptAgeMs?: number;
  readonly problem?: string;
}

/** One way out of the agent: where it is, and why it does not work. */
export interface OutletReport {
  readonly address: string;
  readonly working: boolean;
  readonly problem?: string;
}

export interface MqttReport extends OutletReport {
  /** Messages that were handed to the broker's connection since the start. */
  readonly published: number;
  /** Rounds that were left out because the broker did not take the ones before. */
  readonly skipped: number;
}

export interface Outlets {
  readonly socket: OutletReport;
  readonly http?: OutletReport;
  readonly mqtt?: MqttReport;
}

/** Everything that can be asked of a running agent; nothing in it is secret. Times in ms, energies in mWh, powers in mW. */
export interface Report {
  readonly atMs: number;
  readonly version: string;
  readonly startedAtMs: number;
  readonly uptimeMs: number;
  readonly network: string;
  readonly deviceKey: string;
  readonly epoch: number;
  readonly devices: readonly DeviceReport[];
  readonly log: {
    readonly leaves: number;
    readonly durableLeaves: number;
    readonly signedLeaves: number;
    readonly signedAgoMs?: number;
    readonly signingWaits: boolean;
  };
  readonly journal: JournalFiles & { readonly written?: Written; readonly keeping?: JournalStatus };
  readonly nodes: readonly NodeReport[];
  readonly clock: Instant;
  /** Only where devices may be told something. */
  readonly control?: ControlStatus;
  /** Only where the configuration names contacts or lamps. */
  readonly panel?: PanelStatus;
  readonly failures: readonly OpenFailure[];
  readonly lines: readonly BusStatistics[];
  readonly outlets: Outlets;
  readonly process: { readonly rssBytes: number; readonly node: string };
}

/** A report with what somebody should look at. */
export interface JudgedReport extends Report {
  readonly attention: readonly Attention[];
}
