import { equalBytes, toHex } from "../../attest/bytes.ts";
import { type CommitmentOrder, type DispatchOrder, signDispatch } from "../../attest/flexibility/orders.ts";
import { isoTime } from "../../attest/iso-time.ts";
import { BOUNDARY } from "../../attest/leaf-flexibility.ts";
import { Problem } from "../../attest/problem.ts";
import type { CallBody, DispatchBody } from "./bodies.ts";
import { channelNumber, overlaps, requireRange } from "./checks.ts";
import {
  commitmentOf,
  type Desk,
  dispatchOf,
  hasEnded,
  ID_BYTES,
  keepOrder,
  keepOrders,
  keptOrder,
  liveDispatches,
} from "./desk.ts";
import type { DeviceLog } from "./device-log.ts";
import { followedPowers, LOOK_BACK_MS, runsOf } from "./follow.ts";
import type { KeptOrder, NewOrder } from "./order-record.ts";

/** As in an actuation leaf. */
const COMMAND = { powerMw: 1, importLimitMw: 2, exportLimitMw: 3 } as const;
/** Of one commitment: their digests must fit one message of 8 KiB to the device. */
const MOST_DISPATCHES = 200;

const MOST_MS = 86_400_000;

/** A dispatch that is asked for, before it has a place in a log. */
interface Asked {
  readonly channel: string | number | undefined;
  readonly commitment: KeptOrder | undefined;
  readonly fromMs: number;
  readonly toMs: number;
  readonly command: number;
  readonly value: number;
  readonly rampMwPerSecond: number | undefined;
  readonly supersedes: Uint8Array | undefined;
  readonly expiresMs: number | undefined;
}

/**
 * Signs one dispatch and has it sent. Throws `device-unknown`, `channel-unknown`, `orders-full`, `order-unknown`,
 * `order-commitment`, `-channel`, `-window`, `-range`, `-overlap`, `-late` or `-field`.
 */
export async function dispatch(desk: Desk, deviceKey: Uint8Array, body: DispatchBody): Promise<KeptOrder> {
  const log = await present(desk, deviceKey);
  const { commitment: id, powerMw, importLimitMw, exportLimitMw } = body;
  const [command, value] =
    powerMw !== undefined
      ? [COMMAND.powerMw, powerMw]
      : importLimitMw !== undefined
        ? [COMMAND.importLimitMw, importLimitMw]
        : [COMMAND.exportLimitMw, exportLimitMw ?? 0];
  const asked: Asked = {
    ...{ channel: body.channel, fromMs: body.from, toMs: body.to, command, value },
    commitment: id && called(desk, deviceKey, { log, id }),
    ...{ rampMwPerSecond: body.rampMwPerSecond, supersedes: body.supersedes, expiresMs: body.expires },
  };
  const [kept] = await give(desk, deviceKey, { log, asked: [asked] });
  if (kept === undefined) throw new Error("one dispatch was asked for");
  return kept;
}

/**
 * Calls a commitment: a dispatch for each run of intervals of equal power. Throws as {@link dispatch} does, `order-follow`, and
 * for `follow` what `baselineOf` does.
 */
export async function call(
  desk: Desk,
  deviceKey: Uint8Array,
  { id, body }: { readonly id: Uint8Array; readonly body: CallBody },
): Promise<readonly KeptOrder[]> {
  const log = await present(desk, deviceKey);
  const commitment = called(desk, deviceKey, { log, id });
  const order = commitmentOf(desk, commitment);
  const powers =
    body.powerMw === undefined ? await followed(desk, log, order) : powersOf(order, body.powerMw);
  const common = { channel: body.channel, commitment, command: COMMAND.powerMw };
  const free = { rampMwPerSecond: body.rampMwPerSecond, supersedes: undefined, expiresMs: undefined };
  const asked = runsOf(powers, order.fromMs, order.intervalMs).map(
    ({ fromMs, toMs, powerMw: value }): Asked => ({ ...common, ...free, fromMs, toMs, value }),
  );
  return give(desk, deviceKey, { log, asked });
}

/**
 * Ends a dispatch: at once where it has not been handed out, else by an order that the device has to take. Throws
 * `order-unknown` or `order-late`.
 */
