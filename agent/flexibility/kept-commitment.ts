import { localDay, openZone } from "../../attest/baseline/zone.ts";
import type { CommitmentOrder, DispatchOrder } from "../../attest/flexibility/orders.ts";
import { decodeTerms, type FlexTerms } from "../../attest/flexibility/terms.ts";
import type { Commitment } from "../../attest/leaf-flexibility.ts";
import { nativeSuite } from "../../attest/native.ts";
import type { UntimedLifecycle } from "../sealing/leaves.ts";
import type { Sealed } from "./host.ts";

/** A commitment of this epoch, with what the desk has to know of it. */
export interface KeptCommitment {
  readonly seq: number;
  /** When the device was bound, on its clock. */
  readonly takenMs: number;
  readonly order: CommitmentOrder;
  readonly terms: FlexTerms;
  /** Whose word it is. */
  readonly nodeKey: Uint8Array;
  readonly toMs: number;
  /** First local day of the event. */
  readonly day: number;
  /** Number of dispatch leaves that name it, */
  dispatches: number;
  /** and whether one of them asks for something. */
  called: boolean;
  /** The owner does not want it delivered. */
  optedOut: boolean;
  settled: boolean;
}

/** The leaf that an order is bound by. */
export function commitmentBody(order: CommitmentOrder, bytes: Uint8Array): UntimedLifecycle<Commitment> {
  const { channel, boundary, fromMs, intervalMs, deltaMwh, terms, offerSeq } = order;
  return {
    kind: "commitment",
    ...{ channel, boundary, fromMs, intervalMs, deltaMwh },
    termsDigest: nativeSuite.sha256(terms),
    ...(offerSeq === undefined ? {} : { offerSeq }),
    counterparty: bytes,
  };
}

/** Throws what the order's terms do not decode with. */
export function keptCommitment(
  { seq, timeMs }: Sealed,
  order: CommitmentOrder,
  nodeKey: Uint8Array,
): KeptCommitment {
  const terms = decodeTerms(order.terms);
  return {
    ...{ seq, takenMs: timeMs, order, terms, nodeKey },
    toMs: endOf(order),
    day: localDay(openZone(terms.timeZone), order.fromMs),
    dispatches: 0,
    called: false,
    optedOut: false,
    settled: false,
  };
}

/** A dispatch under it is in the log. */
export function noteDispatch(commitment: KeptCommitment, { command }: Pick<DispatchOrder, "command">): void {
  commitment.dispatches += 1;
  if (command !== undefined) commitment.called = true;
}

/** Where the last interval ends. */
export function endOf({
  fromMs,
  intervalMs,
  deltaMwh,
}: Pick<CommitmentOrder, "fromMs" | "intervalMs" | "deltaMwh">): number {
  return fromMs + intervalMs * deltaMwh.length;
}
