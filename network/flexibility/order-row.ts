import { plain } from "../store/named-statements.ts";
import type { KeptOrder, KeptResult, OrderKind, OrderState } from "./order-record.ts";

/** A row of flex_order with the log that it belongs to. */
export interface OrderRow {
  readonly id: number;
  readonly log: number;
  readonly kind: OrderKind;
  readonly object_id: Uint8Array;
  readonly digest: Uint8Array;
  readonly bytes: Uint8Array;
  readonly commitment_id: Uint8Array | null;
  readonly withdraws: Uint8Array | null;
  readonly random: number;
  readonly issued_ms: number;
  readonly expires_ms: number;
  readonly from_ms: number;
  readonly to_ms: number;
  readonly state: OrderState;
  readonly sent_ms: number | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly seq: number | null;
  readonly settlement_seq: number | null;
  readonly list: Uint8Array | null;
  readonly list_sent_ms: number | null;
  readonly result: string | null;
  readonly result_ms: number | null;
  readonly result_final: number;
  readonly epoch: number;
  readonly log_id: Uint8Array;
  readonly device_key: Uint8Array;
}

/** An order out of its row. */
export function orderOf(row: OrderRow): KeptOrder {
  const { id, log, kind, state, code, message, seq, epoch } = row;
  return {
    ...{ id, log, kind, state, code, message, seq, epoch, random: row.random === 1 },
    ...{ objectId: plain(row.object_id), digest: plain(row.digest), bytes: plain(row.bytes) },
    ...{ commitmentId: maybe(row.commitment_id), withdraws: maybe(row.withdraws) },
    ...{ issuedMs: row.issued_ms, expiresMs: row.expires_ms, fromMs: row.from_ms, toMs: row.to_ms },
    ...{ sentMs: row.sent_ms, settlementSeq: row.settlement_seq, logId: plain(row.log_id) },
    ...{ list: maybe(row.list), listSentMs: row.list_sent_ms, deviceKey: plain(row.device_key) },
    result: resultOf(row),
  };
}

function resultOf({ result, result_ms, result_final }: OrderRow): KeptResult | null {
  if (result === null || result_ms === null) return null;
  const value: unknown = JSON.parse(result);
  return { value: Object(value), computedMs: result_ms, final: result_final === 1 };
}

function maybe(bytes: Uint8Array | null): Uint8Array | null {
  return bytes && plain(bytes);
}
