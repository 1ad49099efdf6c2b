import { fromHex, toHex } from "../../attest/bytes.ts";
import { type Recomputed, trackRecord } from "../../attest/flexibility/track-record.ts";
import { isoTime } from "../../attest/iso-time.ts";
import { type LifecycleLeaf, SETTLEMENT } from "../../attest/leaf-flexibility.ts";
import { isLifecycle } from "../../attest/lifecycle.ts";
import { Problem } from "../../attest/problem.ts";
import { deviceKeyOf, limitOf, type Query, requireKnown } from "../http/query.ts";
import { describeOffer, describeOpen, describeOrder, describeReading } from "./describe.ts";
import { type Desk, keptOrder } from "./desk.ts";
import type { KeptOrder, OrderKind } from "./order-record.ts";
import type { Judge } from "./settlement.ts";

/** What answering about flexibility needs. */
export interface FlexAnswers {
  readonly desk: Desk;
  readonly judge: Judge;
}

const MOST_ORDERS = 100;
const DEFAULT_ORDERS = 20;

/** A device key of the address, and its newest log looked at. */
async function looked({ desk }: FlexAnswers, key: string): Promise<Uint8Array> {
  const deviceKey = deviceKeyOf(key);
  const { log } = await desk.logs.newest(deviceKey);
  await desk.refresh(deviceKey, log);
  return deviceKey;
}

/** Offers, open commitments, readings and newest orders of a device. Throws `query` or `device-unknown`. */
export async function describeFlexibility(parts: FlexAnswers, key: string, query: Query): Promise<object> {
  requireKnown(query, ["before", "limit"]);
  const deviceKey = await looked(parts, key);
  const { desk } = parts;
  const log = await desk.logs.newest(deviceKey);
  const nowMs = desk.nowMs();
  const readings = await Promise.all(
    [...log.channels.keys()].map((channel) => desk.logs.flexibility(log.log, channel)),
  );
  return {
    ...{ epoch: log.epoch, intervalSeconds: log.intervalMs / 1000, lastLeaf: isoTime(log.lastMs) },
    offers: (await desk.logs.offers(log.log, nowMs)).map(describeOffer),
    commitments: log.commitments.filter(({ toMs }) => toMs > nowMs).map(describeOpen),
    readings: readings.flatMap((reading) => (reading === undefined ? [] : [describeReading(reading)])),
    ...listed(parts, deviceKey, { query, kind: null, path: "flexibility" }),
  };
}

/** One page of a device's commitments or challenges, newest first. Throws as {@link describeFlexibility} does. */
export async function listOrders(
  parts: FlexAnswers,
  key: string,
  { query, kind }: { readonly query: Query; readonly kind: OrderKind },
): Promise<object> {
  requireKnown(query, ["before", "limit"]);
  const deviceKey = await looked(parts, key);
  const { orders, next } = listed(parts, deviceKey, { query, kind, path: `${kind}s` });
  return { [`${kind}s`]: orders, next };
}

interface Page {
  readonly query: Query;
  readonly kind: OrderKind | null;
  readonly path: string;
}

function listed(
  { desk }: FlexAnswers,
  deviceKey: Uint8Array,
  { query, kind, path }: Page,
): { readonly orders: object[]; readonly next: string | null } {
  const limit = limitOf(query, MOST_ORDERS, DEFAULT_ORDERS);
  const before = beforeOf(query);
  const rows = desk.orders.list(deviceKey, { before, limit, kind });
  const last = rows.length === limit ? rows.at(-1) : undefined;
  const next = last && `/devices/${toHex(deviceKey)}/${path}?limit=${limit}&before=${last.id}`;
  return { orders: rows.map((row) => describeOrder(desk, row)), next: next ?? null };
}

function beforeOf({ before }: Query): number {
  if (before === undefined) return Number.MAX_SAFE_INTEGER;
  if (/^[1-9]\d{0,14}$/.test(before)) return Number(before);
  throw new Problem("query", '"before" is wrong', { expected: "as next has it", got: before.slice(0, 100) });
}

