import { asciiBytes, concatBytes, u32be, u64be } from "./bytes.ts";
import { Problem } from "./problem.ts";
import type { Suite } from "./suite.ts";

const LOG_TAG = "kilowitness/1 log\0";
const MAX_NETWORK = 64;

/** Which log a device writes: one per network, key and epoch. */
export interface LogIdentity {
  readonly network: string;
  readonly deviceKey: Uint8Array;
  readonly epoch: number;
}

/**
 * The 32-byte id of a log:
 *
 *     SHA-256( "kilowitness/1 log" 00 || network || 00 || key (32 bytes) || epoch (u32, big-endian) )
 *
 * Throws `network-name` unless the network is 1 to 64 printable ASCII characters without space, and
 * `bytes-integer` unless the epoch is 1 to 2^32-1.
 */
export function logIdOf(suite: Suite, log: LogIdentity): Uint8Array {
  checkNetworkName(log.network);
  if (log.epoch < 1)
    throw new Problem("bytes-integer", "epochs are counted from 1", { got: String(log.epoch) });
  const network = asciiBytes(`${LOG_TAG}${log.network}\0`, "network");
  return suite.sha256(concatBytes(network, log.deviceKey, u32be(log.epoch)));
}

/** Throws `network-name` unless `network` may name a network. */
export function checkNetworkName(network: string): void {
  if (network.length <= MAX_NETWORK && /^[!-~]+$/.test(network)) return;
  throw new Problem("network-name", "network name is not allowed", {
    expected: `1 to ${MAX_NETWORK} printable ASCII characters without space`,
    got: JSON.stringify(network.slice(0, MAX_NETWORK + 1)),
  });
}

/** What HMAC-SHA-256 is injected as: key and message in, 32 bytes out. */
export type HmacSha256 = (key: Uint8Array, message: Uint8Array) => Uint8Array;

/** The salt of one leaf: the first 16 bytes of HMAC-SHA-256(saltKey, logId || u64be seq). */
export function leafSalt(
  hmac: HmacSha256,
  place: { saltKey: Uint8Array; logId: Uint8Array; seq: number },
): Uint8Array {
  return hmac(place.saltKey, concatBytes(place.logId, u64be(place.seq))).slice(0, 16);
}
