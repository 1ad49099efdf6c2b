import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CounterSettings } from "../../../firmware-bridge/pulse/counter-messages.ts";
import { CountingProcess } from "../../../firmware-bridge/pulse/counting-process.ts";
import type { CountingGap } from "../../../firmware-bridge/pulse/pulse-source.ts";
import { RegisterFile } from "../../../firmware-bridge/pulse/register-file.ts";
import { countingAgent } from "../child/stand-in.ts";
import { isAlive } from "../relay/fake-gpio.ts";
import { FakeLine, pulses } from "./fake-line.ts";

const TIMES = { firstRetryMs: 10, longestRetryMs: 100, answerMs: 20_000 };

let line: FakeLine;
let counting: CountingProcess | undefined;

beforeEach(async () => {
  line = new FakeLine();
  await line.open();
});

afterEach(async () => {
  await counting?.stop();
  await line.close();
});

async function started(more: Partial<CounterSettings> = {}): Promise<CountingProcess> {
  counting = new CountingProcess(line.settings(more), TIMES);
  await counting.start();
  return counting;
}

async function countOf(source: CountingProcess): Promise<number> {
  return (await source.read()).count;
}

/** Nothing of this process runs meanwhile, as with a synchronous disk that stalls. */
function blockFor(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function registerPath(): string {
  return join(line.folder, "register");
}

/** The count in the file's first copy. */
function savedCount(): number {
  return Number(/^kilowitness-pulses 1 \d+ (\d+) /.exec(readFileSync(registerPath(), "latin1"))?.[1]);
}

function pidOf({ pid }: CountingProcess): number {
  if (pid === undefined) throw new Error("there is no counting process");
  return pid;
}

function hasOpen(pid: number, path: string): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((name) => readlinkSync(join(folder, name)) === path);
  } catch {
    // It has closed one of them meanwhile.
    return false;
  }
}

/** A machine with sysfs: one chip of 54 lines whose numbers begin at 512. */
function sysfs(): void {
  const chip = join(line.folder, "sysfs", "gpiochip512");
  mkdirSync(chip, { recursive: true });
  writeFileSync(join(line.folder, "sysfs", "export"), "");
  const files = { base: "512\n", label: "pinctrl-bcm2835\n", ngpio: "54\n" };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(chip, name), text);
}

describe("counting", () => {
  it("loses nothing while this process is held up, and tells nothing that is not on disk", async () => {
    line.installGpiomon(2);
    const source = await started();
    await line.watched();
    line.play({ edges: pulses(200), everyMs: 2 });
    blockFor(1500);
    const counts = await Promise.all([1, 2, 3].map(() => countOf(source)));
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(savedCount()).toBeGreaterThanOrEqual(counts.at(-1) ?? Number.NaN);
    await expect.poll(() => countOf(source)).toBe(200);
    const { recent, tooShort, repeated, gaps } = await source.read();
    expect({ ...recent, tooShort, repeated, gaps }).toMatchObject({
      ...{ intervals: 16, spanNs: 960_000_000n },
      ...{ tooShort: 0, repeated: 0, gaps: [] },
    });
  });

  it("goes through onoff where there is no gpiomon, at the number that the line has here", async () => {
    sysfs();
    line.installNoGpiomon();
    line.installOnoff();
    const source = await started({ chip: "pinctrl-bcm2835" });
    expect(await line.watched()).toEqual([529, "in", "both", { activeLow: true }]);
    // The times are its own here: edges 40 ms apart, a repeated one among them.
    const given = [...pulses(10), [false, 0n] as const];
    line.play({ edges: given, everyMs: 40 });
    blockFor(700);
    await expect.poll(async () => (await source.read()).repeated).toBe(1);
    expect(await countOf(source)).toBe(10);
  });
});

