import { describe, expect, it } from "vitest";
import type { Controllable, ControlResult } from "../../../drivers/control.ts";
import type { DriverDefinition } from "../../../drivers/driver.ts";
import { controlConformance } from "../../../drivers/kit/control-conformance.ts";
import { bundledProfile, bundledProfiles } from "../../../drivers/profile/bundled.ts";
import { driverOfProfile } from "../../../drivers/profile/definition.ts";
import { sunspecDriver } from "../../../drivers/sunspec/driver.ts";
import { benches, placeOptions } from "../simulated/kit.ts";
import { suites } from "./kit.ts";

const bench = benches();
const suite = suites();

const LIMITS = { maxChargeW: 9000, maxDischargeW: 9000, maxImportW: 9000, maxExportW: 9000 };
const controlled = bundledProfiles().filter((name) => bundledProfile(name).commands.length > 0);

describe("every profile with control keeps the contract", () => {
  it.each(controlled)("%s", async (name) => {
    const compiled = bundledProfile(name);
    const { device } = await bench(compiled);
    const results = await controlConformance(driverOfProfile(compiled), {
      ...{ host: "127.0.0.1", port: device.port, unit: device.unit, timeoutMs: 2000 },
      ...{ connectDelayMs: 0, minGapMs: 0, controlLimits: LIMITS },
    });
    expect(results.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
    expect(results.length).toBe(5 + 4 * compiled.commands.length);
  });

  it.each(["huawei-sun2000", "goodwe-et"])("%s on a serial line behind a serial server", async (name) => {
    const compiled = bundledProfile(name);
    const { device } = await bench(compiled, { place: { kind: "rtu-over-tcp", port: 0 } });
    const results = await controlConformance(driverOfProfile(compiled), {
      ...placeOptions(device, "rtu-over-tcp"),
      ...{ timeoutMs: 2000, connectDelayMs: 0, minGapMs: 0, controlLimits: LIMITS },
    });
    expect(results.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
  });

  it("and there are some", () => {
    expect(controlled).toEqual([
      ...["goodwe-et", "huawei-sun2000", "sungrow-sh", "sungrow-sh-signed", "victron-gx"],
    ]);
  });
});

describe("every SunSpec device keeps the contract", () => {
  it.each(["der", "storage", "output"] as const)("%s", async (models) => {
    const { device } = await suite(models);
    const place = { host: "127.0.0.1", port: device.port, timeoutMs: 2000 };
    const results = await controlConformance(sunspecDriver, place);
    expect(results.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
  });
});

/** A driver whose commands were spoilt. */
function spoilt(change: (control: Controllable) => Partial<Controllable>): DriverDefinition {
  return {
    ...sunspecDriver,
    open: (options) => {
      const meter = sunspecDriver.open(options);
      const overlaid = (control: Controllable): Controllable => {
        const bound = Object.fromEntries(
          (["capabilities", "ratings", "apply", "renew", "revert", "readBack"] as const).map((name) => [
            name,
            control[name].bind(control),
          ]),
        );
        return Object.assign({}, control, bound, change(control));
      };
      return new Proxy(meter, {
        get: (target, name) => {
          if (name === "control") return target.control === undefined ? undefined : overlaid(target.control);
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  };
}

describe("a driver that breaks the contract is found", () => {
  const agreeing = (result: ControlResult): ControlResult => ({ ...result, readBack: "differs" });
  it.each([
    [
      "capabilities",
      (c: Controllable) => ({ capabilities: () => c.capabilities().map((one) => ({ ...one, step: 0 })) }),
      "capabilities are described",
    ],
    [
      "ratings",
      (c: Controllable) => ({ ratings: async () => ({ ...(await c.ratings()), maxChargeMw: 0.5 }) }),
      "ratings are whole numbers",
    ],
    [
      "read-back",
      (c: Controllable) => ({
        apply: async (command: Parameters<Controllable["apply"]>[0]) => agreeing(await c.apply(command)),
      }),
      "exportLimit: begins",
    ],
    [
      "revert",
      (c: Controllable) => ({
        revert: async (kind: Parameters<Controllable["revert"]>[0]) => ({
          ...(await c.revert(kind)),
          readBack: "differs" as const,
        }),
      }),
      "exportLimit: begins",
    ],
  ] as const)("%s", async (_, change, name) => {
    const { device } = await suite("output");
    const place = { host: "127.0.0.1", port: device.port, timeoutMs: 2000 };
    const results = await controlConformance(spoilt(change), place);
    const failed = results.filter(({ outcome }) => outcome === "failed").map((one) => one.name);
    expect(failed.some((one) => one.startsWith(name))).toBe(true);
  });
});
