import { toHex } from "../bytes.ts";
import { ACKNOWLEDGEMENT } from "../leaf-flexibility.ts";
import type { Call, Remark, SettlementEvidence } from "./settle-types.ts";

/** Which part of a commitment was called, and what the device said to that. */

/** The reason of a rejection by which a device says that it has nothing to give: `unavailable`, or `unavailable: …`. */
export const UNAVAILABLE = "unavailable";

/** [fromMs, toMs), UTC. */
interface Asked {
  readonly call: Call;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Called {
  /** Whether a dispatch asked for all of [fromMs, toMs). */
  covers(fromMs: number, toMs: number): boolean;
  readonly optedOut?: Remark;
  /** There when every dispatch that asked for something was rejected as unavailable. */
  readonly unavailable?: Remark;
  readonly remarks: readonly Remark[];
}

/**
 * What the dispatches asked for. Each does so from its begin, but not from before it was issued, to its end or to when
 * the one was issued that withdraws it. Who only withdraws asks for nothing.
 */
export function calledBy({ calls }: SettlementEvidence): Called {
  const asked = calls.map((call) => askedBy(call, calls)).filter(({ fromMs, toMs }) => fromMs < toMs);
  const optedOut = asked.flatMap(({ call }) => answers(call, ACKNOWLEDGEMENT.optedOut))[0];
  const unavailable = asked.map(({ call }) => answers(call, ACKNOWLEDGEMENT.rejected).find(saysUnavailable));
  const isUnavailable = asked.length > 0 && unavailable.every((answer) => answer !== undefined);
  return {
    covers: (fromMs, toMs) => covers(asked, fromMs, toMs),
    ...(optedOut === undefined ? {} : { optedOut: remark("opted-out", "opted out of", optedOut) }),
    ...(isUnavailable && unavailable[0] !== undefined
      ? { unavailable: remark("unavailable", "is not available for", unavailable[0]) }
      : {}),
    remarks: asked.flatMap(({ call }) => remarksOn(call)),
  };
}

function askedBy(call: Call, calls: readonly Call[]): Asked {
  const { order } = call;
  const id = toHex(order.objectId);
  const ends = calls
    .filter(({ order: { withdraws } }) => withdraws !== undefined && toHex(withdraws) === id)
    .map((each) => each.order.issuedAtMs);
  const toMs = Math.min(order.command === undefined ? order.fromMs : order.toMs, ...ends);
  return { call, fromMs: Math.max(order.fromMs, order.issuedAtMs), toMs };
}

function covers(asked: readonly Asked[], fromMs: number, toMs: number): boolean {
  let atMs = fromMs;
  for (const each of [...asked].sort((a, b) => a.fromMs - b.fromMs))
    if (each.fromMs <= atMs) atMs = Math.max(atMs, each.toMs);
  return atMs >= toMs;
}

interface Answer {
  readonly seq: number;
  readonly reason?: string;
}

function answers({ acknowledgements }: Call, state: number): readonly Answer[] {
  return acknowledgements.filter((each) => each.state === state);
}

function saysUnavailable({ reason = "" }: Answer): boolean {
  return reason === UNAVAILABLE || reason.startsWith(`${UNAVAILABLE}:`);
}

function remarksOn(call: Call): Remark[] {
  return [
    ...answers(call, ACKNOWLEDGEMENT.rejected).map((each) => remark("rejected", "rejected", each)),
    ...answers(call, ACKNOWLEDGEMENT.aborted).map((each) => remark("aborted", "ended before its time", each)),
  ];
}

function remark(code: string, did: string, { seq, reason }: Answer): Remark {
  const why = reason === undefined ? "" : `: ${JSON.stringify(reason)}`;
  return { code, message: `the device ${did} a dispatch (leaf ${seq})${why}` };
}