describe("what is lost", () => {
  it("is said when the counter is killed: it goes on from what it told last, and gpiomon ends with it", async () => {
    line.installGpiomon(1);
    const source = await started();
    await line.watched();
    line.play({ edges: pulses(7) });
    await expect.poll(() => countOf(source)).toBe(7);
    const before = pidOf(source);
    const killedMs = Date.now();
    const released = line.released();
    process.kill(before, "SIGKILL");
    await released;
    await line.watched();
    expect(isAlive(before)).toBe(false);
    line.play({ edges: pulses(2) });
    const gaps: CountingGap[] = [];
    await expect
      .poll(async () => {
        const reading = await source.read();
        gaps.push(...reading.gaps);
        return reading.count;
      })
      .toBe(9);
    expect(gaps).toHaveLength(1);
    expect(gaps[0]?.fromMs).toBeLessThanOrEqual(killedMs);
    expect(gaps[0]?.toMs).toBeGreaterThanOrEqual(killedMs);
  });

  it("is said when gpiomon ends, whose last edges are counted", async () => {
    line.installGpiomon(2);
    const source = await started();
    await line.watched();
    line.play({ edges: pulses(3) });
    await expect.poll(() => countOf(source)).toBe(3);
    const lost = pidOf(source);
    const later = process.hrtime.bigint() + 500_000_000n;
    line.play({ edges: pulses(2, later), exit: { code: 1, words: "the line went away" } });
    await expect.poll(() => source.pid === lost).toBe(false);
    await line.watched();
    const { count, gaps } = await source.read();
    expect([count, gaps.length]).toEqual([5, 1]);
  });

  it("is said after a restart of the whole agent, and one damaged copy of the count costs nothing", async () => {
    line.installGpiomon(2);
    const first = await started();
    const pid = pidOf(first);
    await line.watched();
    line.play({ edges: pulses(4) });
    await expect.poll(() => countOf(first)).toBe(4);
    expect((await first.read()).gaps).toEqual([]);
    await first.stop();
    await first.stop();
    expect(isAlive(pid)).toBe(false);
    await expect(first.read()).rejects.toMatchObject({ code: "driver-closed" });
    await expect(first.start()).rejects.toMatchObject({ code: "driver-closed" });
    const stoppedMs = Date.now();
    const bytes = readFileSync(registerPath());
    writeFileSync(registerPath(), bytes.fill(0xff, 0, 4096));
    const second = await started();
    const { count, gaps, recent, notes } = await second.read();
    expect([count, recent, gaps.length, notes.length]).toEqual([4, undefined, 1, 1]);
    expect(gaps[0]?.fromMs).toBeLessThanOrEqual(stoppedMs);
    expect(gaps[0]?.toMs).toBeGreaterThanOrEqual(stoppedMs);
    const { gaps: more, notes: words } = await second.read();
    expect([more, words]).toEqual([[], []]);
  });

  it("is said when a counter hangs, which is ended and started again", async () => {
    line.installGpiomon(2);
    // Long enough for the next one, which is asked as soon as it watches.
    counting = new CountingProcess(line.settings(), { ...TIMES, answerMs: 3000 });
    const source = counting;
    await source.start();
    await line.watched();
    const hanging = pidOf(source);
    process.kill(hanging, "SIGSTOP");
    await expect(source.read()).rejects.toMatchObject({ code: "pulse-counter-lost" });
    await line.watched();
    await expect.poll(async () => (await source.read().catch(() => undefined))?.gaps.length).toBe(1);
    expect(pidOf(source)).not.toBe(hanging);
  });
});

describe("a counting process", () => {
  it("saves and ends by itself when whoever started it is killed, and gpiomon ends with it", async () => {
    line.installGpiomon(1);
    const { agent, said } = countingAgent(line.settings());
    const pid = Number(await said);
    await line.watched();
    const released = line.released();
    agent.kill("SIGKILL");
    await released;
    await expect.poll(() => isAlive(pid)).toBe(false);
    // Nobody has asked, so that only its end can have saved: the file was made with write 0.
    expect(readFileSync(registerPath(), "latin1")).toMatch(/^kilowitness-pulses 1 1 /);
  });

  it("ends with whoever started it also while gpiomon hangs, and has written nothing", async () => {
    line.installHangingGpiomon(2);
    await (await RegisterFile.open(registerPath(), line.settings().basis, 0)).close();
    const before = readFileSync(registerPath());
    const { agent, said } = countingAgent(line.settings(), false);
    const pid = Number(await said);
    await line.watched();
    const released = line.released();
    agent.kill("SIGKILL");
    await released;
    await expect.poll(() => isAlive(pid)).toBe(false);
    expect(readFileSync(registerPath())).toEqual(before);
  });

  it("waits for the last save of the one before, whose line it could have already", async () => {
    line.installGpiomon(2);
    const first = await started();
    await line.watched();
    line.play({ edges: pulses(6) });
    await expect.poll(() => line.leftToPlay).toBe(0);
    const second = new CountingProcess(line.settings(), TIMES);
    const begun = second.start();
    await expect.poll(() => hasOpen(pidOf(second), `${registerPath()}.lock`)).toBe(true);
    await first.stop();
    await begun;
    const { count, gaps } = await second.read().finally(() => second.stop());
    expect([count, gaps.length]).toEqual([6, 1]);
  });

  it("is not started where another one counts into the same file, whatever its line", async () => {
    line.installGpiomon(2);
    const first = await started();
    await line.watched();
    const second = new CountingProcess(line.settings({ line: 18 }), TIMES);
    await expect(second.start()).rejects.toMatchObject({
      code: "pulse-register-busy",
      message: expect.stringContaining(`fuser -v ${registerPath()}.lock`),
    });
    line.play({ edges: pulses(2) });
    await expect.poll(() => countOf(first)).toBe(2);
  });

  it("is not started where there is nothing to count with", async () => {
    line.installNoGpiomon();
    await expect(started()).rejects.toMatchObject({ code: "pulse-sysfs-gone" });
  });

  it("is not started with a register of another line", async () => {
    line.installGpiomon(2);
    await (await RegisterFile.open(registerPath(), "gpiochip0:18", 0)).close();
    await expect(started()).rejects.toMatchObject({ code: "pulse-register-other" });
  });
});
