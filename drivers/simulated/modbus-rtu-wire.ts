import type { SerialFormat } from "../line/address.ts";
import type { ByteLine, LineListener } from "../line/line.ts";
import { type PeerOptions, PeerSession } from "./modbus-peer.ts";

/** Bytes that a receiver hands over at a time, as a UART's buffer does. */
const CHUNK_BYTES = 14;
const FIXED_ABOVE_BAUD = 19_200;
const FIXED_SILENCE_MS = 1.75;

/**
 * A serial line on which bytes take their time: a master at one end, a peer at the other, every character as long as
 * its bits, every frame followed by 3.5 characters of silence (Modbus over Serial Line v1.02, 2.5.1.1). The peer
 * sees a request when that silence is over and replies at once.
 */
export class RtuWire {
  readonly #characterMs: number;
  readonly #silenceMs: number;
  readonly #peer: PeerSession;
  #listener: LineListener | undefined;
  #freeAtMs = Number.NEGATIVE_INFINITY;
  #bytes = 0;
  #frames = 0;
  #tooEarly = 0;

  constructor({ baudRate, dataBits, parity, stopBits }: SerialFormat, peer: PeerOptions) {
    const bits = 1 + dataBits + (parity === "none" ? 0 : 1) + stopBits;
    this.#characterMs = (1000 * bits) / baudRate;
    this.#silenceMs = baudRate > FIXED_ABOVE_BAUD ? FIXED_SILENCE_MS : 3.5 * this.#characterMs;
    this.#peer = new PeerSession(peer, (bytes) => void this.#toMaster(bytes));
  }

  /** What all bytes and silences so far needed at least. */
  get neededMs(): number {
    return this.#bytes * this.#characterMs + this.#frames * this.#silenceMs;
  }

  /** Frames that the master began before the silence after the last one was over. */
  get tooEarly(): number {
    return this.#tooEarly;
  }

  /** The master's end, to be opened once. */
  line(): ByteLine {
    return {
      name: "simulated wire",
      open: (listener) => {
        this.#listener = listener;
        return Promise.resolve();
      },
      write: (bytes) => {
        void this.#toPeer(bytes.slice());
        return Promise.resolve();
      },
      close: () => {
        this.#listener = undefined;
        return Promise.resolve();
      },
    };
  }

  async #toPeer(bytes: Uint8Array): Promise<void> {
    if (performance.now() < this.#freeAtMs + this.#silenceMs) this.#tooEarly += 1;
    const endMs = this.#occupy(bytes);
    await until(endMs + this.#silenceMs);
    this.#peer.receive(bytes);
  }

  async #toMaster(bytes: Uint8Array): Promise<void> {
    const endMs = this.#occupy(bytes);
    const startMs = endMs - bytes.length * this.#characterMs;
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      const chunk = bytes.slice(at, at + CHUNK_BYTES);
      await until(startMs + (at + chunk.length) * this.#characterMs);
      this.#listener?.onBytes(chunk);
    }
  }

  /** When the last of these bytes will be over. */
  #occupy(bytes: Uint8Array): number {
    this.#bytes += bytes.length;
    this.#frames += 1;
    const startMs = Math.max(performance.now(), this.#freeAtMs);
    this.#freeAtMs = startMs + bytes.length * this.#characterMs;
    return this.#freeAtMs;
  }
}

async function until(atMs: number): Promise<void> {
  for (let left = atMs - performance.now(); left > 0; left = atMs - performance.now())
    await new Promise((resolve) => setTimeout(resolve, Math.ceil(left)));
}
