import type { Message } from "../attest/messages.ts";
import { Problem } from "../attest/problem.ts";
import type { Connection } from "./connection.ts";
import { sourceOf } from "./limits/address.ts";
import type { RateLimit } from "./limits/rate-limit.ts";
import { Tally } from "./tally.ts";

export interface ConnectionLimits {
  readonly total: number;
  readonly perAddress: number;
  /** Handshakes of each address; left out: as many as there are. */
  readonly handshakes?: RateLimit;
  /** Called for each handshake that is too much. */
  readonly limited?: () => void;
}

/** All open connections: how many, from where, and whose. */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #open = new Set<Connection>();
  readonly #byKey = new Map<string, Connection>();
  readonly #perAddress = new Tally();
  #stopping = false;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * The HTTP status to refuse another connection from `address` with, or undefined when there is room, and one of the
   * address's handshakes is then used up.
   */
  refusal(address: string): 503 | 429 | undefined {
    const { total, perAddress, handshakes, limited } = this.#limits;
    if (this.#stopping || this.#open.size >= total) return 503;
    if (this.#perAddress.count(sourceOf(address)) >= perAddress) return 429;
    if (handshakes === undefined || handshakes.take(sourceOf(address))) return undefined;
    limited?.();
    return 429;
  }

  add(connection: Connection): void {
    this.#open.add(connection);
    this.#perAddress.add(sourceOf(connection.address));
  }

  /** One connection per key: the newest wins, because an older one may be a dead link nobody has noticed yet. */
  claim(connection: Connection, deviceKey: string): void {
    const older = this.#byKey.get(deviceKey);
    this.#byKey.set(deviceKey, connection);
    if (older === undefined || older === connection) return;
    older.refuse(new Problem("connection-replaced", "the same device has connected again"));
  }

  /** Keys of the devices that are connected, in hexadecimal. */
  keys(): IterableIterator<string> {
    return this.#byKey.keys();
  }

  /** Closes the connections of devices that are no longer taken. */
  refuseWhere(unwanted: (deviceKey: string) => boolean): void {
    for (const [key, connection] of this.#byKey) {
      if (unwanted(key))
        connection.refuse(new Problem("device-unknown", "this node no longer takes the device"));
    }
  }

  /** Closes the connection of a device, if it has one; the key in hexadecimal. */
  refuse(deviceKey: string, problem: Problem): void {
    this.#byKey.get(deviceKey)?.refuse(problem);
  }

  /** Says something to a device of its own accord; false when it is not sent, see {@link Connection.send}. */
  send(deviceKey: string, message: Message): boolean {
    return this.#byKey.get(deviceKey)?.send(message) ?? false;
  }

  remove(connection: Connection): void {
    if (!this.#open.delete(connection)) return;
    this.#perAddress.remove(sourceOf(connection.address));
    const key = connection.deviceKey;
    if (key !== undefined && this.#byKey.get(key) === connection) this.#byKey.delete(key);
  }

  /** Finishes what is in hand and closes all of them; resolves when every socket is closed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const all = [...this.#open];
    await Promise.all(all.map((connection) => connection.stop().then(() => connection.closed())));
  }
}
