import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { PolledMeter, Snapshot } from "../../../drivers/driver.ts";
import { conformance } from "../../../drivers/kit/conformance.ts";
import { lineSchema } from "../../../drivers/line/address.ts";
import { breakBetween } from "../../../firmware-bridge/coprocessor/continuity.ts";
import { coprocessorDriver } from "../../../firmware-bridge/coprocessor/driver.ts";
import { decodeCoprocessorFrame } from "../../../firmware-bridge/coprocessor/evidence.ts";
import { READ } from "../../../firmware-bridge/coprocessor/protocol.ts";
import type {
  CoprocessorMisbehaviour,
  ShownByChannel,
} from "../../../firmware-bridge/simulated/coprocessor.ts";
import { type Bench, bench, driverOf, GRID, NOWHERE, OPTIONS, PLACE, polled } from "./kit.ts";

const BATTERY: ShownByChannel = {
  ...{ name: "battery", role: "storage", importMwh: 7_000, exportMwh: 6_000, activePowerMw: 0 },
  ...{ stateOfChargePpm: 510_000, status: 1 },
};

async function identified(place: Bench): Promise<PolledMeter> {
  const driver = driverOf(place);
  const meter = polled(driver.open(driver.schema.parse(OPTIONS)));
  await meter.identify();
  return meter;
}

async function readsOf(meter: PolledMeter, count: number): Promise<Snapshot[]> {
  const snapshots: Snapshot[] = [];
  while (snapshots.length < count) snapshots.push(await meter.read());
  return snapshots;
}

