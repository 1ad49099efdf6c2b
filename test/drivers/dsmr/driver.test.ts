import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { dsmrP1Driver } from "../../../drivers/dsmr/driver.ts";
import { P1Protocol } from "../../../drivers/dsmr/protocol.ts";
import { TcpLine } from "../../../drivers/line/tcp.ts";
import { P1_FAULTS, type P1Fault } from "../../../drivers/simulated/p1-faults.ts";
import {
  type P1MeterHandle,
  type P1MeterOptions,
  startP1Meter,
} from "../../../drivers/simulated/p1-meter.ts";
import { p1Speaker } from "../../../drivers/simulated/p1-telegram.ts";
import { ListeningMeter } from "../../../drivers/telegram/listening-meter.ts";
import type { ListeningOptions } from "../../../drivers/telegram/listening-options.ts";
import { closeLater } from "../../kit/close-later.ts";
import { listen, until, unusedPort } from "../line/kit.ts";
import { PushLog } from "../telegram/push-log.ts";
import { ascii, KEY, plainTelegram, SHOWN, STATE } from "./kit.ts";

type Behaviour = Partial<Omit<P1MeterOptions, "host" | "port" | "path">> & { readonly port?: number };

async function simulate(behaviour: Behaviour = {}): Promise<P1MeterHandle> {
  const meter = await startP1Meter({
    host: "127.0.0.1",
    port: 0,
    periodMs: 20,
    state: () => STATE,
    ...behaviour,
  });
  return closeLater(meter);
}

const NOW_MS = STATE.timeMs + 4_000;

function driverTo(port: number, options: Partial<ListeningOptions> = {}): ListeningMeter {
  const meter = new ListeningMeter(
    new P1Protocol({ winterOffsetMinutes: 60 }),
    { silenceMs: 60_000, identifyTimeoutMs: 25_000, ...options },
    {
      createLine: () => new TcpLine({ kind: "tcp", host: "127.0.0.1", port }),
      nowMs: () => NOW_MS,
      backoffMs: [10, 50],
    },
  );
  return closeLater(meter);
}

