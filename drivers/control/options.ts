import { z } from "zod";

/** What the installer allows, in W: the fuse, the contract. Absent is what the device says. */
export interface ControlLimitOptions {
  readonly maxChargeW?: number | undefined;
  readonly maxDischargeW?: number | undefined;
  readonly maxImportW?: number | undefined;
  readonly maxExportW?: number | undefined;
}

/** The same in mW. */
export interface ControlLimits {
  readonly maxChargeMw?: number | undefined;
  readonly maxDischargeMw?: number | undefined;
  readonly maxImportMw?: number | undefined;
  readonly maxExportMw?: number | undefined;
}

const MOST_W = 100_000_000;
const watts = z.int().min(0).max(MOST_W).optional();

/** Key `controlLimits` of a driver that takes commands. */
export const controlLimitsSchema: z.ZodOptional<z.ZodType<ControlLimitOptions>> = z
  .strictObject({
    maxChargeW: watts.describe("Into a battery"),
    maxDischargeW: watts.describe("Out of a battery"),
    maxImportW: watts.describe("From the grid"),
    maxExportW: watts.describe("Into the grid, or out of an inverter"),
  })
  .optional()
  .describe("Most that commands may ask for, in W; needed where the device does not say it itself");

export function limitsOf(options: ControlLimitOptions | undefined): ControlLimits {
  const milli = (value: number | undefined): number | undefined =>
    value === undefined ? undefined : value * 1000;
  return {
    maxChargeMw: milli(options?.maxChargeW),
    maxDischargeMw: milli(options?.maxDischargeW),
    maxImportMw: milli(options?.maxImportW),
    maxExportMw: milli(options?.maxExportW),
  };
}

/** The smaller one of what the device says and what the installer allows. */
export function lowerOf(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}
