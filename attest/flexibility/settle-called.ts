import { toHex } from "../bytes.ts";
import type { IntervalClose } from "../leaf.ts";
import { ACKNOWLEDGEMENT, type Acknowledgement } from "../leaf-flexibility.ts";
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
 * the one that withdraws it was issued and is in the log. Who only withdraws asks for nothing.
 */
export function calledBy({ calls, closes }: SettlementEvidence): Called {
  const asked = calls.map((call) => askedBy(call, calls)).filter(({ fromMs, toMs }) => fromMs < toMs);
  const finals = asked.map(({ call }) => finalAnswer(call, closes));
  const optedOut = finals.find((answer) => answer?.state === ACKNOWLEDGEMENT.optedOut);
  const unavailable = finals.map((answer) =>
    answer !== undefined && saysUnavailable(answer) ? answer : undefined,
  );
  const isUnavailable = asked.length > 0 && unavailable.every((answer) => answer !== undefined);
  return {
    covers: (fromMs, toMs) => covers(asked, fromMs, toMs),
    ...(optedOut === undefined ? {} : { optedOut: remark("opted-out", "opted out of", optedOut) }),
    ...(isUnavailable && unavailable[0] !== undefined
      ? { unavailable: remark("unavailable", "is not available for", unavailable[0]) }
      : {}),
    remarks: asked.flatMap(({ call }, at) => remarksOn(call, finals[at])),
  };
}

function askedBy(call: Call, calls: readonly Call[]): Asked {
  const { order } = call;
  const id = toHex(order.objectId);
  const ends = calls
    .filter(({ order: { withdraws } }) => withdraws !== undefined && toHex(withdraws) === id)
    .map(({ leaf, order: { issuedAtMs } }) => Math.max(issuedAtMs, leaf.timeMs));
  const toMs = Math.min(order.command === undefined ? order.fromMs : order.toMs, ...ends);
  return { call, fromMs: Math.max(order.fromMs, order.issuedAtMs), toMs };
}

function covers(asked: readonly Asked[], fromMs: number, toMs: number): boolean {
  let atMs = fromMs;
  for (const each of [...asked].sort((a, b) => a.fromMs - b.fromMs))
    if (each.fromMs <= atMs) atMs = Math.max(atMs, each.toMs);
  return atMs >= toMs;
}

const FINAL: ReadonlySet<number> = new Set([
  ...[ACKNOWLEDGEMENT.rejected, ACKNOWLEDGEMENT.succeeded, ACKNOWLEDGEMENT.aborted],
  ...[ACKNOWLEDGEMENT.optedOut, ACKNOWLEDGEMENT.superseded],
]);

function answers({ acknowledgements }: Call, state: number): readonly Acknowledgement[] {
  return acknowledgements.filter((each) => each.state === state);
}

/**
 * The first answer with which a dispatch was over, if it came by the dispatch's end: by its own time, and before the close
 * that reaches there, because a clock can be set. Who knows what was delivered must not choose an answer to it.
 */
function finalAnswer(
  { acknowledgements, order: { toMs } }: Call,
  closes: readonly IntervalClose[],
): Acknowledgement | undefined {
  const first = acknowledgements.filter(({ state }) => FINAL.has(state)).toSorted((a, b) => a.seq - b.seq)[0];
  if (first === undefined || first.timeMs >= toMs) return undefined;
  return closes.some(({ seq, t1Ms }) => t1Ms >= toMs && seq < first.seq) ? undefined : first;
}

function saysUnavailable({ state, reason = "" }: Acknowledgement): boolean {
  const isSaid = reason === UNAVAILABLE || reason.startsWith(`${UNAVAILABLE}:`);
  return state === ACKNOWLEDGEMENT.rejected && isSaid;
}

function remarksOn(call: Call, final: Acknowledgement | undefined): Remark[] {
  const optedOut = answers(call, ACKNOWLEDGEMENT.optedOut);
  const excuses = [...answers(call, ACKNOWLEDGEMENT.rejected).filter(saysUnavailable), ...optedOut];
  return [
    ...answers(call, ACKNOWLEDGEMENT.rejected).map((each) => remark("rejected", "rejected", each)),
    ...answers(call, ACKNOWLEDGEMENT.aborted).map((each) => remark("aborted", "ended before its time", each)),
    ...excuses
      .filter(({ seq }) => seq !== final?.seq)
      .map((each) =>
        remark(
          "answered-late",
          "opted out of, or called itself unavailable for, too late or a second time,",
          each,
        ),
      ),
  ];
}

function remark(code: string, did: string, { seq, reason }: Acknowledgement): Remark {
  const why = reason === undefined ? "" : `: ${JSON.stringify(reason)}`;
  return { code, message: `the device ${did} a dispatch (leaf ${seq})${why}` };
}
