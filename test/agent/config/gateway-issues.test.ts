import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { type AgentConfig, loadAgentConfig } from "../../../agent/config/config.ts";
import { describeProblem } from "../../../attest/problem.ts";
import { gatewayCatalogue } from "../../../firmware-bridge/catalogue.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kilowitness-gateway-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const BASE = { network: "test", key: "k", journal: "j" };
const PULSE = { id: "pump", driver: "s0-pulse", line: 22, pulsesPerKwh: 1000, registerFile: "pump.pulses" };
const OTHER = { ...PULSE, id: "other", line: 23, registerFile: "other.pulses" };
const ROOF = { id: "roof", driver: "sunspec", host: "127.0.0.1" };
const SWITCH = { use: "switch", lines: [{ line: 17 }], powerW: 3000 };
const LID = { name: "lid", line: 5 };
const controlled = (...devices: readonly string[]): object => ({
  control: { resources: devices.map((device) => ({ device, boundary: "device" })) },
});

function load(config: object): AgentConfig {
  const path = join(folder, "agent.yaml");
  writeFileSync(path, stringify({ ...BASE, ...config }));
  return loadAgentConfig(path);
}

/** The message, without the folder. */
function refusal(config: object): string {
  try {
    load(config);
  } catch (error) {
    return describeProblem(error).message.replaceAll(`${folder}/`, "");
  }
  return "accepted";
}

describe("a configuration with pins", () => {
  it("is accepted where everything has its own", () => {
    const relay = { ...SWITCH, use: "sg-ready", lines: [{ line: 17 }, { line: 27 }] };
    const devices = [
      { ...PULSE, relay },
      OTHER,
      { ...OTHER, id: "third", chip: "gpiochip1", registerFile: "third" },
    ];
    const config = load({ devices, ...controlled("pump"), tamper: [LID, { ...LID, name: "door", line: 6 }] });
    expect(config.devices.map(({ definition }) => definition.name)).toEqual(Array(3).fill("s0-pulse"));
    expect(config.devices[0]?.options["registerFile"]).toBe(join(folder, "pump.pulses"));
    expect(config.devices[0]?.relay).toMatchObject({ use: "sg-ready", leastOpenSeconds: 600 });
  });

  it("leaves devices without a relay as their driver has them", () => {
    const [roof] = load({ devices: [ROOF] }).devices;
    expect(roof?.definition).toBe(gatewayCatalogue.find("sunspec"));
    expect(roof?.look).toBeUndefined();
  });

  it.each([
    [{ devices: [PULSE, { ...OTHER, line: 22 }] }, "devices.1.line", "devices.0.line"],
    [
      { devices: [PULSE, { ...OTHER, line: 22, chip: "/dev/gpiochip0" }] },
      "devices.1.line",
      "devices.0.line",
    ],
    [{ devices: [PULSE, { ...OTHER, line: 22, chip: "0" }] }, "devices.1.line", "devices.0.line"],
    [
      { devices: [{ ...PULSE, relay: { ...SWITCH, lines: [{ line: 22 }] } }], ...controlled("pump") },
      "devices.0.relay.lines.0.line",
      "devices.0.line",
    ],
    [
      { devices: [{ ...ROOF, relay: SWITCH }], ...controlled("roof"), tamper: [{ ...LID, line: 17 }] },
      "tamper.0.line",
      "devices.0.relay.lines.0.line",
    ],
    [
      {
        devices: [
          {
            ...ROOF,
            relay: {
              ...SWITCH,
              use: "sg-ready",
              lines: [{ line: 17 }, { line: 17, chip: "/dev/gpiochip0" }],
            },
          },
        ],
        ...controlled("roof"),
      },
      "devices.0.relay.lines.1.line",
      "devices.0.relay.lines.0.line",
    ],
    [{ devices: [ROOF], tamper: [LID, { ...LID, name: "door" }] }, "tamper.1.line", "tamper.0.line"],
  ])("uses no line twice: %j", (config, second, first) => {
    expect(refusal(config)).toMatch(
      new RegExp(
        `^agent.yaml: ${second}: a GPIO line can be used once; expected each one once, got gpiochip0 line \\d+, which ${first} has already; gpioinfo`,
      ),
    );
  });

  it("knows a chip by the link that leads to it", () => {
    mkdirSync(join(folder, "dev"));
    writeFileSync(join(folder, "dev/gpiochip4"), "");
    symlinkSync("gpiochip4", join(folder, "dev/header"));
    const devices = [
      { ...PULSE, chip: "gpiochip4" },
      { ...OTHER, line: 22, chip: join(folder, "dev/header") },
    ];
    expect(refusal({ devices })).toContain("got gpiochip4 line 22, which devices.0.line has already");
  });

  it.each(["pump.pulses", "./x/../pump.pulses"])("counts in no file twice: %s", (registerFile) => {
    const said = refusal({ devices: [PULSE, { ...OTHER, registerFile }] });
    expect(said).toMatch(
      /^agent.yaml: devices.1.registerFile: a file can keep one thing; .* got pump.pulses, which devices.0.registerFile has already; give each its own/,
    );
  });

  it.each([
    ["k", "key"],
    ["./j", "journal"],
  ])("counts in no file of the agent's own: %s", (registerFile, name) => {
    expect(refusal({ devices: [{ ...PULSE, registerFile }] })).toMatch(
      new RegExp(`devices.0.registerFile: a file can keep one thing; .* which ${name} has already`),
    );
  });

  it("keeps the states of two coprocessors apart", () => {
    const first = { id: "a", driver: "coprocessor", line: "tcp://a:1", stateFile: "state" };
    const said = refusal({ devices: [first, { ...first, id: "b", line: "tcp://b:1" }] });
    expect(said).toContain("devices.1.stateFile: a file can keep one thing");
  });

  it("has no relay that nobody could switch", () => {
    expect(refusal({ devices: [{ ...ROOF, relay: SWITCH }] })).toBe(
      'agent.yaml: devices.0.relay: nobody could ever switch this relay; expected "roof" among the devices of control.resources, got none there; add to control.resources: { device: roof, boundary: device }',
    );
    const others = { devices: [PULSE, { ...ROOF, relay: SWITCH }], ...controlled("pump") };
    expect(refusal(others)).toContain("got pump; add to control.resources: { device: roof");
  });

  it("has no two enclosures of one name", () => {
    expect(refusal({ devices: [ROOF], tamper: [LID, { ...LID, line: 6 }] })).toBe(
      "agent.yaml: tamper.1.name: two enclosures have one name; expected each one once, got lid, which tamper.0.name has already; the log tells them apart by it",
    );
  });
});

describe("what a coprocessor's driver remembers", () => {
  const FEEDER = { id: "feeder", driver: "coprocessor", line: "tcp://127.0.0.1:1" };

  it("stands beside the journal unless the configuration says where", () => {
    const of = (entry: object): unknown =>
      load({ journal: "log/journal.db", devices: [entry] }).devices[0]?.options["stateFile"];
    expect(of(FEEDER)).toBe(join(folder, "log", "feeder.state"));
    expect(of({ ...FEEDER, stateFile: "kept.state" })).toBe(join(folder, "kept.state"));
  });
});
