import type { BatchMessage } from "../../attest/messages.ts";
import type { NodeConfig } from "../config.ts";
import type { ConnectionLimits } from "../connections.ts";
import type { LiveBoardOptions } from "../http/live-board.ts";
import type { NodeCounters } from "../http/metrics-counters.ts";
import { ByteBudget } from "./byte-budget.ts";
import { CheckpointPace } from "./checkpoint-pace.ts";
import { RateLimit } from "./rate-limit.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Addresses whose pace is remembered: some 100 bytes each. */
const KEPT_ADDRESSES = 16_384;
/** What waits unverified in all connections together before none of them is read ahead of its work. */
const UNVERIFIED_BYTES = 64 * 1_048_576;
/** Handshakes in a minute for each connection that an address may have: all of them again, and again. */
const HANDSHAKES_PER_CONNECTION = 4;

const nowMs = (): number => Date.now();
const monotonicMs = (): number => performance.now();

/** Every limit of one node, made from its configuration; what is above one is counted. */
export class NodeLimits {
  readonly connections: ConnectionLimits;
  readonly wrongCodes: RateLimit;
  readonly live: LiveBoardOptions;
  readonly unverified: ByteBudget = new ByteBudget(UNVERIFIED_BYTES);
  readonly #pace: CheckpointPace;
  readonly #counters: NodeCounters;

  constructor(config: NodeConfig, counters: NodeCounters) {
    const { maxConnections, maxConnectionsPerAddress, maxWrongCodesPerHour } = config;
    const handshakes = config.maxHandshakesPerMinute ?? HANDSHAKES_PER_CONNECTION * maxConnectionsPerAddress;
    this.connections = {
      ...{ total: maxConnections, perAddress: maxConnectionsPerAddress },
      handshakes: evenly(handshakes, MINUTE_MS),
      limited: () => counters.limit("handshakes"),
    };
    this.wrongCodes = evenly(maxWrongCodesPerHour, HOUR_MS);
    this.live = { nowMs, monotonicMs, dropped: () => counters.limit("live") };
    this.#pace = new CheckpointPace(config.maxCheckpointsPerMinute, { nowMs, monotonicMs });
    this.#counters = counters;
  }

  /** How long a batch waits, ms; the device's key in hexadecimal. */
  waitMs(deviceKey: string, batch: BatchMessage): number {
    const waitMs = this.#pace.waitMs(deviceKey, batch);
    if (waitMs > 0) this.#counters.limit("checkpoints");
    return waitMs;
  }
}

/** So many in a span: all at once after a pause, evenly in the long run. */
function evenly(count: number, spanMs: number): RateLimit {
  return new RateLimit({ periodMs: spanMs / count, burst: count, names: KEPT_ADDRESSES, nowMs: monotonicMs });
}
