import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { leaseFileText, parseLeaseFile, readBootId } from "../../../agent/control/lease-file.ts";
import { type LeaseRegister, openLeaseRegister } from "../../../agent/control/lease-register.ts";
import type { KeptLease, LeaseFile } from "../../../agent/control/types.ts";

let folder = "";
let path = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kilowitness-leases-"));
});
beforeEach(() => {
  path = join(mkdtempSync(join(folder, "one-")), "leases.json");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const LEASE: KeptLease = {
  ...{ device: "battery", kind: "exportLimit", channel: "battery", reverts: "device" },
  ...{ untilMonotonicMs: 60_000, orderSeq: 5 },
  before: {
    kind: "exportLimit",
    channel: "battery",
    active: true,
    value: { kind: "exportLimit", limitMw: 7 },
  },
};

function opened(bootId: string = "boot"): LeaseRegister {
  return openLeaseRegister(path, bootId);
}

describe("the file of leases", () => {
  it("is nothing at first, then private, and read again as it was written", () => {
    expect(opened().found).toEqual({ leases: [], phases: {}, reverted: [], otherBoot: false });
    expect(existsSync(path)).toBe(false);
    const register = opened();
    register.keep(LEASE);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    register.setPhase("battery", "limited");
    expect(opened().found.phases).toEqual({});
    register.flush();
    expect(opened().found).toMatchObject({
      leases: [LEASE],
      phases: { battery: "limited" },
      otherBoot: false,
    });
    expect(opened("another").found.otherBoot).toBe(true);
    expect(readdirSync(join(path, ".."))).toEqual(["leases.json"]);
  });

  it("has one lease of a kind, until it is forgotten", () => {
    const register = opened();
    register.keep({ ...LEASE, orderSeq: 4 });
    register.keep(LEASE);
    register.keep({ ...LEASE, device: "other" });
    register.forget("battery", "exportLimit");
    expect(register.leases.map(({ device }) => device)).toEqual(["other"]);
    expect(opened().found.leases).toHaveLength(2);
    register.flush();
    expect(opened().found.leases).toEqual([{ ...LEASE, device: "other" }]);
  });

  it("that could not be written is behind until it can be, also where nothing has to change any more", () => {
    const register = opened();
    register.keep(LEASE);
    rmSync(join(path, ".."), { recursive: true });
    expect(() => register.keep({ ...LEASE, device: "other" })).toThrow("cannot be kept");
    expect(() => register.flush()).toThrow("ENOENT");
    mkdirSync(join(path, ".."));
    register.flush();
    expect(opened().found.leases).toEqual([LEASE]);
  });

  it("that cannot be written keeps nothing", () => {
    const register = opened();
    register.keep(LEASE);
    rmSync(join(path, ".."), { recursive: true });
    expect(() => register.keep({ ...LEASE, device: "other" })).toThrow(
      expect.objectContaining({ code: "control-lease-file" }),
    );
    expect(register.leases).toEqual([LEASE]);
  });

  it("knows which start of the machine this is", () => {
    expect(readBootId()).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("of a state that a device could not say is read again", () => {
    const before = { kind: "exportLimit", channel: "battery", active: undefined } as const;
    const file: LeaseFile = {
      version: 1,
      bootId: "b",
      leases: [{ ...LEASE, before }],
      phases: {},
      reverted: [],
    };
    expect(parseLeaseFile(leaseFileText(file), "x").leases[0]?.before).toStrictEqual(before);
  });
});

describe("a damaged file", () => {
  const sound = leaseFileText({ version: 1, bootId: "b", leases: [LEASE], phases: {}, reverted: [] });
  it.each([
    ["empty", ""],
    ["cut off", sound.slice(0, -20)],
    ["another version", sound.replace('"version": 1', '"version": 2')],
    ["an unknown key", sound.replace('"version"', '"more": 1, "version"')],
    ["an unknown kind", sound.replaceAll("exportLimit", "everything")],
    ["a part of a number", sound.replace("60000", "60000.5")],
    ["without leases", sound.replace('"leases"', '"lease"')],
  ])("%s is not believed, and a copy is kept", (_, text) => {
    expect(text).not.toBe(sound);
    writeFileSync(path, text, { mode: 0o600 });
    const register = opened();
    expect(register.found).toMatchObject({ leases: [], damage: { code: "control-leases-damaged" } });
    register.setAside();
    expect(readFileSync(`${path}.damaged`, "utf8")).toBe(text);
    register.keep(LEASE);
    expect(opened().found.leases).toEqual([LEASE]);
  });

  it("that others can read is not believed", () => {
    writeFileSync(path, sound);
    chmodSync(path, 0o644);
    expect(opened().found).toMatchObject({ damage: { code: "control-leases-permissions" } });
  });

  it("is told from a sound one wherever it is cut", () => {
    const cut = fc.integer({ min: 0, max: sound.trimEnd().length - 1 });
    fc.assert(
      fc.property(cut, (length) => {
        expect(() => parseLeaseFile(sound.slice(0, length), "x")).toThrow("the file of leases is damaged");
      }),
    );
  });
});
