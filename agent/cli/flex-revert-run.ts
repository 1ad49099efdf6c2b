import { describeProblem, Problem } from "../../attest/problem.ts";
import type { Controllable } from "../../drivers/control.ts";
import type { DriverDefinition, MeterDriver } from "../../drivers/driver.ts";
import { relayed } from "../../firmware-bridge/relay/relayed-meter.ts";
import { monotonicMs } from "../../runtime/monotonic.ts";
import type { DeviceConfig } from "../config/config.ts";
import type { KeptLease } from "../control/types.ts";
import { Pause, withinDeadline } from "../sampling/pause.ts";
import type { LeaseBook } from "./flex-revert-book.ts";

/** What came of one lease. */
export interface RevertOutcome {
  readonly lease: KeptLease;
  /** Whether the device has confirmed that the command is over. */
  readonly reverted: boolean;
  readonly tries: number;
  /** Why it is not, as it was at last. */
  readonly problem?: unknown;
}

export interface RevertRequest {
  readonly book: LeaseBook;
  readonly leases: readonly KeptLease[];
  readonly devices: readonly DeviceConfig[];
  readonly patienceMs: number;
}

const FIRST_WAIT_MS = 500;
const MOST_WAIT_MS = 8000;
/** Of one call to a driver that hangs; what a line takes for an answer is less. */
const CALL_MS = 20_000;
const SHORTEST_CALL_MS = 1000;
const CLOSE_MS = 5000;

/** What stays as it is, however often it is tried. */
const FINAL: ReadonlySet<string> = new Set([
  "revert-no-device",
  "revert-no-control",
  "control-not-supported",
  "control-no-before",
]);

/** Reverts each lease, all devices at a time, again and again until the device confirms it or the time is over. */
export async function revertAll(request: RevertRequest): Promise<readonly RevertOutcome[]> {
  const ids = [...new Set(request.leases.map(({ device }) => device))];
  const endMs = monotonicMs() + request.patienceMs;
  const outcomes = await Promise.all(
    ids.map((id) => {
      const leases = request.leases.filter(({ device }) => device === id);
      const device = request.devices.find((one) => one.id === id);
      return new DeviceRevert({ leases, device, endMs, book: request.book }).run();
    }),
  );
  return outcomes.flat();
}

interface DeviceRevertOptions {
  readonly leases: readonly KeptLease[];
  readonly device: DeviceConfig | undefined;
  readonly endMs: number;
  readonly book: LeaseBook;
}

/** The leases of one device. */
class DeviceRevert {
  readonly #options: DeviceRevertOptions;
  readonly #problems = new Map<KeptLease, unknown>();
  readonly #reverted = new Set<KeptLease>();
  #tries = 0;

  constructor(options: DeviceRevertOptions) {
    this.#options = options;
  }

  async run(): Promise<readonly RevertOutcome[]> {
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, MOST_WAIT_MS)) {
      this.#tries += 1;
      await this.#try();
      const leftMs = this.#options.endMs - monotonicMs();
      if (this.#left.length === 0 || leftMs <= 0) return this.#outcomes();
      await new Pause().wait(Math.min(waitMs, leftMs));
    }
  }

  /** Those that may still be reverted by trying again. */
  get #left(): readonly KeptLease[] {
    return this.#options.leases.filter((lease) => {
      const problem = this.#problems.get(lease);
      const isFinal = problem !== undefined && FINAL.has(describeProblem(problem).code);
      return !this.#reverted.has(lease) && !isFinal;
    });
  }

  /** Over a line of its own each time: who could not answer on the last one may on a new one. */
  async #try(): Promise<void> {
    let meter: MeterDriver | undefined;
    try {
      meter = this.#open();
      await this.#withinTime("identify the device", meter.identify());
      const { control } = meter;
      if (control === undefined) throw noControl(this.#where);
      for (const lease of this.#left) await this.#revert(control, lease);
    } catch (cause) {
      for (const lease of this.#left) this.#problems.set(lease, cause);
    } finally {
      await release(meter);
    }
  }

  #open(): MeterDriver {
    const { device } = this.#options;
    if (device !== undefined) return revertable(device).open(device.options);
    throw new Problem("revert-no-device", "the configuration has no such device any more", {
      where: this.#where,
      hint: "put its entry back until its command is ended",
    });
  }

  async #revert(control: Controllable, lease: KeptLease): Promise<void> {
    try {
      const { readBack } = await this.#withinTime(
        "end the command",
        control.revert(lease.kind, lease.before),
      );
      if (readBack === "agrees") this.#confirmed(lease);
      else this.#problems.set(lease, unconfirmed(this.#where, readBack));
    } catch (cause) {
      if (await this.#neverBegan(control, lease, cause)) this.#confirmed(lease);
      else this.#problems.set(lease, cause);
    }
  }

  /** A lease is kept before anything is written: where the agent ended in between, there is nothing to go back from. */
  async #neverBegan(control: Controllable, { kind }: KeptLease, cause: unknown): Promise<boolean> {
    if (describeProblem(cause).code !== "control-no-before") return false;
    const states = await this.#withinTime("say what is set", control.readBack()).catch(() => []);
    return states.some((state) => state.kind === kind && state.active === false);
  }

  #confirmed(lease: KeptLease): void {
    this.#options.book.reverted(lease);
    this.#reverted.add(lease);
    this.#problems.delete(lease);
  }

  #withinTime<T>(what: string, work: Promise<T>): Promise<T> {
    const leftMs = Math.max(this.#options.endMs - monotonicMs(), SHORTEST_CALL_MS);
    return withinDeadline(work, { what, deadlineMs: Math.min(leftMs, CALL_MS), pause: new Pause() });
  }

  get #where(): string {
    return `device ${this.#options.leases[0]?.device ?? ""}`;
  }

  #outcomes(): readonly RevertOutcome[] {
    return this.#options.leases.map((lease) => ({
      ...{ lease, tries: this.#tries, reverted: this.#reverted.has(lease) },
      ...(this.#problems.has(lease) ? { problem: this.#problems.get(lease) } : {}),
    }));
  }
}

/** Nothing is counted in passing: what nobody sealed stays downtime of the meter. */
function revertable({ definition, look, relay }: DeviceConfig): DriverDefinition {
  return look === undefined || relay === undefined ? definition : relayed(look, relay);
}

async function release(meter: MeterDriver | undefined): Promise<void> {
  if (meter === undefined) return;
  const patience = new Pause();
  await Promise.race([meter.close().catch(() => undefined), patience.wait(CLOSE_MS)]);
  patience.stop();
}

function noControl(where: string): Problem {
  return new Problem("revert-no-control", "the device, as it answers now, takes no commands", {
    where,
    hint: "is it another device, or is its remote control switched off?",
  });
}

function unconfirmed(where: string, got: "differs" | "unreadable"): Problem {
  const what = "it was told to end the command, and does not show that it has";
  return new Problem("revert-unconfirmed", what, {
    ...{ where, expected: "the command off, or what was set before" },
    got: got === "differs" ? "something else" : "no answer",
  });
}
