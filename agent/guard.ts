import { describeProblem } from "../attest/problem.ts";
import type { Logger } from "../runtime/log.ts";

/**
 * Runs what must not end the agent when it fails, and says so. A full disk fails at every tick: one line when the cause
 * changes, one when it is over.
 */
export class Guard {
  readonly #logger: Logger;
  readonly #failing = new Map<string, string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** True when it went well. `fields` say which one of several fails; they are few. */
  run(event: string, work: () => void, fields: Readonly<Record<string, string>> = {}): boolean {
    try {
      work();
    } catch (cause) {
      this.failed(event, cause, fields);
      return false;
    }
    this.succeeded(event, fields);
    return true;
  }

  failed(event: string, cause: unknown, fields: Readonly<Record<string, string>> = {}): void {
    const key = keyOf(event, fields);
    const { code } = describeProblem(cause);
    if (this.#failing.get(key) !== code) this.#logger.problem(event, cause, fields);
    this.#failing.set(key, code);
  }

  succeeded(event: string, fields: Readonly<Record<string, string>> = {}): void {
    if (this.#failing.delete(keyOf(event, fields))) this.#logger.info(`${event}-over`, fields);
  }
}

function keyOf(event: string, fields: Readonly<Record<string, string>>): string {
  return JSON.stringify([event, fields]);
}
