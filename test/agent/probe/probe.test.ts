import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startP1Meter } from "../../../drivers/simulated/p1-meter.ts";
import { startSunSpecBattery, startSunSpecInverter } from "../../../drivers/simulated/sunspec-device.ts";
import { unusedPort } from "../../drivers/line/kit.ts";
import { gpioinfoLines, installGpioinfo } from "../../firmware-bridge/relay/fake-gpioinfo.ts";
import { FakeContact } from "../../firmware-bridge/tamper/fake-contact.ts";
import { closeLater } from "../../kit/close-later.ts";
import { type Outcome, outcomeOf } from "../../kit/run-command.ts";

const RUN = fileURLToPath(new URL("run-probe.ts", import.meta.url));

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kilowitness-probe-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command as a process of its own, as an installer does. */
function probe(config: readonly string[], ...args: readonly string[]): Promise<Outcome> {
  const path = join(folder, "agent.yaml");
  writeFileSync(path, ["network: test", "key: k", "journal: j", "devices:", ...config, ""].join("\n"));
  return outcomeOf([RUN, "--config", path, ...args]);
}

async function meter(): Promise<string[]> {
  const state = {
    serial: "E0044007882246019",
    importT1Mwh: 12_345_000_000,
    importT2Mwh: 678_000,
    exportT1Mwh: 17_003_000,
    exportT2Mwh: 0,
    activePowerMw: -1_234_000,
    timeMs: Date.UTC(2026, 6, 1, 12),
    voltageMv: [229_900, 229_200, 222_900],
    currentMa: [120, 0, 5_370],
  };
  const device = await startP1Meter({ host: "127.0.0.1", port: 0, periodMs: 50, state: () => state });
  closeLater(device);
  return ["  - id: meter", "    driver: dsmr-p1", `    line: tcp://127.0.0.1:${device.port}`];
}

async function inverter(): Promise<string[]> {
  const state = {
    make: "Example",
    model: "Roof 8",
    firmware: "2.1",
    serial: "PV-1",
    exportMwh: 12_345_678_000,
    activePowerMw: -2_100_000,
    ratedPowerMw: 8_000_000,
  };
  const device = await startSunSpecInverter({ port: 0, state: () => state });
  closeLater(device);
  return ["  - id: roof", "    driver: sunspec", "    host: 127.0.0.1", `    port: ${device.port}`];
}

async function battery(): Promise<string[]> {
  const state = {
    serial: "BAT-1",
    importMwh: 5_000_000_000,
    exportMwh: 4_000_000_000,
    activePowerMw: 2_500_000,
    stateOfChargePpm: 645_000,
    capacityMwh: 10_000_000,
    chargeLimitMw: 5_000_000,
    dischargeLimitMw: 4_600_000,
    reservePpm: 100_000,
  };
  const device = await startSunSpecBattery({ port: 0, state: () => state });
  closeLater(device);
  return ["  - id: cellar", "    driver: sunspec", "    host: 127.0.0.1", `    port: ${device.port}`];
}

async function nobody(): Promise<string[]> {
  return ["  - id: gone", "    driver: sunspec", "    host: 127.0.0.1", `    port: ${await unusedPort()}`];
}

