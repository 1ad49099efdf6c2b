import { Problem } from "../../attest/problem.ts";
import type { DriverDefinition, MeterDriver, Snapshot } from "../driver.ts";
import { Checklist, type CheckResult, Skipped } from "./checklist.ts";
import {
  absenceFault,
  channelFault,
  evidenceFault,
  integerFault,
  membershipFault,
  type Observed,
  registerFault,
} from "./checks.ts";

export interface ConformanceSettings {
  /** How many snapshots to take; default 5. */
  readonly reads?: number;
  /** Pause between two reads of a polled meter; default 100 ms. */
  readonly pauseMs?: number;
  /** Longest wait for an identification or a snapshot; default 20 s. */
  readonly deadlineMs?: number;
  /** Options, as they stand in a configuration file, of a place where nothing answers. */
  readonly unreachable?: Readonly<Record<string, unknown>>;
}

/**
 * Holds a driver against the contract on a device that answers, real or simulated. `options` are the driver's own
 * as they stand in a configuration file. Tied to no test runner: a test asserts that no outcome is "failed".
 */
export async function conformance(
  definition: DriverDefinition,
  options: Readonly<Record<string, unknown>>,
  settings: ConformanceSettings = {},
): Promise<CheckResult[]> {
  const trial = new Trial(definition, settings);
  await trial.list.run("schema refuses unknown keys", async () => schemaFault(definition, options));
  await trial.list.run("opens and closes around its work", () => trial.observe(options));
  await trial.checkSnapshots();
  await trial.list.run("close may be called twice", () => trial.closeTwice(options));
  await trial.list.run("refuses to work after close", () => trial.workAfterClose(options));
  await trial.checkUnreachable();
  return trial.list.results;
}

const DEFAULTS = { reads: 5, pauseMs: 100, deadlineMs: 20_000 };

/** The checks on snapshots, in the order in which they are reported. */
const SNAPSHOT_CHECKS: readonly (readonly [string, (observed: Observed) => string | undefined])[] = [
  ["readings belong to described channels", membershipFault],
  ["values are whole numbers in range", integerFault],
  ["absent is absent", absenceFault],
  ["evidence is a digest", evidenceFault],
  ["registers never fall", registerFault],
];

class Trial {
  readonly list: Checklist = new Checklist();
  readonly #definition: DriverDefinition;
  readonly #settings: Required<Omit<ConformanceSettings, "unreachable">> & ConformanceSettings;

  #observed: Observed = { channels: [], snapshots: [] };

  constructor(definition: DriverDefinition, settings: ConformanceSettings) {
    this.#definition = definition;
    this.#settings = { ...DEFAULTS, ...settings };
  }

