import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Intake } from "../../../agent/intake.ts";
import type { Leaf } from "../../../attest/leaf.ts";
import { decodeLeaf } from "../../../attest/leaf-codec.ts";
import type { PolledMeter } from "../../../drivers/driver.ts";
import { coprocessorDriver, coprocessorDriverOver } from "../../../firmware-bridge/coprocessor/driver.ts";
import { SnapshotMemory } from "../../../firmware-bridge/coprocessor/snapshot-memory.ts";
import { FakeTime, openBench, recordingLogger, temporaryFolder } from "../../agent/kit.ts";
import { type Bench, bench, GRID, OPTIONS, polled } from "./kit.ts";

const MINUTE_MS = 60_000;

let folder = "";
let remove = (): void => undefined;
let stateFile = "";
let nowMs = 0;
beforeEach(() => {
  ({ folder, remove } = temporaryFolder());
  stateFile = join(folder, "feeder.snapshot");
  nowMs = 1_000_000;
});
afterEach(() => remove());

/** The driver as a process has it that was started just now: it knows nothing but the file. */
async function started(place: Bench, options: object = { stateFile }): Promise<PolledMeter> {
  const driver = coprocessorDriverOver(place.lines, new SnapshotMemory(() => nowMs));
  const meter = polled(driver.open(driver.schema.parse({ ...OPTIONS, ...options })));
  await meter.identify();
  return meter;
}

async function readsOf(meter: PolledMeter, count: number): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = [];
  while (found.length < count) found.push((await meter.read()).downtime?.[0]?.message);
  return found;
}

/** Nobody closes it: as after SIGKILL. */
async function killedAfter(place: Bench, reads: number): Promise<void> {
  await readsOf(await started(place), reads);
}

