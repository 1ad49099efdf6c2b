import { describe, expect, it } from "vitest";
import { z } from "zod";
import { Problem } from "../../../attest/problem.ts";
import { driverCatalogue } from "../../../drivers/catalogue.ts";
import type { ChannelDescription, Snapshot } from "../../../drivers/driver.ts";
import { type CheckResult, conformance, startScriptedLine } from "../../../drivers/kit/index.ts";
import { startP1Meter } from "../../../drivers/simulated/p1-meter.ts";
import { encodeP1Telegram } from "../../../drivers/simulated/p1-telegram.ts";
import { startSunSpecBattery, startSunSpecInverter } from "../../../drivers/simulated/sunspec-device.ts";
import { closeLater } from "../../kit/close-later.ts";
import { unusedPort } from "../line/kit.ts";
import { type Faults, faultyDriver } from "./faulty-driver.ts";

const CHECKS = [
  "schema refuses unknown keys",
  "identifies within its deadline",
  "channels are unique and described",
  "delivers 5 snapshots",
  "opens and closes around its work",
  "readings belong to described channels",
  "values are whole numbers in range",
  "absent is absent",
  "evidence is a digest",
  "registers never fall",
  "close may be called twice",
  "refuses to work after close",
  "says what is wrong where nothing answers",
];
const ALL_PASSED: readonly CheckResult[] = CHECKS.map((name) => ({ name, outcome: "passed" }));

const dsmr = driverCatalogue.find("dsmr-p1");
const sunspec = driverCatalogue.find("sunspec");

function p1State(reads: number) {
  return {
    serial: "E0044007882246019",
    importT1Mwh: 2_130_115_000 + reads * 1000,
    importT2Mwh: 245_467_000,
    exportT1Mwh: 17_003_000,
    exportT2Mwh: 0,
    activePowerMw: 1_234_000,
    timeMs: Date.UTC(2026, 6, 1, 12) + reads * 1000,
    voltageMv: [229_900],
    currentMa: [5_370],
  };
}

describe("the project's drivers keep the contract", () => {
  it("dsmr-p1, on a simulated meter", async () => {
    let asked = 0;
    const state = () => {
      asked += 1;
      return p1State(asked);
    };
    const meter = await startP1Meter({ host: "127.0.0.1", port: 0, periodMs: 20, state });
    closeLater(meter);
    const results = await conformance(
      dsmr,
      { line: `tcp://127.0.0.1:${meter.port}` },
      { unreachable: { line: `tcp://127.0.0.1:${await unusedPort()}` } },
    );
    expect(results).toEqual(ALL_PASSED);
  });

  it("dsmr-p1, on a scripted line that sends in small chunks", async () => {
    const telegrams = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => encodeP1Telegram(p1State(n)));
    // Long enough a pace that five telegrams come before the first register comes round again.
    const line = await startScriptedLine({ sends: { telegrams, everyMs: 20 }, chunkBytes: 7 });
    closeLater(line);
    const results = await conformance(dsmr, { line: `tcp://127.0.0.1:${line.port}` }, { reads: 3 });
    expect(results.filter(({ outcome }) => outcome !== "passed")).toEqual([
      {
        name: "says what is wrong where nothing answers",
        outcome: "skipped",
        detail: "no options of an unreachable place were given",
      },
    ]);
  });

  it("sunspec, on a simulated inverter", async () => {
    let exportMwh = 12_345_678_000;
    const state = () => {
      exportMwh += 1000;
      return { serial: "PV-1", exportMwh, activePowerMw: -4_321_000, ratedPowerMw: 8_000_000 };
    };
    const device = await startSunSpecInverter({ port: 0, state });
    closeLater(device);
    const { host, port } = device;
    const settings = { pauseMs: 1, unreachable: { host, port: await unusedPort() } };
    expect(await conformance(sunspec, { host, port }, settings)).toEqual(ALL_PASSED);
  });

  it("sunspec, on a simulated battery", async () => {
    const state = () => ({
      serial: "BAT-1",
      importMwh: 5_000_000_000,
      exportMwh: 4_000_000_000,
      activePowerMw: 2_500_000,
      stateOfChargePpm: 645_000,
      capacityMwh: 10_000_000,
      chargeLimitMw: 5_000_000,
      dischargeLimitMw: 4_600_000,
      reservePpm: 100_000,
    });
    const device = await startSunSpecBattery({ port: 0, state });
    closeLater(device);
    const { host, port } = device;
    const settings = { pauseMs: 1, unreachable: { host, port: await unusedPort() } };
    expect(await conformance(sunspec, { host, port }, settings)).toEqual(ALL_PASSED);
  });
});

