import { type CommitmentOrder, signCommitment } from "../../attest/flexibility/orders.ts";
import { encodeTerms, type FlexTerms, SETTLEMENT_RULES } from "../../attest/flexibility/terms.ts";
import { BOUNDARY, DIRECTION } from "../../attest/leaf-flexibility.ts";
import type { CommitmentBody } from "./bodies.ts";
import {
  channelNumber,
  type Promised,
  requireBoundary,
  requireCommitmentTimes,
  requireFree,
  requireOffered,
  requireTerms,
} from "./checks.ts";
import { commitmentOf, type Desk, ID_BYTES, keepOrder } from "./desk.ts";
import type { DeviceLog } from "./device-log.ts";
import type { KeptOrder } from "./order-record.ts";

/**
 * Signs a commitment for a device and has it sent. Throws `device-unknown`, `channel-unknown`, `baseline-method`,
 * `baseline-zone`, `orders-full`, `order-boundary`, `-terms`, `-interval`, `-notice`, `-offer`, `-overlap` or `-field`.
 */
export async function commit(desk: Desk, deviceKey: Uint8Array, body: CommitmentBody): Promise<KeptOrder> {
  const { log: number } = await desk.logs.newest(deviceKey);
  await desk.refresh(deviceKey, number);
  const log = await desk.logs.newest(deviceKey);
  const terms = termsOf(body);
  requireTerms(terms);
  const order = orderOf(desk, log, { body, terms });
  requireBoundary(log, order.channel, order.boundary);
  requireCommitmentTimes(order, { log, terms });
  if (order.offerSeq !== undefined) await requireOffer(desk, log, { order, terms, seq: order.offerSeq });
  const toMs = order.fromMs + order.intervalMs * order.deltaMwh.length;
  requireFree({ ...order, toMs }, [...log.commitments, ...awaited(desk, deviceKey)]);
  return keepOrder(desk, deviceKey, {
    ...{ log: log.log, kind: "commitment", objectId: order.objectId, random: false },
    ...{ commitmentId: null, withdraws: null, bytes: await signCommitment(desk.signer, order) },
    ...{ issuedMs: order.issuedAtMs, expiresMs: order.expiresMs, fromMs: order.fromMs, toMs },
  });
}

function termsOf(body: CommitmentBody): FlexTerms {
  const { direction, baselineMethod, timeZone, noticeSeconds, holidays, excludedDays } = body;
  return {
    ...{ direction: DIRECTION[direction], baselineMethod, timeZone, noticeMs: noticeSeconds * 1000 },
    settlementRules: SETTLEMENT_RULES,
    ...(holidays === undefined ? {} : { holidays }),
    ...(excludedDays === undefined ? {} : { excludedDays }),
  };
}

function orderOf(
  desk: Desk,
  log: DeviceLog,
  { body, terms }: { readonly body: CommitmentBody; readonly terms: FlexTerms },
): CommitmentOrder {
  const { boundary, from: fromMs, deltaMwh, offer } = body;
  return {
    ...{ logId: log.logId, objectId: desk.randomBytes(ID_BYTES), channel: channelNumber(log, body.channel) },
    ...{ issuedAtMs: desk.nowMs(), expiresMs: body.expires ?? Math.max(0, fromMs - terms.noticeMs) },
    ...{ boundary: BOUNDARY[boundary], fromMs, intervalMs: log.intervalMs, deltaMwh },
    terms: encodeTerms(terms),
    ...(offer === undefined ? {} : { offerSeq: offer }),
  };
}

async function requireOffer(
  { logs }: Desk,
  { log, size }: DeviceLog,
  { order, terms, seq }: { readonly order: CommitmentOrder; readonly terms: FlexTerms; readonly seq: number },
): Promise<void> {
  const leaf = seq < size ? await logs.leaf(log, seq) : undefined;
  requireOffered(order, terms, { seq, offer: leaf?.kind === "offer" ? leaf : undefined });
}

/** Commitments that the device may still take. */
function awaited(desk: Desk, deviceKey: Uint8Array): Promised[] {
  const nowMs = desk.nowMs();
  return desk.orders
    .unsealed(deviceKey, nowMs)
    .filter(({ kind }) => kind === "commitment")
    .map((kept) => {
      const { channel, boundary } = commitmentOf(desk, kept);
      return { channel, boundary, fromMs: kept.fromMs, toMs: kept.toMs };
    });
}
