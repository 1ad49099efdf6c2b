/** A log's newest checkpoint with the receipt that its node gave. */
export interface Head {
  readonly deviceKey: Uint8Array;
  readonly epoch: number;
  readonly size: number;
  readonly checkpoint: Uint8Array;
  readonly receipt: Uint8Array;
}

/** Heads that moved since a place, and the place behind them. */
export interface HeadPage {
  readonly place: string;
  /** Whether there is nothing behind that place now. */
  readonly isLast: boolean;
  readonly heads: readonly Head[];
}

/** A log that is stored here. */
export interface StoredLog {
  readonly log: number;
  readonly deviceKey: Uint8Array;
  readonly epoch: number;
  readonly size: number;
}

/** The newest checkpoint that a peer has shown of a log. Its signature was verified before it was kept. */
export interface ShownHead {
  readonly deviceKey: Uint8Array;
  readonly epoch: number;
  readonly logId: Uint8Array;
  readonly size: number;
  readonly checkpoint: Uint8Array;
  /** Leaves under it that are known to be the same here. */
  readonly compared: number;
  /** A fork of that log is kept with its proof: there is nothing left to find. */
  readonly proven: boolean;
  /** It was held against the device's other epochs. */
  readonly judged: boolean;
}

export interface WaitingHead extends ShownHead {
  readonly id: number;
}

/** What the exchange needs of a store beside its logs. Every method that returns has made its change durable. */
export interface ExchangeArchive {
  /** Heads in the order of their last move. A place of another store, or one that is not known, is the begin. */
  headsAfter(place: string, limit: number): Promise<HeadPage>;
  /** Whether any log of the device is stored. */
  holds(deviceKey: Uint8Array): Promise<boolean>;
  logOf(logId: Uint8Array): Promise<StoredLog | undefined>;
  /** How far the peer has been asked; "" for the begin. */
  placeAt(peer: Uint8Array): Promise<string>;
  shown(peer: Uint8Array, deviceKey: Uint8Array, epoch: number): Promise<ShownHead | undefined>;
  /** Keeps a page: what it shows, and the place behind it. Of one device only the newest epochs stay. */
  keepPage(
    peer: Uint8Array,
    page: { readonly place: string; readonly shown: readonly ShownHead[] },
  ): Promise<void>;
  keepShown(peer: Uint8Array, shown: ShownHead): Promise<void>;
  /** Those of which more leaves can be compared than have been, by id. */
  waiting(peer: Uint8Array, after: number, limit: number): Promise<readonly WaitingHead[]>;
  /** Those that wait to be held against the device's other epochs, by id. */
  unjudged(peer: Uint8Array, after: number, limit: number): Promise<readonly WaitingHead[]>;
  /**
   * What the peer has shown of other epochs of the devices that sent something here, for the next `mostMoves` moves since
   * {@link keepOwnMove} was last called with what this answered.
   */
  otherEpochs(peer: Uint8Array, mostMoves: number): Promise<OtherEpochs>;
  keepOwnMove(peer: Uint8Array, ownMove: number): Promise<void>;
}

export interface OtherEpochs {
  readonly ownMove: number;
  readonly isLast: boolean;
  readonly shown: readonly ShownHead[];
}
