import { equalBytes, toHex } from "../../attest/bytes.ts";
import { parseObject } from "../../attest/cose.ts";
import { type AnyOrder, openDispatchList, openOrder } from "../../attest/flexibility/orders.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import {
  at,
  bytesOf,
  type Findings,
  guarded,
  placeOf,
  type Row,
  shown,
  wholeOf,
} from "../../runtime/fsck-rows.ts";
import { leafOf } from "./batch-reader.ts";
import type { StoreContext } from "./fsck-types.ts";

const HINT =
  "keep the file: the device has what it was told in its own log; the order and what was computed of it are in doubt";

/** An order that opened, and its row. */
interface Opened {
  readonly where: string;
  readonly row: Row;
  readonly opened: AnyOrder;
  readonly bytes: Uint8Array;
  readonly nodeKey: Uint8Array;
}

/** Each order that is kept: this node signed it, its columns say what it says, and the leaf that is named holds it. */
export function* checkOrders(context: StoreContext): Findings {
  let row = context.rows.one("orders", { after: Number.MIN_SAFE_INTEGER });
  while (row !== undefined) {
    const found = row;
    yield* guarded(() => requireOrder(context, found));
    row = context.rows.one("orders", { after: Number(row["id"]) });
  }
}

function requireOrder(context: StoreContext, row: Row): void {
  const order = openedOrder(context, row);
  requireColumns(order);
  requireLeaf(context, order);
  requireList(order);
  requireResult(order);
}

function openedOrder(context: StoreContext, row: Row): Opened {
  const where = placeOf("flex_order", { id: row["id"] });
  const bytes = bytesOf(row, "bytes", where);
  const nodeKey = at(where, HINT, () => parseObject(bytes).kid);
  if (!context.nodeKeys.some((own) => equalBytes(own, nodeKey)))
    throw differs(where, "the order is of another node", {
      expected: context.nodeKeys.map(toHex).join(" or ") || "a node that has given a receipt here",
      got: toHex(nodeKey),
    });
  const opened = at(where, HINT, () => openOrder(nativeSuite, bytes, nodeKey));
  return { where, row, bytes, nodeKey, opened };
}

function requireColumns({ where, row, bytes, opened }: Opened): void {
  const { kind, order } = opened;
  const maybe = (value: Uint8Array | undefined): string => (value === undefined ? "none" : toHex(value));
  const column = (name: string): string => (row[name] === null ? "none" : toHex(bytesOf(row, name, where)));
  const dispatch = kind === "dispatch" ? order : {};
  const { commitmentId, withdraws } = { commitmentId: undefined, withdraws: undefined, ...dispatch };
  const expected = {
    ...{ kind, digest: toHex(nativeSuite.sha256(bytes)), logId: toHex(order.logId) },
    ...{ objectId: toHex(order.objectId), commitmentId: maybe(commitmentId), withdraws: maybe(withdraws) },
    ...{ issuedMs: String(order.issuedAtMs), expiresMs: String(order.expiresMs), ...windowOf(opened) },
  };
  const got: Readonly<Record<string, string>> = {
    ...{ kind: String(row["kind"]), digest: column("digest"), logId: column("logId") },
    ...{ objectId: column("objectId"), commitmentId: column("commitmentId"), withdraws: column("withdraws") },
    ...Object.fromEntries(TIMES.map((name) => [name, String(wholeOf(row, name, where))])),
  };
  for (const [name, value] of Object.entries(expected))
    if (got[name] !== value)
      throw differs(where, `column ${name} is not what the order says`, {
        expected: value,
        got: got[name] ?? "",
      });
}

const TIMES = ["issuedMs", "expiresMs", "fromMs", "toMs"] as const;

/** What an order is about; a challenge is from its issue to the end of the last step that may be. */
function windowOf({ kind, order }: AnyOrder): { readonly fromMs: string; readonly toMs: string } {
  const [fromMs, toMs] =
    kind === "commitment"
      ? [order.fromMs, order.fromMs + order.intervalMs * order.deltaMwh.length]
      : kind === "dispatch"
        ? [order.fromMs, order.toMs]
        : [order.issuedAtMs, order.startByMs + order.steps * order.stepMs];
  return { fromMs: String(fromMs), toMs: String(toMs) };
}

/** A sealed order stands in the leaf that its row names, byte for byte. */
function requireLeaf({ rows }: StoreContext, { where, row, bytes }: Opened): void {
  if (row["seq"] === null) return;
  const seq = wholeOf(row, "seq", where);
  const batch = rows.one("orderLeaf", { log: row["log"], seq });
  const held = batch && heldIn(batch, seq, where);
  if (held !== undefined && equalBytes(held, bytes)) return;
  throw differs(where, "the leaf does not hold the order", {
    expected: `the order in leaf ${seq}`,
    got: held === undefined ? "another leaf, or none" : "another order",
  });
}

function heldIn(row: Row, seq: number, where: string): Uint8Array | undefined {
  const [firstSeq, nextSeq] = [wholeOf(row, "firstSeq", where), wholeOf(row, "nextSeq", where)];
  if (seq >= nextSeq) return undefined;
  const batch = {
    firstSeq,
    nextSeq,
    ends: bytesOf(row, "ends", where),
    leaves: bytesOf(row, "leaves", where),
  };
  const leaf = at(where, HINT, () => decodeLeaf(leafOf(batch, seq)));
  if (leaf.kind === "commitment") return leaf.counterparty;
  return leaf.kind === "dispatch" || leaf.kind === "challenge" ? leaf.order : undefined;
}

function requireList({ where, row, opened, nodeKey }: Opened): void {
  if (row["list"] === null) return;
  const bytes = bytesOf(row, "list", where);
  const { logId, commitmentId } = at(`${where}, column list`, HINT, () =>
    openDispatchList(nativeSuite, bytes, nodeKey),
  );
  const { order } = opened;
  if (equalBytes(logId, order.logId) && equalBytes(commitmentId, order.objectId)) return;
  throw differs(where, "the list is of another commitment", {
    expected: toHex(order.objectId),
    got: toHex(commitmentId),
  });
}

function requireResult({ where, row }: Opened): void {
  const { result } = row;
  if (result === null) return;
  try {
    if (typeof result === "string" && typeof JSON.parse(result) === "object") return;
  } catch {
    // What is no JSON is told below.
  }
  throw differs(where, "the result is no JSON", { expected: "an object", got: shown(result) });
}

function differs(
  where: string,
  what: string,
  detail: { readonly expected: string; readonly got: string },
): Problem {
  return new Problem("fsck-order", what, { where, ...detail, hint: HINT });
}
