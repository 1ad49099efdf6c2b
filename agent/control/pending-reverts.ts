import { describeProblem, Problem } from "../../attest/problem.ts";
import type { ControlKind, Controllable, RevertResult } from "../../drivers/control.ts";
import { present } from "../../drivers/present.ts";
import type { DeskContext } from "./desk-context.ts";
import type { DeviceCalls } from "./device-calls.ts";
import type { Actuated, KeptLease } from "./types.ts";

/** A lease whose time is over, until the device has said so. */
interface Pending {
  readonly lease: KeptLease;
  readonly reason: string;
  readonly sinceMs: number;
  /** Why it could not be ended so far, as it was logged. */
  failure?: string;
  /** The device has been told, and goes back when the least time of its state is over: then. */
  backAtMs?: number;
}

/** What a device is still to be reverted from. Each is tried again until the device confirms it, without an end. */
export class PendingReverts {
  readonly #context: DeskContext;
  readonly #calls: DeviceCalls;
  readonly #reverted: () => void;
  readonly #pending = new Map<ControlKind, Pending>();

  /** @param reverted is called when the device has gone back to what it does by itself */
  constructor(context: DeskContext, calls: DeviceCalls, reverted: () => void) {
    this.#context = context;
    this.#calls = calls;
    this.#reverted = reverted;
  }

  get kinds(): readonly ControlKind[] {
    return [...this.#pending.keys()];
  }

  /** Until a device's least time is over, where that is all that any of them waits for. */
  get waitsForMs(): number | undefined {
    const nowMs = this.#context.clock.monotonicMs();
    const left = [...this.#pending.values()].map(({ backAtMs }) =>
      backAtMs === undefined ? Number.POSITIVE_INFINITY : Math.max(0, backAtMs - nowMs),
    );
    const longestMs = Math.max(0, ...left);
    return left.length > 0 && Number.isFinite(longestMs) ? longestMs : undefined;
  }

  /** Has a lease ended at the next {@link attempt}. */
  add(lease: KeptLease, reason: string): void {
    if (this.#pending.has(lease.kind)) return;
    this.#pending.set(lease.kind, { lease, reason, sinceMs: this.#context.clock.monotonicMs() });
  }

  /** Says that nothing can be done now. */
  waits(problem: Problem): void {
    for (const pending of this.#pending.values()) this.#failed(pending, problem.code, problem);
  }

  /** Tries each of them once. Never throws. */
  async attempt(control: Controllable): Promise<void> {
    for (const [kind, pending] of this.#pending) {
      if (this.#calls.owesAnswer(control)) return;
      try {
        await this.#end(control, kind, pending);
      } catch (error) {
        this.#caught(kind, pending, error);
      }
    }
  }

  async #end(control: Controllable, kind: ControlKind, pending: Pending): Promise<void> {
    if (!control.capabilities().some((one) => one.kind === kind)) {
      // Only where a damaged file did not say which kinds there were.
      this.#forget(kind, pending);
      return;
    }
    const result = await this.#calls.make(control, () => control.revert(kind, pending.lease.before));
    const { mayChangeInMs = 0 } = result.state ?? {};
    if (result.readBack !== "agrees" && mayChangeInMs > 0) {
      this.#waits(pending, result, mayChangeInMs);
      return;
    }
    delete pending.backAtMs;
    if (result.readBack !== "agrees") {
      const isNews = pending.failure !== result.readBack;
      this.#failed(pending, result.readBack, "the device does not show that the command is over");
      if (isNews) this.#report(pending, result, result.readBack);
      return;
    }
    this.#forget(kind, pending);
    this.#reverted();
    this.#report(pending, result, pending.reason);
    const { device } = pending.lease;
    const afterMs = this.#context.clock.monotonicMs() - pending.sinceMs;
    this.#context.logger.info("control-reverted", { device, kind, reason: pending.reason, afterMs });
  }

  /** It has been told, and is not in doubt: what it does is done until then. */
  #waits(pending: Pending, result: RevertResult, forMs: number): void {
    const isNews = pending.backAtMs === undefined;
    pending.backAtMs = this.#context.clock.monotonicMs() + forMs;
    if (!isNews) return;
    const { device, kind } = pending.lease;
    this.#context.logger.info("control-revert-waits", { device, kind, reason: pending.reason, forMs });
    this.#report(pending, result, "least-time");
  }

  #caught(kind: ControlKind, pending: Pending, error: unknown): void {
    const { code, message } = describeProblem(error);
    if (code !== "control-no-before") {
      this.#failed(pending, code, error);
      return;
    }
    // The file that said it is lost: no later attempt could know it.
    this.#forget(kind, pending);
    this.#context.logger.error("control-revert-impossible", {
      ...{ device: pending.lease.device, kind, code, message },
    });
  }

  #forget(kind: ControlKind, pending: Pending): void {
    if (this.#pending.get(kind) === pending) this.#pending.delete(kind);
    this.#context.register.forget(pending.lease.device, kind);
    this.#context.flush();
  }

  #failed(pending: Pending, failure: string, thrown: unknown): void {
    if (pending.failure === failure) return;
    pending.failure = failure;
    const { device, kind } = pending.lease;
    const { code, message } =
      thrown instanceof Error ? describeProblem(thrown) : { code: failure, message: thrown };
    this.#context.logger.warn("control-revert-failed", {
      ...{ device, kind, reason: pending.reason, code, message },
    });
  }

  #report({ lease }: Pending, { state }: RevertResult, reason: string): void {
    const { device, channel, kind, orderSeq } = lease;
    this.#context.report(
      present<Actuated>({
        ...{ device, channel, action: "revert", kind, orderSeq, reason },
        readBack: state?.value,
      }),
    );
  }
}

export function offline(device: string): Problem {
  return new Problem("control-offline", "the device does not answer, or takes no commands", {
    where: device,
  });
}
