import { type ChallengeOrder, signChallenge } from "../../attest/flexibility/orders.ts";
import type { FlexibilityLeaf } from "../../attest/leaf-flexibility.ts";
import { Problem } from "../../attest/problem.ts";
import type { ChallengeBody } from "./bodies.ts";
import { channelNumber, isGrid, overlaps, requireRange, type Window } from "./checks.ts";
import { type Desk, ID_BYTES, keepOrder, liveDispatches } from "./desk.ts";
import type { DeviceLog } from "./device-log.ts";
import type { KeptOrder } from "./order-record.ts";

const NONCE_BYTES = 32;
/** How long after its issue the first step may begin. */
const START_WITHIN_MS = 60_000;
const MW_PER_HALF_KW = 500_000;
/** Two in the half that is looked at, and as many in the other. */
const READINGS_PER_STEP = 4;

/** What a challenge asks for, before it has a log. */
export interface ChallengeTerms {
  readonly channel: number;
  readonly siteChannel: number | undefined;
  readonly steps: number;
  readonly stepMs: number;
  readonly midMw: number;
  readonly halfSwingMw: number;
  readonly startByMs: number;
}

/**
 * Signs a challenge and has it sent. Throws `device-unknown`, `channel-unknown`, `orders-full`, `order-channel`, `-steps`,
 * `-range`, `-overlap` or `-field`.
 */
export async function challenge(desk: Desk, deviceKey: Uint8Array, body: ChallengeBody): Promise<KeptOrder> {
  const { log: number } = await desk.logs.newest(deviceKey);
  await desk.refresh(deviceKey, number);
  const log = await desk.logs.newest(deviceKey);
  const { steps, stepSeconds } = desk.config;
  const channel = channelNumber(log, body.channel);
  const reading = await desk.logs.flexibility(log.log, channel);
  const halfSwingMw = body.halfSwingMw ?? halfSwingOf(desk);
  return giveChallenge(desk, log, {
    ...{ channel, siteChannel: siteOf(log, body), halfSwingMw },
    ...{ steps: body.steps ?? steps, stepMs: (body.stepSeconds ?? stepSeconds) * 1000 },
    midMw: body.midMw ?? middleOf(reading, halfSwingMw),
    startByMs: body.startBy ?? desk.nowMs() + START_WITHIN_MS,
  });
}

/** Signs a challenge of these terms; `random` where nobody has asked for it. Throws as {@link challenge} does. */
export async function giveChallenge(
  desk: Desk,
  log: DeviceLog,
  terms: ChallengeTerms,
  random = false,
): Promise<KeptOrder> {
  const { siteChannel, startByMs, ...rest } = terms;
  const issuedAtMs = desk.nowMs();
  const order: ChallengeOrder = {
    ...{ logId: log.logId, objectId: desk.randomBytes(ID_BYTES), issuedAtMs, expiresMs: startByMs },
    ...{ ...rest, startByMs, nonce: desk.randomBytes(NONCE_BYTES) },
    ...(siteChannel === undefined ? {} : { siteChannel }),
  };
  const { channel, midMw, halfSwingMw } = order;
  for (const number of [channel, ...(siteChannel === undefined ? [] : [siteChannel])])
    requireOften(log, number, order.stepMs);
  requireRange(await desk.logs.flexibility(log.log, channel), [midMw - halfSwingMw, midMw + halfSwingMw]);
  const window = { fromMs: issuedAtMs, toMs: startByMs + order.steps * order.stepMs };
  requireQuiet(desk, log, { channel, window });
  return keepOrder(desk, log.identity.deviceKey, {
    ...{ log: log.log, kind: "challenge", objectId: order.objectId, random },
    ...{ commitmentId: null, withdraws: null, bytes: await signChallenge(desk.signer, order) },
    ...{ issuedMs: issuedAtMs, expiresMs: order.expiresMs, ...window },
  });
}

export function halfSwingOf({ config }: Pick<Desk, "config">): number {
  return Math.round(config.swingKw * MW_PER_HALF_KW);
}

/** Whether the channel is read often enough that each step has readings in its last half. */
export function isReadOften({ channels }: DeviceLog, channel: number, stepMs: number): boolean {
  return READINGS_PER_STEP * (channels.get(channel)?.manifest.samplingMs ?? 0) <= stepMs;
}

function requireOften(log: DeviceLog, channel: number, stepMs: number): void {
  if (isReadOften(log, channel, stepMs)) return;
  const { name = "", samplingMs = 0 } = log.channels.get(channel)?.manifest ?? {};
  throw new Problem("order-steps", "the channel is read too seldom for such short steps", {
    where: name,
    expected: `steps of ${Math.ceil((READINGS_PER_STEP * samplingMs) / 1000)} s or more`,
    got: `${stepMs / 1000} s`,
  });
}

/** As near to what the device does now as its range allows. */
export function middleOf(reading: FlexibilityLeaf | undefined, halfSwingMw: number): number {
  const { minSetpointMw, maxSetpointMw, averagePowerMw, setpointMw } = reading ?? {};
  const now = averagePowerMw ?? setpointMw ?? 0;
  const least = minSetpointMw === undefined ? now : Math.max(now, minSetpointMw + halfSwingMw);
  return maxSetpointMw === undefined ? least : Math.min(least, maxSetpointMw - halfSwingMw);
}

/** The grid meter, which the device should be behind. */
function siteOf(log: DeviceLog, { siteChannel }: ChallengeBody): number | undefined {
  if (siteChannel === undefined) return undefined;
  const channel = channelNumber(log, siteChannel);
  if (isGrid(log.channels.get(channel))) return channel;
  throw new Problem("order-channel", "the site's channel is not its grid meter", {
    expected: "a channel of the role grid",
    got: String(siteChannel).slice(0, 100),
  });
}

/** Throws `order-overlap` where the device is bound to something else, or is challenged already. */
function requireQuiet(
  desk: Desk,
  { log, identity, commitments }: DeviceLog,
  { channel, window }: { readonly channel: number; readonly window: Window },
): void {
  const { deviceKey } = identity;
  const isHeld =
    commitments.some((commitment) => overlaps(commitment, window)) ||
    liveDispatches(desk, deviceKey).some(
      ({ order }) => order.channel === channel && overlaps(order, window),
    ) ||
    desk.orders
      .live(deviceKey, desk.nowMs())
      .some((kept) => kept.kind !== "dispatch" && kept.log === log && overlaps(kept, window));
  if (!isHeld) return;
  throw new Problem("order-overlap", "the device is committed, dispatched or challenged in that time", {
    hint: "a challenge is for the time between events",
  });
}
