import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { nativeSuite } from "../../attest/native.ts";
import { CHANNEL_ROLES } from "../../attest/reading.ts";
import { bundledProfile } from "../../drivers/profile/bundled.ts";
import type { AuditedLeaf, Judgement } from "../../network/audit/audit-record.ts";
import { judgeFrame } from "../../network/audit/judge.ts";
import { benches } from "../drivers/simulated/kit.ts";
import * as device from "../drivers/sunspec/devices.ts";
import { cleanupAfterEach, fixed, openSuite } from "../drivers/sunspec/kit.ts";
import { digestOfProfile, forged, LIBRARY, SealedMeter } from "./audit-kit.ts";

const bench = benches();
const later = cleanupAfterEach();
const judged = new Map<string, number>();

afterAll(() => {
  const counts = [...judged].map(([verdict, count]) => `${count} ${verdict}`).join(", ");
  process.stdout.write(`audits: ${counts}\n`);
});

function judge(audited: AuditedLeaf, bytes: Uint8Array): Judgement {
  const judgement = judgeFrame(audited, bytes, { suite: nativeSuite, profiles: LIBRARY });
  judged.set(judgement.verdict, (judged.get(judgement.verdict) ?? 0) + 1);
  return judgement;
}

/** A log of what the driver of a profile read of its simulated device. */
async function sealed(
  name: string,
  { options = {}, names = {} }: { readonly options?: object; readonly names?: Record<string, string> } = {},
): Promise<SealedMeter> {
  const { pass, open } = await bench(bundledProfile(name));
  const meter = await new SealedMeter(name, open({ ...options }), names).open();
  pass(300);
  await meter.read();
  return meter;
}

const CHANGES = {
  importMwh: (value: number) => value + 1,
  exportMwh: (value: number) => value + 1,
  activePowerMw: (value: number) => value + 1,
  stateOfChargePpm: (value: number) => value - 1,
  frequencyMhz: (value: number) => value + 1,
} as const;

/** Every leaf that says one value otherwise than the frame. */
function liesOf(audited: AuditedLeaf): readonly (readonly [value: string, leaf: AuditedLeaf])[] {
  const { leaf } = audited;
  const single = Object.entries(CHANGES).flatMap(([value, change]) => {
    const now = leaf[value as keyof typeof CHANGES];
    return now === undefined ? [] : [[value, forged(audited, { [value]: change(now) })] as const];
  });
  const lists = (["voltageMv", "currentMa"] as const).flatMap((value) => {
    const now = leaf[value];
    return now === undefined
      ? []
      : [[value, forged(audited, { [value]: [...now].map((one) => one + 1) })] as const];
  });
  return [...single, ...lists];
}

describe.each(["eastron-sdm630", "deye-sun-sg04lp3", "carlo-gavazzi-em24", "victron-gx"])(
  "leaves of %s",
  (name) => {
    it("match their frames, and differ from them by any value that was changed", async () => {
      const meter = await sealed(name);
      const all = meter.audited();
      expect(all.length).toBeGreaterThan(0);
      for (const audited of all) {
        const bytes = meter.frameOf(audited);
        expect(judge(audited, bytes)).toEqual({ verdict: "matches", detail: "" });
        const lies = liesOf(audited);
        expect(lies.length).toBeGreaterThan(0);
        for (const [value, lie] of lies)
          expect(judge(lie, bytes)).toMatchObject({ verdict: "differs", difference: { value } });
      }
    });
  },
);

describe("a frame with any byte changed", () => {
  it("is the wrong one", async () => {
    const meter = await sealed("eastron-sdm630");
    const [audited] = meter.audited();
    if (audited === undefined) throw new Error("no reading");
    const bytes = meter.frameOf(audited);
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.map((byte, index) => (index === at ? byte ^ 0x40 : byte));
      expect(judge(audited, changed).verdict).toBe("wrong-frame");
    }
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = bytes.map((byte, index) => (index === at ? byte ^ mask : byte));
        return judge(audited, changed).verdict === "wrong-frame";
      }),
    );
    for (const cut of [
      bytes.subarray(1),
      bytes.subarray(0, -1),
      new Uint8Array(),
      Uint8Array.of(...bytes, 0),
    ])
      expect(judge(audited, cut).verdict).toBe("wrong-frame");
  });
});

