import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Indicated } from "../../../firmware-bridge/indicator/indicated.ts";
import { Indicator } from "../../../firmware-bridge/indicator/indicator.ts";
import { type Lamp, Led } from "../../../firmware-bridge/indicator/led.ts";

/** A lamp that remembers what it was told, and when. */
class Remembering implements Lamp {
  readonly told: string[] = [];
  fails = false;

  async set(lit: boolean): Promise<void> {
    if (this.fails) throw new Error("burnt out");
    this.told.push(`${Math.round(performance.now() / 10) * 10} ${lit ? "lit" : "dark"}`);
  }
}

let shown: Indicated;
let problems: string[];

function indicatorOf(lamps: readonly [Lamp] | readonly [Lamp, Lamp, Lamp]): Indicator {
  const onProblem = ({ message }: { readonly message: string }): void => void problems.push(message);
  return new Indicator({ lamps, now: () => shown, onProblem });
}

beforeEach(() => {
  problems = [];
  shown = { stage: "sealed" };
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe("the indicator", () => {
  it("switches the lamp when its pattern changes, and at no other time", async () => {
    const lamp = new Remembering();
    const indicator = indicatorOf([lamp]);
    const beganMs = performance.now();
    indicator.start();
    indicator.start();
    await vi.advanceTimersByTimeAsync(2050);
    const at = (ms: number, word: string): string => `${Math.round((beganMs + ms) / 10) * 10} ${word}`;
    expect(lamp.told).toEqual([
      at(0, "lit"),
      at(100, "dark"),
      at(400, "lit"),
      at(500, "dark"),
      at(2000, "lit"),
    ]);
    await indicator.stop();
    await indicator.stop();
    expect(lamp.told.at(-1)).toMatch(/dark$/);
    const { length } = lamp.told;
    await vi.advanceTimersByTimeAsync(5000);
    expect(lamp.told).toHaveLength(length);
  });

  it("begins a new pattern at its beginning, half a second after it is known at the most", async () => {
    const lamp = new Remembering();
    const indicator = indicatorOf([lamp]);
    indicator.start();
    await vi.advanceTimersByTimeAsync(700);
    shown = { stage: "sealed", fault: "meterRefused" };
    lamp.told.length = 0;
    await vi.advanceTimersByTimeAsync(500);
    expect(lamp.told).toHaveLength(1);
    expect(lamp.told[0]).toMatch(/lit$/);
    await vi.advanceTimersByTimeAsync(1600);
    expect(lamp.told.map((each) => each.split(" ")[1])).toEqual(["lit", "dark", "lit", "dark"]);
    await indicator.stop();
  });

  it("lights the lamps up to the stage that is reached", async () => {
    const lamps = [new Remembering(), new Remembering(), new Remembering()] as const;
    const indicator = indicatorOf(lamps);
    indicator.start();
    await vi.advanceTimersByTimeAsync(10);
    expect(lamps.map(({ told }) => told[0]?.split(" ")[1])).toEqual(["lit", "lit", "dark"]);
    await indicator.stop();
  });

  it("says that a lamp fails, tries again after a minute, and never throws", async () => {
    const lamp = new Remembering();
    lamp.fails = true;
    const indicator = indicatorOf([lamp]);
    indicator.start();
    await vi.advanceTimersByTimeAsync(50_000);
    expect(problems).toEqual(["burnt out"]);
    lamp.fails = false;
    await vi.advanceTimersByTimeAsync(11_000);
    expect(lamp.told.length).toBeGreaterThan(0);
    lamp.fails = true;
    await indicator.stop();
  });
});

describe("a lamp of the kernel", () => {
  let root = "";

  beforeEach(() => {
    vi.useRealTimers();
    root = mkdtempSync(join(tmpdir(), "leds-"));
    mkdirSync(join(root, "green"));
    writeFileSync(join(root, "green", "trigger"), "none [mmc0] timer\n");
    writeFileSync(join(root, "green", "max_brightness"), "255\n");
    writeFileSync(join(root, "green", "brightness"), "0\n");
  });

  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const fileOf = (name: string): string => readFileSync(join(root, "green", name), "utf8");

  it("is taken from its trigger, and lit as brightly as it can be", async () => {
    const led = new Led("green", root);
    await led.set(true);
    expect([fileOf("trigger"), fileOf("brightness")]).toEqual(["none", "255"]);
    await led.set(false);
    expect(fileOf("brightness")).toBe("0");
  });

  it("that is not there is named", async () => {
    await expect(new Led("red", root).set(true)).rejects.toMatchObject({
      ...{ code: "indicator-led", message: expect.stringContaining("red") },
    });
  });
});