  /** Identifies the device and takes its snapshots. */
  async observe(options: Readonly<Record<string, unknown>>): Promise<undefined> {
    const { reads } = this.#settings;
    await this.#with(options, async (meter) => {
      await this.list.run("identifies within its deadline", () => this.#identityFault(meter));
      await this.list.run("channels are unique and described", async () => channelFault(meter.channels()));
      await this.list.run(`delivers ${reads} snapshots`, async () => {
        const snapshots = await this.#snapshots(meter);
        this.#observed = { channels: meter.channels(), snapshots };
        return snapshots.some(({ readings }) => readings.length > 0)
          ? undefined
          : "none of them has a reading";
      });
    });
  }

  async checkSnapshots(): Promise<void> {
    const observed = this.#observed;
    for (const [name, fault] of SNAPSHOT_CHECKS) {
      await this.list.run(name, () => {
        if (observed.snapshots.length === 0) throw new Skipped("there is no snapshot");
        return fault(observed);
      });
    }
  }

  async closeTwice(options: Readonly<Record<string, unknown>>): Promise<string | undefined> {
    const meter = this.#open(options);
    await this.#inTime(meter.close(), "close");
    await this.#inTime(meter.close(), "close again");
    return undefined;
  }

  async workAfterClose(options: Readonly<Record<string, unknown>>): Promise<string | undefined> {
    const meter = this.#open(options);
    await this.#inTime(meter.close(), "close");
    return (
      (await this.#refusalFault("identify()", () => meter.identify())) ??
      (await this.#refusalFault(meter.mode === "polled" ? "read()" : "start()", async () =>
        meter.mode === "polled" ? await meter.read() : meter.start(DEAF),
      ))
    );
  }

  async checkUnreachable(): Promise<void> {
    const { unreachable } = this.#settings;
    await this.list.run("says what is wrong where nothing answers", async () => {
      if (unreachable === undefined) throw new Skipped("no options of an unreachable place were given");
      return await this.#with(unreachable, (meter) =>
        this.#refusalFault("identify()", () => meter.identify()),
      );
    });
  }

  async #identityFault(meter: MeterDriver): Promise<string | undefined> {
    const identity = await this.#inTime(meter.identify(), "identify()");
    const wrong = Object.entries(identity).find(([, value]) => typeof value !== "string");
    return wrong === undefined ? undefined : `${wrong[0]} is ${String(wrong[1])}, expected text`;
  }

  async #snapshots(meter: MeterDriver): Promise<Snapshot[]> {
    const { reads, pauseMs } = this.#settings;
    if (meter.mode === "push") return await this.#inTime(telegrams(meter, reads), `${reads} telegrams`);
    const snapshots: Snapshot[] = [];
    while (snapshots.length < reads) {
      snapshots.push(await this.#inTime(meter.read(), "read()"));
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    return snapshots;
  }

  /** Undefined when `work` is refused with a Problem of a stable code. */
  async #refusalFault(name: string, work: () => Promise<unknown>): Promise<string | undefined> {
    try {
      await this.#inTime(work(), name);
    } catch (error) {
      if (!(error instanceof Problem)) return `${name} failed with no Problem: ${textOf(error)}`;
      if (error.code === LATE) return error.message;
      return /^[a-z0-9]+(-[a-z0-9]+)+$/.test(error.code)
        ? undefined
        : `${name} failed with the code "${error.code}"`;
    }
    return `${name} succeeded`;
  }

  async #with<T>(
    options: Readonly<Record<string, unknown>>,
    work: (meter: MeterDriver) => Promise<T>,
  ): Promise<T> {
    const meter = this.#open(options);
    try {
      return await work(meter);
    } finally {
      await this.#inTime(meter.close(), "close");
    }
  }

  #open(options: Readonly<Record<string, unknown>>): MeterDriver {
    return this.#definition.open(this.#definition.schema.parse(options));
  }

  #inTime<T>(work: Promise<T>, what: string): Promise<T> {
    const { deadlineMs } = this.#settings;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(late(what, deadlineMs)), deadlineMs);
      work.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }
}

const DEAF = { onSnapshot: (): void => undefined, onProblem: (): void => undefined };
const LATE = "kit-late";

function late(what: string, deadlineMs: number): Problem {
  return new Problem(LATE, `${what} neither succeeded nor failed`, { expected: `within ${deadlineMs} ms` });
}

function telegrams(meter: MeterDriver & { readonly mode: "push" }, count: number): Promise<Snapshot[]> {
  const snapshots: Snapshot[] = [];
  return new Promise((resolve) => {
    meter.start({
      onSnapshot: (snapshot) => {
        if (snapshots.length < count) snapshots.push(snapshot);
        if (snapshots.length === count) resolve(snapshots);
      },
      // A refused telegram is no fault of the driver; one that refuses all of them runs into the deadline.
      onProblem: () => undefined,
    });
  });
}

function schemaFault(
  { schema }: DriverDefinition,
  options: Readonly<Record<string, unknown>>,
): string | undefined {
  const given = schema.safeParse(options);
  if (!given.success) return `the options are refused: ${given.error.issues[0]?.message ?? ""}`;
  const extended = schema.safeParse({ ...options, "no driver has this key": 1 });
  return extended.success ? "an unknown key was taken without a word; use z.strictObject" : undefined;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
