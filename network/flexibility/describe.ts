import { dayText } from "../../attest/baseline/zone.ts";
import { toHex } from "../../attest/bytes.ts";
import { parseObject } from "../../attest/cose.ts";
import type { ChallengeOrder, CommitmentOrder, DispatchOrder } from "../../attest/flexibility/orders.ts";
import { openOrder } from "../../attest/flexibility/orders.ts";
import { decodeTerms } from "../../attest/flexibility/terms.ts";
import { isoTime } from "../../attest/iso-time.ts";
import {
  ACKNOWLEDGEMENT,
  BOUNDARY,
  DIRECTION,
  type FlexibilityLeaf,
  type Offer,
} from "../../attest/leaf-flexibility.ts";
import type { OpenCommitment } from "../../attest/open-commitments.ts";
import type { Desk } from "./desk.ts";
import type { KeptOrder } from "./order-record.ts";

/** Orders and what devices say about them, as they are answered: names as in leaves, times as ISO 8601. */

/** One order with all that is known of it. */
export function describeOrder({ suite, orders }: Pick<Desk, "suite" | "orders">, kept: KeptOrder): object {
  const { kind, state, code, message, epoch, seq, result, random } = kept;
  const said = acknowledgements(orders, kept);
  return {
    ...{ id: toHex(kept.objectId), digest: toHex(kept.digest), kind, state },
    ...(code === null ? {} : { code, message: message ?? "" }),
    ...{ issued: isoTime(kept.issuedMs), expires: isoTime(kept.expiresMs), epoch, random },
    ...(kept.sentMs === null ? {} : { sent: isoTime(kept.sentMs) }),
    ...(seq === null ? {} : { seq }),
    ...asked(openOrder(suite, kept.bytes, parseObject(kept.bytes).kid)),
    // A commitment is answered by being sealed; later only if its owner opts out of it.
    ...(kind === "commitment" && said.length === 0 ? {} : { acknowledgements: said }),
    ...(kept.settlementSeq === null ? {} : { settlementSeq: kept.settlementSeq }),
    ...(result === null ? {} : { result: { ...result.value, computed: isoTime(result.computedMs) } }),
  };
}

function acknowledgements(orders: Desk["orders"], { id }: KeptOrder): object[] {
  return orders.acknowledgements(id).map(({ seq, state, reason, leafMs }) => ({
    ...{ seq, state: nameOf(ACKNOWLEDGEMENT, state), time: isoTime(leafMs) },
    ...(reason === null ? {} : { reason }),
  }));
}

function asked(opened: ReturnType<typeof openOrder>): object {
  switch (opened.kind) {
    case "commitment":
      return describeCommitment(opened.order);
    case "dispatch":
      return describeDispatch(opened.order);
    case "challenge":
      return describeChallenge(opened.order);
  }
}

function describeCommitment(order: CommitmentOrder): object {
  const { channel, boundary, fromMs, intervalMs, deltaMwh, offerSeq } = order;
  const { direction, baselineMethod, timeZone, noticeMs, holidays, excludedDays } = decodeTerms(order.terms);
  return {
    ...{ channel, boundary: nameOf(BOUNDARY, boundary), direction: nameOf(DIRECTION, direction) },
    ...{ from: isoTime(fromMs), to: isoTime(fromMs + intervalMs * deltaMwh.length) },
    ...{
      intervalSeconds: intervalMs / 1000,
      deltaMwh,
      baselineMethod,
      timeZone,
      noticeSeconds: noticeMs / 1000,
    },
    ...(holidays === undefined ? {} : { holidays: holidays.map(dayText) }),
    ...(excludedDays === undefined ? {} : { excludedDays: excludedDays.map(dayText) }),
    ...(offerSeq === undefined ? {} : { offer: offerSeq }),
  };
}

const COMMANDS: Readonly<Record<number, string>> = { 1: "powerMw", 2: "importLimitMw", 3: "exportLimitMw" };

function describeDispatch(order: DispatchOrder): object {
  const { channel, commitmentId, fromMs, toMs, command = 0, value, rampMwPerSecond, withdraws } = order;
  const name = COMMANDS[command];
  return {
    ...{ channel, from: isoTime(fromMs), to: isoTime(toMs) },
    ...(commitmentId === undefined ? {} : { commitment: toHex(commitmentId) }),
    ...(name === undefined || value === undefined ? {} : { [name]: value }),
    ...(rampMwPerSecond === undefined ? {} : { rampMwPerSecond }),
    ...(withdraws === undefined ? {} : { withdraws: toHex(withdraws) }),
  };
}

function describeChallenge(order: ChallengeOrder): object {
  const { channel, siteChannel, steps, stepMs, midMw, halfSwingMw, startByMs } = order;
  return {
    ...{ channel, ...(siteChannel === undefined ? {} : { siteChannel }), steps, stepSeconds: stepMs / 1000 },
    ...{ midMw, halfSwingMw, startBy: isoTime(startByMs), nonce: toHex(order.nonce) },
  };
}

export function describeOffer(offer: Offer): object {
  const { seq, channel, fromMs, toMs, powerMw, energyMwh, noticeMs, baselineMethod, biasPpm } = offer;
  const { relativeRmsePpm, timeMs } = offer;
  return {
    ...{ seq, time: isoTime(timeMs), channel, boundary: nameOf(BOUNDARY, offer.boundary) },
    ...{ direction: nameOf(DIRECTION, offer.direction), from: isoTime(fromMs), to: isoTime(toMs), powerMw },
    ...(energyMwh === undefined ? {} : { energyMwh }),
    ...{ noticeSeconds: noticeMs / 1000, baselineMethod },
    ...(biasPpm === undefined ? {} : { biasPpm }),
    ...(relativeRmsePpm === undefined ? {} : { relativeRmsePpm }),
  };
}

export function describeOpen({ seq, channel, boundary, fromMs, toMs }: OpenCommitment): object {
  return { seq, channel, boundary: nameOf(BOUNDARY, boundary), from: isoTime(fromMs), to: isoTime(toMs) };
}

/** A flexibility reading: what it says, under the leaf's own names. */
export function describeReading(reading: FlexibilityLeaf): object {
  const {
    kind: _k,
    salt: _s,
    evidence: _e,
    extensions: _x,
    manifestSeq: _m,
    manifestHash: _h,
    ...rest
  } = reading;
  const { timeMs, timeQuality: _q, boundary, t0Ms, t1Ms, availability, ...values } = rest;
  return {
    ...{
      ...values,
      time: isoTime(timeMs),
      boundary: nameOf(BOUNDARY, boundary),
      available: availability === 1,
    },
    ...(t0Ms === undefined ? {} : { t0: isoTime(t0Ms) }),
    ...(t1Ms === undefined ? {} : { t1: isoTime(t1Ms) }),
  };
}

function nameOf(table: Readonly<Record<string, number>>, number: number): string {
  return Object.entries(table).find(([, value]) => value === number)?.[0] ?? String(number);
}
