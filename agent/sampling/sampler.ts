import { describeProblem, Problem } from "../../attest/problem.ts";
import type { Controllable } from "../../drivers/control.ts";
import type {
  ChannelDescription,
  MeterDriver,
  MeterIdentity,
  PolledMeter,
  PushMeter,
  Snapshot,
} from "../../drivers/driver.ts";
import { Backoff } from "../../runtime/limits.ts";
import type { Logger } from "../../runtime/log.ts";
import type { DeviceConfig } from "../config/config.ts";
import { DeviceCondition, type SamplingStatistics } from "./condition.ts";
import { Pause, type Waker, withinDeadline } from "./pause.ts";
import { Schedule, Thinning } from "./schedule.ts";

/** Where snapshots go. What it throws is logged and goes no further. */
export interface SampleSink {
  /** The device has said who it is: at first, and again each time it was opened anew. */
  identified(deviceId: string, identity: MeterIdentity, channels: readonly ChannelDescription[]): void;
  /** One snapshot; `reread` asks for another one soon. */
  take(deviceId: string, snapshot: Snapshot): { readonly reread: boolean };
  failed(deviceId: string, problem: Error): void;
}

export interface SamplingOptions {
  readonly device: Pick<DeviceConfig, "id" | "definition" | "options" | "intervalMs">;
  readonly sink: SampleSink;
  /** Told what the device can be told once it has said who it is, and undefined when its line is given up. */
  readonly controlled?: (control: Controllable | undefined) => void;
  readonly logger: Logger;
  /** A clock that is never set, ms; left out: performance.now. */
  readonly now?: () => number;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

/** A device that is being read. */
export interface Sampling {
  statistics(): SamplingStatistics;
  /** Resolves when the driver is closed; nothing reaches the sink after it was called. */
  stop(): Promise<void>;
}

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;
const REREAD_AFTER_MS = 500;
const MOST_REREADS = 3;
/** Failures in a row after which a driver is given up and opened anew. */
const REOPEN_AFTER = 5;
/** Drivers have deadlines of their own; these only catch one that has lost its own. */
const IDENTIFY_DEADLINE_MS = 900_000;
const READ_DEADLINE_MS = 120_000;
const CLOSE_DEADLINE_MS = 10_000;
/** A push driver reports silence itself. */
const SILENCE_DEADLINE_MS = 7_200_000;

/**
 * A driver that hangs may still be waiting for the read it lost: only a new one is sure to be idle. One whose ratio was
 * changed has to describe its channels anew before anything more is sealed.
 */
const FOR_A_NEW_DRIVER: ReadonlySet<string> = new Set(["driver-hung", "driver-settings-changed"]);

/** Reads one device until stopped: identifies it, then takes its snapshots at its interval, and opens it anew. */
export function startSampling(options: SamplingOptions): Sampling {
  const sampler = new Sampler(options);
  const done = sampler.run();
  return {
    statistics: () => sampler.statistics(),
    stop: async () => {
      await sampler.stop();
      await done;
    },
  };
}

class Sampler {
  readonly #options: SamplingOptions;
  readonly #now: () => number;
  readonly #condition: DeviceCondition;
  readonly #pause = new Pause();
  #meter: MeterDriver | undefined;
  readonly #backoff: Backoff;
  #rereads = 0;

  constructor(options: SamplingOptions) {
    const { id, definition } = options.device;
    this.#options = options;
    const { random = Math.random } = options;
    this.#backoff = new Backoff({ firstMs: FIRST_RETRY_MS, mostMs: LONGEST_RETRY_MS, random });
    this.#now = options.now ?? (() => performance.now());
    this.#condition = new DeviceCondition({ id, driver: definition.name }, options.logger);
  }

  statistics(): SamplingStatistics {
    return this.#condition.statistics();
  }

  async stop(): Promise<void> {
    this.#pause.stop();
    await this.#close();
  }

  async run(): Promise<void> {
    while (!this.#pause.stopped) {
      await this.#session();
      await this.#close();
      if (this.#pause.stopped) return;
      this.#condition.count("reopened");
      await this.#pause.wait(this.#backoff.next());
    }
  }

  /** From opening the driver to giving it up. */
  async #session(): Promise<void> {
    try {
      const { definition, options } = this.#options.device;
      const meter = definition.open(options);
      this.#meter = meter;
      if (meter.mode === "polled") await this.#poll(meter);
      else await this.#listen(meter);
    } catch (error) {
      this.#failed(error, true);
    }
  }

  async #poll(meter: PolledMeter): Promise<void> {
    await this.#identify(meter);
    const schedule = new Schedule(this.#options.device.intervalMs, this.#now());
    this.#condition.begin();
    while (!this.#pause.stopped) {
      await this.#read(meter);
      if (this.#condition.failuresSinceBegin >= REOPEN_AFTER) return;
      const { atMs, skipped } = schedule.next(this.#now());
      this.#condition.count("skipped", skipped);
      await this.#pause.wait(atMs - this.#now());
    }
  }

  /** One read, and up to three more where the sink doubts it. */
  async #read(meter: PolledMeter): Promise<void> {
    while (!this.#pause.stopped && (await this.#readOnce(meter)) && this.#rereads < MOST_REREADS) {
      this.#rereads += 1;
      this.#condition.count("rereads");
      await this.#pause.wait(REREAD_AFTER_MS);
    }
  }

  async #readOnce(meter: PolledMeter): Promise<boolean> {
    try {
      return this.#taken(await this.#inTime(meter.read(), "read", READ_DEADLINE_MS));
    } catch (error) {
      if (error instanceof Problem && FOR_A_NEW_DRIVER.has(error.code)) throw error;
      this.#failed(error, false);
      return false;
    }
  }

