import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { loadAgentConfig } from "../../../agent/config/config.ts";
import { describeProblem } from "../../../attest/problem.ts";
import { gatewayCatalogue } from "../../../firmware-bridge/catalogue.ts";
import { looking } from "../../../firmware-bridge/look.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kilowitness-ports-"));
  writeFileSync(join(folder, "ttyUSB0"), "");
  symlinkSync("ttyUSB0", join(folder, "by-id"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Entry = Readonly<Record<string, unknown>>;

const PORT = "serial:///dev/ttyX";
const at = (driver: string, more: Entry = {}): Entry => ({ driver, line: PORT, ...more });

/** What is said of devices with these entries, or "accepted". */
function said(entries: readonly Entry[], top: Entry = {}): string {
  const path = join(folder, "agent.yaml");
  const devices = entries.map((entry, index) => ({ id: `d${index}`, ...entry }));
  writeFileSync(path, stringify({ network: "test", key: "k", journal: "j", devices, ...top }));
  try {
    loadAgentConfig(path);
  } catch (error) {
    return describeProblem(error).message.replaceAll(`${folder}/`, "");
  }
  return "accepted";
}

const LISTENING = ["dsmr-p1", "sml", "dlms-push", "victron-ve-direct"].map((driver) => at(driver));
const MODE_C = at("iec62056-21");
const MODE_D = at("iec62056-21", { mode: "D" });
const MBUS = at("mbus", { address: 1 });
const MODBUS = at("eastron-sdm630");
const COPROCESSOR = at("coprocessor");
/** One of each that nobody of the others can share a port with. */
const STRANGERS = [...LISTENING, MODE_D, MBUS, MODBUS, COPROCESSOR];

describe("two entries on one serial port", () => {
  const pairs = STRANGERS.flatMap((one) =>
    STRANGERS.filter((other) => other !== one).map((other) => [one, other] as const),
  );

  it.each(pairs)("are refused: %j and %j", (one, other) => {
    expect(said([one, other])).toBe(
      `agent.yaml: devices.1.line: ${one["driver"]} and ${other["driver"]} cannot share a serial port; expected a port of its own, got /dev/ttyX, which devices.0.line has already; correct one of the two, or give it an adapter of its own; ls -l /dev/serial/by-id lists the ports`,
    );
  });

  it.each([...LISTENING, MODE_D])("are refused where both listen: %j", (entry) => {
    expect(said([entry, entry])).toContain(
      `devices.1.line: two of ${entry["driver"]} cannot share a serial port`,
    );
  });

  it.each([
    [at("eastron-sdm630"), at("sunspec", { unit: 2 })],
    [at("eastron-sdm630"), at("abb-b23-b24", { unit: 2, line: `${PORT}?baud=9600&format=8N1` })],
    [MBUS, at("mbus", { address: 2 })],
    [at("iec62056-21", { address: "1" }), at("iec62056-21", { address: "2" })],
    [at("mbus", { line: `${PORT}?baud=300` }), at("iec62056-21", { line: `${PORT}?format=8E1` })],
  ])("take turns where they are asked: %j", (...entries) => {
    expect(said(entries)).toBe("accepted");
  });

  it.each([
    ["dsmr-p1", "tcp://127.0.0.1:2001"],
    ["mbus", "tcp://127.0.0.1:2001"],
  ])("are nobody's business where it is a serial server's: %s", (driver, line) => {
    expect(said([at(driver, { line }), at("sml", { line })])).toBe("accepted");
  });

  it("are refused with settings that differ, also where a driver's own are the default", () => {
    expect(said([MODBUS, at("sunspec", { unit: 2, line: `${PORT}?baud=19200` })])).toBe(
      "agent.yaml: devices.1.line: devices on one serial port need the same settings; expected RTU 9600 8N1, connectDelayMs 0, as devices.0.line has /dev/ttyX, got RTU 19200 8N1, connectDelayMs 0; set all devices of the line alike, and say so in each entry: line: …?baud=9600&format=8N1, and connectDelayMs",
    );
    expect(said([MBUS, MODE_C])).toContain("expected 2400 8E1, as devices.0.line has /dev/ttyX, got 300 8N1");
    expect(said([MODBUS, { ...MODBUS, unit: 2, connectDelayMs: 500 }])).toContain("connectDelayMs 500;");
  });

  it("are found under two names of one port", () => {
    const line = (name: string): string => `serial://${folder}/${name}`;
    const entries = [at("sml", { line: line("ttyUSB0") }), at("dsmr-p1", { line: line("by-id") })];
    expect(said(entries)).toContain("got by-id, which devices.0.line has already as ttyUSB0;");
    expect(said([at("sml"), at("dsmr-p1", { line: line("by-id") })])).toBe("accepted");
  });

  it("are found each, in one message", () => {
    expect(said([MBUS, at("sml"), at("dsmr-p1"), at("mbus", { address: 2 })])).toMatch(
      /^agent\.yaml: devices\.1\.line: mbus and sml .*; 1 more after this one$/,
    );
  });
});

describe("the port of a driver", () => {
  it("is handed on where a relay is added, or somebody only looks", () => {
    const relay = { use: "switch", lines: [{ line: 17 }], powerW: 3000 };
    const control = { resources: [{ device: "d1", boundary: "device" }] };
    expect(said([MODBUS, at("mbus", { relay })], { control })).toContain(
      "devices.1.line: eastron-sdm630 and mbus",
    );
    const coprocessor = gatewayCatalogue.find("coprocessor");
    expect(looking(coprocessor).ports).toBe(coprocessor.ports);
  });

  it("is known of a profile of one's own", () => {
    const profile = join(process.cwd(), "drivers/profiles/eastron-sdm630.yaml");
    expect(said([at("profile", { profile }), { ...MODBUS, unit: 2 }])).toBe("accepted");
    expect(said([at("profile", { profile }), MBUS])).toContain("profile and mbus cannot share");
  });

  it("is the signer's, too: its meter shares it, and nobody else", () => {
    const signer = { coprocessor: PORT };
    expect(said([COPROCESSOR], { signer })).toBe("accepted");
    expect(said([MODBUS], { signer })).toContain(
      "devices.0.line: coprocessor and eastron-sdm630 cannot share a serial port; expected a port of its own, got /dev/ttyX, which signer.coprocessor has already",
    );
    expect(said([at("coprocessor", { line: `${PORT}?baud=9600` })], { signer })).toContain(
      "expected 115200 8N1, as signer.coprocessor has /dev/ttyX, got 9600 8N1",
    );
  });

  it("is said by every driver that has a line", () => {
    const silent = gatewayCatalogue.definitions.filter(
      ({ schema, ports }) => "line" in schema.shape && ports === undefined,
    );
    // Its line is a GPIO line.
    expect(silent.map(({ name }) => name)).toEqual(["s0-pulse"]);
  });
});
