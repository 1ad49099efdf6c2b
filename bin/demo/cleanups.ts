/** What has to be undone at the end, last first, whatever happens. */
export class Cleanups {
  readonly #steps: (() => Promise<unknown>)[] = [];
  #closed = false;

  /** Registers a step; once {@link run} has begun it is done at once, so that nothing that was late is left behind. */
  add(step: () => Promise<unknown>): void {
    if (this.#closed) void step();
    else this.#steps.push(step);
  }

  /** Does every step, also when one before it has failed, and then throws the first failure. */
  async run(): Promise<void> {
    this.#closed = true;
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (cause) {
        failures.push(cause);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
