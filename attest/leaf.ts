/**
 * What a device can say: one interface per kind of leaf. `docs/evidence-format.md` gives the bytes; the field
 * tables in leaf-fields.ts tie each property here to its key there. Integers, units in the names, + is into
 * the metered boundary. Optional means absent on the wire, never zero.
 */

import type { CborValue } from "./cbor.ts";
import type { LeafCommon } from "./leaf-common.ts";
import type {
  Acknowledgement,
  Actuation,
  Challenge,
  Commitment,
  Dispatch,
  FlexibilityLeaf,
  Offer,
  Settlement,
} from "./leaf-flexibility.ts";

/** All kind numbers. 32-63 are free for others to use. */
export const LEAF_KINDS = {
  reading: 0,
  logManifest: 1,
  channelManifest: 2,
  intervalClose: 3,
  discontinuity: 4,
  clockStep: 5,
  anchor: 6,
  tombstone: 7,
  tamper: 8,
  epochOpen: 9,
  operatorAction: 10,
  flexibility: 11,
  offer: 12,
  commitment: 13,
  dispatch: 14,
  challenge: 15,
  acknowledgement: 16,
  actuation: 17,
  settlement: 18,
} as const;
export type LeafKind = keyof typeof LEAF_KINDS;

/** How well the writer knew the time. At `none` and `sinceBoot` a time is ms since boot, not UTC. */
export const TIME_QUALITY = { none: 0, sinceBoot: 1, batteryClock: 2, ntp: 3, anchored: 4 } as const;

/** Below this quality a time is not UTC and no interval is closed. */
export const KNOWN_TIME: number = TIME_QUALITY.batteryClock;

/** Bits of {@link ChannelManifest.registers}. */
export const REGISTER = { import: 1, export: 2 } as const;

/** Bits of {@link IntervalClose.shape}; absent means one plain interval between two boundaries. */
export const CLOSE_SHAPE = {
  /** Spans more than one interval because a boundary between had no reading; indivisible. */
  coarse: 1,
  /** First close of a chain: t0 is the time of the opening reading, seldom a boundary. */
  opensChain: 2,
  /** Ends a chain at the last good register: t1 is the time of the closing reading, not a boundary. */
  endsChain: 4,
  /** The clock was lost within it: t0 is where the channel stood on the clock before. Bit 8 is not assigned. */
  bridges: 16,
} as const;

export const DISCONTINUITY = {
  registerReset: 1,
  rollover: 2,
  meterReplaced: 3,
  settingsChanged: 4,
  gap: 5,
  counterDowntime: 6,
} as const;

export interface ReadingLeaf extends LeafCommon {
  readonly kind: "reading";
  readonly channel: number;
  readonly importMwh?: number;
  readonly exportMwh?: number;
  readonly activePowerMw?: number;
  readonly stateOfChargePpm?: number;
  readonly voltageMv?: readonly number[];
  readonly currentMa?: readonly number[];
  readonly frequencyMhz?: number;
  readonly meterTimeMs?: number;
  /** First 16 bytes of SHA-256 of the raw frame or register block. */
  readonly evidence?: Uint8Array;
  readonly resolutionMwh?: number;
}

export interface LogManifest extends LeafCommon {
  readonly kind: "logManifest";
  readonly network: string;
  readonly epoch: number;
  readonly deviceKey: Uint8Array;
  readonly agentVersion: string;
  readonly assuranceTier: number;
  readonly bootCount: number;
  readonly site?: string;
  /** Grid or bidding zone, such as an EIC code. */
  readonly gridZone?: string;
  readonly timeZone?: string;
  readonly consentReference?: string;
  readonly recoveryKey?: Uint8Array;
  /** Length of the market interval in ms. */
  readonly intervalMs: number;
}

export interface ChannelManifest extends LeafCommon {
  readonly kind: "channelManifest";
  readonly channel: number;
  /** A number of CHANNEL_ROLES. */
  readonly role: number;
  readonly energySource?: string;
  readonly technology?: string;
  readonly make: string;
  readonly model: string;
  readonly serial: string;
  readonly accuracyClass?: string;
  readonly commissioned?: string;
  readonly firmware?: string;
  /** Numerator and denominator. */
  readonly ctRatio?: readonly number[];
  readonly vtRatio?: readonly number[];
  readonly phaseMapping?: string;
  readonly driver: string;
  readonly profileDigest?: Uint8Array;
  readonly resolutionMwh?: number;
  readonly maxImportMw?: number;
  readonly maxExportMw?: number;
  /** 1: what it measures is injected into the grid, 2: used on site. */
  readonly use?: number;
  readonly samplingMs: number;
  /** The installer's name of the channel, such as "roof/inverter". */
  readonly name: string;
  /** OR of {@link REGISTER}: which energy registers its readings carry. */
  readonly registers: number;
}

