import { z } from "zod";
import type { TrackRecord } from "../../attest/flexibility/track-record.ts";
import { Problem } from "../../attest/problem.ts";

/** What the node answers about flexibility, as far as it is printed. */

const offer = z.object({
  ...{ seq: z.number(), channel: z.number(), boundary: z.string(), direction: z.string(), from: z.string() },
  ...{ to: z.string(), powerMw: z.number(), energyMwh: z.number().optional(), noticeSeconds: z.number() },
  baselineMethod: z.string(),
});
export interface ListedOffer {
  readonly seq: number;
  readonly channel: number;
  readonly boundary: string;
  readonly direction: string;
  readonly from: string;
  readonly to: string;
  readonly powerMw: number;
  readonly energyMwh?: number | undefined;
  readonly noticeSeconds: number;
  readonly baselineMethod: string;
}

const reading = z.object({
  ...{ channel: z.number(), time: z.string(), available: z.boolean() },
  ...{ reducePowerMw: z.number().optional(), increasePowerMw: z.number().optional() },
  ...{ reduceEnergyMwh: z.number().optional(), increaseEnergyMwh: z.number().optional() },
  ...{ minSetpointMw: z.number().optional(), maxSetpointMw: z.number().optional() },
});
export interface ListedReading {
  readonly channel: number;
  readonly time: string;
  readonly available: boolean;
  readonly reducePowerMw?: number | undefined;
  readonly increasePowerMw?: number | undefined;
  readonly reduceEnergyMwh?: number | undefined;
  readonly increaseEnergyMwh?: number | undefined;
  readonly minSetpointMw?: number | undefined;
  readonly maxSetpointMw?: number | undefined;
}

const open = z.object({
  ...{ seq: z.number(), channel: z.number(), boundary: z.string(), from: z.string(), to: z.string() },
});
export interface ListedOpen {
  readonly seq: number;
  readonly channel: number;
  readonly boundary: string;
  readonly from: string;
  readonly to: string;
}

const said = z.object({ state: z.string(), time: z.string(), reason: z.string().optional() });
const problem = z.object({ code: z.string(), message: z.string() });
const judged = z.object({ answer: z.string(), codes: z.array(z.string()) });
const result = z.object({
  result: z.string().optional(),
  counts: z.boolean().optional(),
  passed: z.boolean().optional(),
  completenessPpm: z.number().optional(),
  totals: z.record(z.string(), z.number()).optional(),
  verdict: z
    .object({
      faults: z.array(problem).optional(),
      remarks: z.array(problem).optional(),
      settled: z.object({ reason: problem.optional() }).optional(),
      ...{ codes: z.array(z.string()).optional(), listening: judged.optional() },
      ...{ flexible: judged.optional(), behindMeter: judged.optional() },
    })
    .optional(),
  code: z.string().optional(),
  message: z.string().optional(),
  computed: z.string(),
});
const order = z.object({
  ...{ id: z.string(), kind: z.string(), state: z.string(), channel: z.number(), expires: z.string() },
  ...{ code: z.string().optional(), message: z.string().optional(), seq: z.number().optional() },
  ...{ from: z.string().optional(), to: z.string().optional(), startBy: z.string().optional() },
  ...{ powerMw: z.number().optional(), importLimitMw: z.number().optional() },
  ...{ exportLimitMw: z.number().optional(), deltaMwh: z.array(z.number()).optional() },
  ...{ withdraws: z.string().optional(), commitment: z.string().optional() },
  acknowledgements: z.array(said).optional(),
  result: result.optional(),
});
export interface ListedOrder {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly channel: number;
  readonly expires: string;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly seq?: number | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly startBy?: string | undefined;
  readonly powerMw?: number | undefined;
  readonly importLimitMw?: number | undefined;
  readonly exportLimitMw?: number | undefined;
  readonly deltaMwh?: readonly number[] | undefined;
  readonly withdraws?: string | undefined;
  readonly commitment?: string | undefined;
  readonly acknowledgements?:
    | readonly { readonly state: string; readonly time: string; readonly reason?: string | undefined }[]
    | undefined;
  readonly result?: ListedResult | undefined;
}

interface Said {
  readonly code: string;
  readonly message: string;
}

/** An answer to one of the questions of a challenge. */
export interface Judged {
  readonly answer: string;
  readonly codes: readonly string[];
}

/** Of a settlement the first three, of a challenge the others. */
export interface ListedVerdict {
  readonly faults?: readonly Said[] | undefined;
  readonly remarks?: readonly Said[] | undefined;
  readonly settled?: { readonly reason?: Said | undefined } | undefined;
  readonly codes?: readonly string[] | undefined;
  readonly listening?: Judged | undefined;
  readonly flexible?: Judged | undefined;
  readonly behindMeter?: Judged | undefined;
}

export interface ListedResult {
  readonly result?: string | undefined;
  readonly counts?: boolean | undefined;
  readonly passed?: boolean | undefined;
  readonly completenessPpm?: number | undefined;
  readonly totals?: Readonly<Record<string, number>> | undefined;
  readonly verdict?: ListedVerdict | undefined;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly computed: string;
}

const flexibility = z.object({
  ...{ offers: z.array(offer), commitments: z.array(open), readings: z.array(reading) },
  ...{ orders: z.array(order), next: z.string().nullable() },
});
const channels = z.object({ channels: z.array(z.object({ channel: z.number(), name: z.string() })) });
const dispatches = z.object({ dispatches: z.array(order) });
const trackRecord = z.object({
  ...{ epoch: z.number(), asOf: z.string(), delivered: z.number(), partial: z.number(), failed: z.number() },
  unsettled: z.number(),
  ...{ optedOut: z.number(), unavailable: z.number(), notCalled: z.number(), open: z.number() },
  ...{ disagreements: z.number(), committedMwh: z.number(), deliveredMwh: z.number() },
  challenges: z.record(z.string(), z.number()),
});
export interface ListedRecord extends Omit<TrackRecord, "commitments" | "challenges"> {
  readonly epoch: number;
  readonly asOf: string;
  readonly challenges: Readonly<Record<string, number>>;
}

export interface ListedFlexibility {
  readonly offers: readonly ListedOffer[];
  readonly commitments: readonly ListedOpen[];
  readonly readings: readonly ListedReading[];
  readonly orders: readonly ListedOrder[];
  readonly next: string | null;
}

/** Throws `node-answer` for an answer of another shape, as each of these. */
export function flexibilityOf(answer: unknown): ListedFlexibility {
  return shaped(flexibility, answer);
}

/** Names of a device's channels, by number. */
export function channelsOf(answer: unknown): ReadonlyMap<number, string> {
  return new Map(shaped(channels, answer).channels.map(({ channel, name }) => [channel, name]));
}

export function orderOf(answer: unknown): ListedOrder {
  return shaped(order, answer);
}

export function dispatchesOf(answer: unknown): readonly ListedOrder[] {
  return shaped(dispatches, answer).dispatches;
}

export function trackRecordOf(answer: unknown): ListedRecord {
  return shaped(trackRecord, answer);
}

function shaped<Schema extends z.ZodType>(schema: Schema, answer: unknown): z.output<Schema> {
  const found = schema.safeParse(answer);
  if (found.success) return found.data;
  throw new Problem("node-answer", "the node's answer is of another shape", {
    hint: "is the node of the same version as this program?",
  });
}