  /** The first telegram is often the one that identifies the meter, so the listener is there before. */
  async #listen(meter: PushMeter): Promise<void> {
    const session = new PushSession(this.#options.device.intervalMs);
    meter.start({
      onSnapshot: (snapshot) => this.#pushed(session, snapshot),
      onProblem: (problem) => this.#lost(session, problem),
    });
    await this.#identify(meter);
    session.identified = true;
    this.#condition.begin();
    if (session.early !== undefined) this.#pushed(session, session.early);
    while (!this.#pause.stopped && !session.over) {
      const seen = session.signs;
      await this.#pause.wait(SILENCE_DEADLINE_MS, session);
      if (!session.over && !this.#pause.stopped && session.signs === seen) throw silent();
    }
  }

  #pushed(session: PushSession, snapshot: Snapshot): void {
    if (this.#pause.stopped || session.over) return;
    session.signs += 1;
    if (!session.identified) session.early = snapshot;
    else if (session.wants(snapshot, this.#now())) session.reread = this.#taken(snapshot);
    else {
      this.#condition.good();
      this.#condition.count("thinned");
    }
  }

  #lost(session: PushSession, problem: Error): void {
    if (this.#pause.stopped || session.over) return;
    session.signs += 1;
    // Before the meter is identified, identify() itself says how that ended.
    if (!session.identified) return;
    const { code } = describeProblem(problem);
    this.#failed(problem, code.startsWith("line-"));
    if (this.#condition.failuresSinceBegin < REOPEN_AFTER && !FOR_A_NEW_DRIVER.has(code)) return;
    session.over = true;
    session.wake();
  }

  async #identify(meter: MeterDriver): Promise<void> {
    const identity = await this.#inTime(meter.identify(), "identify the device", IDENTIFY_DEADLINE_MS);
    const channels = meter.channels();
    if (this.#pause.stopped) return;
    this.#guarded(() => this.#options.sink.identified(this.#options.device.id, identity, channels));
    this.#guarded(() => this.#options.controlled?.(meter.control));
  }

  /** Hands a snapshot on; true when the sink wants another one soon. */
  #taken(snapshot: Snapshot): boolean {
    if (this.#pause.stopped) return false;
    this.#backoff.reset();
    this.#condition.good();
    const reread = this.#guarded(() => this.#options.sink.take(this.#options.device.id, snapshot))?.reread;
    if (reread !== true) this.#rereads = 0;
    return reread === true;
  }

  #failed(error: unknown, certain: boolean): void {
    if (this.#pause.stopped) return;
    this.#condition.bad(error, certain);
    const problem = error instanceof Error ? error : new Error(String(error));
    this.#guarded(() => this.#options.sink.failed(this.#options.device.id, problem));
  }

  #inTime<T>(work: Promise<T>, what: string, deadlineMs: number): Promise<T> {
    return withinDeadline(work, { what, deadlineMs, pause: this.#pause });
  }

  #guarded<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      this.#options.logger.problem("sample-sink-failed", error, { device: this.#options.device.id });
      return undefined;
    }
  }

  async #close(): Promise<void> {
    const meter = this.#meter;
    this.#meter = undefined;
    if (meter === undefined) return;
    this.#guarded(() => this.#options.controlled?.(undefined));
    try {
      // Not the sampler's own pause, which may have been stopped already.
      const pause = new Pause();
      await withinDeadline(meter.close(), { what: "close", deadlineMs: CLOSE_DEADLINE_MS, pause });
    } catch (error) {
      this.#options.logger.problem("device-close-failed", error, { device: this.#options.device.id });
    }
  }
}

/** One push driver from start to end. */
class PushSession implements Waker {
  identified = false;
  /** The newest snapshot from before the meter was identified. */
  early: Snapshot | undefined;
  reread = false;
  /** How often the driver has called. */
  signs = 0;
  over = false;
  wake: () => void = () => undefined;

  readonly #thinning: Thinning;
  /** Whether the snapshot taken last showed registers. */
  #hadRegisters = true;

  constructor(intervalMs: number) {
    this.#thinning = new Thinning(intervalMs);
  }

  /** Registers that come seldom, between telegrams without any, are never thinned out. */
  wants(snapshot: Snapshot, nowMs: number): boolean {
    const shows = hasRegisters(snapshot);
    const isWanted = this.#thinning.wants(nowMs) || this.reread || (shows && !this.#hadRegisters);
    if (isWanted) this.#hadRegisters = shows;
    return isWanted;
  }
}

function hasRegisters({ readings }: Snapshot): boolean {
  return readings.some(({ importMwh, exportMwh }) => importMwh !== undefined || exportMwh !== undefined);
}

function silent(): Problem {
  return new Problem("driver-silent", "the driver has neither delivered nor reported anything", {
    expected: `a telegram or a problem within ${SILENCE_DEADLINE_MS / 3_600_000} h`,
    hint: "the device is opened anew; if it stays, this is a fault of the driver",
  });
}