/** An order's id from the address. Throws `query`. */
export function orderIdOf(text: string): Uint8Array {
  if (/^[0-9a-f]{32}$/.test(text)) return fromHex(text, "order");
  throw new Problem("query", '"id" is wrong', { expected: "32 hexadecimal digits", got: text.slice(0, 100) });
}

/** One commitment, its dispatches, and what came of it. Throws `order-unknown` beside the others. */
export async function describeCommitment(parts: FlexAnswers, key: string, id: string): Promise<object> {
  const deviceKey = await looked(parts, key);
  const { desk } = parts;
  const kept = keptOrder(desk, deviceKey, orderIdOf(id), "commitment");
  const { list } = kept;
  return {
    ...describeOrder(desk, kept),
    dispatches: desk.orders.dispatches(kept.objectId).map((dispatch) => describeOrder(desk, dispatch)),
    ...(list === null ? {} : { list: toHex(list) }),
  };
}

/** One challenge, and what came of it. */
export async function describeChallenge(parts: FlexAnswers, key: string, id: string): Promise<object> {
  const deviceKey = await looked(parts, key);
  return describeOrder(parts.desk, keptOrder(parts.desk, deviceKey, orderIdOf(id), "challenge"));
}

/** The settlement proof of a commitment. Throws `order-commitment`, `settlement-open`, `proof-unsigned` beside the others. */
export async function proveCommitment(
  { desk, judge }: FlexAnswers,
  key: string,
  id: string,
): Promise<Uint8Array> {
  const deviceKey = await looked({ desk, judge }, key);
  return judge.proofOf(keptOrder(desk, deviceKey, orderIdOf(id), "commitment"));
}

/** What the leaves of the device's newest log show, by results that this node has computed itself. */
export async function describeTrackRecord(parts: FlexAnswers, key: string): Promise<object> {
  const deviceKey = await looked(parts, key);
  const { desk, judge } = parts;
  const log = await desk.logs.newest(deviceKey);
  const source = await judge.sourceOf(log);
  const leaves: LifecycleLeaf[] = [];
  for (const seq of source.lifecycle(0, Number.MAX_SAFE_INTEGER)) {
    const leaf = await desk.logs.leaf(log.log, seq);
    if (isLifecycle(leaf)) leaves.push(leaf);
  }
  const orders = allOrders(parts, deviceKey).filter((order) => order.log === log.log);
  const record = trackRecord(leaves, {
    recomputed: new Map(orders.flatMap(recomputedOf)),
    judged: new Map(orders.flatMap(judgedOf)),
    asOfMs: log.lastMs,
  });
  return { epoch: log.epoch, asOf: isoTime(log.lastMs), ...record };
}

function allOrders({ desk }: FlexAnswers, deviceKey: Uint8Array): KeptOrder[] {
  return desk.orders.list(deviceKey, { before: Number.MAX_SAFE_INTEGER, limit: 1_000_000, kind: null });
}

const RESULTS: ReadonlyMap<string, number> = new Map(Object.entries(SETTLEMENT));

function recomputedOf({ kind, seq, result }: KeptOrder): (readonly [number, Recomputed])[] {
  if (kind !== "commitment" || seq === null || result === null) return [];
  const { result: name, totals } = Object.assign({ result: "", totals: undefined }, result.value);
  const number = RESULTS.get(String(name));
  const { deliveredMwh } = Object.assign({ deliveredMwh: undefined }, totals);
  if (number === undefined) return [];
  return [[seq, { result: number, ...(typeof deliveredMwh === "number" ? { deliveredMwh } : {}) }]];
}

function judgedOf({ kind, seq, result }: KeptOrder): (readonly [number, boolean])[] {
  if (kind !== "challenge" || seq === null || result === null) return [];
  const { passed } = Object.assign({ passed: false }, result.value);
  return [[seq, passed === true]];
}