describe("what the manifest does not say", () => {
  it("a power that the configuration turns cannot be judged; anything else beside it differs", async () => {
    const meter = await sealed("eastron-sdm630", { options: { positive: { grid: "export" } } });
    const [audited] = meter.audited();
    if (audited === undefined) throw new Error("no reading");
    const bytes = meter.frameOf(audited);
    const judgement = judge(audited, bytes);
    expect(judgement).toMatchObject({ verdict: "cannot-decode" });
    expect(judgement.detail).toContain("positive.grid");
    const importMwh = (audited.leaf.importMwh ?? 0) + 1000;
    expect(judge(forged(audited, { importMwh }), bytes).verdict).toBe("differs");
  });

  it("a channel of another name is found by its role, or not at all", async () => {
    const names = { grid: "house/main", pv: "roof/south", battery: "cellar/pv" };
    const meter = await sealed("deye-sun-sg04lp3", { names });
    const verdicts = meter.audited().map((audited) => {
      const { verdict, detail } = judge(audited, meter.frameOf(audited));
      return [audited.manifest.name, verdict, detail];
    });
    expect(verdicts).toEqual([
      ["house/main", "matches", ""],
      ["roof/south", "matches", ""],
      ["cellar/pv", "cannot-decode", expect.stringContaining("the frame says this of battery")],
    ]);
    const two = await sealed("netio-powerpdu", { names: { outlet1: "rack/one" } });
    const [, outlet] = two.audited();
    if (outlet === undefined) throw new Error("no outlet");
    expect(judge(outlet, two.frameOf(outlet))).toMatchObject({
      verdict: "cannot-decode",
      detail: expect.stringContaining("rack/one"),
    });
  });

  it("values that the agent left out are no difference; values of its own are", async () => {
    const meter = await sealed("eastron-sdm630");
    const [audited] = meter.audited();
    if (audited === undefined) throw new Error("no reading");
    const bytes = meter.frameOf(audited);
    const { importMwh: _i, exportMwh: _e, ...less } = audited.leaf;
    expect(judge({ ...audited, leaf: less }, bytes).verdict).toBe("matches");
    expect(judge(forged(audited, { stateOfChargePpm: 500_000 }), bytes)).toMatchObject({
      verdict: "differs",
      difference: { value: "stateOfChargePpm", expected: "nothing", got: "500000" },
    });
  });
});

describe("the pin of the manifest", () => {
  it("is the profile that decodes, whatever the driver is called", async () => {
    const meter = await sealed("eastron-sdm630");
    const [audited] = meter.audited();
    if (audited === undefined) throw new Error("no reading");
    const bytes = meter.frameOf(audited);
    const pinned = (driver: string, profileDigest?: Uint8Array): string => {
      const { profileDigest: _, ...manifest } = audited.manifest;
      const pin = profileDigest === undefined ? {} : { profileDigest };
      return judge({ ...audited, manifest: { ...manifest, driver, ...pin } }, bytes).verdict;
    };
    expect(pinned("profile", digestOfProfile("eastron-sdm630"))).toBe("matches");
    expect(pinned("eastron-sdm630", new Uint8Array(32))).toBe("profile-unknown");
    expect(pinned("eastron-sdm630")).toBe("profile-unknown");
    expect(pinned("../../etc/passwd")).toBe("profile-unknown");
    expect(pinned("eastron-sdm630", digestOfProfile("janitza-umg"))).toBe("cannot-decode");
    expect(pinned("dsmr-p1")).toBe("cannot-decode");
  });

  it("a profile that scales otherwise shows: the frame says another register", async () => {
    const meter = await sealed("eastron-sdm630");
    const [audited] = meter.audited();
    if (audited === undefined) throw new Error("no reading");
    const bytes = meter.frameOf(audited);
    const tenfold = forged(audited, { importMwh: (audited.leaf.importMwh ?? 0) * 10 });
    expect(judge(tenfold, bytes).difference).toEqual({
      value: "importMwh",
      expected: String(audited.leaf.importMwh),
      got: String((audited.leaf.importMwh ?? 0) * 10),
    });
  });
});

describe("leaves of SunSpec devices", () => {
  it("match and differ by channel, with the signs of the maker", async () => {
    const models = fixed(device.inverter(103), device.meterOf(203), device.meterOf(201), device.bank());
    const { meter } = await openSuite(later, { make: "SolarEdge", models });
    const log = await new SealedMeter("sunspec", meter).open();
    await log.read();
    const all = log.audited();
    expect(all.map(({ manifest }) => manifest.name)).toEqual(
      ["inverter", "meter", "meter2", "battery"].map((channel) => `device/${channel}`),
    );
    for (const audited of all) {
      expect(judge(audited, log.frameOf(audited)).verdict).toBe("matches");
      for (const [value, lie] of liesOf(audited))
        expect(judge(lie, log.frameOf(audited))).toMatchObject({ verdict: "differs", difference: { value } });
    }
    const [inverter, grid] = all;
    if (inverter === undefined || grid === undefined) throw new Error("no readings");
    // Another maker's meters count the other way.
    const elsewhere = { ...grid, manifest: { ...grid.manifest, make: "Fronius" } };
    expect(judge(elsewhere, log.frameOf(grid))).toMatchObject({
      verdict: "cannot-decode",
      detail: expect.stringContaining("meterPowerSign"),
    });
    // The inverter's sign is no setting.
    const turned = forged(inverter, { activePowerMw: -(inverter.leaf.activePowerMw ?? 0) });
    expect(judge(turned, log.frameOf(inverter)).verdict).toBe("differs");
    expect(inverter.manifest.role).toBe(CHANNEL_ROLES.generation);
  });
});
