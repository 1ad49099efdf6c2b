import type { DeskContext } from "./desk-context.ts";
import { INIT_MS, nextPhase, type PhaseEvent, phaseAtStart } from "./phases.ts";
import type { ControlPhase } from "./types.ts";

/** In which of the five states a device is, kept in the file of leases. */
export class DevicePhase {
  readonly #context: DeskContext;
  readonly #device: string;
  readonly #startMs: number;
  #now: ControlPhase;
  #limitedMs = 0;

  constructor(context: DeskContext, device: string, isLeased: boolean) {
    this.#context = context;
    this.#device = device;
    this.#startMs = context.clock.monotonicMs();
    this.#now = phaseAtStart(context.register.found.phases[device], isLeased);
    context.register.setPhase(device, this.#now);
    if (this.#now === "failsafe") context.logger.warn("control-phase", { device, phase: this.#now });
  }

  get now(): ControlPhase {
    return this.#now;
  }

  move(event: PhaseEvent): void {
    this.#set(nextPhase(this.#now, event));
  }

  failsafe(): void {
    this.#set("failsafe");
  }

  /** The hold is over. */
  over(): void {
    this.move(this.#context.isHeard() ? "over" : "overAlone");
  }

  /** Whether nobody has said anything for too long, counted from the beginning of what limits the device. */
  isUnheard(): boolean {
    return !this.#context.isHeard(this.#limitedMs);
  }

  /** What passes with time alone. A hold is ended by its owner, who knows whether it needs a heartbeat. */
  tick(): void {
    if (this.#now === "init" && this.#context.clock.monotonicMs() - this.#startMs >= INIT_MS)
      this.move("initOver");
    if (this.#now === "unlimitedControlled" && !this.#context.isHeard()) this.move("heartbeatLost");
  }

  #set(phase: ControlPhase): void {
    if (phase === this.#now) return;
    const before = this.#now;
    this.#now = phase;
    if (phase === "limited") this.#limitedMs = this.#context.clock.monotonicMs();
    this.#context.register.setPhase(this.#device, phase);
    this.#context.flush();
    const fields = { device: this.#device, phase, before };
    if (phase === "failsafe") this.#context.logger.warn("control-phase", fields);
    else this.#context.logger.info("control-phase", fields);
  }
}
