import { checkInterval } from "../../attest/baseline/history.ts";
import { methodNamed } from "../../attest/baseline/methods.ts";
import { openZone } from "../../attest/baseline/zone.ts";
import type { ChannelState } from "../../attest/channel-state.ts";
import type { CommitmentOrder } from "../../attest/flexibility/orders.ts";
import type { FlexTerms } from "../../attest/flexibility/terms.ts";
import { isoTime } from "../../attest/iso-time.ts";
import { BOUNDARY, type FlexibilityLeaf, type Offer } from "../../attest/leaf-flexibility.ts";
import { isSharedWith } from "../../attest/open-commitments.ts";
import { Problem } from "../../attest/problem.ts";
import { CHANNEL_ROLES } from "../../attest/reading.ts";
import type { DeviceLog } from "./device-log.ts";

/** What a device would refuse is refused here, before anything is signed; each check throws a Problem whose code says which. */

/** What an order is about. */
export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

const HOUR_MS = 3_600_000;

/** The channel of that name, or of that number. Throws `channel-unknown` with those there are. */
export function channelNumber({ channels }: DeviceLog, asked: string | number): number {
  for (const [number, { manifest }] of channels) if (manifest.name === asked) return number;
  const number = typeof asked === "number" || /^\d{1,9}$/.test(asked) ? Number(asked) : -1;
  if (channels.has(number)) return number;
  throw new Problem("channel-unknown", "the device has no such channel", {
    expected: [...channels.values()].map(({ manifest }) => manifest.name).join(", ") || "none yet",
    got: String(asked).slice(0, 100),
  });
}

/**
 * Throws `order-boundary` where a site's boundary is not the meter that stands there, or a device's is: the grid meter sold
 * as a device's would be sold a second time beside each of its devices.
 */
export function requireBoundary(log: DeviceLog, channel: number, boundary: number): void {
  const state = log.channels.get(channel);
  const isSite = boundary === BOUNDARY.site;
  if (isSite === isGrid(state)) return;
  throw new Problem("order-boundary", "the boundary of a site is its grid meter, and of nothing else", {
    where: state?.manifest.name ?? `channel ${channel}`,
    expected: `a channel of ${isSite ? "the role grid" : "another role than grid"}`,
    hint: `name that channel, or take "boundary": "${isSite ? "device" : "site"}"`,
  });
}

export function isGrid(state: ChannelState | undefined): boolean {
  return state?.manifest.role === CHANNEL_ROLES.grid;
}

/**
 * What both sides would settle by. Throws `order-terms` for a method that settles nothing, and `baseline-method` or
 * `baseline-zone`.
 */
export function requireTerms({ baselineMethod, timeZone }: FlexTerms): void {
  openZone(timeZone);
  if (methodNamed(baselineMethod).kind === "history") return;
  throw new Problem("order-terms", "the method shows what changed, and settles nothing", {
    where: "baselineMethod",
    got: baselineMethod,
  });
}

/**
 * Whole intervals of the log, of a length that baselines know, late enough for the notice. Throws `baseline-interval`,
 * `order-interval` or `order-notice`.
 */
export function requireCommitmentTimes(
  order: CommitmentOrder,
  { log, terms }: { readonly log: DeviceLog; readonly terms: FlexTerms },
): void {
  const { fromMs, issuedAtMs } = order;
  checkInterval(log.intervalMs);
  if (fromMs % log.intervalMs !== 0)
    throw new Problem("order-interval", "a commitment is of whole intervals of the log", {
      expected: `a begin at a multiple of ${log.intervalMs / 1000} s`,
      got: isoTime(fromMs),
    });
  if (issuedAtMs < fromMs - terms.noticeMs) return;
  throw new Problem("order-notice", "it is too late for that begin", {
    expected: `a begin after ${isoTime(issuedAtMs + terms.noticeMs)}`,
    got: isoTime(fromMs),
  });
}

/** Throws `order-offer` unless the offer is of that channel, boundary and direction, and holds what is asked. */
export function requireOffered(
  order: CommitmentOrder,
  terms: FlexTerms,
  { offer, seq }: { readonly offer: Offer | undefined; readonly seq: number },
): void {
  const wrong = (what: string, expected: string, got: string): Problem =>
    new Problem("order-offer", what, { where: `offer ${seq}`, expected, got });
  if (offer === undefined)
    throw wrong("the device's log has no such offer", "the seq of an offer", "another leaf");
  const { channel, boundary, fromMs, intervalMs, deltaMwh } = order;
  const toMs = fromMs + intervalMs * deltaMwh.length;
  if (offer.channel !== channel || offer.boundary !== boundary || offer.direction !== terms.direction)
    throw wrong(
      "the offer is of something else",
      `channel ${offer.channel}, boundary ${offer.boundary}, direction ${offer.direction}`,
      `${channel}, ${boundary}, ${terms.direction}`,
    );
  if (fromMs < offer.fromMs || toMs > offer.toMs)
    throw wrong(
      "the window is not within the offer's",
      `${isoTime(offer.fromMs)} to ${isoTime(offer.toMs)}`,
      `${isoTime(fromMs)} to ${isoTime(toMs)}`,
    );
  const most = Math.floor((offer.powerMw * intervalMs) / HOUR_MS);
  const largest = Math.max(...deltaMwh.map(Math.abs));
  if (largest > most)
    throw wrong("more is asked than is offered", `at most ${most} mWh in an interval`, `${largest} mWh`);
  const total = deltaMwh.reduce((sum, delta) => sum + Math.abs(delta), 0);
  if (offer.energyMwh !== undefined && total > offer.energyMwh)
    throw wrong("more is asked than is offered", `at most ${offer.energyMwh} mWh in all`, `${total} mWh`);
  if (terms.noticeMs < offer.noticeMs)
    throw wrong(
      "the notice is too short",
      `at least ${offer.noticeMs / 1000} s`,
      `${terms.noticeMs / 1000} s`,
    );
  if (terms.baselineMethod !== offer.baselineMethod)
    throw wrong("the offer is by another baseline", offer.baselineMethod, terms.baselineMethod);
}

/** A commitment of the log, or one that was signed and that the device may still take. */
export interface Promised extends Window {
  readonly channel: number;
  readonly boundary: number;
}

/** Throws `order-overlap` where the boundary, or one within it or around it, is committed for a part of that time. */
export function requireFree(next: Promised, others: readonly Promised[]): void {
  const other = others.find((each) => isSharedWith(each, next));
  if (other === undefined) return;
  throw new Problem("order-overlap", "the boundary is committed for that time already", {
    expected: `nothing from ${isoTime(other.fromMs)} to ${isoTime(other.toMs)}`,
    got: `${isoTime(next.fromMs)} to ${isoTime(next.toMs)}`,
  });
}

/** Throws `order-range` for powers that the device does not have, by its newest flexibility reading. */
export function requireRange(reading: FlexibilityLeaf | undefined, powersMw: readonly number[]): void {
  const { minSetpointMw = -Infinity, maxSetpointMw = Infinity } = reading ?? {};
  const beyond = powersMw.find((power) => power < minSetpointMw || power > maxSetpointMw);
  if (beyond === undefined) return;
  throw new Problem("order-range", "the device cannot be set to that", {
    expected: `${minSetpointMw} to ${maxSetpointMw} mW`,
    got: `${beyond} mW`,
    hint: "what is out of range is rejected, not cut",
  });
}

export function overlaps(one: Window, other: Window): boolean {
  return one.fromMs < other.toMs && other.fromMs < one.toMs;
}
