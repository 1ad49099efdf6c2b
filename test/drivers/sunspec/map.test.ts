import { describe, expect, it } from "vitest";
import { type ModbusServer, startModbusServer } from "../../../drivers/simulated/modbus-server.ts";
import { type RegisterImage, startRegisterImage } from "../../../drivers/simulated/register-image.ts";
import { ModelBuilder } from "../../../drivers/simulated/sunspec-map.ts";
import { inverterModel, meterModel } from "../../../drivers/simulated/sunspec-models.ts";
import { sunspecDriver } from "../../../drivers/sunspec/driver.ts";
import { cleanupAfterEach, codeOf, imageOf, openSunSpec, problemOf } from "./kit.ts";

const later = cleanupAfterEach();
const RUNNING = inverterModel({ exportMwh: 7_000_000, activePowerMw: -900_000 });

async function serve(image: RegisterImage): Promise<ModbusServer> {
  const server = await startRegisterImage({ port: 0, image });
  later(() => server.close());
  return server;
}

async function open(image: RegisterImage, options: object = {}) {
  const meter = openSunSpec(await serve(image), options);
  later(() => meter.close());
  return meter;
}

/** The image with some registers of its only block changed. */
function patched(image: RegisterImage, changes: Readonly<Record<number, number>>): RegisterImage {
  const [block] = image.blocks;
  const registers = (block?.registers ?? []).map((value, index) => changes[index] ?? value);
  return { blocks: [{ start: block?.start ?? 0, registers }] };
}

/** Index of the ID register of the model after model 1. */
const SECOND = 2 + 68;

describe("finding the map", () => {
  it.each([0, 40000, 50000])("at %i", async (start) => {
    const [block] = imageOf(RUNNING).blocks;
    const meter = await open({ blocks: [{ start, registers: block?.registers ?? [] }] });
    expect((await meter.identify()).serial).toBe("T-1");
    expect((await meter.read()).readings).toMatchObject([{ exportMwh: 7_000_000, activePowerMw: -900_000 }]);
  });

  it("at a base of the installer's own", async () => {
    const [block] = imageOf(RUNNING).blocks;
    const image = { blocks: [{ start: 1234, registers: block?.registers ?? [] }] };
    expect(await codeOf((await open(image)).identify())).toBe("driver-not-sunspec");
    expect((await (await open(image, { base: 1234 })).identify()).serial).toBe("T-1");
  });

  it("skips models that it does not know, also those longer than a request", async () => {
    const vendor = new ModelBuilder(300).build(64001);
    const meter = await open(imageOf(vendor, RUNNING, vendor));
    expect((await meter.read()).readings).toMatchObject([{ channel: "inverter" }]);
  });

  it("names several of a kind", async () => {
    const small = meterModel({ importMwh: 1000, exportMwh: 2000, activePowerMw: 5000 });
    const big = meterModel({ importMwh: 3000, exportMwh: 4000, activePowerMw: -6000 });
    const meter = await open(imageOf(RUNNING, small, big));
    expect((await meter.read()).readings).toMatchObject([
      { channel: "inverter" },
      { channel: "meter", importMwh: 1000, exportMwh: 2000, activePowerMw: 5000 },
      { channel: "meter2", importMwh: 3000, exportMwh: 4000, activePowerMw: -6000 },
    ]);
  });

  it("refuses a chain that breaks off, ends nowhere, or repeats itself without end", async () => {
    const whole = imageOf(RUNNING);
    const length = whole.blocks[0]?.registers.length ?? 0;
    const zero = await open(patched(whole, { [length - 2]: 0 }));
    expect((await problemOf(zero.identify())).message).toContain("ID 0 after 2 models");
    const beyond = await open(patched(whole, { [SECOND + 1]: 60_000 }));
    expect((await problemOf(beyond.identify())).message).toContain("does not end");
    const circle = await startModbusServer({
      port: 0,
      read: ({ start, count }) => ({
        registers: start === 40000 ? [0x5375, 0x6e53] : Array.from({ length: count }, () => 1),
      }),
    });
    later(() => circle.close());
    const round = openSunSpec(circle);
    later(() => round.close());
    const problem = await problemOf(round.identify());
    expect(problem.detail.cause).toMatchObject({ code: "sunspec-chain-endless" });
  });

  it("refuses a gateway that answers everything with zeros, and a map without model 1", async () => {
    const zeros = await open({ blocks: [{ start: 0, registers: new Array<number>(60_000).fill(0) }] });
    expect(await codeOf(zeros.identify())).toBe("driver-not-sunspec");
    const headless = await open(patched(imageOf(RUNNING), { 2: 2 }));
    expect((await problemOf(headless.identify())).message).toContain("model 1");
  });

  it("says so when there is nothing to meter", async () => {
    const problem = await problemOf((await open(imageOf(new ModelBuilder(13).build(11)))).identify());
    expect(problem.code).toBe("driver-no-channels");
    expect(problem.detail.got).toBe("1 11");
  });

  it("does not read past a model that is shorter than its definition", async () => {
    const short = { id: 103, registers: RUNNING.registers.slice(0, 20) };
    const meter = await open(imageOf(short));
    const { readings, absent } = await meter.read();
    expect(readings[0]).not.toHaveProperty("exportMwh");
    expect(readings[0]).toMatchObject({ activePowerMw: -900_000 });
    expect(absent).toEqual(["model 103 WH: not accumulated"]);
  });
});

