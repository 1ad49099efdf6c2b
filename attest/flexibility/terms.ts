import { type CborMap, decodeCborMap, encodeCbor } from "../cbor.ts";
import { type Field, may, must, type RecordCodec, recordCodec } from "../field.ts";
import { DIRECTION } from "../leaf-flexibility.ts";
import { Problem } from "../problem.ts";

/** By which rules a settlement is computed: docs/flexibility.md, "Settlement". */
export const SETTLEMENT_RULES = 1;

/** What both sides agree on before anything is committed: how delivered energy is computed. */
export interface FlexTerms {
  /** A number of DIRECTION. */
  readonly direction: number;
  /** Name and version, such as "h10/1". */
  readonly baselineMethod: string;
  /** IANA name of the site's time zone, by which days are alike. */
  readonly timeZone: string;
  /** The commitment must be receipted so long before it begins, ms. */
  readonly noticeMs: number;
  readonly settlementRules: number;
  /** Local days, since 1970, that count as a Sunday does. */
  readonly holidays?: readonly number[];
  /** Local days, since 1970, that no baseline uses: those of other events. */
  readonly excludedDays?: readonly number[];
}

const TERMS_FIELDS: Readonly<Record<keyof FlexTerms, Field>> = {
  direction: must(1, "uint"),
  baselineMethod: must(2, "text"),
  timeZone: must(3, "text"),
  noticeMs: must(4, "uint"),
  settlementRules: must(5, "uint"),
  holidays: may(6, "dayOfInts"),
  excludedDays: may(7, "dayOfInts"),
};
const codec: RecordCodec<FlexTerms> = recordCodec<FlexTerms>("terms", TERMS_FIELDS);
/** A week: beyond that nobody knows what a home will do. */
const LONGEST_NOTICE_MS = 604_800_000;

/** The terms as bytes: their SHA-256 is the terms digest. Throws `field` or `order-terms`. */
export function encodeTerms(terms: FlexTerms): Uint8Array {
  return encodeCbor(codec.toMap(requireTerms(terms)));
}

/** Throws `cbor-…`, `field`, `unknown-key` or `order-terms`. */
export function decodeTerms(bytes: Uint8Array): FlexTerms {
  const map: CborMap = decodeCborMap(bytes);
  return requireTerms(codec.fromMap(map));
}

function requireTerms(terms: FlexTerms): FlexTerms {
  const { direction, noticeMs, settlementRules, holidays = [], excludedDays = [] } = terms;
  if (direction !== DIRECTION.reduce && direction !== DIRECTION.increase)
    throw wrong("direction", "1 or 2", direction);
  if (noticeMs > LONGEST_NOTICE_MS) throw wrong("notice", `at most ${LONGEST_NOTICE_MS} ms`, noticeMs);
  if (settlementRules !== SETTLEMENT_RULES)
    throw wrong("settlement rules", String(SETTLEMENT_RULES), settlementRules);
  for (const days of [holidays, excludedDays])
    if (days.some((day, at) => day < 0 || day <= (days[at - 1] ?? -1)))
      throw wrong("days", "days since 1970, strictly ascending", days.join(", "));
  return terms;
}

function wrong(where: string, expected: string, got: number | string): Problem {
  return new Problem("order-terms", "the terms cannot be settled", { where, expected, got: String(got) });
}
