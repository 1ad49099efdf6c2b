import { describeProblem } from "../../attest/problem.ts";
import type { ControlValue } from "../../drivers/control.ts";
import type { Acknowledgements } from "./acknowledgements.ts";
import { DeviceLines } from "./device-lines.ts";
import type { FlexHost } from "./host.ts";
import {
  type AcknowledgementState,
  type ChallengePlan,
  holdOf,
  isAskedAgain,
  type Run,
  refusalOf,
  stepAt,
} from "./run.ts";

/** So much longer a device is held than is ordered, unless it is let go: less than there is between two ticks. */
const GRACE_MS = 400;

/** The orders that devices carry out: begins, ends and answers each of them, and exactly once. */
export class Runs {
  readonly #host: FlexHost;
  readonly #acknowledgements: Acknowledgements;
  readonly #lines: DeviceLines;
  #open: readonly Run[] = [];

  constructor(host: FlexHost, acknowledgements: Acknowledgements) {
    this.#host = host;
    this.#acknowledgements = acknowledgements;
    this.#lines = new DeviceLines(host.logger);
  }

  /** Those that are not over, in the order in which they came. */
  get open(): readonly Run[] {
    return this.#open;
  }

  bySeq(seq: number | undefined): Run | undefined {
    return this.#open.find((run) => run.seq === seq);
  }

  add(run: Run): void {
    this.#open = [...this.#open, run];
  }

  /** Begins and ends what is due. Resolves when the devices that were free have been told. */
  async tick(): Promise<void> {
    this.#acknowledgements.flush();
    const devices = new Set(this.#open.map(({ device }) => device));
    await Promise.all(
      [...devices].map((device) => this.#lines.whenIdle(device, () => this.#advance(device))),
    );
  }

  /** As {@link Runs.tick} for one device, behind whatever it is being told. */
  now(device: string): Promise<void> {
    return this.#lines.queue(device, () => this.#advance(device));
  }

  /** The final answer to a run; what the device does because of it ends, behind what the device is being told now. */
  end(run: Run, state: AcknowledgementState, reason?: string): void {
    if (run.over) return;
    this.finish(run, state, reason);
    this.release(run, reason ?? state);
  }

  /** As {@link Runs.end}, where the device does something else already, or is to be told so. */
  finish(run: Run, state: AcknowledgementState, reason?: string): void {
    if (run.over) return;
    this.#drop(run);
    this.#acknowledgements.answer(run, state, reason);
    this.#host.logger.info("flex-order-over", { orderSeq: run.seq, device: run.device, state, reason });
  }

  /** Ends what a run that is over has its device do, unless another one has taken its place by then. */
  release({ device, told }: Run, reason: string): void {
    if (!told) return;
    void this.#lines.queue(device, async () => {
      if (!this.#isHeld(device)) await this.#host.control.release(device, "commitment", reason);
    });
  }

  /** Ends everything without an answer: the leaves that it follows from are of another log now. */
  abandon(reason: string): void {
    for (const run of this.#open) {
      this.#drop(run);
      this.release(run, reason);
    }
  }

  /** When a device, or every one of them, has been told what it was to be told. */
  idle(device?: string): Promise<void> {
    return this.#lines.idle(device);
  }

  #drop(run: Run): void {
    run.over = true;
    this.#open = this.#open.filter((each) => each !== run);
  }

