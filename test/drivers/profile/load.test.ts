import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { compileProfile } from "../../../drivers/profile/compile.ts";
import { loadProfile, parseProfile } from "../../../drivers/profile/load.ts";
import { changed, compiled, METER } from "./kit.ts";

function faultOf(text: string): string {
  try {
    compileProfile("example", parseProfile(text, "example.yaml"));
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
  return "none";
}

describe("a profile's text", () => {
  it("loads with its defaults filled in", () => {
    const { profile, digest } = parseProfile(METER, "example.yaml");
    expect(profile.transport).toMatchObject({ unit: 3, maxRegisters: 40, minGapMs: 0, echo: true });
    expect(profile.snapshots["live"]).toMatchObject({ interval: "poll", atomic: true, optional: false });
    expect(profile.points["power"]?.scale).toBe(1);
    expect(digest).toHaveLength(32);
    expect(digest).not.toEqual(parseProfile(`${METER}# a remark\n`, "example.yaml").digest);
  });

  it.each([
    ["format: 1\nformat: 1", "example.yaml: line 2: Map keys must be unique"],
    [`${METER}colour: red\n`, 'example.yaml: line 2: top level: unknown key "colour"'],
    [
      METER.replace("type: s32", "type: s33"),
      'example.yaml: line 25: points.power.type: Invalid option: expected one of "u16"',
    ],
    [METER.replace("address: 9", "address: 70000"), "points.voltage.address: Too big"],
    [METER.replace('["0x80000000"]', '["80000000h"]'), "points.power.notImplemented.0"],
    [
      METER.replace("{ positive: import, source: the meter's manual }", "{ positive: in, source: x }"),
      "sign.positive",
    ],
    [METER.replace("[ratio, 5]", "[ratio, 0]"), "channels.grid.ctRatio"],
    ["[]", "top level"],
    ["", "top level"],
  ])("is refused with its place: %#", (text, said) => {
    expect(faultOf(text)).toContain(said);
  });

  it.each([
    [
      { "points.power.snapshot": "life" },
      'points.power: no such snapshot; expected one of live, device, ratios, extra, got "life"',
    ],
    [
      { "points.power.address": 19 },
      "it lies outside of its snapshot live; expected within 0 to 19, got 19 to 20",
    ],
    [{ "points.power.type": "text" }, 'a text has to say its "registers"'],
    [{ "points.power.type": "bcd" }, 'a bcd has to say its "registers"; expected 1 to 4, got undefined'],
    [{ "points.voltage.bits": [12, 8] }, "these bits are not there"],
    [{ "points.power.bits": [0, 4] }, "bits are of an unsigned integer; expected u16, u32 or u64, got s32"],
    [{ "points.voltage.values": { 0: "ok" } }, "values with a meaning are of a state"],
    [{ "points.power.scaleBy": { point: "factor", as: "factor" } }, "no such point"],
    [
      { "points.power.scaleBy": { point: "ratio", as: "factor" } },
      "ratio is of another snapshot; expected live, got ratios",
    ],
    [
      { "points.power.times": ["code"] },
      "code is no setting that is read with every reading; expected kind: setting",
    ],
    [
      { "points.power.times": ["ratio"] },
      "of a snapshot with interval: poll, got kind: setting, interval: 1",
    ],
    [{ "points.power.scaleBy": { point: "state", as: "table" } }, '"table" goes with "as: table"'],
    [
      { "channels.grid.power": "voltage" },
      "channels.grid: voltage does not fit; expected a unit of power, got V",
    ],
    [{ "channels.grid.power": ["power", "-pauer"] }, "no such point"],
    [{ "channels.grid.import": "power" }, "power does not fit; expected a unit of energy, got W"],
    [{ "channels.grid.import": ["importEnergy", "-exportEnergy"] }, "registers are never subtracted"],
    [
      { "points.importEnergy.kind": "gauge" },
      "importEnergy is no register; expected kind: counter, got gauge",
    ],
    [{ "channels.grid.status": "code" }, 'code does not say what its values mean; expected "values"'],
    [{ "channels.grid.ctRatio": "code" }, "code is no setting; expected kind: setting, got state"],
    [
      { "channels.grid.maxImport": { value: 5, unit: "kWh" } },
      "the unit does not fit; expected power, got kWh",
    ],
    [{ "channels.grid.sign": undefined }, '"power" and "sign" go together'],
    [
      { "channels.battery.stateOfCharge": undefined },
      '"power", "import", "export" or "stateOfCharge" expected',
    ],
    [{ "checks.0.channel": "house" }, "no such channel; expected one of grid, battery"],
    [{ "checks.0.sum": ["powerL1", "ratio"] }, "different snapshots"],
    [{ "identity.serial": { point: "serialNumber" } }, "identity: no such point"],
    [{ "identity.match.0.between": [1, 2] }, 'either "deviceIdentification", or "point" with one of'],
    [
      { "transport.maxRegisters": 10 },
      "registers input 0-10 (a group) cannot be read in one request; expected at most 10",
    ],
    [
      { "points.power[3-2]": { snapshot: "live", address: 0, type: "u16" } },
      "power[3-2]: no such range of numbers; expected [first-last]",
    ],
    [
      { "points.powerL[3-4]": { snapshot: "live", address: 0, type: "u16" } },
      "powerL3: two entries get one name",
    ],
    [{ "points.power#": { snapshot: "live", address: 0, type: "u16" } }, "a name of letters and digits"],
    [{ "transport.serial": undefined, "transport.tcp": undefined }, '"serial" or "tcp" expected'],
    [{ channels: {} }, "there is no channel"],
    [{ captures: [{ device: "a", source: "b", expected: {} }] }, '"registers" or "corpus" expected'],
  ])("is refused where its parts do not fit: %#", (change, said) => {
    expect(faultOf(changed(change))).toContain(said);
  });

  it("takes intervals of import and export only together", () => {
    const text = changed({
      "snapshots.slow": { table: "input", start: 0, count: 20, interval: 60 },
      "points.exportEnergy.snapshot": "slow",
    });
    expect(faultOf(text)).toContain("import and export are read at different intervals");
  });
});

describe("a profile's file", () => {
  it("is named where it cannot be read, or is far too long", () => {
    expect(() => loadProfile("/nowhere/at-all.yaml")).toThrow("/nowhere/at-all.yaml");
    const folder = mkdtempSync(join(tmpdir(), "profile-"));
    const file = join(folder, "long.yaml");
    writeFileSync(file, "#".repeat(600_000));
    expect(() => loadProfile(file)).toThrow(
      "too long for a profile; expected at most 524288 bytes, got 600000",
    );
    rmSync(folder, { recursive: true });
  });
});

describe("repeated entries", () => {
  const text = changed({
    "points.outlet[9-11]Energy": {
      snapshot: "live",
      address: 11,
      stride: 2,
      type: "u32",
      unit: "Wh",
      kind: "counter",
    },
    "channels.outlet[9-11]": { role: "compute", import: "outlet#Energy" },
  });

  it("have their numbers, and move on by their stride", () => {
    const { profile } = compiled(text);
    expect(Object.keys(profile.channels)).toEqual(["grid", "battery", "outlet9", "outlet10", "outlet11"]);
    expect(profile.channels["outlet11"]?.import).toBe("outlet11Energy");
    expect(profile.points["outlet9Energy"]?.address).toBe(11);
    expect(profile.points["outlet11Energy"]?.address).toBe(15);
  });
});

describe("a read plan", () => {
  it("takes as few requests as the limits allow, and reads an optional snapshot alone", () => {
    const plan = compiled().plan(["live", "device", "ratios", "extra"]);
    expect(plan.requests.map(({ table, start, count, optional }) => [table, start, count, optional])).toEqual(
      [
        ["input", 0, 11, false],
        ["holding", 100, 7, false],
        ["holding", 200, 1, false],
        ["holding", 300, 1, true],
      ],
    );
  });

  it("takes a snapshot apart that is not atomic, but no value from its scale", () => {
    const text = changed({
      "transport.maxRegisters": 8,
      "snapshots.live.atomic": false,
      "points.voltage.scaleBy": { point: "state", as: "power-of-ten" },
      checks: [],
    });
    const { requests, places } = compiled(text).plan(["live"]);
    expect(requests.every(({ count }) => count <= 8)).toBe(true);
    expect(places.get("voltage")).toBe(places.get("state"));
  });
});
