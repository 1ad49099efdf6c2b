import type { Problem } from "../../attest/problem.ts";
import type { MeterIdentity } from "../driver.ts";
import type { SerialFormat } from "../line/address.ts";
import type { CreateLine } from "../line/create.ts";
import type { OpenLine } from "../modbus/line.ts";
import type { LineSettings } from "../modbus/settings.ts";
import type { Listening } from "../telegram/protocol.ts";
import type { Talk } from "../telegram/talk.ts";
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
  readonly meters: MeterTerms;
}

/** How meters are found that do not speak Modbus. */
export interface MeterTerms {
  /** Those that speak by themselves on a serial line; without any, nobody listens before asking. */
  readonly speakers: readonly Listening[];
  /** Those that answer on a serial line, in the order in which they are asked. */
  readonly askers: readonly MeterAsker[];
  /** Those that send into the network without being asked; each gives what it has heard until it is aborted. */
  readonly senders: readonly NetworkSender[];
  /** Makes the line that is listened to or asked over, each time anew. */
  readonly createLine: CreateLine;
  readonly times: ListenTimes;
}

export interface ListenTimes {
  /** Silence that ends a burst of bytes. */
  readonly gapMs: number;
  /** What is allowed beyond a meter's period until its first byte is there. */
  readonly marginMs: number;
  /** What a telegram takes on the wire at most. */
  readonly telegramMs: number;
  /** How long meters that send into the network are listened for. */
  readonly sendersMs: number;
}

/** How one kind of meter that answers is found. */
export interface MeterAsker {
  /** The driver's name in the catalogue. */
  readonly driver: string;
  /** Settings at which it is asked, in order. */
  readonly formats: readonly SerialFormat[];
  /** What the driver takes a line's settings for that its address does not say. */
  readonly ownFormat: SerialFormat;
  /** What is known of the wire, in words: "a mode C identification". */
  readonly because: string;
  /** How long it takes to see that nobody answers. */
  silentMs(format: SerialFormat): number;
  /** Whoever answers is asked no longer than this. */
  readonly longestMs: number;
  ask(talk: Talk, format: SerialFormat): Promise<readonly AnsweringMeter[]>;
}

export interface AnsweringMeter {
  readonly identity: MeterIdentity;
  /** The driver's keys beside the line, such as its address there. */
  readonly options: MeterOptions;
  /** Why the driver does not read it, in words; absent where it does. */
  readonly unfit?: string;
}

/** Keys of a driver's configuration. */
export type MeterOptions = Readonly<Record<string, string | number>>;

/** How one kind of meter that sends into the network is found. */
export interface NetworkSender {
  readonly driver: string;
  /** How messages call what is listened to. */
  readonly where: string;
  /** What is known of the wire, in words. */
  readonly because: string;
  /** What has been heard within `ms`. Throws Problem `line-…` where nothing can be heard. */
  listen(signal: AbortSignal, ms: number): Promise<readonly SendingMeter[]>;
}

export interface SendingMeter {
  /** Where it sends from. */
  readonly host: string;
  readonly identity: MeterIdentity;
  readonly options: MeterOptions;
}

/** A meter that was found without Modbus. */
export interface FoundMeter {
  readonly driver: string;
  readonly place: MeterPlace;
  /** How it showed itself. */
  readonly how: "listened" | "asked";
  /** What it was recognised by, in words. */
  readonly because: string;
  /** Absent where it did not say who it is. */
  readonly identity?: MeterIdentity;
  /** It says nothing to whoever has not the key. */
  readonly encrypted: boolean;
  /** What the configuration has to say, beside a key, before the driver reads it, in words. */
  readonly needs?: string;
  /** The driver's keys beside the place. */
  readonly options: MeterOptions;
  /** Why the driver does not read it, in words. */
  readonly unfit?: string;
}

export type MeterPlace =
  | {
      readonly kind: "serial";
      readonly path: string;
      readonly format: SerialFormat;
      /** What the driver takes settings for that the line's address does not say. */
      readonly ownFormat: SerialFormat;
    }
  | { readonly kind: "network"; readonly host: string };

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
