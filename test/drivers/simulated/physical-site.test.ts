import { describe, expect, it } from "vitest";
import type { ChannelRole } from "../../../attest/reading.ts";
import { SimulatedHome } from "../../../drivers/simulated/home.ts";
import { type Boundary, type BoundaryPlan, PhysicalSite } from "../../../drivers/simulated/physical-site.ts";

const WHOLE = { index: 0, count: 1 };
const STARTS = { importStartMwh: 1_000_000, exportStartMwh: 2_000_000 };

function plan(name: string, role: ChannelRole, rest: Partial<BoundaryPlan> = {}): BoundaryPlan {
  return { name, role, part: WHOLE, ...STARTS, ...rest };
}

const HOME = [
  plan("grid", "grid"),
  plan("pv", "generation"),
  plan("battery", "storage"),
  plan("load", "load"),
];

function at(site: PhysicalSite, name: string): Boundary {
  const boundary = site.instant.boundaries.get(name);
  if (boundary === undefined) throw new Error(`no boundary ${name}`);
  return boundary;
}

/** Looks every 10 s for a quarter of an hour, 15 hours of the home's day. */
function watch(sites: readonly { advanceTo(nowMs: number): void }[], look: () => void): void {
  for (let nowMs = 0; nowMs <= 900_000; nowMs += 10_000) {
    for (const site of sites) site.advanceTo(nowMs);
    look();
  }
}

describe("a physical site", () => {
  it("keeps its powers in balance and its registers at their integrals", () => {
    const site = new PhysicalSite({ divisor: 1, boundaries: HOME }, { startMs: 0 });
    const home = new SimulatedHome({ startMs: 0 });
    const signs = new Set<number>();
    watch([site, home], () => {
      const [grid, pv, battery, load] = HOME.map(({ name }) => at(site, name).powerMw);
      expect(grid).toBe((load ?? 0) + (pv ?? 0) + (battery ?? 0));
      expect(grid).toBe(home.powers.gridMw);
      signs.add(Math.sign(grid ?? 0));
    });
    expect([...signs]).toEqual(expect.arrayContaining([-1, 1]));
    const counted = (...names: readonly (keyof typeof home.counted)[]): number =>
      Number(names.reduce((sum, name) => sum + home.counted[name], 0n) / 3_600_000n);
    const moved = (name: string): readonly [number, number] => {
      const { importMwh, exportMwh } = at(site, name);
      return [importMwh - STARTS.importStartMwh, exportMwh - STARTS.exportStartMwh];
    };
    expect(moved("grid")).toEqual([
      counted("gridImportLowMwh", "gridImportNormalMwh"),
      counted("gridExportLowMwh", "gridExportNormalMwh"),
    ]);
    expect(moved("pv")).toEqual([0, counted("generationMwh")]);
    expect(moved("battery")).toEqual([counted("chargedMwh"), counted("dischargedMwh")]);
    expect(moved("load")).toEqual([counted("loadMwh"), 0]);
    expect(moved("load")[0]).toBeGreaterThan(100_000);
  });

  it("divides what a role has among its parts, without a rest", () => {
    const parts = [0, 1, 2].map((index) => plan(`outlet${index}`, "compute", { part: { index, count: 3 } }));
    const boundaries = [...parts, plan("inlet", "compute")];
    const site = new PhysicalSite({ divisor: 8, servers: 3, boundaries }, { startMs: 0 });
    watch([site], () => {
      const powers = parts.map(({ name }) => at(site, name).powerMw);
      expect(powers.reduce((sum, power) => sum + power, 0)).toBe(at(site, "inlet").powerMw);
      expect(powers.every((power) => Number.isInteger(power) && power > 0)).toBe(true);
    });
    const risen = (name: string): number => at(site, name).importMwh - STARTS.importStartMwh;
    const sum = parts.reduce((all, { name }) => all + risen(name), 0);
    expect(Math.abs(risen("inlet") - sum)).toBeLessThan(parts.length);
  });

  it("is smaller by its divisor, and goes one way where it is metered one way", () => {
    const large = new PhysicalSite({ divisor: 1, boundaries: HOME }, { startMs: 0 });
    const boundaries = [
      plan("grid", "grid"),
      plan("bought", "grid", { only: "import" }),
      plan("sold", "grid", { only: "export" }),
    ];
    const small = new PhysicalSite({ divisor: 250, boundaries }, { startMs: 0 });
    watch([large, small], () => {
      expect(at(small, "grid").powerMw * 250).toBe(at(large, "grid").powerMw);
      expect(at(small, "bought").powerMw * 250).toBe(at(large, "load").powerMw);
      expect(at(small, "sold").powerMw).toBe(Math.min(at(small, "grid").powerMw, 0));
    });
  });

  it("leaves out the time in which its computer slept", () => {
    const site = new PhysicalSite({ divisor: 1, boundaries: HOME }, { startMs: 0 });
    site.advanceTo(3_600_000);
    expect(at(site, "pv").exportMwh).toBe(STARTS.exportStartMwh);
    site.advanceTo(3_610_000);
    expect(at(site, "pv").exportMwh).toBeGreaterThan(STARTS.exportStartMwh);
  });

  it("says the same again until something has moved", () => {
    const site = new PhysicalSite({ divisor: 1, boundaries: HOME }, { startMs: 0 });
    const { instant } = site;
    site.advanceTo(99);
    expect(site.instant).toBe(instant);
    site.advanceTo(100);
    expect(site.instant).not.toBe(instant);
  });
});
