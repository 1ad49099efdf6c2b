import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { TamperEvent } from "../../../firmware-bridge/tamper/tamper.ts";
import {
  type EnclosureSettings,
  WatchedEnclosure,
} from "../../../firmware-bridge/tamper/watched-enclosure.ts";
import { watchingAgent } from "../child/stand-in.ts";
import { gpiomonPid, isTaken, type Major, use } from "./programs.ts";
import { SimChip } from "./sim-chip.ts";

const LINE = 2;

let chip: SimChip;
let enclosure: WatchedEnclosure | undefined;
let other: ChildProcess | undefined;
let events: TamperEvent[];
let problems: string[];

function settings(more: Partial<EnclosureSettings> = {}): EnclosureSettings {
  return {
    input: "lid",
    line: { chip: chip.name, line: LINE, activeLow: false, bias: "as-is" },
    ...{ openedMs: 50, closedMs: 500, lookSeconds: 60, retryMs: 300 },
    ...more,
  };
}

/** The resistor pulls up where the contact is open. */
function open(isOpen: boolean): void {
  chip.pull(LINE, isOpen);
}

async function watching(more: Partial<EnclosureSettings> = {}): Promise<void> {
  enclosure = new WatchedEnclosure(settings(more));
  enclosure.start({
    onTamper: (event) => events.push(event),
    onProblem: (problem) => problems.push(`${problem.code} ${problem.message}`),
  });
  await gpiomonPid(chip, LINE);
}

async function told(count: number): Promise<readonly string[]> {
  await expect.poll(() => events.length).toBeGreaterThanOrEqual(count);
  return events.map(({ state, how }) => `${how} ${state}`);
}

/** Somebody else has the line. */
async function taken(): Promise<ChildProcess> {
  const words = `gpiomon ${chip.name} ${LINE} 2>/dev/null || exec gpiomon --chip=${chip.name} ${LINE}`;
  other = spawn("/bin/sh", ["-c", words], { stdio: "ignore", detached: true });
  await expect.poll(() => isTaken(chip, LINE)).toBe(true);
  return other;
}

async function leave(program: ChildProcess): Promise<void> {
  if (program.pid === undefined || program.exitCode !== null || program.signalCode !== null) return;
  const closed = once(program, "close");
  process.kill(-program.pid, "SIGKILL");
  await closed;
}

/** A contact at a simulated line, watched through the programs of that version. */
export function enclosureAtRealLine(programs: string, major: Major): void {
  describe(`an enclosure at a simulated line, gpiomon ${major}`, () => {
    beforeEach(() => {
      use(programs);
      chip = new SimChip();
      events = [];
      problems = [];
      open(false);
    });

    afterEach(async () => {
      await enclosure?.stop();
      enclosure = undefined;
      if (other !== undefined) await leave(other);
      other = undefined;
      chip.close();
      vi.unstubAllEnvs();
    });

    seen();
    missed();
  });
}

function seen(): void {
  it("is looked at, opened and closed", async () => {
    await watching();
    open(true);
    expect(await told(2)).toEqual(["watching closed", "edge opened"]);
    open(false);
    expect(await told(3)).toEqual(["watching closed", "edge opened", "edge closed"]);
    expect(events[1]?.agoMs).toBeGreaterThanOrEqual(50);
    expect(events[2]?.agoMs).toBeGreaterThanOrEqual(500);
    expect(problems).toEqual([]);
  });

  it("that is open at the start is said to be", async () => {
    open(true);
    await watching();
    expect(await told(1)).toEqual(["watching opened"]);
  });

  it("whose contact bounces and rattles is opened once", async () => {
    await watching();
    for (let bounce = 0; bounce < 3; bounce += 1) {
      open(true);
      open(false);
    }
    await pause(300);
    expect(await told(1)).toEqual(["watching closed"]);
    open(true);
    await told(2);
    for (let rattle = 0; rattle < 5; rattle += 1) {
      open(false);
      open(true);
      await pause(100);
    }
    open(false);
    expect(await told(3)).toEqual(["watching closed", "edge opened", "edge closed"]);
    await pause(1000);
    expect(events).toHaveLength(3);
    expect(problems).toEqual([]);
  });

  it("with the chip's own pull-up is open where nothing is connected", async () => {
    await watching({ line: { ...settings().line, bias: "pull-up" } });
    expect(await told(1)).toEqual(["watching opened"]);
    open(false);
    expect(await told(2)).toEqual(["watching opened", "edge closed"]);
  });

  it("loses nothing while this process is held up", async () => {
    await watching();
    await told(1);
    open(true);
    await pause(100);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);
    open(false);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);
    expect(await told(3)).toEqual(["watching closed", "edge opened", "edge closed"]);
    expect(events[2]?.agoMs).toBeGreaterThanOrEqual(500);
  });
}

function missed(): void {
  it("is found open by the next look where gpiomon could not say so", async () => {
    await watching({ lookSeconds: 4 });
    const pid = await gpiomonPid(chip, LINE);
    process.kill(pid, "SIGSTOP");
    // More than the kernel keeps; what is kept of it ends closed in version 1, and nobody reads it in either.
    for (let at = 0; at < 20; at += 1) for (const isOpen of [true, false]) open(isOpen);
    open(true);
    process.kill(pid, "SIGKILL");
    expect((await told(2)).at(-1)).toMatch(/^(found|watching) opened$/);
    expect(events).toHaveLength(2);
  });

  it("is found in what it is where edges were dropped", async () => {
    await watching({ lookSeconds: 8 });
    const pid = await gpiomonPid(chip, LINE);
    process.kill(pid, "SIGSTOP");
    for (let at = 0; at < 20; at += 1) for (const isOpen of [true, false]) open(isOpen);
    open(true);
    process.kill(pid, "SIGCONT");
    const heard = await told(2);
    expect(heard[0]).toBe("watching closed");
    expect(heard.at(-1)).toMatch(/^(found|edge) opened$/);
    expect(problems).toEqual([]);
  });

  it("that nobody can watch is said to be so, and watched when somebody has let go of the line", async () => {
    const thief = await taken();
    enclosure = new WatchedEnclosure(settings());
    enclosure.start({
      onTamper: (event) => events.push(event),
      onProblem: (problem) => problems.push(`${problem.code} ${problem.message}`),
    });
    await expect.poll(() => problems.length).toBeGreaterThan(1);
    expect(problems[0]).toMatch(/^tamper-line .*busy/is);
    expect(events).toEqual([]);
    open(true);
    await leave(thief);
    expect(await told(1)).toEqual(["watching opened"]);
    expect(events[0]?.unwatchedMs).toBeGreaterThan(0);
  });

  it("is watched again when gpiomon was killed, with for how long nobody did", async () => {
    await watching();
    await told(1);
    process.kill(await gpiomonPid(chip, LINE), "SIGKILL");
    open(true);
    expect(await told(2)).toEqual(["watching closed", "watching opened"]);
    expect(events[1]?.unwatchedMs).toBeGreaterThanOrEqual(300);
    expect(problems[0]).toMatch(/^tamper-unwatched /);
  });

  it("is watched by the next agent when one was killed", async () => {
    const { agent, said } = watchingAgent(settings({ lookSeconds: 5 }));
    expect(await said).toBe("closed");
    await gpiomonPid(chip, LINE);
    agent.kill("SIGKILL");
    open(true);
    enclosure = new WatchedEnclosure(settings());
    enclosure.start({
      onTamper: (event) => events.push(event),
      onProblem: (problem) => problems.push(`${problem.code} ${problem.message}`),
    });
    expect(await told(1)).toEqual(["watching opened"]);
  });
}
