import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CounterSettings } from "../../../firmware-bridge/pulse/counter-messages.ts";
import { CountingProcess } from "../../../firmware-bridge/pulse/counting-process.ts";
import { countingAgent } from "../child/stand-in.ts";
import { gpiomonPid, type Major, use } from "./programs.ts";
import { SimChip } from "./sim-chip.ts";

const TIMES = { firstRetryMs: 10, longestRetryMs: 100, answerMs: 60_000 };
const LINE = 3;
/** The kernel keeps so many edges of a line (drivers/gpio/gpiolib-cdev.c). */
const KEPT_EDGES = 16;

let chip: SimChip;
let folder: string;
let counting: CountingProcess | undefined;

function settings(more: Partial<CounterSettings> = {}): CounterSettings {
  return {
    ...{ chip: chip.name, line: LINE, activeLow: true, bias: "as-is", through: "gpiomon" },
    ...{ minPulseMs: 20, minGapMs: 20, basis: "simulated", sysfsRoot: "/sys/class/gpio" },
    registerFile: join(folder, "register"),
    ...more,
  };
}

async function started(more: Partial<CounterSettings> = {}): Promise<CountingProcess> {
  counting = new CountingProcess(settings(more), TIMES);
  await counting.start();
  // Version 1 does not say when it has the line: on a machine as slow as an emulated one that may be later.
  await gpiomonPid(chip, LINE);
  return counting;
}

async function countOf(source: CountingProcess): Promise<number> {
  return (await source.read()).count;
}

function pidOf({ pid }: CountingProcess): number {
  if (pid === undefined) throw new Error("there is no counting process");
  return pid;
}

/** Current in the S0 loop pulls the line down. */
function flow(isFlowing: boolean): void {
  chip.pull(LINE, !isFlowing);
}

async function pulse(ms = 30): Promise<void> {
  flow(true);
  await pause(ms);
  flow(false);
  await pause(ms);
}

async function pulses(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) await pulse();
}

/** A program of its own that gives pulses, whatever this process does meanwhile. */
function meter(count: number): ChildProcess {
  const script = `
    import { writeFileSync } from "node:fs";
    const pause = () => new Promise((resolve) => setTimeout(resolve, 30));
    for (let at = 0; at < ${count}; at += 1)
      for (const word of ["pull-down", "pull-up"]) {
        writeFileSync(${JSON.stringify(chip.pullFile(LINE))}, word);
        await pause();
      }
    console.log("done");`;
  return spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Pulses of the simulated line, counted through the gpiomon of that version. */
export function pulsesOfRealLines(programs: string, major: Major): void {
  describe(`a simulated line, gpiomon ${major}`, () => {
    beforeEach(() => {
      use(programs);
      chip = new SimChip();
      folder = mkdtempSync(join(tmpdir(), "pulse-sim-"));
      flow(false);
    });

    afterEach(async () => {
      await counting?.stop();
      counting = undefined;
      chip.close();
      rmSync(folder, { recursive: true, force: true });
      vi.unstubAllEnvs();
    });

    counted();
    lost(major);
  });
}

function counted(): void {
  it("is counted, with the kernel's own times", async () => {
    const source = await started();
    await pulses(20);
    await expect.poll(() => countOf(source)).toBe(20);
    const { atNs, recent, tooShort, repeated, gaps } = await source.read();
    expect({ tooShort, repeated, gaps }).toEqual({ tooShort: 0, repeated: 0, gaps: [] });
    expect(recent?.lastNs).toBeLessThan(atNs);
    expect(recent?.spanNs).toBeGreaterThanOrEqual(60_000_000n * BigInt(recent?.intervals ?? 0));
  });

  it("is counted while this process is held up", async () => {
    const source = await started();
    const given = meter(50);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 8000);
    if (given.exitCode === null) await once(given, "close");
    await expect.poll(() => countOf(source)).toBe(50);
    expect(await source.read()).toMatchObject({ tooShort: 0, repeated: 0, gaps: [] });
  });

  it("that bounces is counted once, and what is too short is not", async () => {
    const up = (isUp: boolean): void => chip.pull(LINE, isUp);
    up(false);
    const source = await started({ activeLow: false });
    for (let at = 0; at < 10; at += 1)
      for (const active of [true, false]) {
        for (const level of [active, !active, active, !active, active]) up(level);
        await pause(60);
      }
    await expect.poll(() => countOf(source)).toBe(10);
    for (const ms of [0, 60]) {
      up(true);
      if (ms > 0) await pause(ms);
      up(false);
      await pause(60);
    }
    await expect.poll(() => countOf(source)).toBe(11);
    expect(await source.read()).toMatchObject({ tooShort: 1, repeated: 0 });
  });

  it("is pulled up where the configuration says so", async () => {
    chip.pull(LINE, false);
    const source = await started({ bias: "pull-up" });
    expect(chip.level(LINE)).toBe(1);
    await pulses(3);
    await expect.poll(() => countOf(source)).toBe(3);
  });
}

