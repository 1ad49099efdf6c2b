/** One deadline at a time: setting it anew forgets the one before. */
export class Deadline {
  #timer: NodeJS.Timeout | undefined;

  set(ms: number, passed: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(passed, ms);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
