import type { SignedHistory } from "../../attest/fault-build.ts";
import type { LogIdentity } from "../../attest/identity.ts";
import type { IntervalClose, ReadingLeaf } from "../../attest/leaf.ts";
import type { VerifiedLeaves } from "../../attest/leaf-walk.ts";
import type { ProofSource } from "../../attest/proof-source.ts";
import type { EnclosureState, FurtherLeaves } from "./enclosure-book.ts";

/** A checkpoint that this node holds, and the receipt that it gave for it. */
export interface StoredCheckpoint {
  readonly size: number;
  readonly root: Uint8Array;
  readonly bytes: Uint8Array;
  readonly receipt: Uint8Array;
}

/** Where a log stands. `log` is the store's own number of it. */
export interface LogHead {
  readonly log: number;
  readonly logId: Uint8Array;
  readonly epoch: number;
  readonly size: number;
  /** What `restoreRules` takes. */
  readonly rules: string;
}

/** A verified batch with its receipt, ready to be made durable. */
export interface AcceptedBatch {
  readonly identity: LogIdentity;
  readonly logId: Uint8Array;
  readonly agentVersion: string;
  /** What the log's size must still be; 0 opens the log. */
  readonly fromSize: number;
  readonly leaves: VerifiedLeaves;
  readonly rules: string;
  readonly checkpoint: StoredCheckpoint;
  readonly nowMs: number;
}

/** A log's leaves and tree, as far as they go now; both may throw `leaf-missing`. */
export type StoredHistory = Pick<SignedHistory, "leaf" | "tree">;

/** The signed statement that is wrong, and of which log it is; the log need not be stored. */
export interface FaultPlace {
  readonly deviceKey: Uint8Array;
  readonly epoch: number;
  readonly logId: Uint8Array;
  readonly theirs: Uint8Array;
}

/** A checkpoint that a device should not have signed. */
export interface Fault extends FaultPlace {
  readonly kind: "fork" | "false-leaf" | "two-epochs";
  readonly size: number;
  /** The stored checkpoint that it contradicts; null where it is wrong by itself. */
  readonly ours: Uint8Array | null;
  readonly detail: string;
  /** The fault file, or null where none can be built. */
  readonly proof: Uint8Array | null;
  readonly nowMs: number;
}

/** What taking batches needs of a store. Every method that returns has made its change durable. */
export interface Store {
  /** The log of the device's highest epoch. */
  newestHead(deviceKey: Uint8Array): Promise<LogHead | undefined>;
  head(deviceKey: Uint8Array, epoch: number): Promise<LogHead | undefined>;
  /** The device's newest checkpoint in its highest epoch. */
  newestCheckpoint(
    deviceKey: Uint8Array,
  ): Promise<(StoredCheckpoint & { readonly epoch: number }) | undefined>;
  /** The smallest stored checkpoint over at least `size` leaves. */
  checkpointOver(log: number, size: number): Promise<StoredCheckpoint | undefined>;
  /** Exact bytes of the leaves from..to-1. */
  leaves(log: number, from: number, to: number): Promise<readonly Uint8Array[]>;
  /** Frontier of the first `size` leaves: hashes of complete subtrees, largest first. */
  peaks(log: number, size: number): Promise<readonly Uint8Array[]>;
  /** Stores all of a batch or nothing. False when the log has moved, or a later epoch was opened, since it was read. */
  append(batch: AcceptedBatch): Promise<boolean>;
  /** Keeps a checkpoint over leaves that are stored already; returns what is kept for that size. */
  addCheckpoint(log: number, checkpoint: StoredCheckpoint, nowMs: number): Promise<StoredCheckpoint>;
  /** The device's logs of later epochs, lowest first. */
  laterHeads(deviceKey: Uint8Array, epoch: number, limit: number): Promise<readonly LogHead[]>;
  /** A log as fault files are built from. A store elsewhere may fetch parts of it before it returns. */
  history(log: number): Promise<StoredHistory>;
  /** Whether a fault would be kept: "kept" when this one is, with its proof, "full" when as many others of its log are. */
  faultRoom(place: FaultPlace): Promise<"free" | "kept" | "full">;
  /**
   * Keeps a fault, each signed statement once, at most 16 of one log, and of all logs of a device that are not stored
   * together. One that is kept without a proof gets it when it comes with one.
   */
  addFault(fault: Fault): Promise<void>;
  /** Notes that a device which has logs here was seen. */
  touch(deviceKey: Uint8Array, agentVersion: string, nowMs: number): Promise<void>;
  close(): Promise<void>;
}

