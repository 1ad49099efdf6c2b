import { Problem } from "../../attest/problem.ts";
import type { Controllable } from "../../drivers/control.ts";

/** A device that has not answered for so long does not hold anybody up any more. */
export const CALL_MS = 30_000;

interface Call {
  readonly control: Controllable;
  readonly sinceMs: number;
  readonly giveUp: (problem: Problem) => void;
}

/** Calls to one device, one at a time, given up where they hang: whatever comes of them then is told to `late`. */
export class DeviceCalls {
  readonly #nowMs: () => number;
  /** Objects that still owe an answer: another call would wait behind it. */
  readonly #hung = new Set<Controllable>();
  #current: Call | undefined;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  owesAnswer(control: Controllable): boolean {
    return this.#hung.has(control);
  }

  /**
   * @param late is called when the answer comes after it was given up, whatever it is
   * @throws Problem `control-no-answer`, or what the device does
   */
  async make<T>(
    control: Controllable,
    work: (control: Controllable) => Promise<T>,
    late: () => void = () => undefined,
  ): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const answer = (async (): Promise<T> => await work(control))();
    const settled = (): void => {
      if (this.#hung.delete(control)) late();
    };
    const giveUp = (problem: Problem): void => {
      this.#hung.add(control);
      answer.then(settled, settled);
      reject(problem);
    };
    const call = { control, sinceMs: this.#nowMs(), giveUp };
    this.#current = call;
    try {
      return await Promise.race([answer, promise]);
    } finally {
      if (this.#current === call) this.#current = undefined;
    }
  }

  /** Gives up what has hung for too long. */
  check(): void {
    if (this.#current !== undefined && this.#nowMs() - this.#current.sinceMs >= CALL_MS)
      this.giveUp("the device does not answer");
  }

  /** Gives up what is under way. */
  giveUp(why: string): void {
    this.#current?.giveUp(
      new Problem("control-no-answer", why, {
        hint: "what was told to it is reverted as soon as it answers",
      }),
    );
    this.#current = undefined;
  }
}

/** Whether a call that failed has left the device as it was: everything but these is said before anything is written. */
export function leftAsItWas(error: unknown): error is Problem {
  if (!(error instanceof Problem)) return false;
  return !["control-interrupted", "control-uncertain", "control-no-answer"].includes(error.code);
}
