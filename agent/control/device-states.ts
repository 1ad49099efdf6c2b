import { describeProblem } from "../../attest/problem.ts";
import type { Controllable, ControlState } from "../../drivers/control.ts";
import type { DeskContext } from "./desk-context.ts";
import type { DeviceCalls } from "./device-calls.ts";

/** How often a device that only has states is asked for the present one. */
const LOOK_MS = 5000;
/** Lines are taken, and programs started, in less. */
const MOST_UNANSWERED = 2;

/** What a device that only has states, such as a relay, says of them: how long it stays in the present one. */
export class DeviceStates {
  readonly #context: DeskContext;
  readonly #calls: DeviceCalls;
  readonly #device: string;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #mayChangeAtMs = Number.NEGATIVE_INFINITY;
  #unanswered = 0;
  /** Why it cannot be told anything, as it was logged. */
  #problem: ReturnType<typeof describeProblem> | undefined;

  constructor(context: DeskContext, calls: DeviceCalls, device: string) {
    this.#context = context;
    this.#calls = calls;
    this.#device = device;
  }

  /** Asks it, now and then. Never throws. */
  async look(control: Controllable): Promise<void> {
    if (this.#nowMs() - this.#lookedMs < LOOK_MS || this.#calls.owesAnswer(control)) return;
    if (!control.capabilities().some(({ leastMs }) => leastMs !== undefined)) return;
    this.#lookedMs = this.#nowMs();
    try {
      this.#answered(await this.#calls.make(control, (one) => one.readBack()));
    } catch (error) {
      this.#failed(error);
    }
  }

  get status(): { readonly mayChangeInMs?: number; readonly problem?: string } {
    if (this.#problem !== undefined) return { problem: this.#problem.message };
    const leftMs = this.#mayChangeAtMs - this.#nowMs();
    return leftMs > 0 ? { mayChangeInMs: Math.ceil(leftMs) } : {};
  }

  #answered(states: readonly ControlState[]): void {
    const left = states.map(({ mayChangeInMs = 0 }) => mayChangeInMs);
    this.#mayChangeAtMs = this.#nowMs() + Math.max(0, ...left);
    this.#unanswered = 0;
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#context.logger.info("control-unavailable-over", { device: this.#device });
  }

  #failed(error: unknown): void {
    this.#unanswered += 1;
    if (this.#unanswered < MOST_UNANSWERED) return;
    const problem = describeProblem(error);
    if (this.#problem?.message !== problem.message)
      this.#context.logger.problem("control-unavailable", error, { device: this.#device });
    this.#problem = problem;
  }

  #nowMs(): number {
    return this.#context.clock.monotonicMs();
  }
}
