/** A map of at most `limit` entries: a new one takes the place of the one used longest ago. */
export class LruCache<Key, Value> {
  readonly #limit: number;
  readonly #entries = new Map<Key, Value>();

  /** @param limit at least 1 */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The value kept under this key, or the computed one, which is then kept. Counts as a use. */
  getOrCompute(key: Key, compute: () => Value): Value {
    const value = this.#entries.get(key) ?? compute();
    this.#entries.delete(key); // a Map keeps the order of insertion, which thus becomes the order of use
    this.#entries.set(key, value);
    if (this.#entries.size > this.#limit) this.#dropOldest();
    return value;
  }

  #dropOldest(): void {
    for (const key of this.#entries.keys()) {
      this.#entries.delete(key);
      return;
    }
  }
}
