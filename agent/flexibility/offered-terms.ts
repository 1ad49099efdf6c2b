import { encodeCbor } from "../../attest/cbor.ts";
import { encodeTerms, type FlexTerms, SETTLEMENT_RULES } from "../../attest/flexibility/terms.ts";
import { nativeSuite } from "../../attest/native.ts";
import type { OfferSettings } from "./host.ts";

/** How far back the longest look-back of a baseline method goes. */
const CALENDAR_DAYS = 60;

/** The local days that can matter to a window of one day, each list ascending. */
export interface OfferCalendar {
  readonly holidays: readonly number[];
  readonly excludedDays: readonly number[];
}

/** Of two lists of days, those from 60 days before the window's own day up to it. */
export function calendarOf(day: number, { holidays, excludedDays }: OfferCalendar): OfferCalendar {
  const near = (days: readonly number[]): number[] =>
    [...new Set(days)].filter((each) => each >= day - CALENDAR_DAYS && each <= day).sort((a, b) => a - b);
  return { holidays: near(holidays), excludedDays: near(excludedDays) };
}

/** The terms under which a window is offered; a list of days without any is absent. */
export function offeredTerms(
  offer: Pick<OfferSettings, "direction" | "baselineMethod" | "noticeMs">,
  timeZone: string,
  { holidays, excludedDays }: OfferCalendar,
): FlexTerms {
  return {
    direction: offer.direction,
    baselineMethod: offer.baselineMethod,
    timeZone,
    noticeMs: offer.noticeMs,
    settlementRules: SETTLEMENT_RULES,
    ...(holidays.length === 0 ? {} : { holidays }),
    ...(excludedDays.length === 0 ? {} : { excludedDays }),
  };
}

/** `parametersDigest` of an offer leaf: SHA-256 of the encoded terms. */
export function parametersDigest(terms: FlexTerms): Uint8Array {
  return nativeSuite.sha256(encodeTerms(terms));
}

/**
 * `calendarDigest` of an offer leaf: SHA-256 of the deterministic CBOR map `{1: holidays, 2: excludedDays}`, each an array
 * of local days since 1970, ascending, without repetition, from 60 days before the window's day up to it; both are
 * there also when they are empty.
 */
export function calendarDigest({ holidays, excludedDays }: OfferCalendar): Uint8Array {
  return nativeSuite.sha256(
    encodeCbor(
      new Map([
        [1, [...holidays]],
        [2, [...excludedDays]],
      ]),
    ),
  );
}