const RESTARTED = expect.stringMatching(/^the coprocessor started anew \(start 2,/);
const FIRST = expect.stringMatching(/^the first reading that is known here \(there was no state file/);
const UNKNOWN = expect.stringMatching(/^nobody knows whether the coprocessor was restarted/);

describe("a restart of the coprocessor while the agent was not running", () => {
  it("is told once, with the first snapshot of the next run", async () => {
    const place = bench();
    await killedAfter(place, 3);
    place.mcu.restart();
    expect(await readsOf(await started(place), 3)).toEqual([RESTARTED, undefined, undefined]);
  });

  it("is not told where there was none", async () => {
    const place = bench();
    await killedAfter(place, 3);
    expect(await readsOf(await started(place), 3)).toEqual([undefined, undefined, undefined]);
  });

  it("is nothing that a first run could know of, which says that its reading is the first", async () => {
    expect(await readsOf(await started(bench()), 2)).toEqual([FIRST, undefined]);
    expect(statSync(stateFile).mode & 0o777).toBe(0o600);
  });

  it("is not seen without a file, which is why there is one", async () => {
    const place = bench();
    await readsOf(await started(place, {}), 1);
    place.mcu.restart();
    expect(await readsOf(await started(place, {}), 1)).toEqual([undefined]);
    expect(existsSync(stateFile)).toBe(false);
  });

  it("is told again where the run that told it was killed within ten minutes or four readings", async () => {
    const place = bench();
    await killedAfter(place, 1);
    place.mcu.restart();
    for (const [passMs, reads] of [
      [9 * MINUTE_MS, 9],
      [90 * MINUTE_MS, 3],
    ] as const) {
      const meter = await started(place);
      expect(await readsOf(meter, 1)).toEqual([RESTARTED]);
      nowMs += passMs;
      expect(await readsOf(meter, reads)).toEqual(Array.from({ length: reads }, () => undefined));
      await meter.close();
    }
    const meter = await started(place);
    expect(await readsOf(meter, 1)).toEqual([RESTARTED]);
    nowMs += 10 * MINUTE_MS;
    await readsOf(meter, 4);
    expect(await readsOf(await started(place), 1)).toEqual([undefined]);
  });

  it("is told of another start than the one that was told before", async () => {
    const place = bench();
    await killedAfter(place, 1);
    place.mcu.restart();
    await killedAfter(place, 1);
    place.mcu.restart();
    expect(await readsOf(await started(place), 1)).toEqual([
      expect.stringMatching(/start 3,.* it was start 1\)/),
    ]);
  });
});

describe("the state file", () => {
  it("is written at most once an hour, and at the end", async () => {
    const place = bench();
    const meter = await started(place);
    const changes: boolean[] = [];
    let before = Buffer.alloc(0);
    for (let minute = 0; minute <= 120; minute += 20) {
      await meter.read();
      const now = readFileSync(stateFile);
      changes.push(!now.equals(before));
      before = now;
      nowMs += 20 * MINUTE_MS;
    }
    expect(changes).toEqual([true, false, false, true, false, false, true]);
    await meter.read();
    await meter.close();
    expect(readFileSync(stateFile).equals(before)).toBe(false);
    expect(existsSync(`${stateFile}.new`)).toBe(false);
  });

  it("shows firmware that does not count its starts, by its own time at the end of the last run", async () => {
    const place = bench();
    const meter = await started(place);
    await readsOf(meter, 20);
    await meter.close();
    place.coprocessor.restart();
    place.coprocessor.boot -= 1;
    expect(await readsOf(await started(place), 1)).toEqual([expect.stringMatching(/own counter went back/)]);
  });

  it("that is damaged in any byte makes a break of what it cannot say, and is whole again afterwards", async () => {
    const place = bench();
    await killedAfter(place, 1);
    const whole = readFileSync(stateFile);
    const ends = [0, 1, 33, whole.length - 1].map((length) => whole.subarray(0, length));
    const changed = Array.from(whole, (byte, at) => {
      const bytes = Buffer.from(whole);
      bytes[at] = byte ^ 1;
      return bytes;
    });
    for (const bytes of [...ends, Buffer.concat([whole, whole]), ...changed]) {
      writeFileSync(stateFile, bytes);
      expect(await readsOf(await started(place), 1)).toEqual([UNKNOWN]);
    }
    const meter = await started(place);
    await meter.read();
    nowMs += 10 * MINUTE_MS;
    await readsOf(meter, 4);
    expect(await readsOf(await started(place), 1)).toEqual([undefined]);
  });

  it("of another coprocessor makes a break, and is this one's afterwards", async () => {
    await killedAfter(bench({ serial: "other" }), 1);
    const place = bench();
    const meter = await started(place);
    expect(await readsOf(meter, 1)).toEqual([expect.stringContaining("is of the coprocessor other")]);
    nowMs += 10 * MINUTE_MS;
    await readsOf(meter, 4);
    expect(await readsOf(await started(place), 1)).toEqual([undefined]);
  });

  it("holds the bytes as they came, and their digest", async () => {
    const meter = await started(bench());
    const { frames = [] } = await meter.read();
    const bytes = frames[0]?.bytes ?? new Uint8Array(0);
    const digest = createHash("sha256").update(bytes).digest();
    expect(readFileSync(stateFile)).toEqual(Buffer.concat([bytes, digest]));
  });

  it("that cannot be made or read is said at once", async () => {
    const nowhere = join(folder, "gone", "file");
    await expect((await started(bench(), { stateFile: nowhere })).read()).rejects.toMatchObject({
      code: "coprocessor-state-file",
    });
    mkdirSync(stateFile);
    await expect((await started(bench())).read()).rejects.toMatchObject({ code: "coprocessor-state-file" });
  });

  it("that can no longer be written keeps no reading from being taken, and is said", async () => {
    const meter = await started(bench());
    await meter.read();
    rmSync(folder, { recursive: true });
    nowMs += 60 * MINUTE_MS;
    const { readings, absent } = await meter.read();
    expect(readings).toHaveLength(1);
    expect(absent).toEqual([expect.stringContaining("the state file cannot be written")]);
    await meter.close();
  });

  it("is an option that is a path, and may be left out", () => {
    expect(coprocessorDriver.files).toEqual(["stateFile"]);
    expect(coprocessorDriver.schema.safeParse({ ...OPTIONS, stateFile: "" }).success).toBe(false);
  });
});

/** One run of an agent, from reading to leaves in the journal of the folder. */
async function runOf(place: Bench, time: FakeTime, count: () => void): Promise<Leaf[]> {
  const { log, sealer } = openBench(join(folder, "journal.sqlite"), { time });
  const definition = coprocessorDriverOver(place.lines);
  const { logger } = recordingLogger();
  const options = definition.schema.parse({ ...OPTIONS, stateFile });
  const device = { id: "feeder", definition, options, intervalMs: 5000, channels: {} };
  const intake = new Intake({ sealer: () => sealer, accepted: () => undefined, logger }, [device]);
  const meter = polled(definition.open(options));
  intake.identified("feeder", await meter.identify(), meter.channels());
  for (let reading = 0; reading < 3; reading++) {
    time.advance(5000);
    count();
    intake.take("feeder", await meter.read());
  }
  sealer.commit();
  const leaves = log.journal.leaves(1, 0, log.journal.size(1)).map(decodeLeaf);
  // The lock of a process that was killed goes with it; the meter is not closed.
  log.journal.close();
  return leaves;
}

describe("the log of an agent that was killed", () => {
  it.each([
    ["has a break where the coprocessor was restarted meanwhile", true],
    ["has none where it was not", false],
  ])("%s", async (_name, restarted) => {
    let importMwh = GRID.importMwh ?? 0;
    const place = bench({ shown: () => [{ ...GRID, importMwh }] });
    const count = (): void => {
      importMwh += 1000;
    };
    const time = new FakeTime();
    await runOf(place, time, count);
    if (restarted) place.mcu.restart();
    const leaves = await runOf(place, time, count);
    const broken = leaves.filter((leaf) => leaf.kind === "discontinuity");
    const readings = leaves.filter((leaf) => leaf.kind === "reading").map((leaf) => leaf.importMwh);
    expect(readings).toEqual([1, 2, 3, 4, 5, 6].map((step) => (GRID.importMwh ?? 0) + step * 1000));
    expect(broken.map(({ classification }) => classification)).toEqual(restarted ? [6] : []);
  });
});
