import type { ControlStatus } from "./flexibility/control-report.ts";
import type { JournalStatus } from "./journal/journal-status.ts";
import type { PanelStatus } from "./panel/panel-status.ts";
import type { UplinkStatus } from "./uplink/uplink.ts";

/** How often readings were doubted for one reason since the start, and what came of them. */
export interface ReasonCount {
  readonly outcome: "held" | "rejected" | "stripped" | "marked" | "discontinuity";
  /** A code of docs/quality-codes.md. */
  readonly code: string;
  readonly count: number;
}

/** One channel as it stands now; values as last accepted. */
export interface ChannelStatus {
  readonly number: number;
  readonly name: string;
  readonly role: string;
  readonly activePowerMw?: number;
  readonly importMwh?: number;
  readonly exportMwh?: number;
  readonly stateOfChargePpm?: number;
  readonly acceptedAtMs?: number;
  /** On a clock that is never set. */
  readonly acceptedAgoMs?: number;
  readonly accepted: number;
  readonly held: number;
  readonly rejected: number;
  /** By outcome and code; held and rejected ones add up to the two numbers above. */
  readonly reasons?: readonly ReasonCount[];
}

/** How the agent stands: what a supervisor, the demo and later a status page show. */
export interface AgentStatus {
  readonly event: "status";
  readonly atMs: number;
  readonly deviceKey: string;
  readonly epoch: number;
  readonly intervalMs: number;
  readonly devices: readonly { readonly id: string; readonly online: boolean; readonly problem?: string }[];
  readonly channels: readonly ChannelStatus[];
  readonly log: {
    /** Leaves, including those not yet durable. */
    readonly size: number;
    /** Leaves that are durable in the journal: sealed. */
    readonly durable: number;
    /** Leaves under a signed checkpoint. */
    readonly signed: number;
  };
  /** How the journal stands on its disk. */
  readonly journal?: JournalStatus;
  readonly nodes: readonly UplinkStatus[];
  /** Only where devices may be told something. */
  readonly control?: ControlStatus;
  /** Only where the configuration names contacts or lamps. */
  readonly panel?: PanelStatus;
}

/** Sent to the parent process for every accepted reading, so that it can count without reading the journal. */
export interface AcceptedEvent {
  readonly event: "accepted";
  readonly channel: string;
  readonly importMwh?: number;
  readonly exportMwh?: number;
  readonly activePowerMw?: number;
}

/** Sent to the parent process each second while a device is leased: without it the parent ends the leases. */
export interface ControlAliveEvent {
  readonly event: "control-alive";
}

export type AgentEvent = AgentStatus | AcceptedEvent | ControlAliveEvent;
