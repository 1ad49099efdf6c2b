import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CountingProcess } from "../../../firmware-bridge/pulse/counting-process.ts";
import type { PulseReading } from "../../../firmware-bridge/pulse/pulse-source.ts";
import { FakeLine, pulses } from "./fake-line.ts";

const TIMES = { firstRetryMs: 10, longestRetryMs: 50, answerMs: 20_000 };
const COPY_BYTES = 4096;

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant("pulses"), count: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant("read"), count: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant("kill"), count: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("restart"), count: fc.nat(2) }) },
);

/** What the register must be: as far as that can be known by who sees only the pulses and what happens to the counter. */
class Model {
  told = 0;
  /** Pulses since the last reading that cannot be lost any more, and those that can. */
  sure = 0;
  maybe = 0;
  isBroken = false;

  lost(): void {
    this.maybe += this.sure;
    this.sure = 0;
    this.isBroken = true;
  }

  read({ count, gaps }: PulseReading): void {
    expect(count).toBeGreaterThanOrEqual(this.told);
    expect(count).toBeLessThanOrEqual(this.told + this.sure + this.maybe);
    // A pulse that is missing is in a stretch that was said to be one in which nobody counted.
    expect(gaps.length > 0).toBe(this.isBroken);
    const missing = this.told + this.sure + this.maybe - count;
    this.isBroken = false;
    [this.told, this.maybe] = [count, 0];
    this.sure = Math.min(this.sure, missing);
  }
}

class Machine {
  readonly line: FakeLine = new FakeLine();
  readonly model: Model = new Model();
  counting: CountingProcess | undefined;
  /** When the last pulse ended: they follow each other, all of them a while ago. */
  #endNs = process.hrtime.bigint() - 60_000_000_000n;

  async begin(): Promise<void> {
    this.counting = new CountingProcess(this.line.settings(), TIMES);
    await this.counting.start();
    await this.line.watched();
  }

  async step(what: string, count: number): Promise<void> {
    const { line, model } = this;
    if (what === "pulses") {
      this.#endNs += BigInt(count) * 60_000_000n;
      line.play({ edges: pulses(count, this.#endNs) });
      model.sure += count;
    } else if (what === "read") await this.readAll();
    else if (what === "kill") await this.kill();
    else await this.restart(count);
  }

  /** Until every pulse is there that nothing can have lost. */
  async readAll(): Promise<void> {
    const reading = await this.counting?.read();
    if (reading === undefined) throw new Error("nobody counts");
    this.model.read(reading);
    await expect
      .poll(async () => {
        const next = await this.counting?.read();
        if (next !== undefined) this.model.read(next);
        return this.model.sure;
      })
      .toBe(0);
  }

  async kill(): Promise<void> {
    const released = this.line.released();
    process.kill(this.counting?.pid ?? Number.NaN, "SIGKILL");
    await released;
    this.model.lost();
    await this.line.watched();
    // It says that it counts before it can be asked.
    await expect
      .poll(() => this.counting?.read().then((one) => this.model.read(one), String))
      .toBe(undefined);
  }

  /** With one copy of the count damaged, or none. */
  async restart(copy: number): Promise<void> {
    await this.counting?.stop();
    this.model.lost();
    const path = join(this.line.folder, "register");
    const bytes = readFileSync(path);
    if (copy < 2) writeFileSync(path, bytes.fill(0xa5, copy * COPY_BYTES, (copy + 1) * COPY_BYTES));
    await this.begin();
  }
}

describe("whatever happens to the counter", () => {
  it("the count never falls, never has a pulse too many, and lacks none without a gap that says so", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 10 }), async (steps) => {
        const machine = new Machine();
        await machine.line.open();
        machine.line.installGpiomon(2);
        try {
          await machine.begin();
          for (const { what, count } of steps) await machine.step(what, count);
          await machine.readAll();
        } finally {
          await machine.counting?.stop();
          await machine.line.close();
        }
      }),
      { numRuns: 5, endOnFailure: true },
    );
  }, 180_000);
});
