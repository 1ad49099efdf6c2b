/** How long an uplink waits for what, ms. */
export interface UplinkTiming {
  /** From connecting to the welcome. */
  readonly handshakeMs: number;
  /** Between pings of this side. */
  readonly pingMs: number;
  /** Without any sign of life. */
  readonly silenceMs: number;
  /** For the next receipt while batches are out. */
  readonly receiptMs: number;
  readonly firstWaitMs: number;
  readonly mostWaitMs: number;
  /** Between two answers to a node's requests for frames. */
  readonly auditMs: number;
}

/** The times of the field. */
export const UPLINK_TIMING: UplinkTiming = {
  handshakeMs: 15_000,
  // Both sides ping every 20 s; a line silent for three of them is dead.
  pingMs: 20_000,
  silenceMs: 65_000,
  receiptMs: 120_000,
  firstWaitMs: 500,
  mostWaitMs: 300_000,
  auditMs: 1000,
};