function lost(major: Major): void {
  it("is not counted by two, and is when the first one has let go of it", async () => {
    const first = await started();
    const second = new CountingProcess(settings({ registerFile: join(folder, "second") }), TIMES);
    const refused = expect(second.start()).rejects.toMatchObject({
      ...{ code: "pulse-gpiomon-ended", message: expect.stringMatching(/busy/i) },
    });
    await refused.finally(() => second.stop());
    await first.stop();
    const third = await started();
    await pulses(2);
    await expect.poll(() => countOf(third)).toBe(2);
  });

  it("is counted again when the counter was killed, and the gap is said", async () => {
    const source = await started();
    await pulses(5);
    await expect.poll(() => countOf(source)).toBe(5);
    const killed = pidOf(source);
    process.kill(killed, "SIGKILL");
    await expect.poll(() => source.pid === killed).toBe(false);
    await expect.poll(async () => (await source.read().catch(() => undefined))?.gaps.length).toBe(1);
    await gpiomonPid(chip, LINE);
    await pulses(4);
    await expect.poll(() => countOf(source)).toBe(9);
  });

  it("is let go and its count saved when the agent is killed", async () => {
    const { agent, said } = countingAgent(settings());
    await said;
    await pulses(6);
    agent.kill("SIGKILL");
    const register = join(folder, "register");
    await expect.poll(() => readFileSync(register, "latin1")).toMatch(/kilowitness-pulses 1 1 6 /);
    const source = await startedWhenFree();
    expect(await source.read()).toMatchObject({ count: 6, gaps: [{}] });
    await pulses(1);
    await expect.poll(() => countOf(source)).toBe(7);
  });

  it("loses what the kernel cannot keep while gpiomon gets no processor, and never counts too much", async () => {
    const source = await started();
    await pulses(2);
    await expect.poll(() => countOf(source)).toBe(2);
    const pid = await gpiomonPid(chip, LINE);
    process.kill(pid, "SIGSTOP");
    await pulses(10);
    const halfNs = process.hrtime.bigint();
    await pulses(10);
    process.kill(pid, "SIGCONT");
    await expect.poll(() => countOf(source)).toBe(2 + KEPT_EDGES / 2);
    // Version 1 is left with the first edges, version 2 with the last ones: either way whole pulses, so that nothing shows.
    const lastNs = (await source.read()).recent?.lastNs ?? 0n;
    expect(lastNs < halfNs ? 1 : 2).toBe(major);
    await pulses(3);
    await expect.poll(() => countOf(source)).toBe(5 + KEPT_EDGES / 2);
    expect((await source.read()).repeated).toBe(0);
  });
}

/** The one before lets go of the line a moment after it has saved. */
async function startedWhenFree(): Promise<CountingProcess> {
  return await vi.waitFor(() => started(), { timeout: 20_000, interval: 200 });
}