export async function withdraw(desk: Desk, deviceKey: Uint8Array, id: Uint8Array): Promise<KeptOrder> {
  const log = await present(desk, deviceKey);
  const kept = keptOrder(desk, deviceKey, id, "dispatch");
  requireOpen(desk, { kept, log });
  if (kept.state === "pending" && (await desk.orders.withdraw(kept.id)))
    return keptOrder(desk, deviceKey, id);
  const nowMs = desk.nowMs();
  const { channel, fromMs, toMs, commitmentId } = dispatchOf(desk, kept);
  const order: DispatchOrder = {
    ...{
      logId: log.logId,
      objectId: desk.randomBytes(ID_BYTES),
      channel,
      issuedAtMs: nowMs,
      expiresMs: toMs,
    },
    ...{ fromMs, toMs, withdraws: id },
    ...(commitmentId === undefined ? {} : { commitmentId }),
  };
  return keepOrder(desk, deviceKey, await sign(desk, log, order));
}

/** The newest log, with what the device has said in it looked at. */
async function present(desk: Desk, deviceKey: Uint8Array): Promise<DeviceLog> {
  const { log } = await desk.logs.newest(deviceKey);
  await desk.refresh(deviceKey, log);
  return desk.logs.newest(deviceKey);
}

/** The commitment that is called: the device has sealed it, in the log that it writes now. */
function called(
  desk: Desk,
  deviceKey: Uint8Array,
  { log, id }: { readonly log: DeviceLog; readonly id: Uint8Array },
): KeptOrder {
  const kept = keptOrder(desk, deviceKey, id, "commitment");
  if (kept.state === "sealed" && kept.log === log.log) return kept;
  throw new Problem("order-commitment", "the device is not bound by the commitment", {
    where: toHex(id),
    expected: "one that stands sealed in its newest log",
    got: kept.log === log.log ? kept.state : "of another epoch",
  });
}

/** Signs all of them, or none. */
async function give(
  desk: Desk,
  deviceKey: Uint8Array,
  { log, asked }: { readonly log: DeviceLog; readonly asked: readonly Asked[] },
): Promise<KeptOrder[]> {
  const orders = asked.map((one) => orderOf(desk, log, one));
  requireRoom(desk, orders);
  const live = liveDispatches(desk, deviceKey);
  for (const order of orders) {
    requirePossible(desk, deviceKey, { log, order });
    requireFree(order, live);
    const reading = await desk.logs.flexibility(log.log, order.channel);
    if (order.command === COMMAND.powerMw) requireRange(reading, [order.value ?? 0]);
  }
  const signed = await Promise.all(orders.map((order) => sign(desk, log, order)));
  return keepOrders(desk, deviceKey, signed);
}

function orderOf(desk: Desk, log: DeviceLog, asked: Asked): DispatchOrder {
  const { commitment, fromMs, toMs, command, value, rampMwPerSecond, supersedes, expiresMs = toMs } = asked;
  return {
    ...{ logId: log.logId, objectId: desk.randomBytes(ID_BYTES), channel: channelOf(desk, log, asked) },
    ...{ issuedAtMs: desk.nowMs(), expiresMs, fromMs, toMs, command, value },
    ...(commitment === undefined ? {} : { commitmentId: commitment.objectId }),
    ...(rampMwPerSecond === undefined ? {} : { rampMwPerSecond }),
    ...(supersedes === undefined ? {} : { withdraws: supersedes }),
  };
}

/** The controlled channel: of a device's boundary it is the commitment's own, of a site's it must be said. */
function channelOf(desk: Desk, log: DeviceLog, { channel: asked, commitment }: Asked): number {
  const order = commitment && commitmentOf(desk, commitment);
  const own = order?.boundary === BOUNDARY.device ? order.channel : undefined;
  const channel = asked === undefined ? own : channelNumber(log, asked);
  if (channel !== undefined && (own === undefined || own === channel)) return channel;
  throw new Problem("order-channel", "the dispatch is not for the channel that is committed", {
    expected: own === undefined ? "the channel of the device that is to act" : `channel ${own}`,
    got: asked === undefined ? "none" : String(asked).slice(0, 100),
  });
}