export interface DeviceRecord {
  readonly key: Uint8Array;
  readonly agentVersion: string;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** Those in logs that are not stored, too. */
  readonly faults: number;
}

export interface LogRecord extends LogHead {
  readonly openedMs: number;
  readonly receipts: number;
  /** The newest checkpoint, and when it came. */
  readonly receivedMs: number;
  readonly checkpoint: Uint8Array;
  readonly faults: number;
}

export interface FaultRecord {
  readonly id: number;
  readonly epoch: number;
  readonly logId: Uint8Array;
  readonly kind: string;
  readonly size: number;
  readonly ours: Uint8Array | null;
  readonly theirs: Uint8Array;
  readonly detail: string;
  /** Size of the fault file, or null where there is none. */
  readonly proofBytes: number | null;
  readonly foundMs: number;
}

/** The newest state of one input, and the epoch whose log says it. */
export interface EnclosureRecord extends EnclosureState {
  readonly epoch: number;
}

/** What a device's logs say of its enclosures. */
export interface Enclosures {
  readonly inputs: readonly EnclosureRecord[];
  /** Inputs that are kept and not among these; leaves of inputs above the 8 of their log, and how many say opened. */
  readonly further: FurtherLeaves & { readonly inputs: number };
}

/** One channel of one log, and what part of it is asked for. */
export interface CloseQuery {
  readonly log: number;
  readonly channel: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly afterSeq: number;
  readonly limit: number;
}

/** One channel of one log, as far as its first `size` leaves go. */
export interface ChannelReach {
  readonly log: number;
  readonly channel: number;
  readonly size: number;
}

/** A leaf by its place and its time. */
export interface TimedLeaf {
  readonly seq: number;
  readonly ms: number;
}

export interface ReadingQuery {
  readonly log: number;
  readonly channel: number;
  readonly fromMs: number;
  readonly afterSeq: number;
  readonly limit: number;
}

export interface ReadingPage {
  readonly readings: readonly ReadingLeaf[];
  /** The last seq that was looked at, or undefined when the log holds no more. */
  readonly scannedTo?: number;
}

/** What the node's questions need of a store. */
export interface Archive {
  /** Devices by key, those after `after`. */
  devices(after: Uint8Array, limit: number): Promise<readonly DeviceRecord[]>;
  device(key: Uint8Array): Promise<DeviceRecord | undefined>;
  /** The device's logs by epoch. */
  logs(deviceKey: Uint8Array): Promise<readonly LogRecord[]>;
  enclosures(deviceKey: Uint8Array): Promise<Enclosures>;
  faults(deviceKey: Uint8Array): Promise<readonly FaultRecord[]>;
  /** The fault file of one of the device's faults: null where none could be built, undefined for no such fault. */
  faultProof(deviceKey: Uint8Array, id: number): Promise<Uint8Array | null | undefined>;
  /** Closes that lie within a span, by seq. */
  closes(query: CloseQuery): Promise<readonly IntervalClose[]>;
  /** The begins of closes around `fromMs` and the ends of closes around `toMs`, at most two of each. */
  boundaries(
    reach: ChannelReach,
    span: { readonly fromMs: number; readonly toMs: number },
  ): Promise<{ readonly begins: readonly number[]; readonly ends: readonly number[] }>;
  /** Begin of the channel's first close, and end of the last of its closes that end at or before `toMs`. */
  extent(
    reach: ChannelReach,
    toMs: number,
  ): Promise<{ readonly firstMs: number | undefined; readonly lastMs: number | undefined }>;
  /** The channel's last flexibility reading at or before `ms`, and its first one after it. */
  flexibilityAround(
    reach: ChannelReach,
    ms: number,
  ): Promise<{ readonly before: TimedLeaf | undefined; readonly after: TimedLeaf | undefined }>;
  /** Readings by seq; one call looks at a bounded number of leaves. */
  readings(query: ReadingQuery): Promise<ReadingPage>;
  /** The log as proofs are built from. A store elsewhere may fetch what the span needs before it returns. */
  proofSource(identity: LogIdentity, query: Omit<CloseQuery, "afterSeq" | "limit">): Promise<ProofSource>;
}
