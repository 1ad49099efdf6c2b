import type { LeafCommon } from "./leaf-common.ts";

/** Flexibility and what follows from it: what a device offers, is bound to, is told, does, and says that it did. */

/** The kinds of leaf that tell the life of a commitment, and of a challenge. */
export const LIFECYCLE_KINDS = [
  "offer",
  "commitment",
  "dispatch",
  "challenge",
  "acknowledgement",
  "actuation",
  "settlement",
] as const;

/** A leaf of one of {@link LIFECYCLE_KINDS}. */
export type LifecycleLeaf =
  | Offer
  | Commitment
  | Dispatch
  | Challenge
  | Acknowledgement
  | Actuation
  | Settlement;

/** What a flexibility leaf and what follows from it are about. */
export const BOUNDARY = { device: 1, site: 2 } as const;

/** `reduce`: net import goes down (discharge, curtail load); `increase`: it goes up (charge, curtail generation). */
export const DIRECTION = { reduce: 1, increase: 2 } as const;

export const ACKNOWLEDGEMENT = {
  accepted: 1,
  rejected: 2,
  started: 3,
  succeeded: 4,
  aborted: 5,
  optedOut: 6,
  superseded: 7,
} as const;

export const SETTLEMENT = {
  delivered: 1,
  partial: 2,
  notDelivered: 3,
  optedOut: 4,
  unavailable: 5,
  dataInvalid: 6,
} as const;

/** What a controllable device could take off or put onto the grid, and how fast and for how long. */
export interface FlexibilityLeaf extends LeafCommon {
  readonly kind: "flexibility";
  readonly channel: number;
  /** A number of {@link BOUNDARY}. */
  readonly boundary: number;
  /** Over [t0, t1), or at the leaf's time where they are absent. */
  readonly averagePowerMw?: number;
  readonly t0Ms?: number;
  readonly t1Ms?: number;
  readonly reducePowerMw?: number;
  readonly reduceEnergyMwh?: number;
  readonly reduceDurationMs?: number;
  readonly increasePowerMw?: number;
  readonly increaseEnergyMwh?: number;
  readonly increaseDurationMs?: number;
  readonly stateOfChargePpm?: number;
  readonly usableEnergyMwh?: number;
  readonly reserveEnergyMwh?: number;
  readonly capacityMwh?: number;
  readonly importLimitMw?: number;
  readonly exportLimitMw?: number;
  /** Who set the limits: 1 the device, 2 the installation's fuse, 3 the grid operator, 4 the owner. */
  readonly limitSource?: number;
  readonly setpointMw?: number;
  readonly minSetpointMw?: number;
  readonly maxSetpointMw?: number;
  /** From a command to the first change of power. */
  readonly responseMs?: number;
  readonly rampMwPerSecond?: number;
  /** The commitment leaf in force. */
  readonly commitmentSeq?: number;
  /** 1 available, 2 not. */
  readonly availability: number;
  /** 1 measured, 2 derived from measured values, 3 from the nameplate. */
  readonly basis?: number;
  readonly evidence?: Uint8Array;
  /** The channel manifest in force, and its leaf hash. */
  readonly manifestSeq: number;
  readonly manifestHash: Uint8Array;
}

/** Flexibility that the device offers for a window. */
export interface Offer extends LeafCommon {
  readonly kind: "offer";
  readonly channel: number;
  readonly boundary: number;
  /** A number of {@link DIRECTION}. */
  readonly direction: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly powerMw: number;
  readonly energyMwh?: number;
  readonly noticeMs: number;
  /** Name and version, such as "h10/1". */
  readonly baselineMethod: string;
  /** SHA-256 of the method's parameters and of the calendar of like days, as the terms name them. */
  readonly parametersDigest?: Uint8Array;
  readonly calendarDigest?: Uint8Array;
  /** The method's own error on past days without an event. */
  readonly biasPpm?: number;
  readonly relativeRmsePpm?: number;
}

/** What the device is bound to, with the counterparty's signed word. */
export interface Commitment extends LeafCommon {
  readonly kind: "commitment";
  readonly channel: number;
  readonly boundary: number;
  readonly fromMs: number;
  readonly intervalMs: number;
  /** Per interval from `fromMs` on, against the baseline; - is less import. */
  readonly deltaMwh: readonly number[];
  readonly nominatedMwh?: readonly number[];
  readonly termsDigest: Uint8Array;
  readonly offerSeq?: number;
  /** The counterparty's COSE_Sign1. */
  readonly counterparty: Uint8Array;
}

/** A node's order, as the node signed it. */
export interface Dispatch extends LeafCommon {
  readonly kind: "dispatch";
  readonly channel: number;
  readonly commitmentSeq?: number;
  /** The node's COSE_Sign1. */
  readonly order: Uint8Array;
}

/** A node's unannounced request to show flexibility, as the node signed it. */
export interface Challenge extends LeafCommon {
  readonly kind: "challenge";
  readonly channel: number;
  /** The node's COSE_Sign1. */
  readonly order: Uint8Array;
}

/** What the device answers to a dispatch or a challenge; to a commitment only that its owner opted out of it. */
export interface Acknowledgement extends LeafCommon {
  readonly kind: "acknowledgement";
  readonly channel: number;
  /** The dispatch, challenge or commitment leaf. */
  readonly orderSeq: number;
  /** A number of {@link ACKNOWLEDGEMENT}. */
  readonly state: number;
  readonly reason?: string;
}

/** A command to a device, and what the device said that it did. */
export interface Actuation extends LeafCommon {
  readonly kind: "actuation";
  readonly channel: number;
  /** The dispatch or challenge leaf; absent for the owner's or the agent's own command. */
  readonly orderSeq?: number;
  /** 1 apply, 2 renew, 3 revert. */
  readonly action: number;
  /** 1 power setpoint (mW), 2 import limit (mW), 3 export limit (mW), 4 state-of-charge reserve (ppm), 5 mode. */
  readonly command: number;
  readonly value?: number;
  /** What the device shows after the command, in the same unit; absent when it could not be read. */
  readonly readBack?: number;
  readonly leaseMs?: number;
  readonly rampMwPerSecond?: number;
  readonly reason?: string;
  readonly evidence?: Uint8Array;
}

/** The device's own account of a commitment; a verifier computes its own. */
export interface Settlement extends LeafCommon {
  readonly kind: "settlement";
  readonly channel: number;
  readonly commitmentSeq: number;
  readonly baselineMethod: string;
  /** Days since 1970 in the site's time zone. */
  readonly usedDays?: readonly number[];
  readonly excludedDays?: readonly number[];
  /** One for each excluded day. */
  readonly exclusionReasons?: readonly number[];
  readonly baselineMwh?: readonly number[];
  readonly actualMwh?: readonly number[];
  readonly deliveredMwh?: readonly number[];
  readonly shortfallMwh?: number;
  readonly reboundMwh?: number;
  readonly completenessPpm: number;
  /** A number of {@link SETTLEMENT}. */
  readonly result: number;
}
