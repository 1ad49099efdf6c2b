import { z } from "zod";
import { Problem } from "../../../attest/problem.ts";
import type { ChannelDescription, DriverDefinition, PolledMeter, Snapshot } from "../../../drivers/driver.ts";

/** What a sound little driver may be told to do wrong. */
export interface Faults {
  readonly schema?: z.ZodObject;
  readonly channels?: readonly ChannelDescription[];
  readonly identify?: () => Promise<never>;
  /** Changes the n-th snapshot. */
  readonly snapshot?: (sound: Snapshot, n: number) => Snapshot;
  readonly closesOnce?: boolean;
  readonly worksAfterClose?: boolean;
}

const CHANNELS: readonly ChannelDescription[] = [
  { name: "grid", role: "grid", quantities: ["import", "power"], resolutionMwh: 1000 },
];

/** A driver without a device that keeps the contract but for its faults. */
export function faultyDriver(faults: Faults = {}): DriverDefinition {
  const schema = faults.schema ?? z.strictObject({ reachable: z.boolean().default(true) });
  return {
    name: "faulty",
    summary: "",
    schema,
    open: (options) => new FaultyMeter(faults, options["reachable"] !== false),
  };
}

class FaultyMeter implements PolledMeter {
  readonly mode = "polled" as const;
  readonly #faults: Faults;
  readonly #reachable: boolean;
  #reads = 0;
  #closed = false;

  constructor(faults: Faults, reachable: boolean) {
    this.#faults = faults;
    this.#reachable = reachable;
  }

  async identify() {
    this.#requireOpen();
    if (!this.#reachable) throw new Problem("driver-no-answer", "nothing answers");
    await this.#faults.identify?.();
    return { make: "M", model: "M", serial: "1", firmware: "" };
  }

  channels() {
    return this.#faults.channels ?? CHANNELS;
  }

  async read() {
    this.#requireOpen();
    this.#reads += 1;
    const evidence = new Uint8Array(32).fill(1);
    const reading = { channel: "grid", importMwh: 1000 * this.#reads, activePowerMw: -5, evidence };
    const sound: Snapshot = { readings: [reading], flexibility: [], absent: [] };
    return this.#faults.snapshot?.(sound, this.#reads) ?? sound;
  }

  async close() {
    if (this.#closed && this.#faults.closesOnce === true) throw new Error("already closed");
    this.#closed = true;
  }

  #requireOpen(): void {
    if (this.#closed && this.#faults.worksAfterClose !== true) throw new Problem("driver-closed", "closed");
  }
}