const QUICK = { pauseMs: 0, deadlineMs: 100, unreachable: { reachable: false } };

async function failuresOf(faults: Faults): Promise<(readonly [string, string | undefined])[]> {
  const results = await conformance(faultyDriver(faults), {}, QUICK);
  return results.filter(({ outcome }) => outcome === "failed").map(({ name, detail }) => [name, detail]);
}

/** Changes the one reading of every snapshot. */
function changed(change: object) {
  return (sound: Snapshot): Snapshot => ({
    ...sound,
    readings: sound.readings.map((reading) => ({ ...reading, ...change })),
  });
}

const STORAGE: ChannelDescription = {
  name: "grid",
  role: "storage",
  quantities: ["import", "power", "stateOfCharge"],
};

describe("conformance", () => {
  it("finds nothing in a sound driver", async () => {
    expect(await conformance(faultyDriver(), {}, QUICK)).toEqual(ALL_PASSED);
  });

  const cases: readonly (readonly [name: string, faults: Faults, check: string, detail: string])[] = [
    [
      "a lax schema",
      { schema: z.looseObject({ reachable: z.boolean().default(true) }) },
      "schema refuses unknown keys",
      "use z.strictObject",
    ],
    [
      "two channels of one name",
      {
        channels: [1, 2].map(
          () => ({ name: "grid", role: "grid", quantities: ["import", "power"] }) as const,
        ),
      },
      "channels are unique and described",
      'two channels have the name "grid"',
    ],
    [
      "a channel that it does not describe",
      { snapshot: changed({ channel: "pv" }) },
      "readings belong to described channels",
      '"pv", which is not described',
    ],
    [
      "a fraction",
      { snapshot: changed({ activePowerMw: 0.5 }) },
      "values are whole numbers in range",
      "activePowerMw is 0.5",
    ],
    [
      "NaN in a list",
      { snapshot: changed({ voltageMv: [230_000, Number.NaN] }) },
      "values are whole numbers in range",
      "voltageMv is NaN",
    ],
    [
      "a state of charge in millionths of nothing",
      { snapshot: changed({ stateOfChargePpm: 1_000_001 }), channels: [STORAGE] },
      "values are whole numbers in range",
      "more than 100 %",
    ],
    [
      "undefined for absent",
      { snapshot: changed({ frequencyMhz: undefined }) },
      "absent is absent",
      "frequencyMhz is there without a value",
    ],
    [
      "a quantity that it did not describe",
      { snapshot: changed({ exportMwh: 0 }) },
      "absent is absent",
      '"export" is not described',
    ],
    [
      "a short digest",
      { snapshot: changed({ evidence: new Uint8Array(16) }) },
      "evidence is a digest",
      "16 bytes, expected 32",
    ],
    [
      "no digest at all",
      { snapshot: changed({ evidence: new Uint8Array(32) }) },
      "evidence is a digest",
      "all zeros",
    ],
    [
      "a register that falls",
      { snapshot: (sound, n) => (n === 3 ? changed({ importMwh: 0 })(sound) : sound) },
      "registers never fall",
      "importMwh fell from 2000 to 0",
    ],
    ["a close that counts", { closesOnce: true }, "close may be called twice", "already closed"],
    ["no end", { worksAfterClose: true }, "refuses to work after close", "identify() succeeded"],
  ];

  it.each(cases)("finds %s", async (_name, faults, check, detail) => {
    const failures = await failuresOf(faults);
    expect(failures).toEqual([[check, expect.stringContaining(detail)]]);
  });

  it("does not hang where a driver hangs", async () => {
    const failures = await failuresOf({ identify: () => new Promise(() => undefined) });
    expect(failures).toEqual([
      ["identifies within its deadline", "identify() neither succeeded nor failed; expected within 100 ms"],
    ]);
  });

  it("tells a Problem from any other error", async () => {
    const wrong = faultyDriver({ identify: () => Promise.reject(new Error("boom")) });
    const results = await conformance(wrong, {}, { ...QUICK, unreachable: {} });
    expect(results.at(-1)).toMatchObject({
      outcome: "failed",
      detail: "identify() failed with no Problem: boom",
    });
    const right = faultyDriver({ identify: () => Promise.reject(new Problem("driver-no-answer", "no")) });
    const sound = await conformance(right, {}, { ...QUICK, unreachable: {} });
    expect(sound.at(-1)).toMatchObject({ outcome: "passed" });
  });

  it("reports options that the driver refuses, and goes on", async () => {
    const results = await conformance(faultyDriver(), { reachable: "yes" }, QUICK);
    expect(results).toHaveLength(CHECKS.length - 3);
    expect(results[0]?.detail).toContain("the options are refused");
  });
});
