import { z } from "zod";
import type { SampleSink, SamplingOptions } from "../../../agent/sampling/sampler.ts";
import { Problem } from "../../../attest/problem.ts";
import type {
  ChannelDescription,
  DriverDefinition,
  MeterDriver,
  MeterIdentity,
  PushListener,
  Snapshot,
} from "../../../drivers/driver.ts";
import type { Logger } from "../../../runtime/log.ts";

const CHANNELS: readonly ChannelDescription[] = [{ name: "grid", role: "grid", quantities: ["power"] }];

/** A device that does what its script says; every driver opened to it talks to the same one. */
export class FakeDevice {
  readonly readAtMs: number[] = [];
  opened = 0;
  closed = 0;
  serial = "A-1";
  /** How long a read takes. */
  readMs = 0;
  /** Fails while it is set. */
  problem: Error | undefined;
  identifyProblem: Error | undefined;
  /** Reads and identifications never end. */
  hangs = false;
  listener: PushListener | undefined;
  readonly #mode: "polled" | "push";

  constructor(mode: "polled" | "push") {
    this.#mode = mode;
  }

  get definition(): DriverDefinition {
    return { name: "fake", summary: "", schema: z.strictObject({}), open: () => this.#open() };
  }

  /** Sends a telegram to whoever listens. */
  send(power = 1): void {
    this.listener?.onSnapshot(snapshotOf(power));
  }

  #open(): MeterDriver {
    this.opened += 1;
    let gone: (reason: Error) => void = () => undefined;
    const end = new Promise<never>((_resolve, reject) => {
      gone = reject;
    });
    end.catch(() => undefined);
    const base = {
      identify: () => this.#after(() => this.#identity(), end),
      channels: () => CHANNELS,
      close: async () => {
        this.closed += 1;
        this.listener = undefined;
        gone(new Problem("driver-closed", "closed"));
      },
    };
    if (this.#mode === "polled")
      return { ...base, mode: "polled", read: () => this.#after(() => this.#read(), end) };
    return { ...base, mode: "push", start: (listener) => this.#start(listener) };
  }

  #start(listener: PushListener): void {
    this.listener = listener;
  }

  #identity(): MeterIdentity {
    if (this.identifyProblem !== undefined) throw this.identifyProblem;
    return { make: "Fake", model: "F", serial: this.serial, firmware: "" };
  }

  #read(): Snapshot {
    if (this.problem !== undefined) throw this.problem;
    return snapshotOf(1);
  }

  async #after<T>(result: () => T, end: Promise<never>): Promise<T> {
    if (this.#mode === "polled") this.readAtMs.push(performance.now());
    if (this.hangs) return await end;
    if (this.readMs > 0)
      await Promise.race([new Promise((resolve) => setTimeout(resolve, this.readMs)), end]);
    return result();
  }
}

export function snapshotOf(activePowerMw: number): Snapshot {
  const reading = { channel: "grid", activePowerMw, evidence: new Uint8Array(32) };
  return { readings: [reading], flexibility: [], absent: [] };
}

/** A sink and a logger that write down what they get. */
export class Record implements SampleSink, Logger {
  readonly identities: string[] = [];
  readonly takenAtMs: number[] = [];
  readonly powers: (number | undefined)[] = [];
  readonly failures: string[] = [];
  readonly lines: { readonly event: string; readonly code?: unknown; readonly hint?: unknown }[] = [];
  /** How many of the next snapshots are doubted. */
  doubts = 0;
  throws = false;

  identified(_device: string, identity: MeterIdentity): void {
    this.identities.push(identity.serial);
  }

  take(_device: string, snapshot: Snapshot): { readonly reread: boolean } {
    this.takenAtMs.push(performance.now());
    this.powers.push(snapshot.readings[0]?.activePowerMw);
    if (this.throws) throw new Error("disk full");
    this.doubts -= 1;
    return { reread: this.doubts >= 0 };
  }

  failed(_device: string, problem: Error): void {
    this.failures.push(problem instanceof Problem ? problem.code : problem.message);
  }

  info(event: string, fields: object = {}): void {
    this.lines.push({ event, ...fields });
  }

  warn(event: string, fields: object = {}): void {
    this.lines.push({ event, ...fields });
  }

  error(event: string, fields: object = {}): void {
    this.lines.push({ event, ...fields });
  }

  problem(event: string, thrown: unknown): void {
    this.lines.push({ event, code: thrown instanceof Error ? thrown.message : thrown });
  }

  get events(): string[] {
    return this.lines.map((line) => line.event);
  }
}

/** Options for a device that is read every `intervalMs`, with the longest possible back-off. */
export function sampling(device: FakeDevice, record: Record, intervalMs: number): SamplingOptions {
  return {
    device: { id: "d", definition: device.definition, options: {}, intervalMs },
    sink: record,
    logger: record,
    random: () => 1,
  };
}
