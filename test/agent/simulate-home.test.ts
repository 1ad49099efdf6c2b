import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { homeConfigurationText, homeReadyText, homeShownText } from "../../agent/cli/simulate-home.ts";
import { configSchema } from "../../agent/config/schema.ts";
import { BOUNDARY, DIRECTION } from "../../attest/leaf-flexibility.ts";

const ports = { batteryPort: 1502, meterPort: 1503 };
const boundary = { importStartMwh: 0, exportStartMwh: 0 };
const home = {
  writes: () => [],
  truth: () => ({
    boundaries: new Map([
      ["grid", { ...boundary, powerMw: -1_500_000, importMwh: 2_000_000, exportMwh: 1_000 }],
      ["battery", { ...boundary, powerMw: 3_300_000, importMwh: 0, exportMwh: 0 }],
    ]),
    stateOfChargePpm: 543_000,
    voltageMv: [230_000, 230_000, 230_000] as const,
    frequencyMhz: 50_000,
  }),
};

describe("what a simulated home says", () => {
  it("names both places and what is wrong", () => {
    expect(homeReadyText(ports, { host: "127.0.0.1", faults: ["bms-limit"] })).toBe(
      "a simulated home answers by Modbus TCP on 127.0.0.1: its battery's inverter on port 1502, its grid meter on port 1503, with bms-limit",
    );
  });

  it("gives a configuration that the agent takes as it stands", () => {
    const said: unknown = parse(homeConfigurationText(ports, "127.0.0.1"));
    const rest = { network: "n", key: "/k", journal: "/j" };
    const config = configSchema.parse({ ...rest, ...Object(said) });
    expect(config.devices.map(({ id }) => id)).toEqual(["battery", "meter"]);
    expect(config.control?.resources).toMatchObject([{ device: "battery", channel: "inverter" }]);
    expect(config.flexibility?.offers).toMatchObject([
      { boundary: BOUNDARY.site, direction: DIRECTION.reduce, powerMw: 3_000_000 },
    ]);
  });

  it("shows what truly flows in one line", () => {
    expect(homeShownText(home).slice(9)).toBe(
      "0 writes | battery: charging 3.3 kW, state of charge 54.3 % | grid: exporting 1.5 kW, import 2.000 kWh, export 0.001 kWh",
    );
  });
});
