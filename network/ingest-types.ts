import type { LogIdentity } from "../attest/identity.ts";
import type { BatchMessage } from "../attest/messages.ts";
import type { Signer } from "../attest/signature.ts";
import type { Suite } from "../attest/suite.ts";
import type { EpochQuarantine } from "./quarantine/quarantine.ts";
import type { RulesCache } from "./rules-cache.ts";
import type { LogHead, Store } from "./store/store.ts";

/** What taking batches needs; one for the whole node. */
export interface IngestContext {
  readonly network: string;
  readonly suite: Suite;
  readonly signer: Signer;
  readonly store: Store;
  readonly rules: RulesCache;
  /** ms since 1970 UTC. */
  readonly nowMs: () => number;
  /** Left out: a key may open any number of epochs. */
  readonly quarantine?: EpochQuarantine;
}

/** A device whose key has been checked and whose hello has been verified. */
export interface KnownDevice {
  readonly key: Uint8Array;
  readonly agentVersion: string;
}

/** A batch beside everything known about the log it is for. */
export interface Arrival {
  readonly device: KnownDevice;
  readonly identity: LogIdentity;
  readonly logId: Uint8Array;
  readonly head: LogHead | undefined;
  /** The log of the device's highest epoch. */
  readonly newest: LogHead | undefined;
  readonly batch: BatchMessage;
}

/** A batch for a log that has leaves here. */
export interface KnownArrival extends Arrival {
  readonly head: LogHead;
}
