import { describe, expect, it } from "vitest";
import { controlSettingsSchema } from "../../../agent/control/settings.ts";

const DEVICE = { device: "battery", boundary: "device" } as const;

describe("the settings", () => {
  it("have defaults", () => {
    expect(controlSettingsSchema.parse({ resources: [DEVICE] })).toEqual({
      ...{ leaseMs: 60_000, heartbeatMs: 120_000, resources: [DEVICE] },
    });
  });

  it("are mW, ppm and milliseconds behind the file", () => {
    const resource = { ...DEVICE, channel: "a/b", maxChargeKw: 2.5, maxDischargeKw: 0.000001 };
    const settings = controlSettingsSchema.parse({
      ...{ siteMeter: "meter/grid/1", maxStaleSeconds: 10, maxImportKw: 17.25, maxExportKw: 0 },
      ...{ leaseSeconds: 30, heartbeatSeconds: 300 },
      resources: [{ ...resource, reservePercent: 12.3456, rampKwPerSecond: 0.1, minDwellSeconds: 600 }],
    });
    expect(settings).toEqual({
      siteMeter: {
        ...{ device: "meter", channel: "grid/1", maxStaleMs: 10_000 },
        ...{ maxImportMw: 17_250_000, maxExportMw: 0 },
      },
      ...{ leaseMs: 30_000, heartbeatMs: 300_000 },
      resources: [
        {
          ...{ ...DEVICE, channel: "a/b", maxChargeMw: 2_500_000, maxDischargeMw: 1 },
          ...{ reservePpm: 123_456, rampMwPerS: 100_000, minDwellMs: 600_000 },
        },
      ],
    });
  });

  it.each([
    [{ maxImportKw: 5, resources: [DEVICE] }, "siteMeter"],
    [{ siteMeter: "meter", resources: [DEVICE] }, "such as meter/grid"],
    [{ resources: [DEVICE, { ...DEVICE, boundary: "site" }] }, "named twice"],
    [{ resources: [] }, "resources"],
    [{ resources: [{ ...DEVICE, reservePercent: 100.1 }] }, "100"],
    [{ resources: [{ ...DEVICE, reservePercent: 1.23456 }] }, "four digits"],
    [{ resources: [{ ...DEVICE, rampKwPerSecond: 0 }] }, "more than 0"],
    [{ resources: [{ ...DEVICE, maxPowerKw: 1 }] }, "maxPowerKw"],
    [{ leaseSeconds: 5, resources: [DEVICE] }, "leaseSeconds"],
  ])("that are wrong are refused: %j", (given, said) => {
    const { success, error } = controlSettingsSchema.safeParse(given);
    expect(success).toBe(false);
    expect(error?.message).toContain(said);
  });
});
