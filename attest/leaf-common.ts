/** What every leaf says, of whatever kind. */
export interface LeafCommon {
  /** Index in the log. */
  readonly seq: number;
  /** ms since 1970 UTC, or since boot below {@link KNOWN_TIME}. */
  readonly timeMs: number;
  readonly timeQuality: number;
  /** OR of status bits, absent when none is set. */
  readonly status?: number;
  /** 16 bytes that make the leaf's hash unguessable. */
  readonly salt: Uint8Array;
  /** Keys from 64 up: hashed, never interpreted. */
  readonly extensions?: ReadonlyMap<number, Uint8Array>;
}
