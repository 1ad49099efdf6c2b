import { checkInterval } from "../../attest/baseline/history.ts";
import { type Method, methodNamed } from "../../attest/baseline/methods.ts";
import { dayText, openZone } from "../../attest/baseline/zone.ts";
import type { CommitmentOrder } from "../../attest/flexibility/orders.ts";
import { decodeTerms, type FlexTerms } from "../../attest/flexibility/terms.ts";
import type { Offer } from "../../attest/leaf-flexibility.ts";
import { isSharedWith } from "../../attest/open-commitments.ts";
import { Problem } from "../../attest/problem.ts";
import type { FlexChannel, OfferSettings } from "./host.ts";
import { endOf, type KeptCommitment } from "./kept-commitment.ts";
import type { OfferCalendar } from "./offered-terms.ts";

/** What a commitment is judged against. */
export interface CommitmentContext {
  readonly nowMs: number;
  readonly intervalMs: number;
  readonly timeZone: string | undefined;
  readonly channel: FlexChannel;
  readonly offered: readonly OfferSettings[];
  /** Offer leaves of this epoch. */
  readonly offers: ReadonlyMap<number, Offer>;
  readonly commitments: readonly KeptCommitment[];
  /** Days that the owner agrees to count as a Sunday, and to leave out: those of the configuration, and of events. */
  readonly calendar: OfferCalendar;
}

const HOUR_MS = 3_600_000n;

/**
 * Throws unless the device may be bound by the order: `order-interval`, `order-terms`, `order-time-zone`,
 * `baseline-method`, `baseline-zone`, `baseline-interval`, `order-calendar`, `order-not-offered`, `order-offer`,
 * `commitment-overlap`.
 */
export function requireTakeable(order: CommitmentOrder, context: CommitmentContext): void {
  const { intervalMs } = context;
  if (order.intervalMs !== intervalMs)
    throw refused("order-interval", "the commitment is by other intervals than the log's", {
      expected: `${intervalMs} ms`,
      got: String(order.intervalMs),
    });
  checkInterval(intervalMs);
  const terms = decodeTerms(order.terms);
  requireTerms(terms, context.timeZone);
  requireCalendar(terms, context.calendar);
  requireOffered(order, terms, context);
  if (order.offerSeq !== undefined) requireWithinOffer(order, terms, context.offers.get(order.offerSeq));
  requireAlone(order, context);
}

/** Throws `order-late`: an order that came so late has expired as well, and this is the reason that helps. */
export function requireNotice({ fromMs, terms }: CommitmentOrder, nowMs: number): void {
  const { noticeMs } = decodeTerms(terms);
  if (nowMs + noticeMs <= fromMs) return;
  throw refused("order-late", "the commitment came after the notice that its terms ask for", {
    expected: `by ${fromMs - noticeMs}`,
    got: String(nowMs),
  });
}

function requireTerms(terms: FlexTerms, timeZone: string | undefined): void {
  const method: Method = methodNamed(terms.baselineMethod);
  if (method.kind !== "history")
    throw refused("order-terms", "by this method nothing is settled", { got: terms.baselineMethod });
  if (timeZone !== undefined && openZone(terms.timeZone).name !== openZone(timeZone).name)
    throw refused("order-time-zone", "the terms count the days of another place", {
      expected: timeZone,
      got: terms.timeZone,
    });
}

/** Who leaves out the days on which a device does much, or calls them Sundays, has lowered its baseline. */
function requireCalendar(terms: FlexTerms, calendar: OfferCalendar): void {
  for (const name of ["holidays", "excludedDays"] as const) {
    const stray = terms[name]?.find((day) => !calendar[name].includes(day));
    if (stray !== undefined)
      throw refused(
        "order-calendar",
        "the terms treat a day otherwise than the configuration and the log do",
        {
          where: `${name} ${dayText(stray)}`,
          hint: "the site's holidays and excludedDays are agreed on in its configuration",
        },
      );
  }
}

/** The owner's word: what the configuration does not offer is not taken, whoever asks. */
function requireOffered(
  order: CommitmentOrder,
  { direction, noticeMs, baselineMethod }: FlexTerms,
  { channel, offered }: CommitmentContext,
): void {
  const alike = offered.filter(
    (offer) =>
      offer.device === channel.device &&
      offer.channel === channel.channel &&
      offer.boundary === order.boundary &&
      offer.direction === direction,
  );
  const mostMw = Math.max(-1, ...alike.map(({ powerMw }) => powerMw));
  if (mostMw < 0)
    throw refused("order-not-offered", "the channel is not offered in that direction at that boundary", {
      where: `${channel.device}/${channel.channel}`,
    });
  const isNoted = alike.some((each) => each.noticeMs <= noticeMs && each.baselineMethod === baselineMethod);
  if (order.offerSeq === undefined && !isNoted)
    throw refused("order-not-offered", "the channel is not offered at so short a notice by that method", {
      expected: alike.map((each) => `${each.baselineMethod}, ${each.noticeMs} ms`).join("; "),
      got: `${baselineMethod}, ${noticeMs} ms`,
    });
  if (isWithin(order, mostMw)) return;
  throw refused("order-not-offered", "more than is offered of the channel", {
    expected: `at most ${mostMw} mW`,
  });
}

function requireWithinOffer(order: CommitmentOrder, terms: FlexTerms, offer: Offer | undefined): void {
  const isThat =
    offer !== undefined &&
    offer.channel === order.channel &&
    offer.boundary === order.boundary &&
    offer.direction === terms.direction &&
    offer.baselineMethod === terms.baselineMethod &&
    offer.noticeMs <= terms.noticeMs;
  if (!isThat)
    throw refused("order-offer", "the log has no such offer, or it is of something else", {
      where: `leaf ${order.offerSeq}`,
    });
  if (order.fromMs < offer.fromMs || endOf(order) > offer.toMs)
    throw refused("order-offer", "the commitment is not within the window of the offer", {
      expected: `within ${offer.fromMs} to ${offer.toMs}`,
      got: `${order.fromMs} to ${endOf(order)}`,
    });
  const totalMwh = order.deltaMwh.reduce((sum, delta) => sum + Math.abs(delta), 0);
  if (isWithin(order, offer.powerMw) && totalMwh <= (offer.energyMwh ?? totalMwh)) return;
  throw refused("order-offer", "the commitment is of more than was offered", {
    expected: `at most ${offer.powerMw} mW${offer.energyMwh === undefined ? "" : ` and ${offer.energyMwh} mWh`}`,
    got: `${totalMwh} mWh`,
  });
}

/** Whether no interval asks for more than the power gives in it. */
function isWithin({ deltaMwh, intervalMs }: CommitmentOrder, powerMw: number): boolean {
  const most = BigInt(powerMw) * BigInt(intervalMs);
  return deltaMwh.every((delta) => BigInt(Math.abs(delta)) * HOUR_MS <= most);
}

function requireAlone(order: CommitmentOrder, { commitments, nowMs }: CommitmentContext): void {
  const next = { ...order, toMs: endOf(order) };
  const other = commitments.find(
    ({ order: known, toMs }) => toMs > nowMs && isSharedWith({ ...known, toMs }, next),
  );
  if (other === undefined) return;
  throw refused("commitment-overlap", "the boundary is committed for that time already", {
    expected: `nothing between ${other.order.fromMs} and ${other.toMs}, which leaf ${other.seq} commits`,
  });
}

function refused(code: string, what: string, detail: ConstructorParameters<typeof Problem>[2]): Problem {
  return new Problem(code, what, detail);
}
