import { describeProblem } from "../../attest/problem.ts";
import type { Controllable, ControlResult, ControlValue } from "../../drivers/control.ts";
import { present } from "../../drivers/present.ts";
import type { DeskContext } from "./desk-context.ts";
import { type DeviceCalls, leftAsItWas } from "./device-calls.ts";
import { MOST_DIFFERENT, type Running, SETPOINT_MS, VERIFY_MS } from "./running.ts";
import type { Actuated, KeptLease } from "./types.ts";

/** Renewals in which nothing is new are reported so often at most. */
const REPORT_MS = 60_000;
/** A renewal that is refused so is of a value that the device has left: it would be another command. */
const GONE: ReadonlySet<string> = new Set(["control-not-leased", "relay-dwell"]);
/** What differs is written anew at the next tick. */
const AGAIN_MS = 1000;

/** Tells one device what a hold asks for, and goes on telling it until the hold is over. */
export class HoldKeeper {
  readonly #context: DeskContext;
  readonly #calls: DeviceCalls;
  /** A call that was given up has been answered. */
  readonly #late: (lease: KeptLease) => void;
  /** When the device was last told a value. */
  lastSetpointMs: number | undefined;

  constructor(context: DeskContext, calls: DeviceCalls, late: (lease: KeptLease) => void) {
    this.#context = context;
    this.#calls = calls;
    this.#late = late;
  }

  /** Until it may be told another one: 0 or more. */
  get waitMs(): number {
    if (this.lastSetpointMs === undefined) return 0;
    return Math.max(0, this.lastSetpointMs + SETPOINT_MS - this.#nowMs());
  }

  /** Tells the first value. Throws what `Controllable.apply` does, `control-lease-file` and `control-no-answer`. */
  async begin(run: Running): Promise<ControlResult> {
    if (run.capability.revertsTo === "before" && run.lease.before === undefined) await this.#lookBefore(run);
    const result = await this.#apply(run, run.told);
    run.begun = true;
    return result;
  }

  /** Does what is due. Gives the reason for which the hold has to end, if there is one. Never throws. */
  async keepUp(run: Running, control: Controllable): Promise<string | undefined> {
    try {
      await this.#next(run, control);
    } catch (error) {
      return this.#failed(run, error);
    }
    return run.different >= MOST_DIFFERENT ? "differs" : undefined;
  }

  async #next(run: Running, control: Controllable): Promise<void> {
    const nowMs = this.#nowMs();
    const step = run.nextStep;
    if (run.control !== control) await this.#tellAnew(run, control);
    else if (step !== undefined && this.waitMs === 0) await this.#apply(run, step);
    else if (nowMs >= run.renewAtMs) await this.#renew(run);
    else if (nowMs >= run.verifyAtMs) await this.#verify(run);
  }

