import { concatBytes } from "../../../attest/bytes.ts";
import { type CborValue, encodeCbor } from "../../../attest/cbor.ts";
import { encodeSettlementProof } from "../../../attest/flexibility/proof-file.ts";
import type { LogBuilder } from "../../kit/log-builder.ts";
import { device, logIdOf, NETWORK, nodeA, sha256 } from "./keys.ts";
import { checkpointOver, newLog, receiptOver } from "./logs.ts";
import { partOf } from "./proof-parts.ts";
import { changed, type Signing, sealed } from "./sealing.ts";

/** Logs with one commitment, put together by hand, and settlement proofs of them. */

const HOUR_MS = 3_600_000;
export const SIX_HOURS_MS: number = 6 * HOUR_MS;
/** Tuesday, 2026-01-20, 12:00 to 18:00 UTC; notice is an hour. */
export const EVENT_MS: number = Date.UTC(2026, 0, 20, 12);
export const END_MS: number = EVENT_MS + SIX_HOURS_MS;
export const ISSUED_MS: number = EVENT_MS - SIX_HOURS_MS;
export const REBOUND_END_MS: number = END_MS + SIX_HOURS_MS;
const TYPE = "kilowitness/1 flexibility-";

export type Changes = Readonly<Record<number, CborValue | undefined>>;

/** What is unusual about a life. */
export interface Life {
  /** When the channel's first reading is; a day before the event unless given. */
  readonly beginMs?: number;
  readonly terms?: Changes;
  readonly commitment?: Changes;
  readonly dispatches?: readonly Changes[];
  /** Who signs the commitment and the dispatches. */
  readonly node?: Signing;
  readonly dispatchedBy?: Signing;
  /** Other values of the leaf of the commitment. */
  readonly leaf?: object;
  readonly answered?: boolean;
}

export function idOf(number: number): Uint8Array {
  return new Uint8Array(16).fill(number);
}

export function termsBytes(changes: Changes = {}): Uint8Array {
  const terms = new Map<number, CborValue>([
    [1, 1],
    [2, "h10/1"],
    [3, "UTC"],
    [4, HOUR_MS],
    [5, 1],
  ]);
  return encodeCbor(changed(terms, changes));
}

const LOG_ID = logIdOf(NETWORK, device.publicKey, 1);

export function commitmentBytes({ terms, commitment = {}, node = nodeA }: Life): Uint8Array {
  const payload = new Map<number, CborValue>([
    [1, LOG_ID],
    [2, idOf(1)],
    [3, 1],
    [4, ISSUED_MS],
    [5, ISSUED_MS + HOUR_MS],
    [6, 1],
    [7, EVENT_MS],
    [8, SIX_HOURS_MS],
    [9, [-3_000_000]],
    [10, termsBytes(terms)],
  ]);
  return sealed(node, { type: `${TYPE}commitment`, payload: changed(payload, commitment) });
}

export function dispatchBytes(changes: Changes, node: Signing): Uint8Array {
  const payload = new Map<number, CborValue>([
    [1, LOG_ID],
    [2, idOf(2)],
    [3, 1],
    [4, EVENT_MS - HOUR_MS / 2],
    [5, END_MS],
    [6, idOf(1)],
    [7, EVENT_MS],
    [8, END_MS],
    [9, 1],
    [10, -2_000_000],
  ]);
  return sealed(node, { type: `${TYPE}dispatch`, payload: changed(payload, changes) });
}

/** The node's list of dispatches, by their bytes. */
export function listBytes(
  orders: readonly Uint8Array[],
  changes: Changes = {},
  node: Signing = nodeA,
): Uint8Array {
  const payload = new Map<number, CborValue>([
    [1, LOG_ID],
    [2, idOf(1)],
    [3, concatBytes(...orders.map((order) => sha256(order)))],
    [4, END_MS + HOUR_MS],
  ]);
  return sealed(node, { type: `${TYPE}dispatch-list`, payload: changed(payload, changes) });
}

/** 6 kWh every six hours, and 2.4 kWh in the event: 3.6 kWh delivered where 3 kWh are committed. */
export function livedLog(life: Life = {}): LogBuilder {
  const { beginMs = EVENT_MS - 4 * SIX_HOURS_MS } = life;
  const log = newLog({ intervalMs: SIX_HOURS_MS, startMs: beginMs });
  log.manifest({
    samplingMs: 10_000,
    driver: "test",
    make: "Acme",
    model: "M1",
    serial: "4711",
    name: "grid",
  });
  let importMwh = 1_000_000;
  for (let ms = beginMs; ms <= REBOUND_END_MS; ms += SIX_HOURS_MS) {
    importMwh += ms === beginMs ? 0 : ms === END_MS ? 2_400_000 : 6_000_000;
    log.timeMs = ms;
    log.read({ importMwh });
    log.timeMs += 5000;
    log.closeDue();
    if (ms === ISSUED_MS) ordered(log, life);
    if (ms === END_MS && life.answered !== false) answer(log, 4);
  }
  return log;
}

function ordered(log: LogBuilder, life: Life): void {
  const counterparty = commitmentBytes(life);
  log.append({
    ...{ kind: "commitment", ...log.time(), channel: 1, boundary: 1, fromMs: EVENT_MS },
    ...{
      intervalMs: SIX_HOURS_MS,
      deltaMwh: [-3_000_000],
      termsDigest: sha256(termsBytes(life.terms)),
      counterparty,
    },
    ...life.leaf,
  });
  for (const changes of life.dispatches ?? [{}]) {
    const order = dispatchBytes(changes, life.dispatchedBy ?? life.node ?? nodeA);
    log.timeMs = EVENT_MS - HOUR_MS / 2 + 5000;
    log.append({ kind: "dispatch", ...log.time(), channel: 1, order });
  }
  if (life.answered !== false) answer(log, 1);
}

function answer(log: LogBuilder, state: number): void {
  const orderSeq = log.leaves.find(({ leaf }) => leaf.kind === "dispatch")?.leaf.seq ?? 0;
  log.append({ kind: "acknowledgement", ...log.time(), channel: 1, orderSeq, state });
}

/** Everything of a log but its readings and manifests. */
export function shownOf(log: LogBuilder): number[] {
  const hidden = ["reading", "logManifest", "channelManifest"];
  return log.leaves.flatMap(({ leaf }) => (hidden.includes(leaf.kind) ? [] : [leaf.seq]));
}

export interface ShownFile {
  readonly leaves?: readonly number[];
  readonly list?: Uint8Array;
  /** When node A had the commitment; not shown at all when undefined. */
  readonly receiptedMs?: number;
  /** How many leaves that receipt is over; up to the commitment unless given. */
  readonly receiptedSize?: number;
}

/** The file of a log, with receipts of node A over the commitment and over the end. */
export function settlementOf(log: LogBuilder, shown: ShownFile = {}): Uint8Array {
  const { leaves, list, receiptedMs } = shown;
  const commitment = log.leaves.find(({ leaf }) => leaf.kind === "commitment")?.leaf.seq ?? 0;
  const early = shown.receiptedSize ?? commitment + 1;
  const receipts =
    receiptedMs === undefined
      ? {}
      : {
          receipts: [
            receiptOver(log, nodeA, receiptedMs, { size: early }),
            receiptOver(log, nodeA, REBOUND_END_MS + 60_000),
          ],
          cuts: [early],
        };
  const checkpoint = checkpointOver(log);
  const part = partOf(log, { leaves: leaves ?? shownOf(log), checkpoint, ...receipts });
  return encodeSettlementProof({ part, ...(list && { list }) });
}
