import { z } from "zod";
import { dayNumber } from "../../attest/baseline/zone.ts";
import { fromHex } from "../../attest/bytes.ts";
import { LEAST_STEPS, MOST_STEPS } from "../../attest/flexibility/orders.ts";
import { describeProblem } from "../../attest/problem.ts";
import { requiredTime } from "../http/query.ts";

/** A day of intervals with their energies, and two lists of days, take some 4 KB. */
export const MAX_BODY_BYTES = 8192;
const MOST_INTERVALS = 100;
const MOST_DAYS = 100;
const WEEK_SECONDS = 604_800;

/** A value of the body that `parse` makes of a text; what that throws is the issue. */
function parsed<T>(parse: (text: string) => T): z.ZodType<T> {
  return z.string().transform((text, context) => {
    try {
      return parse(text);
    } catch (thrown) {
      context.addIssue({ code: "custom", message: describeProblem(thrown).message });
      return z.NEVER;
    }
  });
}

/** ISO 8601 with zone, or ms since 1970; to ms. */
const time = z.union([z.int().min(0), parsed((text) => requiredTime({ time: text }, "time"))], {
  error: "expected ISO 8601 with zone such as 2026-01-31T12:00:00Z, or ms since 1970",
});
const day = parsed((text) => dayNumber(text));
/** Days since 1970, ascending, each once. */
const days = z
  .array(day)
  .max(MOST_DAYS)
  .transform((all) => [...new Set(all)].sort((a, b) => a - b));
const orderId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, "expected 32 hexadecimal digits")
  .transform((text) => fromHex(text, "order"));
/** By name or by number. */
const channel = z.union([z.string().min(1).max(128), z.int().min(0)], {
  error: "expected the name or the number of a channel",
});
const ramp = z.int().min(1);

export interface CommitmentBody {
  readonly channel: string | number;
  readonly boundary: "device" | "site";
  readonly direction: "reduce" | "increase";
  readonly from: number;
  readonly deltaMwh: number[];
  readonly baselineMethod: string;
  readonly timeZone: string;
  readonly noticeSeconds: number;
  readonly holidays?: number[];
  readonly excludedDays?: number[];
  /** Seq of the offer that it takes. */
  readonly offer?: number;
  readonly expires?: number;
}

export const commitmentBody: z.ZodType<CommitmentBody> = z.strictObject({
  channel,
  boundary: z.enum(["device", "site"]).default("device"),
  direction: z.enum(["reduce", "increase"]),
  from: time,
  deltaMwh: z.array(z.int()).min(1).max(MOST_INTERVALS),
  baselineMethod: z.string().min(1).max(64),
  timeZone: z.string().min(1).max(64),
  noticeSeconds: z.int().min(0).max(WEEK_SECONDS),
  holidays: days.exactOptional(),
  excludedDays: days.exactOptional(),
  offer: z.int().min(0).exactOptional(),
  expires: time.exactOptional(),
});

/** One of the three values. */
export interface DispatchBody {
  readonly channel?: string | number;
  readonly commitment?: Uint8Array;
  readonly from: number;
  readonly to: number;
  readonly powerMw?: number;
  readonly importLimitMw?: number;
  readonly exportLimitMw?: number;
  readonly rampMwPerSecond?: number;
  readonly supersedes?: Uint8Array;
  readonly expires?: number;
}

const VALUES = ["powerMw", "importLimitMw", "exportLimitMw"] as const;

export const dispatchBody: z.ZodType<DispatchBody> = z
  .strictObject({
    channel: channel.exactOptional(),
    commitment: orderId.exactOptional(),
    from: time,
    to: time,
    powerMw: z.int().exactOptional(),
    importLimitMw: z.int().min(0).exactOptional(),
    exportLimitMw: z.int().min(0).exactOptional(),
    rampMwPerSecond: ramp.exactOptional(),
    supersedes: orderId.exactOptional(),
    expires: time.exactOptional(),
  })
  .refine((body) => VALUES.filter((name) => body[name] !== undefined).length === 1, {
    path: ["powerMw"],
    message: `expected one of ${VALUES.join(", ")}`,
  })
  .refine((body) => body.channel !== undefined || body.commitment !== undefined, {
    path: ["channel"],
    message: "expected a channel, or a commitment that has one",
  });

/** Powers, or that the device is to follow its baseline and the committed delta. */
export interface CallBody {
  readonly channel?: string | number;
  readonly powerMw?: number | number[];
  readonly follow?: true;
  readonly rampMwPerSecond?: number;
}

export const callBody: z.ZodType<CallBody> = z
  .strictObject({
    channel: channel.exactOptional(),
    powerMw: z.union([z.int(), z.array(z.int()).min(1).max(MOST_INTERVALS)]).exactOptional(),
    follow: z.literal(true).exactOptional(),
    rampMwPerSecond: ramp.exactOptional(),
  })
  .refine(({ powerMw, follow }) => (powerMw === undefined) !== (follow === undefined), {
    path: ["powerMw"],
    message: 'expected powerMw, or "follow": true',
  });

/** What is left out is of the configuration, or of what the device shows. */
export interface ChallengeBody {
  readonly channel: string | number;
  readonly siteChannel?: string | number;
  readonly steps?: number;
  readonly stepSeconds?: number;
  readonly midMw?: number;
  readonly halfSwingMw?: number;
  readonly startBy?: number;
}

export const challengeBody: z.ZodType<ChallengeBody> = z.strictObject({
  channel,
  siteChannel: channel.exactOptional(),
  steps: z.int().min(LEAST_STEPS).max(MOST_STEPS).exactOptional(),
  stepSeconds: z.int().min(1).max(900).exactOptional(),
  midMw: z.int().exactOptional(),
  halfSwingMw: z.int().min(1).exactOptional(),
  startBy: time.exactOptional(),
});
