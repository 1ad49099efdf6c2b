import { z } from "zod";
import { kilowattsToMw } from "../config/units.ts";

/** A device that may be told something, and how far. */
export interface ControlledResource {
  /** `id` of the device in the configuration. */
  readonly device: string;
  /** The driver's name of the only channel that may be controlled; left out: whichever the device's commands are about. */
  readonly channel?: string;
  /** Where what it delivers is settled: at the device's own channel, or at the site meter's. */
  readonly boundary: "device" | "site";
  readonly maxChargeMw?: number;
  readonly maxDischargeMw?: number;
  /** What is not discharged, whoever orders it. */
  readonly reservePpm?: number;
  readonly rampMwPerS?: number;
  /** What a relay keeps between two switchings. */
  readonly minDwellMs?: number;
}

/** The meter at the grid connection, and what may flow there. */
export interface SiteMeterSettings {
  readonly device: string;
  readonly channel: string;
  /** Without a reading for so long everything is reverted. */
  readonly maxStaleMs: number;
  readonly maxImportMw?: number;
  readonly maxExportMw?: number;
}

/** The key `control` of the configuration. */
export interface ControlSettings {
  readonly siteMeter?: SiteMeterSettings;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly resources: readonly ControlledResource[];
}

export const DEFAULT_LEASE_MS = 60_000;
export const DEFAULT_HEARTBEAT_MS = 120_000;
const DEFAULT_STALE_S = 30;
const MS_PER_S = 1000;
const MAX_KILOWATTS = 1_000_000;
const PPM_PER_PERCENT = 10_000;

const kilowatts = z
  .number()
  .min(0)
  .max(MAX_KILOWATTS)
  .refine((value) => kilowattsToMw(value) !== undefined, { error: "at most six digits behind the point" });

const percent = z
  .number()
  .min(0)
  .max(100)
  .refine((value) => /^\d+(?:\.\d{1,4})?$/.test(String(value)), {
    error: "at most four digits behind the point",
  });

const name = z.string().min(1).max(128);

const resourceSchema = z
  .strictObject({
    device: name.describe("id of the device that may be told something"),
    channel: name
      .exactOptional()
      .describe("the driver's name of the channel to control; left out: whichever its commands are about"),
    boundary: z
      .enum(["device", "site"])
      .describe("where what it delivers is settled: at its own channel, or at the site meter"),
    maxChargeKw: kilowatts
      .exactOptional()
      .describe("the most it may be told to take in; left out: what the device says"),
    maxDischargeKw: kilowatts
      .exactOptional()
      .describe("the most it may be told to give out; left out: what the device says"),
    reservePercent: percent
      .exactOptional()
      .describe("part of the battery that no command discharges; left out: none beyond the battery's own"),
    rampKwPerSecond: kilowatts
      .refine((value) => value > 0, { error: "more than 0" })
      .exactOptional()
      .describe("how fast its power may be changed; left out: as fast as it can"),
    minDwellSeconds: z
      .int()
      .min(0)
      .max(86_400)
      .exactOptional()
      .describe("time between two switchings of a relay, such as 600; left out: 10 seconds for all commands"),
  })
  .transform((given): ControlledResource => {
    const { maxChargeKw, maxDischargeKw, reservePercent, rampKwPerSecond, minDwellSeconds, ...rest } = given;
    return {
      ...rest,
      ...(maxChargeKw === undefined ? {} : { maxChargeMw: kilowattsToMw(maxChargeKw) ?? 0 }),
      ...(maxDischargeKw === undefined ? {} : { maxDischargeMw: kilowattsToMw(maxDischargeKw) ?? 0 }),
      ...(reservePercent === undefined ? {} : { reservePpm: Math.round(reservePercent * PPM_PER_PERCENT) }),
      ...(rampKwPerSecond === undefined ? {} : { rampMwPerS: kilowattsToMw(rampKwPerSecond) ?? 1 }),
      ...(minDwellSeconds === undefined ? {} : { minDwellMs: minDwellSeconds * MS_PER_S }),
    };
  });

const fileSchema = z
  .strictObject({
    siteMeter: z
      .string()
      .regex(/^[^/]+\/.+$/, { error: "a device and its channel, such as meter/grid" })
      .exactOptional()
      .describe("device/channel of the meter at the grid connection; left out: nothing watches over it"),
    maxStaleSeconds: z
      .int()
      .min(2)
      .max(600)
      .default(DEFAULT_STALE_S)
      .describe("without a reading of the site meter for so long every command is ended"),
    maxImportKw: kilowatts
      .exactOptional()
      .describe("the most that may be taken from the grid: the fuse, the contract; left out: not watched"),
    maxExportKw: kilowatts
      .exactOptional()
      .describe("the most that may be given to the grid; left out: not watched"),
    leaseSeconds: z
      .int()
      .min(10)
      .max(3600)
      .default(DEFAULT_LEASE_MS / MS_PER_S)
      .describe("how long a command holds unless it is renewed, which it is after half of it"),
    heartbeatSeconds: z
      .int()
      .min(10)
      .max(86_400)
      .default(DEFAULT_HEARTBEAT_MS / MS_PER_S)
      .describe("without a word of whoever may order for so long, what was ordered is ended"),
    resources: z.array(resourceSchema).min(1).max(64).describe("the devices that may be told something"),
  })
  .refine((given) => given.siteMeter !== undefined || !("maxImportKw" in given || "maxExportKw" in given), {
    path: ["siteMeter"],
    error: "maxImportKw and maxExportKw need the meter that shows them; expected siteMeter beside them",
  })
  .refine(({ resources }) => new Set(resources.map(({ device }) => device)).size === resources.length, {
    path: ["resources"],
    error: "a device is named twice; expected one entry for each",
  });

/** Schema of the key `control`: kW, percent and seconds in the file; mW, ppm and ms behind it. */
export const controlSettingsSchema: z.ZodType<ControlSettings> = fileSchema.transform((given) => {
  const { siteMeter, maxStaleSeconds, maxImportKw, maxExportKw, leaseSeconds, heartbeatSeconds, resources } =
    given;
  const [, device = "", channel = ""] = /^([^/]+)\/(.+)$/.exec(siteMeter ?? "") ?? [];
  const meter: SiteMeterSettings = {
    ...{ device, channel, maxStaleMs: maxStaleSeconds * MS_PER_S },
    ...(maxImportKw === undefined ? {} : { maxImportMw: kilowattsToMw(maxImportKw) ?? 0 }),
    ...(maxExportKw === undefined ? {} : { maxExportMw: kilowattsToMw(maxExportKw) ?? 0 }),
  };
  return {
    ...(siteMeter === undefined ? {} : { siteMeter: meter }),
    leaseMs: leaseSeconds * MS_PER_S,
    heartbeatMs: heartbeatSeconds * MS_PER_S,
    resources,
  };
});
