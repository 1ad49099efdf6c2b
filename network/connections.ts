import { Problem } from "../attest/problem.ts";
import type { Connection } from "./connection.ts";
import { Tally } from "./tally.ts";

export interface ConnectionLimits {
  readonly total: number;
  readonly perAddress: number;
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

  /** The HTTP status to refuse another connection from `address` with, or undefined when there is room. */
  refusal(address: string): 503 | 429 | undefined {
    if (this.#stopping || this.#open.size >= this.#limits.total) return 503;
    return this.#perAddress.count(address) >= this.#limits.perAddress ? 429 : undefined;
  }

  add(connection: Connection): void {
    this.#open.add(connection);
    this.#perAddress.add(connection.address);
  }

  /** One connection per key: the newest wins, because an older one may be a dead link nobody has noticed yet. */
  claim(connection: Connection, deviceKey: string): void {
    const older = this.#byKey.get(deviceKey);
    this.#byKey.set(deviceKey, connection);
    if (older === undefined || older === connection) return;
    older.refuse(new Problem("connection-replaced", "the same device has connected again"));
  }

  /** Closes the connections of devices that are no longer taken. */
  refuseWhere(unwanted: (deviceKey: string) => boolean): void {
    for (const [key, connection] of this.#byKey) {
      if (unwanted(key))
        connection.refuse(new Problem("device-unknown", "this node no longer takes the device"));
    }
  }

  remove(connection: Connection): void {
    if (!this.#open.delete(connection)) return;
    this.#perAddress.remove(connection.address);
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
