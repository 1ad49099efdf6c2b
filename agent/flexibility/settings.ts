import { z } from "zod";
import { dayNumber } from "../../attest/baseline/zone.ts";
import { BOUNDARY, DIRECTION } from "../../attest/leaf-flexibility.ts";
import { describeProblem } from "../../attest/problem.ts";
import { kilowattsToMw } from "../config/units.ts";
import type { FlexibilityConfig, OfferSettings } from "./host.ts";

const MINUTE_MS = 60_000;
const MAX_KILOWATTS = 1_000_000;
/** A week: what terms allow at most. */
const MAX_NOTICE_MINUTES = 10_080;
const MAX_DAYS_AHEAD = 14;
const MAX_OFFERS = 32;
const MAX_DAYS = 1000;
/** Methods that settle by metered history: a nomination is not a leaf yet, and a mean before the event settles nothing. */
const METHODS = ["h10/1", "h10-sda20/1", "h5of10-sda20/1", "h4of5-saa/1", "mid8of10/1"] as const;

const decimal = z
  .number()
  .positive()
  .max(MAX_KILOWATTS)
  .refine((value) => kilowattsToMw(value) !== undefined, { error: "at most six digits behind the point" });

const offerSchema = z
  .strictObject({
    resource: z
      .string()
      .regex(/^[a-z0-9-]+\/.+$/, { error: "expected DEVICE/CHANNEL, such as battery/battery" })
      .describe(
        "what is metered: a device's id and the driver's name of its channel, such as battery/battery",
      ),
    boundary: z
      .enum(["device", "site"])
      .default("device")
      .describe("device: the device's own channel; site: the meter of the whole site"),
    direction: z
      .enum(["reduce", "increase"])
      .describe("reduce: import goes down (discharge, load off); increase: it goes up (charge, load on)"),
    powerKw: decimal.describe("the most that may be committed at any time"),
    energyKwh: decimal
      .exactOptional()
      .describe("the most that may be committed in one window; left out: as much as the power gives"),
    between: z
      .string()
      .refine((text) => clockTimes(text) !== undefined, {
        error: "expected two local times of one day, such as 17:00-21:00; the end may be 24:00",
      })
      .describe("local times between which it is offered, such as 17:00-21:00"),
    daysAhead: z
      .int()
      .min(0)
      .max(MAX_DAYS_AHEAD)
      .default(1)
      .describe("for which day it is offered: 0 today, 1 tomorrow"),
    noticeMinutes: z
      .int()
      .min(0)
      .max(MAX_NOTICE_MINUTES)
      .default(60)
      .describe("how long before its begin a commitment must have come"),
    baselineMethod: z.enum(METHODS).default("h10/1").describe("what delivered energy is compared with"),
  })
  .transform(toSettings);

const day = z
  .string()
  .refine((text) => dayOf(text) !== undefined, { error: "expected a date such as 2026-12-25" });
const days = z
  .array(day)
  .max(MAX_DAYS)
  .default([])
  .transform((texts) => [...new Set(texts.flatMap((text) => dayOf(text) ?? []))].sort((a, b) => a - b));

/** Schema of the key `flexibility`. */
export const flexibilitySchema: z.ZodType<FlexibilityConfig> = z.strictObject({
  offers: z
    .array(offerSchema)
    .max(MAX_OFFERS)
    .default([])
    .describe("what is offered once a day; nothing else can be committed. site.timeZone must be set"),
  holidays: days.describe("days that count as a Sunday does, such as 2026-12-25"),
  excludedDays: days.describe("days that no baseline uses, beside those on which a commitment was called"),
});

function toSettings({
  resource,
  boundary,
  direction,
  powerKw,
  energyKwh,
  between,
  noticeMinutes,
  ...rest
}: {
  readonly resource: string;
  readonly boundary: "device" | "site";
  readonly direction: "reduce" | "increase";
  readonly powerKw: number;
  readonly energyKwh?: number;
  readonly between: string;
  readonly noticeMinutes: number;
  readonly daysAhead: number;
  readonly baselineMethod: string;
}): OfferSettings {
  const slash = resource.indexOf("/");
  const energyMwh = energyKwh === undefined ? undefined : kilowattsToMw(energyKwh);
  return {
    ...rest,
    // What was refined above is there; 0 would offer nothing.
    ...(clockTimes(between) ?? { fromClockMs: 0, toClockMs: 0 }),
    device: resource.slice(0, slash),
    channel: resource.slice(slash + 1),
    boundary: BOUNDARY[boundary],
    direction: DIRECTION[direction],
    powerMw: kilowattsToMw(powerKw) ?? 0,
    ...(energyMwh === undefined ? {} : { energyMwh }),
    noticeMs: noticeMinutes * MINUTE_MS,
  };
}

/** Of "17:00-21:00": ms since 00:00. */
function clockTimes(text: string): Pick<OfferSettings, "fromClockMs" | "toClockMs"> | undefined {
  const match = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d:[0-5]\d|2[0-3]:[0-5]\d|24:00)$/.exec(text);
  if (match === null) return undefined;
  const [, hour, minute, end = ""] = match;
  const [toHour, toMinute] = end.split(":");
  const fromClockMs = (Number(hour) * 60 + Number(minute)) * MINUTE_MS;
  const toClockMs = (Number(toHour) * 60 + Number(toMinute)) * MINUTE_MS;
  return fromClockMs < toClockMs ? { fromClockMs, toClockMs } : undefined;
}

function dayOf(text: string): number | undefined {
  try {
    return dayNumber(text);
  } catch (thrown) {
    if (describeProblem(thrown).code === "baseline-day") return undefined;
    throw thrown;
  }
}
