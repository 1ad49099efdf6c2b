import type { Problem } from "../../attest/problem.ts";
import type { OpenLine } from "../modbus/line.ts";
import type { LineSettings } from "../modbus/settings.ts";
import type { KnownProfile } from "./known.ts";
import type { Pace } from "./pace.ts";
import type { Surveyed } from "./who.ts";

/** What opens a line, each time anew, within a deadline; on a serial line the deadline is the silence it has to show. */
export type LineOpener = (line: LineSettings, timeoutMs: number) => OpenLine;

/** What holds for a whole discovery. */
export interface DiscoveryTerms {
  readonly profiles: readonly KnownProfile[];
  /** Every unit, not only likely ones. */
  readonly allUnits: boolean;
  /** All settings of a line though something answered at one of them; all profiles though a device has said its name. */
  readonly thorough: boolean;
  readonly openLine: LineOpener;
  /** Silence between a reply and the next request while it is not known who is asked. */
  readonly gapMs: number;
  /** The same for a device that has answered and then keeps silent when it is asked so soon. */
  readonly slowGapMs: number;
  /** Ends everything early. */
  readonly signal: AbortSignal;
  readonly network: NetworkTimes;
  readonly serial: SerialTimes;
}

export interface NetworkTimes {
  /** Longest wait for a connection. */
  readonly connectMs: number;
  /** Longest wait for a reply. */
  readonly replyMs: number;
  /** Hosts at a time. */
  readonly width: number;
  /** Lets connections and requests through. */
  readonly pace: Pace;
}

export interface SerialTimes {
  /** What a device may take to answer the sweep's short requests, beyond what the bytes take. */
  readonly probeMs: number;
  /** What one that has answered may take for everything else. */
  readonly replyMs: number;
}

/** A unit that answers as nobody else does. */
export interface FoundUnit extends Surveyed {
  /** Units at the same place that answer as this one does: the same device under other numbers. */
  readonly alike: readonly number[];
  /** Units that no register tells from this one. */
  readonly perhapsAlike: readonly number[];
}

/** Why a place that can be reached shows no device. */
export type Nothing =
  /** Takes a connection and answers no request. */
  | "mute"
  /** Answers, but not as Modbus says. */
  | "foreign"
  /** Takes a connection and ends it. */
  | "hung-up"
  /** A gateway that finds none of the units. */
  | "gateway"
  /** Zeros or ones for every unit. */
  | "filler";

/** What was found at one place: a port of a host, or a line with its settings. */
export interface PlaceReport {
  readonly place: LineSettings;
  readonly units: readonly FoundUnit[];
  /** Units that were asked. */
  readonly asked: readonly number[];
  readonly nothing?: Nothing;
  /** What went wrong, if the place was not asked to the end. */
  readonly problem?: Problem;
  readonly requests: number;
}
