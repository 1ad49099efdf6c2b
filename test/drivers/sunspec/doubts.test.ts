import { describe, expect, it } from "vitest";
import type { SimulatedModel } from "../../../drivers/simulated/sunspec-encode.ts";
import * as device from "./devices.ts";
import { cleanupAfterEach, fixed, openSuite } from "./kit.ts";

const later = cleanupAfterEach();

async function doubtsOf(model: SimulatedModel): Promise<readonly string[]> {
  const { meter } = await openSuite(later, { models: fixed(model) });
  const { doubts = [], readings } = await meter.read();
  // What contradicts itself is said all the same.
  expect(readings[0]).toHaveProperty("activePowerMw");
  return doubts.map(({ message }) => message);
}

describe("the phases against the total", () => {
  it.each([
    [203, "meter"],
    [204, "meter"],
    [202, "meter"],
    [213, "meter"],
  ])("of a meter %i", async (id) => {
    // 700 W each; 5 % of 1500 W and 50 W are 125 W.
    const phases = id === 202 ? 2 : 3;
    expect(await doubtsOf(device.meterOf(id, { W: 700 * phases + 100 }))).toEqual([]);
    expect(await doubtsOf(device.meterOf(id, { W: 700 * phases + 300 }))).toHaveLength(1);
    expect(await doubtsOf(device.meterOf(id, { W: -700 * phases }))).toHaveLength(1);
  });

  it("say with which values", async () => {
    const { meter } = await openSuite(later, { models: fixed(device.meterOf(203, { W: 2400 })) });
    expect((await meter.read()).doubts).toEqual([
      {
        channel: "meter",
        quantities: ["power"],
        message: "power is 2400 W, its phases are 700 W + 700 W + 700 W = 2100 W, more than 170 W apart",
      },
    ]);
  });

  it("take from each other what flows both ways, and allow for what both are", async () => {
    const opposed = { WphA: 3000, WphB: -2000, WphC: 100 };
    expect(await doubtsOf(device.meterOf(203, { W: 1300, ...opposed }))).toEqual([]);
    expect(await doubtsOf(device.meterOf(203, { W: 2000, ...opposed }))).toHaveLength(1);
  });

  it("say nothing where one of them is missing, and of a single one", async () => {
    const { WphB: _, ...values } = device.meterOf(203, { W: 5000 }).values;
    expect(await doubtsOf({ ...device.meterOf(203), values })).toEqual([]);
    expect(await doubtsOf(device.meterOf(201, { W: 5000 }))).toEqual([]);
  });

  it("of 701", async () => {
    expect(await doubtsOf(device.derAc({ W: 8000 }))).toHaveLength(1);
    expect(await doubtsOf(device.derAc({ W: 8800 }))).toEqual([]);
  });
});

describe("power against voltage and current", () => {
  it("is no more than they allow, with the steps of the current", async () => {
    // 3 x 5.3 A at 231 V are 3675 W; 10 %, 100 W and a step of 0.1 A a phase are 536 W.
    expect(await doubtsOf(device.inverter(103, { W: 4100 }))).toEqual([]);
    expect(await doubtsOf(device.inverter(103, { W: 4400 }))).toHaveLength(1);
    expect(await doubtsOf(device.inverter(103, { W: 360 }))).toEqual([]);
    const coarse = { ...device.inverter(103, { W: 4800 }), scales: { A_SF: 0, V_SF: -1, WH_SF: 2 } };
    // In whole amperes, 5 A each may be 5.99 A.
    expect(await doubtsOf(coarse)).toHaveLength(1);
    const rounded = { ...coarse, values: { ...coarse.values, W: 4500 } };
    expect(await doubtsOf(rounded)).toEqual([]);
  });

  it("shows a scale factor that belongs to another value", async () => {
    const tenfold = { ...device.inverter(113, { W: 36_000 }) };
    expect(await doubtsOf(tenfold)).toEqual([
      expect.stringMatching(/^power is -36000 W, voltage times current is 36\d\d\.\d+ W, more than/),
    ]);
  });
});

describe("the current against those of the phases", () => {
  it("is their sum, or what some devices show instead of it", async () => {
    for (const A of [15.9, 5.3, 5.4, 15.2])
      expect(await doubtsOf(device.inverter(103, { A })), `${A} A`).toEqual([]);
    for (const A of [11, 25]) expect(await doubtsOf(device.inverter(103, { A }))).toHaveLength(1);
  });
});
