/** Lets one piece of work at a time through, in the order of their calls, whatever becomes of those before. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  async take<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const turn = (async (): Promise<T> => {
      await before.catch(() => undefined);
      return await work();
    })();
    this.#last = turn;
    return await turn;
  }
}
