import { describeProblem } from "../../attest/problem.ts";
import type { ChannelRole } from "../../attest/reading.ts";
import type { Logger } from "../../runtime/log.ts";
import type { SiteWatch } from "./guards.ts";
import type { LeaseRegister } from "./lease-register.ts";
import type { Actuated, ControlSource, Hold } from "./types.ts";

/** What the desk is told from outside. */
export interface DeskOptions {
  readonly clock: { monotonicMs(): number };
  readonly source: ControlSource;
  readonly register: LeaseRegister;
  /** Whether somebody reverts what is leased when this process is gone. */
  readonly supervised: boolean;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  actuated(actuated: Actuated): void;
  /** A hold was taken over by another one. */
  superseded(hold: Hold, by: Hold): void;
  /** A hold ended before its time, and not by whoever ordered it. */
  ended(hold: Hold, reason: string): void;
  /** What a driver describes a channel as; undefined is taken for the device's own. */
  roleOf(device: string, channel: string): ChannelRole | undefined;
  readonly logger: Logger;
}

/** What all devices of a desk share. */
export class DeskContext {
  readonly options: DeskOptions;
  readonly site: SiteWatch;
  /** The last word of whoever may order. */
  heartbeatMs: number | undefined;
  #failure: string | undefined;

  constructor(options: DeskOptions, site: SiteWatch) {
    this.options = options;
    this.site = site;
  }

  get clock(): DeskOptions["clock"] {
    return this.options.clock;
  }

  get register(): LeaseRegister {
    return this.options.register;
  }

  get logger(): Logger {
    return this.options.logger;
  }

  /** Whether anybody has said anything since `sinceMs`, or not too long ago. */
  isHeard(sinceMs: number = Number.NEGATIVE_INFINITY): boolean {
    const lastMs = Math.max(this.heartbeatMs ?? Number.NEGATIVE_INFINITY, sinceMs);
    return this.clock.monotonicMs() - lastMs <= this.options.heartbeatMs;
  }

  report(actuated: Actuated): void {
    this.tell("actuated", () => this.options.actuated(actuated));
  }

  /** Tells somebody something; what fails there must not stop a revert. */
  tell(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.logger.problem("control-report-failed", error, { what });
    }
  }

  /** Writes the file of leases where it is behind; tried again at each tick. */
  flush(): void {
    try {
      this.register.flush();
      if (this.#failure !== undefined) this.logger.info("control-leases-failed-over");
      this.#failure = undefined;
    } catch (error) {
      const { code } = describeProblem(error);
      if (this.#failure !== code) this.logger.problem("control-leases-failed", error);
      this.#failure = code;
    }
  }
}
