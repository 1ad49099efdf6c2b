import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Intake } from "../../../agent/intake.ts";
import type { Leaf } from "../../../attest/leaf.ts";
import { decodeLeaf } from "../../../attest/leaf-codec.ts";
import { pulseDriver, pulseOptions } from "../../../firmware-bridge/pulse/driver.ts";
import { PulseMeter } from "../../../firmware-bridge/pulse/pulse-meter.ts";
import type { PulseSource } from "../../../firmware-bridge/pulse/pulse-source.ts";
import {
  basisOf,
  basisText,
  beginsAnew,
  type RegisterBasis,
} from "../../../firmware-bridge/pulse/register-basis.ts";
import { RegisterFile } from "../../../firmware-bridge/pulse/register-file.ts";
import { FakeTime, openBench, recordingLogger } from "../../agent/kit.ts";
import { polled } from "../coprocessor/kit.ts";
import { FakeLine, pulses } from "./fake-line.ts";

const BASIS: RegisterBasis = {
  ...{ input: "gpiochip0:17", constant: { pulses: 1000, kwh: 1 }, startMwh: 1_234_500_000 },
};
const KNOWN = basisText(BASIS);
const ANEW = basisText({ ...BASIS, startMwh: 1_300_000_000 });

let line: FakeLine;
let path = "";

beforeEach(async () => {
  line = new FakeLine();
  await line.open();
  path = join(line.folder, "register");
});
afterEach(() => line.close());

async function savedWith(basis: string, count: number): Promise<void> {
  const register = await RegisterFile.open(path, basis, 1_000);
  await register.save(count, 2_000);
  await register.close();
}

describe("the basis of a register", () => {
  it("is read as it is written", () => {
    const whole = fc.integer({ min: 1, max: 999_999_999 });
    const bases = fc.record({
      input: fc.constantFrom("gpiochip0:17", "/dev/gpiochip4:0"),
      constant: fc.record({ pulses: whole, kwh: whole }),
      startMwh: fc.integer({ min: 0, max: 10 ** 15 - 1 }),
    });
    fc.assert(
      fc.property(bases, (basis) => {
        expect(basisOf(basisText(basis))).toEqual(basis);
      }),
    );
  });

  it.each([
    ["another start", { startMwh: 0 }, true],
    ["another start and constant", { startMwh: 1_300_000_000, constant: { pulses: 500, kwh: 1 } }, true],
    ["another constant alone", { constant: { pulses: 500, kwh: 1 } }, false],
    ["another line", { input: "gpiochip0:18", startMwh: 0 }, false],
    ["nothing else", {}, false],
  ])("makes a new beginning of %s: %#", (_name, changes, anew) => {
    expect(beginsAnew(KNOWN, basisText({ ...BASIS, ...changes }))).toBe(anew);
  });

  it("of a file that says it otherwise makes none", () => {
    expect(beginsAnew("gpiochip0:17 1000/1", ANEW)).toBe(false);
    expect(beginsAnew(KNOWN, "gpiochip0:17 1000/1")).toBe(false);
  });
});

describe("a register file with another start", () => {
  it("counts from 0, and was known before", async () => {
    await savedWith(KNOWN, 20);
    const register = await RegisterFile.open(path, ANEW, 3_000);
    expect([register.count, register.savedBeforeMs]).toEqual([0, 2_000]);
    await register.save(1, 4_000);
    await register.close();
    const again = await RegisterFile.open(path, ANEW, 5_000);
    expect([again.count, again.savedBeforeMs]).toEqual([1, 4_000]);
    await again.close();
  });

  it("is as it was until something is counted", async () => {
    await savedWith(KNOWN, 20);
    const before = readFileSync(path);
    await (await RegisterFile.open(path, ANEW, 3_000)).close();
    expect(readFileSync(path)).toEqual(before);
  });

  it("is refused with another constant alone, and another line, and says what to do", async () => {
    await savedWith(KNOWN, 20);
    const before = readFileSync(path);
    for (const changes of [{ constant: { pulses: 100, kwh: 1 } }, { input: "gpiochip0:18", startMwh: 5 }])
      await expect(RegisterFile.open(path, basisText({ ...BASIS, ...changes }), 3_000)).rejects.toMatchObject(
        { code: "pulse-register-other", detail: { expected: expect.any(String), got: KNOWN } },
      );
    expect(readFileSync(path)).toEqual(before);
  });

  it("is looked into without a word where it is not whole or not there", async () => {
    expect(await RegisterFile.peek(path)).toBeUndefined();
    await savedWith(KNOWN, 20);
    expect(await RegisterFile.peek(path)).toMatchObject({ count: 20, savedAtMs: 2_000, basis: KNOWN });
    expect(await RegisterFile.peek(line.folder)).toBeUndefined();
  });
});