describe("the driver of a coprocessor", () => {
  it.each([
    ["whole maps", false],
    ["maps without a length, and log text between", true],
  ])("keeps the contract of drivers: %s", async (_name, indefinite) => {
    const place = bench({ shown: () => [GRID, BATTERY], indefinite });
    const results = await conformance(driverOf(place), OPTIONS, {
      ...{ reads: 4, pauseMs: 0 },
      unreachable: { line: NOWHERE, timeoutMs: 50 },
    });
    expect(results.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
  });

  it("says who the coprocessor is and what it meters", async () => {
    const place = bench({ shown: () => [GRID, BATTERY] });
    const driver = driverOf(place);
    const meter = polled(driver.open(driver.schema.parse(OPTIONS)));
    expect(() => meter.channels()).toThrow(expect.objectContaining({ code: "driver-not-identified" }));
    await expect(meter.read()).rejects.toMatchObject({ code: "driver-not-identified" });
    expect(await meter.identify()).toEqual({
      ...{ make: "Simulated", model: "SC-1", serial: "4711", firmware: "1.4.0" },
    });
    expect(meter.channels()).toMatchObject([
      { name: "grid", role: "grid", quantities: ["import", "export", "power"], resolutionMwh: 1000 },
      { name: "battery", role: "storage", quantities: ["import", "export", "power", "stateOfCharge"] },
    ]);
  });

  it("reads all values of all channels at one instant", async () => {
    const meter = await identified(bench({ shown: () => [GRID, BATTERY] }));
    const { readings, frames = [], ...rest } = await meter.read();
    const [frame] = frames;
    if (frame === undefined) throw new Error("there is no frame");
    const evidence = new Uint8Array(createHash("sha256").update(frame.bytes).digest());
    const values = [GRID, BATTERY].map(({ name, role: _role, ...shown }) => ({
      channel: name,
      ...shown,
      evidence,
    }));
    expect(readings).toEqual(values);
    expect(frame).toMatchObject({ digest: evidence, what: "coprocessor snapshot" });
    expect(rest).toEqual({ flexibility: [], absent: [] });
  });

  it("gives evidence that decodes to the same without the device", async () => {
    const meter = await identified(bench({ shown: () => [GRID, BATTERY], indefinite: true }));
    const { readings, frames } = await meter.read();
    const decoded = decodeCoprocessorFrame(frames?.[0]?.bytes ?? new Uint8Array(0));
    expect(decoded).toEqual({
      channels: [
        { role: "grid", reading: readings[0], described: { serial: "4711" } },
        { role: "storage", reading: readings[1], described: { serial: "4711" } },
      ],
    });
  });

  it("says what is described and not shown", async () => {
    let shown: ShownByChannel[] = [GRID, BATTERY];
    const meter = await identified(bench({ shown: () => shown }));
    const { activePowerMw: _power, ...powerless } = GRID;
    shown = [powerless];
    const { readings, absent } = await meter.read();
    expect(readings.map(({ channel }) => channel)).toEqual(["grid"]);
    expect(readings[0]).not.toHaveProperty("activePowerMw");
    expect(absent).toEqual([
      "channel grid: no power in this snapshot",
      "channel battery: not in this snapshot",
    ]);
  });

  it("is asked again where an answer is lost", async () => {
    const meter = await identified(bench({ misbehaviours: ["silence"] }));
    const [first] = await readsOf(meter, 3);
    expect(first?.readings[0]?.importMwh).toBe(GRID.importMwh);
  });

  it("is not in the way of others on the line", async () => {
    const place = bench();
    const [one, other] = [await identified(place), await identified(place)];
    await Promise.all([readsOf(one, 3), readsOf(other, 3)]);
    expect(place.opened()).toBe(1);
    await one.close();
    expect(await readsOf(other, 1)).toHaveLength(1);
    await other.close();
    await identified(place);
    expect(place.opened()).toBe(2);
  });
});

describe("a count that is broken", () => {
  const before = { serial: "4711", boot: 3, atMs: 500, number: 9 };
  it.each([
    ["goes on", { atMs: 500, number: 9 }, undefined],
    ["goes on later", { atMs: 900, number: 10 }, undefined],
    ["has a start behind it", { boot: 4, atMs: 900, number: 10 }, /started anew/],
    ["has a start before it", { boot: 2, atMs: 900, number: 10 }, /started anew/],
    ["has an earlier time", { atMs: 499, number: 10 }, /went back from 500 to 499 ms/],
    ["has an earlier number", { atMs: 900, number: 8 }, /went back from number 9 to 8/],
  ])("is what %s", (_name, changes, words) => {
    const found = breakBetween(before, { ...before, ...changes });
    if (words === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(words);
  });

  it.each([
    ["resets", /started anew \(start 2, \d+ ms ago; it was start 1\)/],
    ["counter-back", /own counter went back from \d+ to \d+ ms/],
  ] as const)("is told once, of every channel: %s", async (misbehaviour, words) => {
    const place = bench({ shown: () => [GRID, BATTERY], misbehaviours: [misbehaviour] });
    const snapshots = await readsOf(await identified(place), 5);
    expect(snapshots.map(({ downtime }) => downtime?.map(({ channel }) => channel))).toEqual([
      ...[undefined, undefined, undefined],
      ...[["grid", "battery"], undefined],
    ]);
    const broken = snapshots[3];
    expect(broken?.downtime?.[0]?.message).toMatch(words);
    expect(broken?.absent).toEqual([broken?.downtime?.[0]?.message]);
  });

  it("is told after a reset of the microcontroller that hosts it", async () => {
    const place = bench();
    const meter = await identified(place);
    await meter.read();
    place.mcu.restart();
    expect((await meter.read()).downtime).toHaveLength(1);
  });

  it("is told where the driver was closed meanwhile", async () => {
    const place = bench();
    const driver = driverOf(place);
    const open = (): PolledMeter => polled(driver.open(driver.schema.parse(OPTIONS)));
    const before = open();
    await before.identify();
    expect((await before.read()).downtime).toBeUndefined();
    await before.close();
    place.coprocessor.restart();
    const after = open();
    await after.identify();
    expect((await after.read()).downtime).toHaveLength(1);
    expect((await after.read()).downtime).toBeUndefined();
  });

  it("is told again where nobody asked for a snapshot after the one that told it", async () => {
    const place = bench();
    const driver = driverOf(place);
    const opened = async (): Promise<PolledMeter> => {
      const meter = polled(driver.open(driver.schema.parse(OPTIONS)));
      await meter.identify();
      return meter;
    };
    const first = await opened();
    await first.read();
    place.mcu.restart();
    expect((await first.read()).downtime).toHaveLength(1);
    // Whoever read it was told to stop meanwhile.
    await first.close();
    const second = await opened();
    expect((await second.read()).downtime).toHaveLength(1);
    expect((await second.read()).downtime).toBeUndefined();
    await second.close();
    expect((await (await opened()).read()).downtime).toBeUndefined();
  });

  it("is told by the next driver where this one was closed while it read", async () => {
    let closes = (): void => undefined;
    const place = bench({
      exchanged: (command, answer) => {
        if (command === READ.command) closes();
        return answer;
      },
    });
    const driver = driverOf(place);
    const kept = place.lines.lease(lineSchema.parse(PLACE));
    const first = polled(driver.open(driver.schema.parse(OPTIONS)));
    await first.identify();
    await first.read();
    place.mcu.restart();
    closes = () => void first.close();
    await expect(first.read()).rejects.toMatchObject({ code: "driver-closed" });
    closes = () => undefined;
    const second = polled(driver.open(driver.schema.parse(OPTIONS)));
    await second.identify();
    expect((await second.read()).downtime).toHaveLength(1);
    await kept.release();
  });

  it("ends with another device where the coprocessor describes itself otherwise afterwards", async () => {
    const place = bench({ shown: () => [GRID, BATTERY], misbehaviours: ["other-channels"] });
    const meter = await identified(place);
    await meter.read();
    place.coprocessor.restart();
    await expect(meter.read()).rejects.toMatchObject({ code: "driver-identity-changed" });
    await expect(meter.read()).rejects.toMatchObject({ code: "driver-identity-changed" });
    await meter.identify();
    expect(meter.channels().map(({ name }) => name)).toEqual(["battery"]);
  });
});

describe("what cannot be true", () => {
  it.each<[string, ShownByChannel]>([
    ["a channel that was not described", { name: "heat-pump", role: "load", activePowerMw: 5 }],
    ["a quantity that was not described", { ...GRID, stateOfChargePpm: 5 }],
    ["another role than the described one", { ...GRID, role: "load" }],
  ])("is no reading: %s", async (_name, other) => {
    let shown: readonly ShownByChannel[] = [GRID];
    const meter = await identified(bench({ shown: () => shown }));
    shown = [other];
    await expect(meter.read()).rejects.toMatchObject({ code: "coprocessor-answer" });
  });

  it.each([
    ["changed-snapshot", "coprocessor-torn"],
    ["stands-still", "coprocessor-stale"],
    ["front-end-fault", "coprocessor-front-end"],
    ["large-numbers", "coprocessor-answer"],
    ["other-serial", "driver-identity-changed"],
  ] as const)("is no reading: %s", async (misbehaviour, code) => {
    const place = bench();
    const meter = await identified(place);
    await readsOf(meter, 2);
    place.coprocessor.misbehave(misbehaviour);
    await expect(meter.read()).rejects.toMatchObject({ code });
  });

  it("is doubted where power and current are not of one instant", async () => {
    const meter = await identified(bench({ misbehaviours: ["torn-values"] }));
    const { doubts, readings } = await meter.read();
    // 230.1 V x 3 A + 229.8 V x 2 A + 231 V x 1.7 A, a quarter more, and 100 W.
    const message = "power is 3500000 mW, voltage times current is 1542600 mW, which allows 2028250 mW";
    expect(doubts).toEqual([{ channel: "grid", quantities: ["power"], message }]);
    expect(readings).toHaveLength(1);
  });

  it.each<[CoprocessorMisbehaviour, string]>([
    ["other-firmware", "coprocessor-protocol"],
    ["long-answers", "coprocessor-answer"],
  ])("is no meter: %s", async (misbehaviour, code) => {
    await expect(identified(bench({ misbehaviours: [misbehaviour] }))).rejects.toMatchObject({ code });
  });

  it("is no meter without a channel, or without group 64", async () => {
    await expect(identified(bench({ shown: () => [] }))).rejects.toMatchObject({
      code: "coprocessor-no-meter",
    });
    await expect(identified(bench({ groups: false }))).rejects.toMatchObject({
      code: "coprocessor-protocol",
    });
  });
});

describe("the options", () => {
  it("are a line and a deadline, and nothing else", () => {
    const { schema } = coprocessorDriver;
    expect(schema.parse({ line: "serial:///dev/ttyACM0" })).toMatchObject({ timeoutMs: 2_500 });
    expect(schema.safeParse({ line: "serial:///dev/ttyACM0", unit: 1 }).success).toBe(false);
    expect(schema.safeParse({ line: "/dev/ttyACM0" }).success).toBe(false);
  });

  it("may not want one line with two settings", () => {
    const { lines } = bench();
    const at = (baudRate: number): Parameters<typeof lines.lease>[0] => ({
      ...{ kind: "serial", path: "/dev/nowhere", baudRate },
    });
    lines.lease(at(115_200));
    expect(() => lines.lease({ kind: "serial", path: "/dev/nowhere" })).not.toThrow();
    expect(() => lines.lease(at(9_600))).toThrow(
      expect.objectContaining({ code: "coprocessor-line-conflict" }),
    );
  });
});
