import { KNOWN_TIME } from "../../attest/leaf.ts";
import { Problem } from "../../attest/problem.ts";
import type { Receipt } from "../../attest/receipt.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Guard } from "../guard.ts";
import type { Journal } from "../journal/journal.ts";
import type { Sealer } from "../sealing/sealer.ts";
import { AgentClock, type ClockSource, type Instant, type Step } from "./clock.ts";
import { newestReceiptOf, provenMs } from "./known-times.ts";
import { NodeTimes } from "./node-times.ts";
import { SystemClock } from "./system-clock.ts";

/** What the time keeper needs from the agent around it. */
export interface TimeKeeperHost {
  readonly logger: Logger;
  readonly guard: Guard;
  /** Whose log states the steps. */
  sealer(): Sealer;
  /** Called when the clock was set, or became known or unknown. */
  stepped?(): void;
}

/** Checkpoints that may be on their way to a node at once. */
const MOST_SIGNED = 256;

/** The agent's clock between the system's, the nodes' receipts and the log: what it learns, and what it has to state. */
export class TimeKeeper {
  readonly clock: AgentClock;
  readonly #host: TimeKeeperHost;
  readonly #source: ClockSource & { stop?(): void };
  readonly #nodes: NodeTimes;
  /** When checkpoints of a size were signed, oldest first. */
  readonly #signedMs = new Map<number, number>();
  #saidQuality: number | undefined;

  constructor(host: TimeKeeperHost, source: ClockSource & { stop?(): void } = new SystemClock()) {
    this.#host = host;
    this.#source = source;
    this.#nodes = new NodeTimes();
    this.clock = new AgentClock(source, this.#nodes);
  }

  /** Before anything is sealed: what the journal knows of the time. `nodeKeys` are those of the configured nodes. */
  begin(journal: Journal, last: Instant | undefined, nodeKeys: readonly Uint8Array[]): void {
    for (const nodeKey of nodeKeys) {
      const receipt = newestReceiptOf(journal, nodeKey);
      if (receipt !== undefined) this.#nodes.note(nodeKey, { ...receipt, arrivedMs: this.clock.passedMs });
    }
    this.clock.continueFrom(last, provenMs(journal, last));
    this.#sayQuality();
  }

  /**
   * States what changed between the last leaf of the log and now; durable when this returns. `rebooted`: since the machine
   * was started anew.
   */
  reopened(sealer: Sealer, rebooted: boolean): void {
    const before = sealer.rules.lastTime;
    const after = this.clock.now();
    // Two starts count from two instants, whatever the numbers are.
    if (rebooted && !isKnown(before) && !isKnown(after)) sealer.stepClock({ before, after });
    else sealer.reconcileClock();
    sealer.commit();
  }

  /** Once a second, and before anything that will be sealed with a time. */
  check(): void {
    const step = this.clock.check((stated) => this.#state(stated));
    if (step !== undefined) {
      this.#host.logger.warn("clock-step", {
        ...{ fromMs: step.before.timeMs, fromQuality: step.before.timeQuality },
        ...{ toMs: step.after.timeMs, quality: step.after.timeQuality },
      });
      this.#host.stepped?.();
    }
    this.#sayQuality();
  }

  /** A checkpoint over `size` leaves was signed, begun at `passedMs` of the clock. */
  signed(size: number, passedMs: number): void {
    this.#signedMs.delete(size);
    this.#signedMs.set(size, passedMs);
    for (const oldest of this.#signedMs.keys()) {
      if (this.#signedMs.size <= MOST_SIGNED) return;
      this.#signedMs.delete(oldest);
    }
  }

  /** A configured node has answered with a receipt. */
  receipted(nodeKey: Uint8Array, { size, receivedAtMs }: Receipt): void {
    const signedMs = this.#signedMs.get(size);
    const arrivedMs = this.clock.passedMs;
    this.#nodes.note(nodeKey, { receivedAtMs, arrivedMs, ...(signedMs === undefined ? {} : { signedMs }) });
  }

  stop(): void {
    this.#source.stop?.();
  }

  #state(step: Step): boolean {
    return this.#host.guard.run("clock-step-failed", () => this.#host.sealer().stepClock(step));
  }

  #sayQuality(): void {
    const { timeQuality } = this.clock.now();
    const before = this.#saidQuality;
    if (before === timeQuality) return;
    this.#saidQuality = timeQuality;
    if (timeQuality < KNOWN_TIME) this.#sayUnknown();
    if (before !== undefined) this.#host.logger.info("clock-quality", { from: before, quality: timeQuality });
  }

  #sayUnknown(): void {
    const problem = new Problem("clock-unknown", "nothing stands behind the time of the system clock", {
      expected: "a time server, a battery clock, or a node whose receipts agree with it",
      got: new Date(this.#source.wallMs()).toISOString(),
      hint: "readings are sealed with the time since boot until it is known: connect the gateway to a time server, see docs/clock.md",
    });
    this.#host.logger.problem("clock-unknown", problem);
  }
}

function isKnown({ timeQuality }: Instant): boolean {
  return timeQuality >= KNOWN_TIME;
}
