import type { IntervalClose, Leaf } from "../../attest/leaf.ts";
import type { OrderRefusedMessage } from "../../attest/messages.ts";
import type { ControlCapability } from "../../drivers/control.ts";
import type { Logger } from "../../runtime/log.ts";
import type { ControlPort } from "../control/types.ts";
import type { UntimedLifecycle } from "../sealing/leaves.ts";

/** Where the log has put a leaf. */
export interface Sealed {
  readonly seq: number;
  readonly timeMs: number;
}

/** A channel that the log has a manifest of. */
export interface FlexChannel {
  readonly number: number;
  /** `id` of its device in the configuration, and the driver's name of the channel. */
  readonly device: string;
  readonly channel: string;
}

/** What the keeping of commitments needs from the agent around it. */
export interface FlexHost {
  /** The device's clock: UTC while {@link FlexHost.clockKnown}. */
  nowMs(): number;
  clockKnown(): boolean;
  /** The clock that is never set, as in {@link ControlPort}. */
  monotonicMs(): number;
  /** Of the present epoch. */
  logId(): Uint8Array;
  /** Length of the log's interval. */
  intervalMs(): number;
  /** IANA name of the site's time zone, where the configuration has it. */
  readonly timeZone?: string;
  /** Every channel that the present epoch has declared. */
  channels(): readonly FlexChannel[];
  /** Appends a leaf, with the time of the device's clock. Throws what the log's rules refuse. */
  seal(leaf: UntimedLifecycle): Sealed;
  /** Makes what was sealed durable, and has it signed and sent soon. */
  commit(): void;
  /**
   * The leaves of this epoch from offer to settlement, by seq: those from `fromMs` on, and whatever lies behind the
   * first of them, since a leaf that was written while the clock was not known has a time of its own.
   */
  lifecycle(fromMs: number): readonly Leaf[];
  /** A leaf of this epoch; undefined where it is not held any more. */
  leaf(seq: number): Leaf | undefined;
  /** The channel's closes that begin in [fromMs, toMs), by seq. */
  closes(channel: number, fromMs: number, toMs: number): readonly IntervalClose[];
  readonly control: ControlPort;
  /** What a device can be told, and about which of its channels; undefined while it is not known. */
  commands(device: string): readonly Pick<ControlCapability, "kind" | "channel" | "leastMs">[] | undefined;
  /** Sends a refusal to a node, where it is connected. */
  refuse(nodeKey: Uint8Array, message: OrderRefusedMessage): void;
  /** Keeps a node's list of its dispatches under a commitment, for proofs. */
  keepList(commitmentSeq: number, list: Uint8Array): void;
  readonly logger: Logger;
}

/** What the configuration says of a channel that flexibility may be committed of. */
export interface OfferSettings {
  readonly device: string;
  /** The driver's name of the channel. */
  readonly channel: string;
  /** A number of BOUNDARY. */
  readonly boundary: number;
  /** A number of DIRECTION. */
  readonly direction: number;
  readonly powerMw: number;
  readonly energyMwh?: number;
  /** Local times of one day, ms since 00:00 as the clock shows them; the end at most 24 hours. */
  readonly fromClockMs: number;
  readonly toClockMs: number;
  readonly daysAhead: number;
  readonly noticeMs: number;
  readonly baselineMethod: string;
}

/** What is offered, and by which calendar days are alike. */
export interface FlexibilityConfig {
  readonly offers: readonly OfferSettings[];
  /** Local days since 1970, ascending. */
  readonly holidays: readonly number[];
  readonly excludedDays: readonly number[];
}

/** What the desk is told of the agent's configuration. */
export interface FlexSettings extends FlexibilityConfig {
  /** Public keys of the nodes with `control: true`. */
  readonly controlNodes: readonly Uint8Array[];
  /** Devices that may be told something, by their `id`. */
  readonly controlled: ReadonlySet<string>;
}
