/** Work of one name at a time, in the order in which it came: what was checked must still hold when it is written. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Rejects with what the work throws; the next one's turn comes all the same. */
  async take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(work);
    this.#last.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(name) === mine) this.#last.delete(name);
    }
  }
}
