import type { Adjustment } from "../baseline/adjustment.ts";
import type { Rational } from "../baseline/rational.ts";
import { equalBytes, toHex } from "../bytes.ts";
import { ACKNOWLEDGEMENT, BOUNDARY, DIRECTION, SETTLEMENT } from "../leaf-flexibility.ts";
import { endOf } from "./proof-evidence.ts";
import type { ShownLife } from "./proof-life.ts";
import type { Settled, SettledDay } from "./settle-types.ts";

/** What was agreed, as plain data. */
export interface CommitmentTerms {
  readonly seq: number;
  /** In hexadecimal, as every id and digest here. */
  readonly objectId: string;
  readonly termsDigest: string;
  readonly boundary: keyof typeof BOUNDARY;
  readonly direction: keyof typeof DIRECTION;
  readonly fromMs: number;
  readonly toMs: number;
  readonly deltaMwh: readonly number[];
  /** From here on the device knew; by the node's clock. */
  readonly issuedAtMs: number;
  /** By then a trusted node had to have it. */
  readonly dueByMs: number;
  /** When the first trusted node had it. */
  readonly receiptedAtMs?: number;
  readonly baselineMethod: string;
  readonly timeZone: string;
  readonly holidays?: readonly number[];
  readonly excludedDays?: readonly number[];
  readonly offerSeq?: number;
}

/** A dispatch and what the device answered, as plain data. */
export interface JudgedDispatch {
  readonly seq: number;
  readonly objectId: string;
  readonly digest: string;
  readonly issuedAtMs: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly command?: number;
  readonly value?: number;
  readonly withdraws?: string;
  /** Whether the node's list names it; absent without a list. */
  readonly listed?: boolean;
  readonly acknowledgements: readonly {
    readonly seq: number;
    readonly state: string;
    readonly timeMs: number;
    readonly reason?: string;
  }[];
}

/** An {@link Adjustment} whose fractions are texts such as "4/5". */
export type PlainAdjustment =
  | { readonly kind: "none"; readonly why: string }
  | {
      readonly kind: "ratio" | "shift";
      readonly fromMs: number;
      readonly toMs: number;
      readonly ratio?: string;
      readonly applied?: string;
      readonly perIntervalMwh?: string;
    };

/** What was settled, as plain data. */
export interface PlainSettled extends Omit<Settled, "days" | "result" | "remarks"> {
  readonly result?: keyof typeof SETTLEMENT | "unknown";
  readonly days: readonly (Omit<SettledDay, "adjustment"> & { readonly adjustment: PlainAdjustment })[];
}

export function termsOf({ commitment, order, terms }: ShownLife, receiptedAtMs?: number): CommitmentTerms {
  const { seq, boundary, fromMs, deltaMwh, offerSeq } = commitment;
  const { holidays, excludedDays, baselineMethod, timeZone } = terms;
  return {
    ...{ seq, objectId: toHex(order.objectId), termsDigest: toHex(commitment.termsDigest) },
    boundary: boundary === BOUNDARY.site ? "site" : "device",
    direction: terms.direction === DIRECTION.increase ? "increase" : "reduce",
    ...{ fromMs, toMs: endOf(commitment), deltaMwh, issuedAtMs: order.issuedAtMs },
    dueByMs: fromMs - terms.noticeMs,
    ...(receiptedAtMs !== undefined && { receiptedAtMs }),
    ...{ baselineMethod, timeZone, ...(holidays && { holidays }), ...(excludedDays && { excludedDays }) },
    ...(offerSeq !== undefined && { offerSeq }),
  };
}

export function judgedDispatches({ dispatches, acknowledgements, list }: ShownLife): JudgedDispatch[] {
  const listed = list && digestsOf(list.digests);
  return dispatches.map(({ leaf, order, digest }) => {
    const { issuedAtMs, fromMs, toMs, command, value, withdraws } = order;
    return {
      ...{ seq: leaf.seq, objectId: toHex(order.objectId), digest: toHex(digest), issuedAtMs, fromMs, toMs },
      ...(command !== undefined && { command }),
      ...(value !== undefined && { value }),
      ...(withdraws && { withdraws: toHex(withdraws) }),
      ...(listed && { listed: listed.some((known) => equalBytes(known, digest)) }),
      acknowledgements: acknowledgements
        .filter(({ orderSeq }) => orderSeq === leaf.seq)
        .map(({ seq, timeMs, state, reason }) => ({
          ...{ seq, state: nameOf(ACKNOWLEDGEMENT, state), timeMs },
          ...(reason !== undefined && { reason }),
        })),
    };
  });
}

/** The digests of a dispatch list, one by one. */
export function digestsOf(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: bytes.length / 32 }, (_, at) => bytes.slice(at * 32, (at + 1) * 32));
}

export function plainSettled({ days, result, remarks: _, ...rest }: Settled): PlainSettled {
  return {
    ...rest,
    ...(result !== undefined && { result: resultName(result) }),
    days: days.map(({ adjustment, ...day }) => ({ ...day, adjustment: plainAdjustment(adjustment) })),
  };
}

function resultName(result: number): keyof typeof SETTLEMENT | "unknown" {
  for (const name of [
    "delivered",
    "partial",
    "notDelivered",
    "optedOut",
    "unavailable",
    "dataInvalid",
  ] as const)
    if (SETTLEMENT[name] === result) return name;
  return "unknown";
}

function plainAdjustment(adjustment: Adjustment): PlainAdjustment {
  switch (adjustment.kind) {
    case "none":
      return adjustment;
    case "ratio":
      return { ...adjustment, ratio: fraction(adjustment.ratio), applied: fraction(adjustment.applied) };
    case "shift":
      return { ...adjustment, perIntervalMwh: fraction(adjustment.perIntervalMwh) };
  }
}

function fraction({ numerator, denominator }: Rational): string {
  return `${numerator}/${denominator}`;
}

function nameOf(table: Readonly<Record<string, number>>, number: number): string {
  return Object.entries(table).find(([, value]) => value === number)?.[0] ?? String(number);
}