describe("kilowitness probe", () => {
  it("says in words what every device shows, and what is not verified", async () => {
    const { code, out, err } = await probe([...(await meter()), ...(await inverter()), ...(await battery())]);
    expect(err).toBe("");
    expect(out.split("\n")).toEqual(
      expect.arrayContaining([
        "meter (dsmr-p1): KWS P1-SIMULATED, serial E0044007882246019, firmware 50",
        "  grid (grid): exporting 1.234 kW; import 12,345.678 kWh; export 17.003 kWh; 229.9 / 229.2 / 222.9 V; 0.12 / 0 / 5.37 A",
        "    register step 1 Wh",
        "    registers are the sum of all tariffs",
        "roof (sunspec): Example Roof 8, serial PV-1, firmware 2.1",
        "    gives out at most 8 kW",
        expect.stringMatching(/^ {2}inverter \(generation\): generating 2\.1 kW; export 12,345\.678 kWh; /),
        expect.stringMatching(/^ {2}meter \(grid\): importing 2\.5 kW; import 5,000\.000 kWh; /),
        expect.stringMatching(/^ {2}battery \(storage\): charging 2\.5 kW; state of charge 64\.5 %/),
        expect.stringMatching(/^ {4}sign (from|by .*, not verified:|not verified:) /),
      ]),
    );
    expect(code).toBe(0);
  });

  it("shows what answers beside the one line of what does not, and fails", async () => {
    const { code, out } = await probe([...(await inverter()), ...(await nobody())]);
    expect(out).toContain("inverter (generation): generating 2.1 kW");
    expect(out).toMatch(/gone \(sunspec\)\n {2}PROBLEM .*refused.*check the port.*\(driver-no-answer\)\n/);
    expect(code).toBe(1);
  });

  it("looks at contacts and lamps, too, and fails where one is not there", async () => {
    const contact = new FakeContact(2, true);
    closeLater(contact);
    installGpioinfo(contact.folder, 2, gpioinfoLines(2));
    const panel = ["tamper:", "  - { name: lid, line: 17 }", "indicator: { lamps: [none-of-this-name] }"];
    const { code, out } = await probe([...(await meter()), ...panel]);
    expect(out).toContain('\nenclosure "lid" at gpiochip0 line 17: open (');
    expect(out).toMatch(/\nlamp none-of-this-name:\n {2}PROBLEM .*\(indicator-led\)\n$/);
    expect(code).toBe(1);
    const { out: json } = await probe([...(await meter()), ...panel], "--json");
    expect(JSON.parse(json)).toMatchObject({
      devices: [{ id: "meter", answered: true }],
      enclosures: [{ name: "lid", line: "gpiochip0 line 17", state: "opened" }],
      lamps: [{ name: "none-of-this-name", problem: { code: "indicator-led" } }],
    });
  });

  it("prints one JSON object in integer units", async () => {
    const { code, out } = await probe([...(await meter()), ...(await nobody())], "--json");
    const { devices } = JSON.parse(out);
    expect(devices).toMatchObject([
      {
        id: "meter",
        driver: "dsmr-p1",
        answered: true,
        identity: { serial: "E0044007882246019" },
        channels: [
          {
            name: "grid",
            role: "grid",
            resolutionMwh: 1000,
            signSource: expect.any(String),
            signVerified: expect.any(Boolean),
            reading: {
              importMwh: 12_345_678_000,
              activePowerMw: -1_234_000,
              evidence: expect.stringMatching(/^[0-9a-f]{64}$/),
            },
          },
        ],
      },
      { id: "gone", answered: false, channels: [], problem: { code: "driver-no-answer" } },
    ]);
    expect(code).toBe(1);
  });

  it("gives up on a device that never answers", async () => {
    const silent = await startP1Meter({
      host: "127.0.0.1",
      port: 0,
      periodMs: 3_600_000,
      state: () => {
        throw new Error("never asked");
      },
    });
    closeLater(silent);
    const config = ["  - id: meter", "    driver: dsmr-p1", `    line: tcp://127.0.0.1:${silent.port}`];
    const { code, out } = await probe(config, "--seconds", "0.3");
    expect(out).toContain(
      "the device does not answer; expected an answer within 0.3 s, got none; check cable",
    );
    expect(code).toBe(1);
  });

  it("names a configured channel that the device does not have", async () => {
    const config = [...(await inverter()), "    channels:", "      invertor: { name: roof }"];
    const { code, out } = await probe(config);
    expect(out).toContain(
      'channels.invertor: the device has no such channel; expected one of inverter, got invertor; did you mean "inverter"?',
    );
    expect(code).toBe(1);
  });

  it("touches neither key nor journal", async () => {
    await probe(await inverter());
    expect(readdirSync(folder)).toEqual(["agent.yaml"]);
  });

  it("says what is wrong with the configuration, with a status of its own", async () => {
    const { code, err } = await probe([
      "  - id: roof",
      "    driver: sunspec",
      "    host: 1.2.3.4",
      "    prot: 1",
    ]);
    expect(err).toMatch(
      /^kilowitness probe: .*agent\.yaml: devices\.0\.prot: unknown key; .*did you mean "port"\?/,
    );
    expect(code).toBe(2);
  });
});