export interface IntervalClose extends LeafCommon {
  readonly kind: "intervalClose";
  readonly channel: number;
  readonly t0Ms: number;
  readonly t1Ms: number;
  readonly openingImportMwh?: number;
  readonly closingImportMwh?: number;
  readonly openingExportMwh?: number;
  readonly closingExportMwh?: number;
  readonly openingSeq: number;
  readonly closingSeq: number;
  /** Readings since the chain opened or last closed, also those without registers; the opening one is not counted. */
  readonly count: number;
  readonly minPowerMw?: number;
  readonly maxPowerMw?: number;
  readonly statusUnion?: number;
  readonly lastDiscontinuitySeq?: number;
  readonly manifestSeq: number;
  readonly manifestHash: Uint8Array;
  readonly previousCloseSeq?: number;
  /** The last clock step of the log before this close, if there was one. */
  readonly lastClockStepSeq?: number;
  /** The last leaf of a kind from 32 to 63 since the channel was opened, of whatever channel. */
  readonly lastOpaqueSeq?: number;
  /** OR of {@link CLOSE_SHAPE}. */
  readonly shape?: number;
}

export interface Discontinuity extends LeafCommon {
  readonly kind: "discontinuity";
  readonly channel: number;
  /** A number of {@link DISCONTINUITY}. */
  readonly classification: number;
  readonly oldImportMwh?: number;
  readonly newImportMwh?: number;
  readonly oldExportMwh?: number;
  readonly newExportMwh?: number;
  readonly gapFromMs: number;
  readonly gapToMs: number;
  readonly previousDiscontinuitySeq?: number;
}

/** The clock was set: the leaf's own time is what the new clock shows. */
export interface ClockStep extends LeafCommon {
  readonly kind: "clockStep";
  /** What the old clock showed at the same instant. */
  readonly beforeMs: number;
  readonly beforeQuality: number;
}

/** A node's receipt, kept in the device's own log: what follows is younger than it. */
export interface Anchor extends LeafCommon {
  readonly kind: "anchor";
  readonly nodeKey: Uint8Array;
  readonly receiptHash: Uint8Array;
  readonly receivedAtMs: number;
  readonly receiptSize: number;
}

export interface Tombstone extends LeafCommon {
  readonly kind: "tombstone";
  readonly firstSeq: number;
  readonly count: number;
  readonly reason: string;
}

export interface Tamper extends LeafCommon {
  readonly kind: "tamper";
  readonly input: string;
  /**
   * 1 opened, 2 closed, 3 unwatched: nobody watches the input any more, or could not begin to, and what happens to it
   * before its next leaf is not known.
   */
  readonly state: number;
}

/** First leaf but one of every epoch after the first: which log this one continues, and why. */
export interface EpochOpen extends LeafCommon {
  readonly kind: "epochOpen";
  readonly oldLogId?: Uint8Array;
  readonly oldSize?: number;
  readonly oldRoot?: Uint8Array;
  /**
   * The largest size that the device ever signed in the old log, where it knows that for sure: a checkpoint above it
   * shows that the closed log lived on. Absent after a restore, when nobody can know.
   */
  readonly oldSignedSize?: number;
  readonly reason: string;
}

export interface OperatorAction extends LeafCommon {
  readonly kind: "operatorAction";
  readonly action: string;
  readonly subject?: Uint8Array;
}

/** Kinds 32-63, unknown to this version: hashed and receipted, never interpreted. */
export interface OpaqueLeaf extends LeafCommon {
  readonly kind: "opaque";
  readonly number: number;
  readonly channel?: number;
  /** Every key below 64 that is not a common one, as decoded. */
  readonly body: ReadonlyMap<number, CborValue>;
}

export type Leaf =
  | ReadingLeaf
  | LogManifest
  | ChannelManifest
  | IntervalClose
  | Discontinuity
  | ClockStep
  | Anchor
  | Tombstone
  | Tamper
  | EpochOpen
  | OperatorAction
  | FlexibilityLeaf
  | Offer
  | Commitment
  | Dispatch
  | Challenge
  | Acknowledgement
  | Actuation
  | Settlement
  | OpaqueLeaf;

/** A leaf before the log has given it its place: no seq and no salt yet. */
export type Unplaced<L extends Leaf = Leaf> = L extends Leaf ? Omit<L, "seq" | "salt"> : never;