  #isHeld(device: string): boolean {
    return this.#open.some((run) => run.device === device && run.startedMs !== undefined);
  }

  /** What ends before what begins. */
  async #advance(device: string): Promise<void> {
    const mine = this.#open.filter((run) => run.device === device);
    let isHandedOn = false;
    for (const run of mine) isHandedOn = (await this.#endWhenDue(run)) || isHandedOn;
    for (const run of mine) if (!run.over) await this.#carryOn(run);
    if (isHandedOn && !this.#isHeld(device)) await this.#host.control.release(device, "commitment", "over");
  }

  /** True where the device is still held by what is over, for another one that is due. */
  async #endWhenDue(run: Run): Promise<boolean> {
    const { endsMs, plan } = run;
    if (endsMs === undefined) {
      if (this.#host.clockKnown() && this.#host.nowMs() >= plan.startByMs)
        this.end(run, run.accepted ? "aborted" : "rejected", "missed");
    } else if (this.#host.monotonicMs() >= endsMs) {
      const next = this.#nextTo(run);
      // Two clocks: by the one the next dispatch begins a moment later than this one ends by the other.
      if (next === "soon") return false;
      this.finish(run, "succeeded");
      // What begins now takes its place, without the device being let go in between.
      if (next === "now") return true;
      await this.#host.control.release(run.device, "commitment", "over");
    }
    return false;
  }

  /** Whether another dispatch of the device begins where this one ends. */
  #nextTo({ device }: Run): "now" | "soon" | "none" {
    const nowMs = this.#host.nowMs();
    if (!this.#host.clockKnown()) return "none";
    const waits = this.#open
      .filter((each) => each.device === device && each.startedMs === undefined)
      .flatMap(({ plan }) => (plan.kind === "challenge" ? [] : [plan.fromMs - nowMs]));
    if (waits.some((ms) => ms <= 0)) return "now";
    return waits.some((ms) => ms < GRACE_MS) ? "soon" : "none";
  }

  async #carryOn(run: Run): Promise<void> {
    const { plan } = run;
    if (run.startedMs === undefined) await this.#begin(run);
    else if (plan.kind === "challenge") await this.#step(run, plan, run.startedMs);
  }

  async #begin(run: Run): Promise<void> {
    const { plan, device } = run;
    const { clockKnown, nowMs } = { clockKnown: this.#host.clockKnown(), nowMs: this.#host.nowMs() };
    if (!clockKnown || nowMs < plan.fromMs || this.#isHeld(device)) return;
    const isChallenge = plan.kind === "challenge";
    const lengthMs = isChallenge ? plan.stepMs * plan.powersMw.length : plan.toMs - nowMs;
    const value: ControlValue = isChallenge
      ? { kind: "powerSetpoint", powerMw: plan.powersMw[0] ?? 0 }
      : plan.value;
    if (!(await this.#tell(run, value, this.#host.monotonicMs() + lengthMs))) return;
    if (!run.accepted) this.#acknowledgements.answer(run, "accepted");
    run.accepted = true;
    // A challenge counts from this answer; a dispatch ends at its end, however long the device took.
    run.startedMs = this.#host.monotonicMs();
    run.endsMs = run.startedMs + (isChallenge ? lengthMs : Math.max(0, plan.toMs - this.#host.nowMs()));
    this.#acknowledgements.answer(run, "started");
    run.steps = 1;
    this.commit();
  }

  /** Gives the device the power of the step that a challenge is in, once for each of them. */
  async #step(run: Run, plan: ChallengePlan, startedMs: number): Promise<void> {
    const step = stepAt(plan, this.#host.monotonicMs() - startedMs);
    const powerMw = plan.powersMw[step];
    if (powerMw === undefined || step < run.steps) return;
    if (step > run.steps) this.end(run, "aborted", "step-missed");
    else if (await this.#tell(run, { kind: "powerSetpoint", powerMw }, run.endsMs ?? startedMs))
      run.steps = step + 1;
  }

  /** Whether the device was told and the run goes on; one that can no longer be carried out is ended. */
  async #tell(run: Run, value: ControlValue, untilMonotonicMs: number): Promise<boolean> {
    run.told = true;
    try {
      await this.#host.control.hold(holdOf(run, value, untilMonotonicMs + GRACE_MS));
      delete run.failingSinceMs;
      return !run.over;
    } catch (thrown) {
      const { code, message } = describeProblem(thrown);
      const nowMs = this.#host.monotonicMs();
      run.failingSinceMs ??= nowMs;
      if (run.over || isAskedAgain(run, code, nowMs)) return false;
      this.#host.logger.warn("flex-hold-refused", { orderSeq: run.seq, device: run.device, code, message });
      const { state, reason } = refusalOf(run, code);
      this.end(run, state, reason);
      this.commit();
      return false;
    }
  }

  /** What cannot be made durable now stays with the log, and is at its next attempt. */
  commit(): void {
    try {
      this.#host.commit();
    } catch (thrown) {
      this.#host.logger.problem("flex-commit-failed", thrown);
    }
  }
}
