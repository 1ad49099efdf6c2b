import { LEAF_KINDS, type Leaf } from "../../attest/leaf.ts";
import type { SqliteDatabase } from "../../runtime/database.ts";
import type { Change } from "../store/group-commit.ts";
import { NamedStatements, plain, type Values } from "../store/named-statements.ts";
import { FLEXIBILITY_SQL } from "./flexibility-sql.ts";
import type { KeptAcknowledgement, KeptOrder, KeptResult, NewOrder, OrderKind } from "./order-record.ts";
import { type OrderRow, orderOf } from "./order-row.ts";
import { Turns } from "./turns.ts";

/** The file of a node's store, and how it is changed: a SqliteStore. */
export interface OrderDatabase {
  readonly database: SqliteDatabase;
  write<T>(change: Change<T>): Promise<T>;
}

/** Of one device: orders that have not ended, and orders that are kept at all. */
export const MOST_LIVE = 256;
export const MOST_KEPT = 4096;
/** Of one order: a device says some six things about it. */
const MOST_ACKNOWLEDGEMENTS = 64;
/** What was sent may have been sealed at the last moment; its leaf is on its way. */
const SENT_GRACE_MS = 30_000;

/** A log whose leaves may tell of orders. */
export interface WatchedLog {
  readonly log: number;
  readonly deviceKey: Uint8Array;
}

/** What a stretch of a log has told. */
export interface Learnt {
  /** Orders that it holds, by SHA-256. */
  readonly sealed: readonly { readonly digest: Uint8Array; readonly seq: number }[];
}

/** The orders that this node has signed, in the store's own file (006-flexibility.sql). */
export class SqliteOrders {
  /** One order of a device is made at a time; by the device's key in hexadecimal. */
  readonly turns: Turns = new Turns();
  readonly #owner: OrderDatabase;
  readonly #statements: NamedStatements;

  constructor(owner: OrderDatabase) {
    this.#owner = owner;
    this.#statements = new NamedStatements(owner.database, FLEXIBILITY_SQL);
  }

