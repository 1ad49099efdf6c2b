import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Sampling, startSampling } from "../../../agent/sampling/sampler.ts";
import { Problem } from "../../../attest/problem.ts";
import { FakeDevice, Record, sampling } from "./kit.ts";

const TIMEOUT = new Problem("modbus-timeout", "no answer", { hint: "check the cable" });
const CHECKSUM = new Problem("dsmr-checksum", "wrong checksum");

const running: Sampling[] = [];
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"], now: 0 });
});
afterEach(async () => {
  for (const one of running.splice(0)) {
    const stopped = one.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    await stopped;
  }
  vi.useRealTimers();
});

function start(device: FakeDevice, intervalMs = 1000): { record: Record; handle: Sampling } {
  const record = new Record();
  const handle = startSampling(sampling(device, record, intervalMs));
  running.push(handle);
  return { record, handle };
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
/** When something happened, from the first time on. */
const offsets = (times: readonly number[]): number[] =>
  times.map((time) => Math.round(time - (times[0] ?? 0)));

describe("a polled device", () => {
  it("is read at once and then on its schedule, without drift", async () => {
    const device = new FakeDevice("polled");
    device.readMs = 130;
    const { record, handle } = start(device);
    await pass(60_500);
    expect(record.identities).toEqual(["A-1"]);
    expect(offsets(device.readAtMs.slice(1))).toEqual(Array.from({ length: 61 }, (_, i) => i * 1000));
    expect(handle.statistics()).toMatchObject({ reads: 61, skipped: 0, online: true });
    expect(record.lines).toEqual([{ event: "device-online", device: "d", driver: "fake" }]);
  });

  it("that answers late loses readings, which are counted and never made up for", async () => {
    const device = new FakeDevice("polled");
    const { handle } = start(device);
    await pass(2500);
    device.readMs = 3200;
    await pass(4000);
    device.readMs = 0;
    await pass(4000);
    expect(offsets(device.readAtMs.slice(1))).toEqual([0, 1000, 2000, 3000, 7000, 8000, 9000, 10_000]);
    expect(handle.statistics()).toMatchObject({ skipped: 3 });
  });

  it("is read again soon where the sink doubts it, three times at most", async () => {
    const device = new FakeDevice("polled");
    const { record, handle } = start(device, 5000);
    await pass(100);
    record.doubts = 1;
    await pass(9800);
    expect(offsets(record.takenAtMs)).toEqual([0, 5000, 5500]);
    record.doubts = 100;
    await pass(15_000);
    expect(offsets(record.takenAtMs).slice(3)).toEqual([10_000, 10_500, 11_000, 11_500, 15_000, 20_000]);
    expect(handle.statistics().rereads).toBe(4);
  });

  it("may miss an answer without being called offline", async () => {
    const device = new FakeDevice("polled");
    const { record, handle } = start(device);
    await pass(500);
    device.problem = TIMEOUT;
    await pass(2000);
    device.problem = undefined;
    await pass(2000);
    expect(record.failures).toEqual(["modbus-timeout", "modbus-timeout"]);
    expect(record.events).toEqual(["device-online"]);
    expect(handle.statistics().failures).toEqual(new Map([["modbus-timeout", 2]]));
  });

  it("that stays away is said once, opened anew, and said once when it is back", async () => {
    const device = new FakeDevice("polled");
    const { record, handle } = start(device);
    await pass(500);
    device.problem = TIMEOUT;
    device.identifyProblem = TIMEOUT;
    await pass(300_000);
    expect(record.events).toEqual(["device-online", "device-offline"]);
    expect(record.lines[1]).toMatchObject({ code: "modbus-timeout", hint: "check the cable" });
    // 5 reads, then attempts 1, 2, 4 ... 60 s apart: the longest that the back-off allows.
    expect(device.opened).toBe(1 + 5 + 1 + Math.floor((300_000 - 4500 - 63_000) / 60_000));
    expect(device.closed).toBe(device.opened);
    device.problem = undefined;
    device.identifyProblem = undefined;
    device.serial = "B-2";
    await pass(60_000);
    expect(record.events).toEqual(["device-online", "device-offline", "device-online"]);
    expect(record.identities).toEqual(["A-1", "B-2"]);
    expect(handle.statistics()).toMatchObject({ online: true });
  });

  it("that says who it is but not what it shows is opened anew after five failures each", async () => {
    const device = new FakeDevice("polled");
    const { record } = start(device);
    device.problem = TIMEOUT;
    await pass(4500);
    expect(device.opened).toBe(1);
    await pass(1000);
    expect(device.opened).toBe(2);
    await pass(4500);
    expect(record.failures).toHaveLength(10);
    expect(device.closed).toBe(2);
  });

  it("that is not there at the start is said at once, and every cause once", async () => {
    const device = new FakeDevice("polled");
    device.identifyProblem = TIMEOUT;
    const { record } = start(device);
    await pass(1);
    expect(record.events).toEqual(["device-offline"]);
    await pass(100_000);
    device.identifyProblem = new Problem("modbus-refused", "refused");
    await pass(300_000);
    device.identifyProblem = TIMEOUT;
    await pass(300_000);
    expect(record.lines).toMatchObject([
      { event: "device-offline", code: "modbus-timeout" },
      { event: "device-still-offline", code: "modbus-refused" },
    ]);
  });

  it("whose driver hangs is given up and opened anew", async () => {
    const device = new FakeDevice("polled");
    const { record } = start(device);
    await pass(500);
    device.hangs = true;
    await pass(122_000);
    device.hangs = false;
    await pass(910_000);
    expect(record.failures).toContain("driver-hung");
    expect(record.events.at(-1)).toBe("device-online");
    expect(device.opened - device.closed).toBe(1);
  });

  it("whose ratio was changed is opened and identified anew before anything more is taken", async () => {
    const device = new FakeDevice("polled");
    const { record } = start(device);
    await pass(500);
    const taken = record.takenAtMs.length;
    device.problem = new Problem("driver-settings-changed", "the ratio was changed");
    await pass(700);
    device.problem = undefined;
    expect({ closed: device.closed, taken: record.takenAtMs.length }).toEqual({ closed: 1, taken });
    await pass(2000);
    expect(device.opened).toBe(2);
    expect(record.identities).toEqual(["A-1", "A-1"]);
    expect(record.takenAtMs.length).toBeGreaterThan(taken);
  });

  it("goes on where the sink throws", async () => {
    const device = new FakeDevice("polled");
    const { record, handle } = start(device);
    record.throws = true;
    await pass(3500);
    expect(record.takenAtMs).toHaveLength(4);
    expect(record.events).toContain("sample-sink-failed");
    expect(handle.statistics()).toMatchObject({ reads: 4, online: true });
  });
});

describe("a push device", () => {
  it("is heard from its first telegram on and thinned out to its interval", async () => {
    const device = new FakeDevice("push");
    const { record, handle } = start(device, 5000);
    await pass(0);
    for (let i = 0; i < 21; i += 1) {
      device.send(i);
      await pass(i % 2 === 0 ? 1090 : 910);
    }
    expect(record.powers).toEqual([0, 5, 10, 15, 20]);
    expect(handle.statistics()).toMatchObject({ reads: 21, thinned: 16 });
  });

  it("whose ratio was changed is opened anew, too", async () => {
    const device = new FakeDevice("push");
    const { record } = start(device);
    await pass(0);
    device.send(1);
    await pass(100);
    device.listener?.onProblem(new Problem("driver-settings-changed", "the ratio was changed"));
    await pass(3000);
    expect(device.opened).toBe(2);
    expect(record.identities).toEqual(["A-1", "A-1"]);
  });

  it("that sends as often as wanted loses nothing to jitter", async () => {
    const device = new FakeDevice("push");
    const { record } = start(device, 1000);
    await pass(0);
    for (let i = 0; i < 40; i += 1) {
      device.send(i);
      await pass(i % 2 === 0 ? 700 : 1300);
    }
    expect(record.powers).toHaveLength(40);
  });

  it("delivers the telegram that identified it, after the identity", async () => {
    const device = new FakeDevice("push");
    device.readMs = 300;
    const { record } = start(device, 5000);
    await pass(10);
    device.send(41);
    device.send(42);
    expect(record.powers).toEqual([]);
    await pass(300);
    expect(record.identities).toEqual(["A-1"]);
    expect(record.powers).toEqual([42]);
  });

  it("gives its very next telegram where the sink doubts one", async () => {
    const device = new FakeDevice("push");
    const { record } = start(device, 10_000);
    await pass(0);
    record.doubts = 2;
    for (let i = 0; i < 5; i += 1) {
      device.send(i);
      await pass(1000);
    }
    expect(record.powers).toEqual([0, 1, 2]);
  });

  it("is offline at once when its line is gone, not for one bad telegram", async () => {
    const device = new FakeDevice("push");
    const { record } = start(device);
    await pass(0);
    device.send();
    device.listener?.onProblem(CHECKSUM);
    device.send();
    expect(record.events).toEqual(["device-online"]);
    device.listener?.onProblem(new Problem("line-closed", "closed"));
    expect(record.events).toEqual(["device-online", "device-offline"]);
    device.send();
    expect(record.events).toEqual(["device-online", "device-offline", "device-online"]);
    expect(device.opened).toBe(1);
  });

  it("is opened anew after five problems in a row", async () => {
    const device = new FakeDevice("push");
    const { record } = start(device);
    await pass(0);
    for (let i = 0; i < 5; i += 1) device.listener?.onProblem(CHECKSUM);
    await pass(1000);
    expect([device.opened, device.closed]).toEqual([2, 1]);
    device.send(7);
    expect(record.powers).toEqual([7]);
  });

  it("whose driver falls silent is opened anew", async () => {
    const device = new FakeDevice("push");
    const { record } = start(device);
    await pass(0);
    device.send();
    await pass(3 * 7_200_000);
    expect(record.failures[0]).toBe("driver-silent");
    expect(device.opened).toBeGreaterThan(1);
  });
});

describe("stopping", () => {
  it.each(["polled", "push"] as const)(
    "closes a %s driver, and nothing reaches the sink after it",
    async (mode) => {
      const device = new FakeDevice(mode);
      const { record, handle } = start(device);
      await pass(100);
      const { listener } = device;
      device.send();
      const before = record.takenAtMs.length;
      await handle.stop();
      expect([device.opened, device.closed]).toEqual([1, 1]);
      listener?.onSnapshot({ readings: [], flexibility: [], absent: [] });
      await pass(10_000);
      expect(record.takenAtMs).toHaveLength(before);
      expect(record.failures).toEqual([]);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  it.each(["polled", "push"] as const)("does not wait for a %s device that hangs", async (mode) => {
    const device = new FakeDevice(mode);
    device.hangs = true;
    const { record, handle } = start(device);
    await pass(100);
    await handle.stop();
    expect([device.opened, device.closed]).toEqual([1, 1]);
    expect(record.failures).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("ends a back-off at once", async () => {
    const device = new FakeDevice("polled");
    device.identifyProblem = TIMEOUT;
    const { handle } = start(device);
    await pass(200_000);
    await handle.stop();
    const { opened } = device;
    await pass(200_000);
    expect([device.opened, device.closed]).toEqual([opened, opened]);
  });
});
