import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { gpiosetMajor, holdCommand, touchCommand } from "../../../firmware-bridge/gpio/gpioset.ts";
import { HeldLine } from "../../../firmware-bridge/gpio/held-line.ts";
import { FakeGpio, isAlive } from "./fake-gpio.ts";

let gpio: FakeGpio;
let lost: string[];

beforeEach(() => {
  gpio = new FakeGpio();
  lost = [];
});

afterEach(() => gpio.close());

function heldLine(major: 1 | 2, line = 17): HeldLine {
  const onLost = (problem: Error): void => void lost.push(problem.message);
  return new HeldLine(major, gpio.output(line), { atExit: true, atLoss: false, onLost });
}

/** Who has line 17. Version 1 does not say when it has it, and may need more time than it is given. */
async function holderOf(version: 1 | 2): Promise<number> {
  if (version === 1) await expect.poll(() => gpio.holder(17)).toBeDefined();
  const pid = gpio.holder(17);
  if (pid === undefined) throw new Error("nobody has the line");
  return pid;
}

function parentOf(pid: number): number {
  return Number(/\) . (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1]);
}

describe("the command line", () => {
  it("of version 1 holds for as long as it can, and touches for 50 ms", () => {
    const output = gpio.output(17, { activeLow: true, drive: "open-drain" });
    const options = ["--drive=open-drain", "--active-low", "gpiochip0"];
    expect(holdCommand(1, output, true)).toEqual([
      "gpioset",
      "--mode=time",
      "--sec=2000000000",
      ...options,
      "17=1",
    ]);
    const touch = ["gpioset", "--mode=time", "--usec=50000"];
    expect(touchCommand(1, output, false)).toEqual([...touch, ...options, "17=0"]);
  });

  it("of version 2 holds for ever, and touches for 50 ms", () => {
    const options = ["--drive=push-pull", "--chip=gpiochip0"];
    expect(holdCommand(2, gpio.output(17), false)).toEqual(["gpioset", "--banner", ...options, "17=0"]);
    const touch = ["gpioset", "--toggle=0", "--hold-period=50ms"];
    expect(touchCommand(2, gpio.output(17), true)).toEqual([...touch, ...options, "17=1"]);
  });

  it.each([1, 2] as const)("of version %i is known by what it says", async (version) => {
    gpio.install(version);
    expect(await gpiosetMajor()).toBe(version);
  });

  it("is none where there is no gpioset", async () => {
    vi.stubEnv("PATH", gpio.folder);
    await expect(gpiosetMajor()).rejects.toMatchObject({ code: "gpioset-missing" });
  });
});

describe.each([1, 2] as const)("a held line, version %i", (version) => {
  beforeEach(() => gpio.install(version));

  it("is set, changed and let go at the level of an end", async () => {
    const line = heldLine(version);
    await line.set(false);
    const first = await holderOf(version);
    await line.set(false);
    expect(gpio.holder(17)).toBe(first);
    await line.set(true);
    await holderOf(version);
    expect(line.active).toBe(true);
    await line.exit();
    await line.exit();
    expect(gpio.history(17)).toEqual(["hold 0 high", "hold 1 high", "touch 1 high"]);
    expect(gpio.holder(17)).toBeUndefined();
    expect(lost).toEqual([]);
  });

  it("that cannot be had is refused with the program's own words", async () => {
    gpio.refuse(17);
    await expect(heldLine(version).set(true)).rejects.toMatchObject({
      code: "gpioset-ended",
      message: expect.stringContaining("Operation not permitted"),
    });
    expect(gpio.history(17)).toEqual([]);
  });

  it("that is lost is said, and goes to its level of a loss", async () => {
    const line = heldLine(version);
    await line.set(true);
    process.kill(await holderOf(version), "SIGKILL");
    await expect.poll(() => lost).toHaveLength(1);
    expect(line.active).toBeUndefined();
    await line.lose();
    expect(gpio.history(17).at(-1)).toBe("touch 0 high");
  });

  it("whose guard is killed is lost as well, and goes to its level of a loss", async () => {
    const line = heldLine(version);
    await line.set(true);
    const holder = await holderOf(version);
    process.kill(parentOf(holder), "SIGKILL");
    await expect.poll(() => lost).toHaveLength(1);
    // It says nothing any more a little before it is dead.
    await expect.poll(() => isAlive(holder)).toBe(false);
    await line.lose();
    expect(gpio.history(17)).toEqual(["hold 1 high", "touch 0 high"]);
  });

  it("whose guard does nothing any more is let go all the same", async () => {
    const line = heldLine(version);
    await line.set(true);
    process.kill(parentOf(await holderOf(version)), "SIGSTOP");
    await line.exit();
    expect(gpio.history(17)).toEqual(["hold 1 high", "touch 1 high"]);
    expect(gpio.holder(17)).toBeUndefined();
  });

  it("does not end with a signal to everybody", async () => {
    const line = heldLine(version);
    await line.set(true);
    // proc(5): the signals that a process ignores, as bits; SIGHUP, SIGINT and SIGTERM are 1, 2 and 15.
    const status = readFileSync(`/proc/${await holderOf(version)}/status`, "utf8");
    const ignored = Number.parseInt(/^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "", 16);
    expect([1, 2, 15].map((signal) => Math.floor(ignored / 2 ** (signal - 1)) % 2)).toEqual([1, 1, 1]);
    await line.exit();
    expect(gpio.history(17)).toEqual(["hold 1 high", "touch 1 high"]);
  });
});

describe("a gpioset that hangs", () => {
  it("is ended, and the line goes to its level of a loss", async () => {
    gpio.install(2);
    gpio.hang(17);
    await expect(heldLine(2).set(false)).rejects.toMatchObject({
      ...{ code: "gpioset-ended", message: expect.stringContaining("nothing for 5000 ms") },
    });
    expect(gpio.history(17)).toEqual(["touch 0 high"]);
  });
});