const OPTIONS = { line: 17, pulsesPerKwh: 1000, startKwh: "1234.5" };

/** A counter that has counted nothing, and knows of no gap. */
function quietCounter(): PulseSource {
  const count = { ...{ count: 0, atNs: 5n, tooShort: 0, repeated: 0 }, gaps: [], notes: [] };
  return { start: async () => undefined, read: async () => count, stop: async () => undefined };
}

describe("a meter with another register file", () => {
  it("says once that the register begins there", async () => {
    const meter = new PulseMeter(pulseOptions({ ...OPTIONS, registerFile: path }), quietCounter());
    await meter.identify();
    const message = `the register begins at 1234500000 mWh, as startKwh says: ${path} is made now`;
    expect((await meter.read()).downtime).toEqual([{ channel: "load", message }]);
    expect(await meter.read()).not.toHaveProperty("downtime");
  });

  it("breaks the log also where the register rises by no more than could have flowed", async () => {
    line.installGpiomon(2);
    const time = new FakeTime();
    await runOf({}, time);
    const { leaves } = await runOf({ registerFile: `${path}-2`, startKwh: "1234.521" }, time);
    expect(leaves.filter(({ kind }) => kind === "discontinuity")).toMatchObject([
      { classification: 6, oldImportMwh: 1_234_520_000 },
    ]);
  });
});

describe("a meter with another start", () => {
  it("says once that the register begins anew, also where the counter knows of no gap", async () => {
    await savedWith(KNOWN, 20);
    const given = { ...OPTIONS, registerFile: path, startKwh: "1300" };
    const meter = new PulseMeter(pulseOptions(given), quietCounter());
    await meter.identify();
    const message =
      "the register begins anew at 1300000000 mWh, as startKwh says; before, 20 pulses were counted from 1234500000 mWh";
    expect((await meter.read()).downtime).toEqual([{ channel: "load", message }]);
    expect(await meter.read()).not.toHaveProperty("downtime");
  });
});

/** One run of an agent that reads a real counting process twice, and what its journal has then. */
async function runOf(options: object, time: FakeTime): Promise<{ leaves: Leaf[]; reasons: unknown[] }> {
  const { log, sealer } = openBench(join(line.folder, "journal.sqlite"), { time });
  const { logger, lines } = recordingLogger();
  const parsed = pulseDriver.schema.parse({ ...OPTIONS, registerFile: path, ...options });
  const device = { id: "pump", definition: pulseDriver, options: parsed, intervalMs: 5000, channels: {} };
  const intake = new Intake({ sealer: () => sealer, accepted: () => undefined, logger }, [device]);
  const meter = polled(pulseDriver.open(parsed));
  const watched = line.watched();
  intake.identified("pump", await meter.identify(), meter.channels());
  await watched;
  line.play({ edges: pulses(20) });
  while (intake.channels()[0]?.importMwh !== startOf(options) + 20_000) {
    time.advance(5000);
    intake.take("pump", await meter.read());
  }
  await meter.close();
  await line.released();
  sealer.commit();
  const leaves = log.journal.leaves(1, 0, log.journal.size(1)).map(decodeLeaf);
  log.journal.close();
  return {
    leaves,
    reasons: lines.filter(({ event }) => event === "counter-downtime").map(({ reason }) => reason),
  };
}

function startOf({ startKwh = OPTIONS.startKwh }: { readonly startKwh?: string }): number {
  return Number(startKwh) * 1_000_000;
}

describe("the log of a meter whose start was changed", () => {
  it("has a break before each new beginning, up or down, and says why", async () => {
    line.installGpiomon(2);
    const time = new FakeTime();
    const opening = await runOf({}, time);
    expect(opening.leaves.some(({ kind }) => kind === "discontinuity")).toBe(false);
    let [known, oldMwh] = [opening.leaves.length, 1_234_520_000];
    for (const startKwh of ["1300", "12.25"]) {
      const { leaves, reasons } = await runOf({ startKwh }, time);
      const added = leaves.slice(known);
      const at = added.findIndex(({ kind }) => kind === "discontinuity");
      expect(added.slice(0, at).some(({ kind }) => kind === "reading")).toBe(false);
      expect(added.filter(({ kind }) => kind === "discontinuity")).toMatchObject([{ oldImportMwh: oldMwh }]);
      const registers = added.flatMap((leaf) => (leaf.kind === "reading" ? [leaf.importMwh ?? -1] : []));
      expect(Math.min(...registers)).toBeGreaterThanOrEqual(startOf({ startKwh }));
      oldMwh = startOf({ startKwh }) + 20_000;
      expect(registers.at(-1)).toBe(oldMwh);
      expect(reasons).toEqual([
        expect.stringContaining("nobody counted from"),
        expect.stringContaining("the register begins anew"),
      ]);
      known = leaves.length;
    }
  });
});