  /** Keeps orders of one log, all or none; false when the device has too many that have not ended. */
  add(orders: readonly NewOrder[]): Promise<boolean> {
    const [first] = orders;
    if (first === undefined) return Promise.resolve(true);
    const { log, issuedMs: nowMs } = first;
    const bytes = orders.reduce((sum, order) => sum + order.bytes.length, 0);
    return this.#write(() => {
      const { count = 0 } = this.#statements.get<{ count: number }>("count-live", { log, nowMs }) ?? {};
      if (count + orders.length > MOST_LIVE) return false;
      this.#statements.run("begin-looking", { log });
      for (const order of orders) this.#statements.run("add", { ...order, random: Number(order.random) });
      this.#forget(log, nowMs);
      return true;
    }, bytes);
  }

  /** The oldest ended ones make room. */
  #forget(log: number, nowMs: number): void {
    const oldest = this.#statements.get<{ id: number }>("oldest-kept", { log, kept: MOST_KEPT });
    if (oldest === undefined) return;
    this.#statements.run("forget-acknowledgements", { log, nowMs, id: oldest.id });
    this.#statements.run("forget", { log, nowMs, id: oldest.id });
  }

  find(deviceKey: Uint8Array, objectId: Uint8Array): KeptOrder | undefined {
    return this.#all("find", { deviceKey, objectId })[0];
  }

  byDigest(digest: Uint8Array): KeptOrder | undefined {
    return this.#all("by-digest", { digest })[0];
  }

  /** The device's orders below the id `before`, newest first. */
  list(
    deviceKey: Uint8Array,
    page: { readonly before: number; readonly limit: number; readonly kind: OrderKind | null },
  ): KeptOrder[] {
    return this.#all("list", { deviceKey, ...page });
  }

  /** Those that have not ended: neither refused nor past their window. */
  live(deviceKey: Uint8Array, nowMs: number): KeptOrder[] {
    return this.#all("live", { deviceKey, nowMs });
  }

  /** Those that the device has still to be told of, oldest first. */
  unsealed(deviceKey: Uint8Array, nowMs: number): KeptOrder[] {
    return this.#all("unsealed", { deviceKey, nowMs });
  }

  /** All dispatches under a commitment, in the order of their issue. */
  dispatches(objectId: Uint8Array): KeptOrder[] {
    return this.#all("dispatches", { objectId });
  }

  acknowledgements(id: number): KeptAcknowledgement[] {
    return this.#statements.all<KeptAcknowledgement>("acknowledgements", { id });
  }

  markSent(id: number, nowMs: number): Promise<unknown> {
    return this.#write(() => this.#statements.run("mark-sent", { id, nowMs }));
  }

  /** False for a refusal of what was not sent to this device, or is sealed or refused already. */
  refuse(
    deviceKey: Uint8Array,
    refused: { readonly digest: Uint8Array; readonly code: string; readonly message: string },
  ): Promise<boolean> {
    return this.#write(() => this.#statements.run("refuse", { deviceKey, ...refused }) > 0);
  }

  /** False when it has been handed out meanwhile. */
  withdraw(id: number): Promise<boolean> {
    return this.#write(() => this.#statements.run("withdraw", { id }) > 0);
  }

  /** Marks those that nothing follows from any more, and returns them. */
  async expire(nowMs: number): Promise<readonly KeptOrder[]> {
    const expired = this.#all("expired", { nowMs, sentMs: nowMs - SENT_GRACE_MS });
    if (expired.length === 0) return expired;
    await this.#write(() => {
      for (const { id } of expired) this.#statements.run("expire", { id });
    });
    return expired;
  }

  /** Logs that orders were signed for. */
  watched(): WatchedLog[] {
    return this.#statements
      .all<WatchedLog>("watched")
      .map(({ log, deviceKey }) => ({ log, deviceKey: plain(deviceKey) }));
  }

  /** Seqs of leaves that tell of orders and have not been looked at, and up to where that goes; undefined where all have. */
  unlooked(
    log: number,
    limit: number,
  ): { readonly seqs: readonly number[]; readonly nextSeq: number } | undefined {
    const looked = this.#statements.get<{ nextSeq: number; size: number }>("looked", { log });
    if (looked === undefined || looked.nextSeq >= looked.size) return undefined;
    const { nextSeq: fromSeq, size: toSeq } = looked;
    const kinds = { firstKind: LEAF_KINDS.offer, lastKind: LEAF_KINDS.settlement };
    const rows = this.#statements.all<{ seq: number }>("new-marks", { log, fromSeq, toSeq, limit, ...kinds });
    const last = rows.length === limit ? rows.at(-1) : undefined;
    return { seqs: rows.map(({ seq }) => seq), nextSeq: last === undefined ? toSeq : last.seq + 1 };
  }

  /** Takes over what leaves of a log say of orders, and that it has been looked at up to `nextSeq`. */
  learn(
    log: number,
    leaves: readonly { readonly leaf: Leaf; readonly orderDigest: Uint8Array | undefined }[],
    nextSeq: number,
  ): Promise<Learnt> {
    return this.#write(() => {
      const sealed: { digest: Uint8Array; seq: number }[] = [];
      for (const { leaf, orderDigest: digest } of leaves) {
        const { seq } = leaf;
        if (digest !== undefined && this.#statements.run("seal", { log, digest, seq }) > 0)
          sealed.push({ digest, seq });
        this.#acknowledge(log, leaf);
      }
      this.#statements.run("look", { log, nextSeq });
      return { sealed };
    });
  }

  #acknowledge(log: number, leaf: Leaf): void {
    if (leaf.kind === "settlement") {
      const found = this.#statements.get<{ id: number }>("order-at", { log, seq: leaf.commitmentSeq });
      if (found !== undefined) this.#statements.run("settled-by-device", { id: found.id, seq: leaf.seq });
    }
    if (leaf.kind !== "acknowledgement") return;
    const found = this.#statements.get<{ id: number }>("order-at", { log, seq: leaf.orderSeq });
    if (found === undefined) return;
    const { seq, state, reason = null, timeMs: leafMs } = leaf;
    this.#statements.run("acknowledge", {
      ...{ order: found.id, seq, state, reason, leafMs, most: MOST_ACKNOWLEDGEMENTS },
    });
  }

  /** Commitments that are over, and whose dispatches are not listed yet. */
  unlisted(nowMs: number, limit: number): KeptOrder[] {
    return this.#all("unlisted", { nowMs, limit });
  }

  keepList(id: number, list: Uint8Array): Promise<unknown> {
    return this.#write(() => this.#statements.run("keep-list", { id, list }), list.length);
  }

  /** Commitments of a device whose list was never sent, or first sent after `sinceMs`. */
  lists(deviceKey: Uint8Array, sinceMs: number): KeptOrder[] {
    return this.#all("lists", { deviceKey, sinceMs });
  }

  listSent(id: number, nowMs: number): Promise<unknown> {
    return this.#write(() => this.#statements.run("list-sent", { id, nowMs }));
  }

  /** Commitments and challenges that are over, and of which no final result is kept. */
  unjudged(nowMs: number): KeptOrder[] {
    return this.#all("unjudged", { nowMs });
  }

  keepResult(id: number, { value, computedMs: nowMs, final }: KeptResult): Promise<unknown> {
    const result = JSON.stringify(value);
    return this.#write(
      () => this.#statements.run("keep-result", { id, result, nowMs, final: Number(final) }),
      result.length,
    );
  }

  #all(name: string, values: Values): KeptOrder[] {
    return this.#statements.all<OrderRow>(name, values).map(orderOf);
  }

  #write<T>(run: () => T, bytes = 0): Promise<T> {
    return this.#owner.write({ run, bytes });
  }
}