describe("values that are none", () => {
  it("are left out one by one", async () => {
    // W, W_SF of nothing; Hz with a scale factor outside -10..10; WH all ones.
    const at = SECOND + 2;
    const meter = await open(
      patched(imageOf(RUNNING), {
        [at + 10]: 0xffff,
        [at + 12]: 0x8000,
        [at + 15]: 11,
        [at + 22]: 0xffff,
        [at + 23]: 0xffff,
        [at + 36]: 0xffff,
      }),
    );
    const { readings, absent } = await meter.read();
    expect(Object.keys(readings[0] ?? {}).sort()).toEqual(["channel", "currentMa", "evidence"]);
    expect(absent).toEqual([
      "model 103 WH: not accumulated",
      "model 103 W: not implemented",
      "model 103 PhVphC: not implemented",
      "model 103 Hz: no valid scale factor Hz_SF",
    ]);
  });

  it("are left out when they do not fit an exact integer", async () => {
    const at = SECOND + 2;
    const meter = await open(patched(imageOf(RUNNING), { [at + 22]: 0x7fff, [at + 24]: 10 }));
    const { readings, absent } = await meter.read();
    expect(readings[0]).not.toHaveProperty("exportMwh");
    expect(absent[0]).toContain("too large");
  });

  it("are cut off, not rounded up, below a thousandth", async () => {
    const at = SECOND + 2;
    const meter = await open(
      patched(imageOf(RUNNING), {
        [at + 12]: 19_999,
        [at + 13]: 0xfffc,
        [at + 22]: 0,
        [at + 23]: 19_999,
        [at + 24]: 0xfffb,
      }),
    );
    // 19,999 * 10^-4 W and 19,999 * 10^-5 Wh.
    expect((await meter.read()).readings).toMatchObject([{ activePowerMw: -1999, exportMwh: 199 }]);
    expect(meter.channels()).toMatchObject([{ resolutionMwh: 1 }]);
    expect(meter.channels()[0]).not.toHaveProperty("rolloverMwh");
  });

  it("refuse the whole snapshot when the device answers with nothing but ones", async () => {
    let registers = [...(imageOf(RUNNING).blocks[0]?.registers ?? [])].map((r) => r ?? 0);
    const good = registers;
    const server = await startModbusServer({
      port: 0,
      read: ({ start, count }) => ({ registers: registers.slice(start - 40000, start - 40000 + count) }),
    });
    later(() => server.close());
    const meter = openSunSpec(server);
    later(() => meter.close());
    await meter.identify();
    registers = registers.map((value, index) => (index >= SECOND ? 0xffff : value));
    expect(await codeOf(meter.read())).toBe("sunspec-all-ones");
    registers = good;
    expect((await meter.read()).readings).toMatchObject([{ exportMwh: 7_000_000 }]);
  });

  it("follow models that moved, for the same device", async () => {
    let image = imageOf(RUNNING);
    const server = await startModbusServer({
      port: 0,
      read: ({ start, count }) => {
        const all = (image.blocks[0]?.registers ?? []).map((r) => r ?? 0);
        return { registers: Array.from({ length: count }, (_, i) => all[start - 40000 + i] ?? 0) };
      },
    });
    later(() => server.close());
    const meter = openSunSpec(server);
    later(() => meter.close());
    await meter.read();
    // Of the same length as model 103, so that only the ID tells.
    for (const before of [new ModelBuilder(13).build(11), new ModelBuilder(50).fill(0, 50, 7).build(64001)]) {
      image = imageOf(before, RUNNING);
      expect(await codeOf(meter.read())).toBe("sunspec-layout-changed");
      expect((await meter.read()).readings).toMatchObject([{ exportMwh: 7_000_000 }]);
      image = imageOf(RUNNING);
      expect(await codeOf(meter.read())).toBe("sunspec-layout-changed");
      await meter.read();
    }
  });
});

describe("the driver's options", () => {
  it("are strict", () => {
    const parse = (options: object) => sunspecDriver.schema.safeParse({ host: "inverter.lan", ...options });
    expect(parse({}).data).toMatchObject({ port: 502, unit: 1, meterRole: "grid", dcChannels: false });
    for (const bad of [
      { hots: 1 },
      { port: 0 },
      { unit: 256 },
      { timeoutMs: 1 },
      { meterRole: "roof" },
      { host: "" },
    ])
      expect(parse(bad).success).toBe(false);
  });

  it("do not touch the line before identify, and close without having opened", async () => {
    const server = await serve(imageOf(RUNNING));
    const meter = openSunSpec(server);
    expect(() => meter.channels()).toThrow("identify");
    await meter.close();
    await meter.close();
    expect(server.connections()).toBe(0);
  });
});
