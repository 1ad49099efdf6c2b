import { LruCache } from "../../attest/lru-cache.ts";
import type { LogHead } from "./store.ts";

/** Devices whose newest head is kept: some 2 KB each, most of it the saved rules. */
const KEPT_HEADS = 16_384;

interface Place {
  head: LogHead | undefined;
}

/**
 * Newest heads of the devices that sent last, so that they are not read again for every batch. That nobody else moves them
 * is what the lock of an owned database says; where somebody did, the compare-and-swap fails, and the head is read again.
 */
export class NewestHeads {
  readonly #read: (deviceKey: Uint8Array) => LogHead | undefined;
  readonly #places = new LruCache<string, Place>(KEPT_HEADS);

  constructor(read: (deviceKey: Uint8Array) => LogHead | undefined) {
    this.#read = read;
  }

  of(deviceKey: Uint8Array): LogHead | undefined {
    const place = this.#place(deviceKey);
    place.head ??= this.#read(deviceKey);
    return place.head;
  }

  /** Takes over a head that is durable now; undefined when it is not known any more. */
  keep(deviceKey: Uint8Array, head: LogHead | undefined): void {
    this.#place(deviceKey).head = head;
  }

  #place(deviceKey: Uint8Array): Place {
    const { buffer, byteOffset, length } = deviceKey;
    const name = Buffer.from(buffer, byteOffset, length).toString("latin1");
    return this.#places.getOrCompute(name, () => ({ head: undefined }));
  }
}