function requireRoom({ orders }: Desk, asked: readonly DispatchOrder[]): void {
  const id = asked[0]?.commitmentId;
  if (id === undefined || orders.dispatches(id).length + 2 * asked.length <= MOST_DISPATCHES) return;
  throw new Problem("orders-full", "the commitment has too many dispatches", {
    expected: `at most ${MOST_DISPATCHES}, with as many that withdraw them`,
  });
}

function requirePossible(
  desk: Desk,
  deviceKey: Uint8Array,
  { log, order }: { readonly log: DeviceLog; readonly order: DispatchOrder },
): void {
  const { fromMs, toMs, issuedAtMs, commitmentId, withdraws } = order;
  const got = `${isoTime(fromMs)} to ${isoTime(toMs)}`;
  if (toMs <= fromMs || toMs - fromMs > MOST_MS)
    throw new Problem("order-field", "a dispatch has no such window", {
      ...{ where: "to", expected: "an end after the begin, by a day at most", got },
    });
  if (toMs <= issuedAtMs) throw new Problem("order-window", "the window is over", { got });
  const commitment = commitmentId && keptOrder(desk, deviceKey, commitmentId, "commitment");
  if (commitment !== undefined && (fromMs < commitment.fromMs || toMs > commitment.toMs))
    throw new Problem("order-window", "the window is not within the commitment's", {
      expected: `${isoTime(commitment.fromMs)} to ${isoTime(commitment.toMs)}`,
      got,
    });
  if (withdraws !== undefined)
    requireOpen(desk, { kept: keptOrder(desk, deviceKey, withdraws, "dispatch"), log });
}

/** Throws `order-overlap` where another dispatch holds the channel, unless it is the one whose place is taken. */
function requireFree(
  order: DispatchOrder,
  live: readonly { readonly kept: KeptOrder; readonly order: DispatchOrder }[],
): void {
  const { channel, withdraws } = order;
  const other = live.find(
    ({ order: held }) =>
      held.channel === channel &&
      overlaps(held, order) &&
      !(withdraws !== undefined && equalBytes(held.objectId, withdraws)),
  );
  if (other === undefined) return;
  throw new Problem("order-overlap", "another dispatch holds the channel for a part of that time", {
    where: toHex(other.kept.objectId),
    got: `${isoTime(other.order.fromMs)} to ${isoTime(other.order.toMs)}`,
    hint: "withdraw it, or name it as supersedes",
  });
}

/** Throws `order-late` where there is nothing left to withdraw. */
function requireOpen(desk: Desk, { kept, log }: { readonly kept: KeptOrder; readonly log: DeviceLog }): void {
  const isOver = kept.toMs <= desk.nowMs() || kept.log !== log.log || hasEnded(desk, kept);
  if (!isOver && ["pending", "sent", "sealed"].includes(kept.state)) return;
  throw new Problem("order-late", "nothing follows from the dispatch any more", {
    where: toHex(kept.objectId),
    got: isOver ? "it has ended" : kept.state,
  });
}

async function sign(
  { signer }: Desk,
  { log }: DeviceLog,
  order: DispatchOrder,
): Promise<Omit<NewOrder, "digest">> {
  return {
    ...{ log, kind: "dispatch", objectId: order.objectId, random: false },
    ...{ commitmentId: order.commitmentId ?? null, withdraws: order.withdraws ?? null },
    ...{ bytes: await signDispatch(signer, order), issuedMs: order.issuedAtMs },
    ...{ expiresMs: order.expiresMs, fromMs: order.fromMs, toMs: order.toMs },
  };
}

async function followed({ logs }: Desk, { log }: DeviceLog, order: CommitmentOrder): Promise<number[]> {
  const { channel, fromMs } = order;
  return followedPowers(
    order,
    await logs.closes(log, { channel, fromMs: fromMs - LOOK_BACK_MS, toMs: fromMs }),
  );
}

function powersOf({ deltaMwh }: CommitmentOrder, powerMw: number | readonly number[]): readonly number[] {
  if (typeof powerMw === "number") return deltaMwh.map(() => powerMw);
  if (powerMw.length === deltaMwh.length) return powerMw;
  throw new Problem("body", "the request's body is wrong", {
    where: "powerMw",
    expected: `one power, or ${deltaMwh.length}, one of each interval`,
    got: String(powerMw.length),
  });
}
