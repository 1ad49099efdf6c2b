import { equalBytes, toHex } from "../../attest/bytes.ts";
import { parseObject } from "../../attest/cose.ts";
import {
  type CommitmentOrder,
  type DispatchOrder,
  openCommitment,
  openDispatch,
} from "../../attest/flexibility/orders.ts";
import { ACKNOWLEDGEMENT } from "../../attest/leaf-flexibility.ts";
import { Problem } from "../../attest/problem.ts";
import type { Signer } from "../../attest/signature.ts";
import type { Suite } from "../../attest/suite.ts";
import type { Logger } from "../../runtime/log.ts";
import type { FlexibilityConfig } from "../config.ts";
import type { DeviceLogs } from "./device-log.ts";
import type { FlexCounters } from "./flex-counters.ts";
import type { KeptOrder, NewOrder } from "./order-record.ts";
import { MOST_LIVE, type SqliteOrders } from "./sqlite-orders.ts";

/** What making orders needs; one for the whole node. */
export interface Desk {
  readonly suite: Suite;
  readonly signer: Signer;
  readonly orders: SqliteOrders;
  readonly logs: DeviceLogs;
  readonly config: FlexibilityConfig;
  readonly counters: FlexCounters;
  readonly logger: Logger;
  /** ms since 1970 UTC. */
  readonly nowMs: () => number;
  /** Bytes that nobody can foresee. */
  readonly randomBytes: (count: number) => Uint8Array;
  /** Looks at what the device has sealed meanwhile. */
  readonly refresh: (deviceKey: Uint8Array, log: number) => Promise<void>;
  /** Has an order sent to a device that is connected; the key in hexadecimal. */
  readonly wake: (deviceKey: string) => void;
}

export const ID_BYTES = 16;

/** Answers with which nothing more follows from a dispatch or a challenge. */
const ENDS: ReadonlySet<number> = new Set([
  ...[ACKNOWLEDGEMENT.rejected, ACKNOWLEDGEMENT.succeeded, ACKNOWLEDGEMENT.aborted],
  ...[ACKNOWLEDGEMENT.optedOut, ACKNOWLEDGEMENT.superseded],
]);

/** Keeps a signed order and has it sent. Throws `orders-full`. */
export async function keepOrder(
  desk: Desk,
  deviceKey: Uint8Array,
  order: Omit<NewOrder, "digest">,
): Promise<KeptOrder> {
  await keepOrders(desk, deviceKey, [order]);
  return keptOrder(desk, deviceKey, order.objectId);
}

/** As {@link keepOrder}, all of one log or none. */
export async function keepOrders(
  desk: Desk,
  deviceKey: Uint8Array,
  orders: readonly Omit<NewOrder, "digest">[],
): Promise<KeptOrder[]> {
  const all = orders.map((order) => ({ ...order, digest: desk.suite.sha256(order.bytes) }));
  if (!(await desk.orders.add(all)))
    throw new Problem("orders-full", "the device has too many orders that have not ended", {
      expected: `at most ${MOST_LIVE}`,
      hint: "wait for some to end, or withdraw one",
    });
  const device = toHex(deviceKey);
  for (const { kind, objectId } of orders) {
    desk.counters.count(kind, "signed");
    desk.logger.info("order-signed", { device, order: toHex(objectId), kind });
  }
  const kept = orders.map(({ objectId }) => keptOrder(desk, deviceKey, objectId));
  desk.wake(device);
  return kept;
}

/** Throws `order-unknown`. */
export function keptOrder(
  { orders }: Pick<Desk, "orders">,
  deviceKey: Uint8Array,
  objectId: Uint8Array,
  kind?: KeptOrder["kind"],
): KeptOrder {
  const order = orders.find(deviceKey, objectId);
  if (order !== undefined && (kind === undefined || order.kind === kind)) return order;
  throw new Problem("order-unknown", `this node has signed no such ${kind ?? "order"} for that device`, {
    hint: `GET /devices/${toHex(deviceKey)}/flexibility lists them`,
  });
}

/** What a kept commitment says. */
export function commitmentOf({ suite }: Pick<Desk, "suite">, { bytes }: KeptOrder): CommitmentOrder {
  return openCommitment(suite, bytes, parseObject(bytes).kid);
}

export function dispatchOf({ suite }: Pick<Desk, "suite">, { bytes }: KeptOrder): DispatchOrder {
  return openDispatch(suite, bytes, parseObject(bytes).kid);
}

/** Whether the device has said that nothing more follows from it. */
export function hasEnded({ orders }: Pick<Desk, "orders">, { id }: KeptOrder): boolean {
  return orders.acknowledgements(id).some(({ state }) => ENDS.has(state));
}

/** Dispatches by which a device does something now or will, each as it was signed. */
export function liveDispatches(
  desk: Desk,
  deviceKey: Uint8Array,
): { kept: KeptOrder; order: DispatchOrder }[] {
  const live = desk.orders.live(deviceKey, desk.nowMs()).filter(({ kind }) => kind === "dispatch");
  const isReplaced = ({ objectId }: KeptOrder): boolean =>
    live.some(({ withdraws }) => withdraws !== null && equalBytes(withdraws, objectId));
  return live
    .filter((kept) => !isReplaced(kept) && !hasEnded(desk, kept))
    .map((kept) => ({ kept, order: dispatchOf(desk, kept) }))
    .filter(({ order }) => order.command !== undefined);
}