describe("DSMR P1 driver", () => {
  it("identifies the meter and describes its channel from the first telegram", async () => {
    const { port } = await simulate();
    const driver = driverTo(port);
    expect(() => driver.channels()).toThrow(/not been identified/);
    expect(await driver.identify()).toEqual({
      make: "KWS",
      model: "P1-SIMULATED",
      serial: STATE.serial,
      firmware: "50",
    });
    expect(driver.channels()).toMatchObject([
      { name: "grid", role: "grid", quantities: ["import", "export", "power"], resolutionMwh: 1_000 },
    ]);
    expect(driver.channels()[0]?.signSource).toContain("DSMR");
  });

  it("delivers every telegram, repeats included, with its digest", async () => {
    const served: number[] = [];
    const { port } = await simulate({ onServed: ({ importT1Mwh }) => served.push(importT1Mwh) });
    const driver = driverTo(port);
    const log = new PushLog();
    driver.start(log);
    await until("five telegrams", () => log.snapshots.length >= 5);
    await driver.close();
    expect(served.length).toBeGreaterThanOrEqual(log.snapshots.length);
    for (const { readings, flexibility, absent } of log.snapshots) {
      expect([flexibility, absent]).toEqual([[], []]);
      expect(readings).toMatchObject([
        {
          channel: "grid",
          importMwh: 2_375_582_000,
          exportMwh: 17_003_000,
          activePowerMw: -1_234_000,
          status: 8,
        },
      ]);
      expect(readings[0]).not.toHaveProperty("resolutionMwh");
      expect(readings[0]?.evidence).toHaveLength(32);
    }
    expect(log.problems).toEqual([]);
  });

  it("serves several clients at once", async () => {
    const { port } = await simulate();
    const identities = await Promise.all([driverTo(port).identify(), driverTo(port).identify()]);
    expect(identities.map((identity) => identity.serial)).toEqual([STATE.serial, STATE.serial]);
  });

  it("comes back by itself when the server restarts", async () => {
    const first = await simulate();
    const driver = driverTo(first.port);
    const log = new PushLog();
    await driver.identify();
    driver.start(log);
    await until("a telegram", () => log.snapshots.length > 0);
    await first.close();
    await until("the loss", () => log.problems.includes("line-refused"));
    expect(log.problems[0]).toBe("line-closed");
    const before = log.snapshots.length;
    await simulate({ port: first.port });
    await until("telegrams again", () => log.snapshots.length > before + 2);
  });

  it("comes back after being hung up on within a telegram", async () => {
    const meter = await simulate();
    const log = new PushLog();
    driverTo(meter.port).start(log);
    await until("a telegram", () => log.snapshots.length > 0);
    meter.hangUp();
    await until("the loss", () => log.problems.length > 0);
    const before = log.snapshots.length;
    await until("telegrams again", () => log.snapshots.length > before);
    expect(log.problems).toEqual(["line-closed"]);
  });

  it("says at once when nobody listens on the port", async () => {
    const port = await unusedPort();
    await expect(driverTo(port).identify()).rejects.toMatchObject({
      code: "line-refused",
      message: expect.stringContaining("is ser2net running"),
    });
  });

  it("says when a line is silent, and when identify got no answer", async () => {
    const server = await listen(() => undefined);
    closeLater(server);
    const log = new PushLog();
    const driver = driverTo(server.port, { silenceMs: 100 });
    driver.start(log);
    await until("two reports", () => log.problems.length >= 2);
    expect(new Set(log.problems)).toEqual(new Set(["line-silent"]));
    const patient = driverTo(server.port, { identifyTimeoutMs: 100 });
    await expect(patient.identify()).rejects.toMatchObject({
      code: "driver-no-answer",
      message: expect.stringContaining("data request pin"),
    });
  });

  it("says when bytes come that are no telegrams, as with the wrong baud rate", async () => {
    const server = await listen((socket) => {
      const timer = setInterval(() => socket.write(Uint8Array.of(0xaf, 0xc9, 0x80, 0x8d)), 10);
      socket.on("close", () => clearInterval(timer));
    });
    closeLater(server);
    const log = new PushLog();
    driverTo(server.port, { silenceMs: 700 }).start(log);
    await until("two reports", () => log.problems.length >= 2);
    expect(new Set(log.problems)).toEqual(new Set(["driver-no-telegram"]));
  });

  it("refuses damaged telegrams, and delivers exactly the good ones among them", async () => {
    const faults: (P1Fault | undefined)[] = [undefined, ...P1_FAULTS];
    const good: number[] = [];
    let count = 0;
    const { port } = await simulate({
      state: () => {
        count += 1;
        return { ...STATE, importT1Mwh: count * 1_000 };
      },
      fault: () => faults[count % faults.length],
      onServed: ({ importT1Mwh }, fault) => {
        if (fault === undefined || fault === "noise") good.push(importT1Mwh + STATE.importT2Mwh);
      },
    });
    const log = new PushLog();
    driverTo(port).start(log);
    await until("every fault twice", () => count > 2 * faults.length + 1);
    const delivered = log.snapshots.map(({ readings }) => readings[0]?.importMwh);
    expect(delivered.length).toBeGreaterThan(3);
    expect(good.slice(0, delivered.length)).toEqual(delivered);
    expect(new Set(log.problems)).toEqual(new Set(["dsmr-checksum", "dsmr-truncated"]));
  });

  it("refuses another meter on the line until it is identified again", async () => {
    let serial = "FIRST";
    const { port } = await simulate({ state: () => ({ ...STATE, serial }) });
    const log = new PushLog();
    const driver = driverTo(port);
    expect((await driver.identify()).serial).toBe("FIRST");
    serial = "SECOND";
    driver.start(log);
    await until("the refusal", () => log.problems.length > 1);
    const before = log.snapshots.length;
    expect(new Set(log.problems)).toEqual(new Set(["driver-identity-changed"]));
    expect((await driver.identify()).serial).toBe("SECOND");
    await until("the second meter's telegrams", () => log.snapshots.length > before);
  });

  it("refuses a telegram without checksum that lost lines", async () => {
    const tariffs = ["1-0:1.8.1(00001.001*kWh)", "1-0:1.8.2(00002.002*kWh)"];
    const whole = plainTelegram(...tariffs, "1-0:1.7.0(0001.01*kW)");
    const short = plainTelegram("1-0:1.8.1(00001.001*kWh)", "1-0:1.7.0(0001.01*kW)");
    let telegram = whole;
    const { port } = await simulate({ telegram: () => telegram });
    const log = new PushLog();
    const driver = driverTo(port);
    await driver.identify();
    driver.start(log);
    telegram = short;
    await until("the refusal", () => log.problems.length > 0);
    expect(log.problems[0]).toBe("dsmr-incomplete");
    expect(log.snapshots.every(({ readings }) => readings[0]?.importMwh === 3_003_000)).toBe(true);
  });

  it("says that a meter encrypts", async () => {
    const [frame = ascii("")] = p1Speaker({ key: KEY }).telegrams(SHOWN);
    const { port } = await simulate({ telegram: () => frame });
    await expect(driverTo(port).identify()).rejects.toMatchObject({ code: "dsmr-encrypted" });
  });

  it("marks readings as stale only when asked to, by the meter's own time", async () => {
    const { port } = await simulate();
    const statuses: (number | undefined)[] = [];
    for (const staleAfterMs of [undefined, 4_000, 3_999]) {
      const log = new PushLog();
      driverTo(port, { staleAfterMs }).start(log);
      await until("a telegram", () => log.snapshots.length > 0);
      statuses.push(log.snapshots[0]?.readings[0]?.status);
    }
    expect(statuses).toEqual([8, 8, 8 | 4]);
  });

  it("is quiet after close, which may come twice", async () => {
    const { port, ...meter } = await simulate();
    const log = new PushLog();
    const driver = driverTo(port);
    driver.start(log);
    await until("a telegram", () => log.snapshots.length > 0);
    const waiting = driver.identify();
    const rejected = expect(waiting).rejects.toMatchObject({ code: "driver-closed" });
    await driver.close();
    await driver.close();
    await rejected;
    const count = log.snapshots.length;
    await until("the meter to notice", () => meter.clients() === 0);
    expect(log.snapshots).toHaveLength(count);
    await expect(driver.identify()).rejects.toMatchObject({ code: "driver-closed" });
    expect(() => driver.start(log)).toThrow(/closed/);
  });

  it("replays a capture as it is", async ({ skip }) => {
    const path = "../shared/corpora/dsmr-p1/TELEGRAM_V2_2.txt";
    if (!existsSync(path)) skip(`no capture at ${path}`);
    const capture = new Uint8Array(readFileSync(path));
    const { port } = await simulate({ telegram: () => capture });
    const log = new PushLog();
    driverTo(port).start(log);
    await until("two telegrams", () => log.snapshots.length >= 2);
    const digest = createHash("sha256").update(capture).digest();
    for (const { readings } of log.snapshots) {
      expect(readings).toMatchObject([
        { importMwh: 2_002_000, exportMwh: 2_002_000, activePowerMw: 1_010_000 },
      ]);
      expect(Buffer.from(readings[0]?.evidence ?? ascii(""))).toEqual(digest);
    }
  });
});

