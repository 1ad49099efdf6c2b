import type { AnyOrder } from "../../attest/flexibility/orders.ts";

/**
 * How far an order has come: signed, handed to the device, sealed in its log, refused by it, past its expiry without either, or
 * taken back before it was handed out.
 */
export const ORDER_STATES = ["pending", "sent", "sealed", "refused", "expired", "withdrawn"] as const;
export type OrderState = (typeof ORDER_STATES)[number];

export const ORDER_KINDS = ["commitment", "dispatch", "challenge"] as const;
export type OrderKind = AnyOrder["kind"];

/** An order as it was signed, ready to be kept. */
export interface NewOrder {
  /** The store's number of the log that it is for. */
  readonly log: number;
  readonly kind: OrderKind;
  readonly objectId: Uint8Array;
  /** SHA-256 of `bytes`. */
  readonly digest: Uint8Array;
  /** The COSE_Sign1. */
  readonly bytes: Uint8Array;
  /** Of a dispatch: the object ids of the commitment that it calls and of the dispatch that it ends. */
  readonly commitmentId: Uint8Array | null;
  readonly withdraws: Uint8Array | null;
  /** Whether it is a challenge that nobody has asked for. */
  readonly random: boolean;
  readonly issuedMs: number;
  readonly expiresMs: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** An order as it is kept. */
export interface KeptOrder extends NewOrder {
  /** Rises from order to order. */
  readonly id: number;
  readonly deviceKey: Uint8Array;
  readonly epoch: number;
  readonly logId: Uint8Array;
  readonly state: OrderState;
  readonly sentMs: number | null;
  /** Why it was refused. */
  readonly code: string | null;
  readonly message: string | null;
  /** The leaf that holds it. */
  readonly seq: number | null;
  /** The leaf of the device's own settlement. */
  readonly settlementSeq: number | null;
  /** The node's signed list of dispatches. */
  readonly list: Uint8Array | null;
  readonly listSentMs: number | null;
  readonly result: KeptResult | null;
}

/** What this node has computed of a commitment or a challenge. */
export interface KeptResult {
  readonly computedMs: number;
  /** Nothing that the device may still send changes it. */
  readonly final: boolean;
  /** As it is answered. */
  readonly value: object;
}

/** What a device has answered to a dispatch or a challenge, in its log. */
export interface KeptAcknowledgement {
  readonly seq: number;
  /** A number of ACKNOWLEDGEMENT. */
  readonly state: number;
  readonly reason: string | null;
  readonly leafMs: number;
}
