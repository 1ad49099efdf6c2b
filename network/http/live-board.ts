import { decodeMessage, type LiveMessage } from "../../attest/messages.ts";
import { RateLimit } from "../limits/rate-limit.ts";

/** Channels of one device, and devices; the one that spoke longest ago makes room. */
const MAX_CHANNELS = 64;
const MAX_DEVICES = 10_000;
/** Messages of one device: every channel once a second, and twice that at once. */
const RATE = { periodMs: 1000 / MAX_CHANNELS, burst: 2 * MAX_CHANNELS };

/** A live value, and when it came by the node's clock, ms since 1970 UTC. */
export interface LiveValue {
  readonly message: LiveMessage;
  readonly receivedMs: number;
}

export interface LiveBoardOptions {
  readonly nowMs: () => number;
  /** A clock that never steps, ms. */
  readonly monotonicMs: () => number;
  /** Called for each message that is too much. */
  readonly dropped: () => void;
}

/**
 * What channels show now, for displays: unsigned, in memory only, never evidence. Bounded in every direction; what is too
 * much is dropped and counted.
 */
export class LiveBoard {
  readonly #options: LiveBoardOptions;
  readonly #rate: RateLimit;
  readonly #devices = new Map<string, Map<string, LiveValue>>();

  constructor(options: LiveBoardOptions) {
    this.#options = options;
    this.#rate = new RateLimit({ ...RATE, names: MAX_DEVICES, nowMs: options.monotonicMs });
  }

  /** Devices that are shown. */
  get size(): number {
    return this.#devices.size;
  }

  /**
   * Takes a message of the device, 64 hexadecimal digits. What comes too fast is not even decoded. Throws as
   * {@link decodeMessage} does.
   */
  post(deviceKey: string, bytes: Uint8Array): void {
    const message = this.#rate.take(deviceKey) ? decodeMessage(bytes) : undefined;
    const kept = message?.type === "live" && this.#keep(deviceKey, message);
    if (!kept) this.#options.dropped();
  }

  /** The newest value of each channel of the device, in the order of their names. */
  of(deviceKey: string): LiveValue[] {
    const values = [...(this.#devices.get(deviceKey)?.values() ?? [])];
    return values.sort((a, b) => (a.message.channel < b.message.channel ? -1 : 1));
  }

  /** False for a channel that is one too many. */
  #keep(deviceKey: string, message: LiveMessage): boolean {
    const channels = this.#devices.get(deviceKey) ?? new Map<string, LiveValue>();
    this.#devices.delete(deviceKey); // a Map keeps the order of insertion, which thus becomes the order of use
    this.#devices.set(deviceKey, channels);
    if (this.#devices.size > MAX_DEVICES) this.#dropOldest();
    if (channels.size >= MAX_CHANNELS && !channels.has(message.channel)) return false;
    channels.set(message.channel, { message, receivedMs: this.#options.nowMs() });
    return true;
  }

  #dropOldest(): void {
    for (const deviceKey of this.#devices.keys()) {
      this.#devices.delete(deviceKey);
      return;
    }
  }
}
