import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as pathOf } from "node:path";
import { describe, expect, it } from "vitest";
import type { PushMeter, Snapshot } from "../../../drivers/driver.ts";
import { conformance } from "../../../drivers/kit/conformance.ts";
import type { ShownByMeter } from "../../../drivers/simulated/speaking.ts";
import { startSpeakingMeter } from "../../../drivers/simulated/telegram-meter.ts";
import type { TelegramPlace } from "../../../drivers/simulated/telegram-place.ts";
import { type VedirectDevice, vedirectSpeaker } from "../../../drivers/simulated/vedirect-telegram.ts";
import { vedirectDriver } from "../../../drivers/vedirect/driver.ts";
import { closeLater } from "../../kit/close-later.ts";
import { until, unusedPort } from "../line/kit.ts";
import { block, join } from "./kit.ts";

const HAS_SOCAT = spawnSync("socat", ["-V"]).status === 0;
const TCP = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;

/** A device that counts 10 Wh on with every look at it. */
async function device(kind: VedirectDevice, place: TelegramPlace = TCP): Promise<number> {
  let looks = 0;
  const shown = (): ShownByMeter => {
    looks += 1;
    return {
      serial: "2144ABCDE",
      importT1Mwh: 500_000_000 + looks * 10_000,
      importT2Mwh: 0,
      exportT1Mwh: 400_000_000 + looks * 10_000,
      exportT2Mwh: 0,
      activePowerMw: -345_000,
      timeMs: 0,
      voltageMv: [26_400],
      currentMa: [13_093],
      frequencyMhz: 50_000,
    };
  };
  const meter = await startSpeakingMeter({ place, periodMs: 20, shown, speaker: vedirectSpeaker(kind) });
  closeLater(meter);
  return meter.port;
}

function driverAt(line: string, options: Readonly<Record<string, unknown>> = {}): PushMeter {
  const meter = vedirectDriver.open(vedirectDriver.schema.parse({ line, ...options }));
  if (meter.mode !== "push") throw new Error("the driver is polled");
  return closeLater(meter);
}

describe("driver victron-ve-direct", () => {
  it.each([
    { device: "mppt" },
    { device: "bmv", stateOfChargePermille: 700 },
    { device: "smartshunt" },
  ] as const)("keeps the contract on a simulated $device", async (kind) => {
    const line = `tcp://127.0.0.1:${await device(kind)}`;
    const unreachable = { line: `tcp://127.0.0.1:${await unusedPort()}` };
    const results = await conformance(vedirectDriver, { line }, { unreachable });
    expect(results.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
  });

  it("delivers both blocks of a monitor as one reading, whose evidence is in a frame", async () => {
    const meter = driverAt(`tcp://127.0.0.1:${await device({ device: "smartshunt" })}`);
    const snapshots: Snapshot[] = [];
    const problems: string[] = [];
    meter.start({
      onSnapshot: (snapshot) => snapshots.push(snapshot),
      onProblem: ({ message }) => problems.push(message),
    });
    expect(await meter.identify()).toMatchObject({ make: "Victron Energy", model: "SmartShunt 500A/50mV" });
    await until("three snapshots", () => snapshots.length >= 3);
    expect(problems).toEqual([]);
    for (const { readings, frames = [] } of snapshots) {
      expect(readings).toEqual([
        expect.objectContaining({ channel: "battery", activePowerMw: -345_000, currentMa: [13_093] }),
      ]);
      // The step is the channel's.
      expect(readings[0]).not.toHaveProperty("resolutionMwh");
      const [frame] = frames;
      expect(frame?.what).toBe("ve.direct block");
      expect(readings[0]?.evidence).toEqual(
        new Uint8Array(
          createHash("sha256")
            .update(frame?.bytes ?? new Uint8Array())
            .digest(),
        ),
      );
    }
    expect(meter.channels()[0]).toMatchObject({ role: "storage", resolutionMwh: 10_000 });
  });

  it("says at once that an inverter has nothing to read", async () => {
    const inverter = join(block("PID\t0xA231", "MODE\t2", "AC_OUT_V\t23012", "AC_OUT_S\t115", "FW\t0120"));
    const meter = await startSpeakingMeter({
      place: TCP,
      periodMs: 20,
      shown: () => undefined,
      speaker: { telegrams: () => [inverter], withWrongChecksum: () => undefined },
    });
    closeLater(meter);
    await expect(driverAt(`tcp://127.0.0.1:${meter.port}`).identify()).rejects.toMatchObject({
      code: "vedirect-no-energy",
      message: expect.stringMatching(/0xA231.*AC_OUT_S.*energy meter/),
    });
  });

  it("takes no option that means nothing here", () => {
    expect(vedirectDriver.schema.safeParse({ line: "tcp://h:1", staleAfterMs: 5_000 }).success).toBe(false);
    expect(vedirectDriver.schema.parse({ line: "tcp://h:1" })).toMatchObject({ silenceMs: 30_000 });
  });
});

describe.skipIf(!HAS_SOCAT)("driver victron-ve-direct on a pseudo terminal", () => {
  it("reads a solar charger", async () => {
    const folder = mkdtempSync(pathOf(tmpdir(), "vedirect-"));
    closeLater({ close: async () => rmSync(folder, { recursive: true }) });
    const link = pathOf(folder, "charger");
    await device({ device: "mppt" }, { kind: "pty", link });
    const meter = driverAt(`serial://${link}`);
    expect(await meter.identify()).toEqual({
      make: "Victron Energy",
      model: "BlueSolar MPPT 75|15",
      serial: "HQ2144ABCDE",
      firmware: "159",
    });
    expect(meter.channels()[0]).toMatchObject({ name: "pv", role: "generation" });
  });
});