  /** The line was opened anew: what was told over the old one is ended first, because only so is known what was before. */
  async #tellAnew(run: Running, control: Controllable): Promise<void> {
    if (this.waitMs > 0) return;
    const { kind } = run.capability;
    const { readBack } = await this.#calls.make(control, () => control.revert(kind, run.lease.before));
    if (readBack !== "agrees") return;
    const earlier = run.control;
    run.control = control;
    try {
      await this.#apply(run, run.told, "line-opened-anew");
    } catch (error) {
      run.control = earlier;
      throw error;
    }
  }

  async #apply(run: Running, value: ControlValue, reason?: string): Promise<ControlResult> {
    const sentMs = this.#nowMs();
    const leaseMs = this.#leaseMs(run);
    this.#keep(run, sentMs + leaseMs);
    const { rampMwPerS } = run;
    const { lease } = run;
    try {
      const result = await this.#calls.make(
        run.control,
        (control) =>
          control.apply({ ...value, leaseMs, ...(rampMwPerS === undefined ? {} : { rampMwPerS }) }),
        () => this.#late(lease),
      );
      // From the answer on: nobody knows when what hung for a while was taken.
      this.lastSetpointMs = this.#nowMs();
      run.told = value;
      this.#accept(run, result, sentMs);
      this.#report(run, "apply", result, reason);
      return result;
    } catch (error) {
      if (!leftAsItWas(error)) {
        this.lastSetpointMs = this.#nowMs();
        this.#reportFailed(run, value, error);
      }
      throw error;
    }
  }

  async #renew(run: Running): Promise<void> {
    const sentMs = this.#nowMs();
    const leaseMs = this.#leaseMs(run);
    this.#keep(run, sentMs + leaseMs);
    const { lease } = run;
    const result = await this.#calls.make(
      run.control,
      (control) => control.renew(run.capability.kind, leaseMs),
      () => this.#late(lease),
    );
    this.#accept(run, result, sentMs);
    const { reported } = run;
    const isNews = reported?.verdict !== result.readBack || sentMs - reported.atMs >= REPORT_MS;
    if (isNews) this.#report(run, "renew", result);
  }

  /** What the device shows otherwise is written again at once; the second time it is given up. */
  async #verify(run: Running): Promise<void> {
    const nowMs = this.#nowMs();
    run.verifyAtMs = nowMs + VERIFY_MS;
    const states = await this.#calls
      .make(run.control, (control) => control.readBack())
      .catch((error: unknown) => {
        // Nothing was written: the lease runs on, and the next renewal shows whether the device is there.
        this.#logFailure(run, error);
      });
    if (states === undefined) return;
    if (run.shows(states.find(({ kind }) => kind === run.capability.kind))) run.different = 0;
    else {
      run.different += 1;
      run.renewAtMs = nowMs;
    }
  }

  async #lookBefore(run: Running): Promise<void> {
    const states = await this.#calls.make(run.control, (control) => control.readBack());
    const before = states.find(({ kind }) => kind === run.capability.kind);
    if (before !== undefined) run.lease = { ...run.lease, before };
  }

  /** Until the hold is over, rounded up to what every timer can tell. */
  #leaseMs({ hold, capability: { shortestLeaseMs, longestLeaseMs } }: Running): number {
    const leftMs = Math.ceil((hold.untilMonotonicMs - this.#nowMs()) / 1000) * 1000;
    return Math.max(shortestLeaseMs, Math.min(this.#context.options.leaseMs, leftMs, longestLeaseMs));
  }

  #keep(run: Running, untilMonotonicMs: number): void {
    const lease = { ...run.lease, untilMonotonicMs: Math.ceil(untilMonotonicMs) };
    this.#context.register.keep(lease);
    run.lease = lease;
  }

  #accept(run: Running, result: ControlResult, sentMs: number): void {
    run.failure = undefined;
    run.written = result.written;
    run.leaseUntilMs = sentMs + result.leaseMs;
    const isLast = run.leaseUntilMs >= run.hold.untilMonotonicMs;
    run.renewAtMs = isLast ? Number.POSITIVE_INFINITY : sentMs + Math.floor(result.leaseMs / 2);
    run.verifyAtMs = sentMs + VERIFY_MS;
    if (result.readBack === "agrees") run.different = 0;
    if (result.readBack === "differs") {
      run.different += 1;
      run.renewAtMs = sentMs + AGAIN_MS;
    }
    if (run.lease.before !== undefined) return;
    run.lease = { ...run.lease, before: result.before };
    this.#context.register.note(run.lease);
    this.#context.flush();
  }

  /** A device that was left as it was keeps its lease, which is tried again until it is over. */
  #failed(run: Running, error: unknown): string | undefined {
    const { code } = describeProblem(error);
    if (!leftAsItWas(error) || GONE.has(code)) return code.replace(/^control-/, "");
    this.#logFailure(run, error);
    return undefined;
  }

  #logFailure(run: Running, error: unknown): void {
    const { code } = describeProblem(error);
    const { device } = run.hold;
    if (run.failure !== code)
      this.#context.logger.problem("control-renew-failed", error, { device, kind: run.capability.kind });
    run.failure = code;
  }

  #report(run: Running, action: "apply" | "renew", result: ControlResult, reason?: string): void {
    const { readBack, written, state, leaseMs } = result;
    run.reported = { verdict: readBack, atMs: this.#nowMs() };
    const { hold, capability, rampMwPerS } = run;
    const { device, orderSeq } = hold;
    const { channel, kind } = capability;
    const why = readBack === "agrees" ? reason : readBack;
    this.#context.report(
      present<Actuated>({
        ...{ device, channel, action, kind, value: written, readBack: state?.value },
        ...{ leaseMs, rampMwPerS, orderSeq, reason: why },
      }),
    );
    if (readBack === "agrees") return;
    this.#context.logger.warn("control-differs", {
      device,
      kind,
      value: written,
      readBack,
      shows: state?.value,
    });
  }

  #reportFailed({ hold, capability }: Running, value: ControlValue, error: unknown): void {
    const { device, orderSeq } = hold;
    const { channel, kind } = capability;
    const reason = describeProblem(error).code.replace(/^control-/, "");
    this.#context.report(
      present<Actuated>({ device, channel, action: "apply", kind, value, orderSeq, reason }),
    );
  }

  #nowMs(): number {
    return this.#context.clock.monotonicMs();
  }
}
