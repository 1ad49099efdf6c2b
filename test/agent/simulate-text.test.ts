import { hostname } from "node:os";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { configurationText, readyText, shownText } from "../../agent/cli/simulate-text.ts";
import { driverCatalogue } from "../../drivers/catalogue.ts";
import { bundledProfile } from "../../drivers/profile/bundled.ts";
import type { RegisterValues } from "../../drivers/simulated/profile-registers.ts";

const compiled = bundledProfile("eastron-sdm630");

/** Registers by hand: 230 V in IEEE 754 is 4366 0000, 50 Hz 4248 0000, -1500 W C4BB 8000, 12.5 kWh 4148 0000. */
const FLOATS: Readonly<Record<number, readonly [number, number]>> = {
  ...{ 0: [0x4366, 0], 2: [0x4366, 0], 4: [0x4366, 0], 6: [0, 0], 8: [0, 0], 10: [0, 0], 70: [0x4248, 0] },
  ...{ 12: [0xc4bb, 0x8000], 14: [0, 0], 16: [0, 0], 52: [0xc4bb, 0x8000], 72: [0x4148, 0], 74: [0x7fc0, 0] },
};
const input = new Map(
  Object.entries(FLOATS).flatMap(([start, words]) =>
    words.map((word, at) => [Number(start) + at, word] as const),
  ),
);
const values: RegisterValues = { holding: new Map(), input };
const device = {
  port: 1502,
  unit: 3,
  faults: ["lost", "frozen"] as const,
  registers: () => values,
  requests: () => 17,
};

describe("what a simulator says", () => {
  it("names device, place, unit and faults in one line", () => {
    expect(readyText({ compiled }, device, { host: "127.0.0.1" })).toBe(
      `a simulated ${compiled.profile.title} answers: Modbus TCP on 127.0.0.1:1502, unit 3, with lost, frozen`,
    );
    const line = { kind: "serial", path: "/dev/ttyUSB0" } as const;
    expect(readyText({ compiled }, { ...device, faults: [] }, { host: "127.0.0.1", line })).toBe(
      `a simulated ${compiled.profile.title} answers: the serial line /dev/ttyUSB0, unit 3`,
    );
  });

  it.each([
    ["Modbus TCP", { host: "127.0.0.1" }, { host: "127.0.0.1", port: 1502 }],
    ["all addresses", { host: "0.0.0.0" }, { host: hostname(), port: 1502 }],
    ["RTU over TCP", { host: "::1", rtuOverTcp: 1502 }, { line: "tcp://[::1]:1502" }],
    [
      "a serial line",
      { host: "127.0.0.1", line: { kind: "serial", path: "/dev/ttyUSB0" } as const },
      { line: "serial:///dev/serial/by-id/NAME" },
    ],
  ])("gives the configuration for %s, which the driver takes", (_, where, place) => {
    const { devices } = parse(configurationText({ compiled }, device, where)) as { devices: [object] };
    expect(devices).toEqual([{ id: "simulated", driver: "eastron-sdm630", ...place, unit: 3 }]);
    const { schema } = driverCatalogue.find("eastron-sdm630");
    expect(schema.safeParse({ ...place, unit: 3 }).error).toBeUndefined();
  });

  it("names the file of a profile of one's own", () => {
    const text = configurationText({ compiled, file: "/home/me/my meter.yaml" }, device, {
      host: "127.0.0.1",
    });
    expect(text).toContain('    driver: profile\n    profile: "/home/me/my meter.yaml"\n');
  });

  it("says what the registers show, in words", () => {
    expect(shownText({ compiled }, device)).toMatch(
      /^\d\d:\d\d:\d\d 17 requests \| grid: exporting 1\.5 kW, import 12\.500 kWh \| absent: 1 values$/,
    );
    input.set(14, 0x4348);
    expect(shownText({ compiled }, device)).toMatch(/\| doubtful: powerL1 \+ powerL2 \+ powerL3 is -1300 W/);
  });
});