describe("DSMR P1 driver definition", () => {
  it("opens from a configuration and reads over TCP", async () => {
    const { port } = await simulate();
    const driver = dsmrP1Driver.open(dsmrP1Driver.schema.parse({ line: `tcp://127.0.0.1:${port}` }));
    closeLater(driver);
    expect((await driver.identify()).serial).toBe(STATE.serial);
  });

  it("touches no line before identify or start", async () => {
    const meter = await simulate();
    const driver = dsmrP1Driver.open(dsmrP1Driver.schema.parse({ line: `tcp://127.0.0.1:${meter.port}` }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(meter.clients()).toBe(0);
    await driver.close();
  });

  it.each([
    [{}, "line"],
    [{ line: "/dev/ttyUSB0" }, "line"],
    [{ line: "tcp://gateway:1", silence: 1 }, ""],
    [{ line: "tcp://gateway:1", silenceMs: 1 }, "silenceMs"],
    [{ line: "tcp://gateway:1", winterOffsetMinutes: 1.5 }, "winterOffsetMinutes"],
  ])("refuses %j", (options, field) => {
    const issue = dsmrP1Driver.schema.safeParse(options).error?.issues[0];
    expect(issue?.path.join()).toBe(field);
  });

  it("has a JSON Schema", () => {
    expect(z.toJSONSchema(dsmrP1Driver.schema, { io: "input" })).toMatchObject({ required: ["line"] });
  });
});
