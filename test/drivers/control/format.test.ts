import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { Problem } from "../../../attest/problem.ts";
import { compileProfile } from "../../../drivers/profile/compile.ts";
import { parseProfile } from "../../../drivers/profile/load.ts";
import { METER } from "../profile/kit.ts";

const CONTROL = `
control:
  registers:
    mode: { address: 500, type: u16 }
    power: { address: 501, type: s32, unit: W, positive: export }
    minutes: { address: 503, type: u16, unit: min }
    reserve: { address: 504, type: u16, unit: "%" }
  commands:
    powerSetpoint:
      channel: battery
      apply:
        any: [{ register: minutes, value: lease }, { register: power, value: power }, { register: mode, value: 1 }]
      revert: [{ register: mode, value: 0 }]
      source: a test
    stateOfChargeReserve:
      channel: battery
      apply: { any: [{ register: reserve, value: reserve }] }
      revertsTo: before
      source: a test
`;
const WHOLE = METER.replace("provenance:", `${CONTROL.trim()}\nprovenance:`);

function faultOf(text: string): string {
  try {
    compileProfile("example", parseProfile(text, "example.yaml"));
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
  return "none";
}

/** The example with a part of its control replaced. */
function changed(path: string, replacement: unknown): string {
  const value: unknown = parse(WHOLE);
  const keys = ["control", ...path.split(".")];
  const last = keys.pop() ?? "";
  let at: unknown = value;
  for (const key of keys) at = Object.getOwnPropertyDescriptor(at, key)?.value;
  if (typeof at !== "object" || at === null) throw new Error(`no ${path}`);
  Object.assign(at, { [last]: replacement });
  return stringify(value);
}

describe("a profile's section control", () => {
  it("is understood, with its defaults", () => {
    const { commands } = compileProfile("example", parseProfile(WHOLE, "example.yaml"));
    expect(commands.map(({ kind, timer, value }) => [kind, timer?.name, value?.functionCode])).toEqual([
      ["powerSetpoint", "minutes", 16],
      ["stateOfChargeReserve", undefined, 6],
    ]);
    expect(commands[0]?.command.lease).toEqual({ shortestSeconds: 10, longestSeconds: 3600 });
  });

  it.each([
    ["address: 501", "address: 70000", "line 53: control.registers.power.address"],
    ["address: 501, type: s32", "address: 501, type: s33", "line 53: control.registers.power.type"],
    ["value: lease", "value: forever", "line 60: control.commands.powerSetpoint.apply.any.0.value"],
    ["source: a test", "source: a test\n      colour: red", 'unknown key "colour"'],
    ["    powerSetpoint:", "    powerSetPoint:", "line 57: control.commands"],
    ["positive: export", "positive: out", "line 53: control.registers.power.positive"],
  ])("says the line of %s as %s", (from, to, said) => {
    expect(faultOf(WHOLE.replace(from, to))).toContain(said);
  });

  it.each([
    [
      "commands.powerSetpoint.channel",
      "battry",
      'no such channel; expected one of grid, battery, got "battry"',
    ],
    ["commands.powerSetpoint.revert", [], "nothing ends the command"],
    ["commands.powerSetpoint.revert", [{ register: "power", value: "power" }], "does not hang on its value"],
    ["commands.powerSetpoint.revert", [{ register: "mode", value: 70_000 }], "mode cannot hold this"],
    ["commands.powerSetpoint.apply", { into: [{ register: "mode", value: 1 }] }, "the value is written once"],
    [
      "commands.powerSetpoint.apply",
      { hold: [{ register: "mode", value: 1 }] },
      "not the cases of this kind",
    ],
    [
      "commands.powerSetpoint.apply",
      { any: [{ register: "mode", value: "power" }] },
      "mode is no power; expected a unit W or kW, got none",
    ],
    [
      "commands.powerSetpoint.apply",
      { any: [{ register: "pwr", value: "power" }] },
      "no such register of control",
    ],
    ["registers.power", { address: 501, type: "u32", unit: "W" }, "needs a signed register"],
    ["registers.power", { address: 501, type: "s32", unit: "W" }, "needs a signed register"],
    ["registers.idle", { address: 600, type: "u16" }, "registers.idle: no command uses it"],
    ["registers.reserve", { address: 65_535, type: "u32", unit: "%" }, "ends behind the last register"],
    [
      "registers.power",
      { address: 501, type: "s32", unit: "W", function: 6 },
      "function 6 writes one register",
    ],
    ["commands.stateOfChargeReserve.revertsTo", "automatic", "nothing ends the command"],
    ["commands.powerSetpoint.maxImport", "voltage", "voltage is no power"],
    ["commands.powerSetpoint.maxImport", "volts", "no such point"],
    ["commands.powerSetpoint.lease", { shortestSeconds: 60, longestSeconds: 30 }, "shortest lease is longer"],
  ])("is refused with %s", (path, replacement, said) => {
    expect(faultOf(changed(path, replacement))).toContain(said);
  });
});
