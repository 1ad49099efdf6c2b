import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type GpiomonMajor,
  gpiomonArguments,
  gpiomonEdge,
  gpiomonMajor,
} from "../../../firmware-bridge/gpio/gpiomon.ts";
import type { Edge, InputLine } from "../../../firmware-bridge/gpio/line.ts";
import type { EdgeListener } from "../../../firmware-bridge/pulse/edge-source.ts";
import { GpiomonSource } from "../../../firmware-bridge/pulse/gpiomon-source.ts";
import { descendantsOf } from "../child/fake-machine.ts";
import { FakeLine, pulses } from "./fake-line.ts";

const INPUT: InputLine = { chip: "gpiochip0", line: 17, activeLow: true, bias: "pull-up" };

describe("the command line", () => {
  it("of version 1", () => {
    expect(gpiomonArguments(1, INPUT)).toEqual([
      "--bias=pull-up",
      "--active-low",
      "--line-buffered",
      "--format=%e %s %n",
      "gpiochip0",
      "17",
    ]);
  });

  it("of version 2", () => {
    expect(gpiomonArguments(2, INPUT)).toEqual([
      "--bias=pull-up",
      "--active-low",
      "--banner",
      "--edges=both",
      "--event-clock=monotonic",
      "--format=%e %S",
      "--chip=gpiochip0",
      "17",
    ]);
  });

  it.each([
    [1, "disabled", "--bias=disable"],
    [2, "disabled", "--bias=disabled"],
    [1, "pull-down", "--bias=pull-down"],
  ] as const)("names the bias as version %i does: %s", (major, bias, word) => {
    expect(gpiomonArguments(major, { ...INPUT, bias })).toContain(word);
  });

  it.each([1, 2] as const)("of version %i says nothing where nothing is to be set", (major) => {
    const words = gpiomonArguments(major, { ...INPUT, bias: "as-is", activeLow: false });
    expect(words.filter((word) => /bias|active-low/.test(word))).toEqual([]);
  });
});

describe("a printed line", () => {
  it.each([
    [1, "1 93783 5000000", true, 93_783_005_000_000n],
    [1, "0 93783 42", false, 93_783_000_000_042n],
    [2, "1 93783.005000000", true, 93_783_005_000_000n],
    [2, "2 93783.000000042", false, 93_783_000_000_042n],
  ] as const)("of version %i: %s", (major, text, active, timeNs) => {
    expect(gpiomonEdge(major, text)).toEqual({ active, timeNs });
  });

  it.each([
    [1, "2 93783 42"],
    [1, "1 93783.000000042"],
    [1, "event:  RISING EDGE offset: 17 timestamp: [   93783.000000042]"],
    [2, "0 93783.000000042"],
    [2, "1 93783.42"],
    [2, "1 2026-01-01T00:00:00.000000042Z"],
    [2, ""],
  ] as const)("of version %i that is no edge: %s", (major, text) => {
    expect(gpiomonEdge(major, text)).toBeUndefined();
  });
});

describe("the source", () => {
  let line: FakeLine;
  let edges: Edge[];
  let ended: string[];
  let listener: EdgeListener;

  beforeEach(async () => {
    line = new FakeLine();
    await line.open();
    edges = [];
    ended = [];
    listener = {
      onEdge: (edge) => edges.push(edge),
      onEnd: (problem) => ended.push(`${problem.code}: ${problem.detail.got}`),
    };
  });

  afterEach(() => line.close());

  async function started(major: GpiomonMajor): Promise<GpiomonSource> {
    line.installGpiomon(major);
    const source = new GpiomonSource(major, INPUT);
    await source.start(listener);
    await line.watched();
    return source;
  }

  it.each([1, 2] as const)("knows version %i and hands on its edges", async (major) => {
    line.installGpiomon(major);
    expect(await gpiomonMajor()).toBe(major);
    const source = await started(major);
    const given = pulses(3);
    line.play({ edges: given });
    await expect.poll(() => edges).toHaveLength(6);
    expect(edges).toEqual(given.map(([active, timeNs]) => ({ active, timeNs })));
    await source.stop();
    expect(ended).toEqual([]);
  });

  it("says when the program ends, and with what words, behind its last edge", async () => {
    await started(2);
    line.play({ edges: pulses(2), exit: { code: 1, words: "gpiomon: error reading line events" } });
    await expect.poll(() => ended).toHaveLength(1);
    expect(ended).toEqual(["pulse-gpiomon-ended: ended with code 1: gpiomon: error reading line events"]);
    expect(edges).toHaveLength(4);
  });

  it("refuses a line that cannot be had", async () => {
    line.installGpiomon(1);
    // The command line of the other version is what a program of this one cannot take.
    const source = new GpiomonSource(2, INPUT);
    await expect(source.start(listener)).rejects.toMatchObject({ code: "pulse-gpiomon-ended" });
  });

  it("gives up a program that says nothing, and ends it", async () => {
    line.installHangingGpiomon(2);
    const source = new GpiomonSource(2, INPUT, 500);
    await expect(source.start(listener)).rejects.toMatchObject({
      code: "pulse-gpiomon-silent",
      detail: { where: "gpiochip0 line 17", got: "nothing for 500 ms" },
    });
    await expect.poll(() => descendantsOf(process.pid)).toEqual([]);
    await source.stop();
    expect(ended).toEqual([]);
  });

  it("ends a program that says nothing yet, when it is told to", async () => {
    line.installHangingGpiomon(2);
    const source = new GpiomonSource(2, INPUT, 60_000);
    const refused = expect(source.start(listener)).rejects.toMatchObject({ code: "pulse-gpiomon-ended" });
    await line.watched();
    const released = line.released();
    await Promise.all([source.stop(), released, refused]);
    expect(ended).toEqual([]);
  });

  it("takes no times of the wall clock", async () => {
    await started(1);
    line.play({ edges: pulses(1, BigInt(Date.now()) * 1_000_000n) });
    await expect.poll(() => ended).toHaveLength(1);
    expect(ended[0]).toMatch(/^pulse-kernel-clock/);
    expect(edges).toEqual([]);
  });

  it("takes nothing that it does not know", async () => {
    await started(2);
    line.play({ text: "warning: something\n", edges: pulses(1) });
    await expect.poll(() => ended).toHaveLength(1);
    expect(ended[0]).toBe('pulse-gpiomon-output: "warning: something"');
    expect(edges).toEqual([]);
  });

  it("says where there is none", async () => {
    line.installNoGpiomon();
    expect(await gpiomonMajor()).toBeUndefined();
  });
});
