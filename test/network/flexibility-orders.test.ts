import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { openDispatchList } from "../../attest/flexibility/orders.ts";
import { nativeSuite } from "../../attest/native.ts";
import { runFsck } from "../../bin/fsck/run.ts";
import type { RunningNode } from "../../network/node.ts";
import { READ_TOKEN } from "./enrolment-kit.ts";
import { temporaryFolder } from "./fixture.ts";
import {
  ask,
  COMMITMENT,
  EVENT_MS,
  FlexDevice,
  flexNode,
  HOUR_MS,
  setClock,
  until,
} from "./flexibility-kit.ts";

const NOON = EVENT_MS - 2 * HOUR_MS;

/** A device with one day of log, connected to a node of its own. */
async function started(
  folder = temporaryFolder(),
): Promise<{ node: RunningNode; device: FlexDevice; path: string }> {
  setClock(NOON);
  const node = await flexNode(folder);
  const device = new FlexDevice({ startMs: NOON - 4 * HOUR_MS }).live().flexibility();
  await device.connect(node);
  await device.deliver();
  return { node, device, path: `/devices/${device.key}` };
}

/** A commitment that the device has taken. */
async function committed(
  folder = temporaryFolder(),
): Promise<Awaited<ReturnType<typeof started>> & { id: string; seq: number }> {
  const all = await started(folder);
  const { node, device, path } = all;
  const signed = await ask(node, `${path}/commitments`, { body: COMMITMENT });
  expect(signed.status).toBe(201);
  const commitment = await device.order(node);
  if (commitment.kind !== "commitment") throw new Error("no commitment");
  const seq = device.commit(commitment.order, commitment.bytes);
  await device.deliver();
  return { ...all, id: String(signed.body["id"]), seq };
}

const DISPATCH = {
  channel: "battery",
  from: new Date(EVENT_MS).toISOString(),
  to: new Date(EVENT_MS + HOUR_MS).toISOString(),
  powerMw: 600_000,
};

describe("an order", () => {
  it("is the same bytes at each connection until it is refused, and then is not sent again", async () => {
    const { node, device, path } = await started();
    const signed = await ask(node, `${path}/dispatches`, { body: DISPATCH });
    const first = await device.order(node);
    await device.disconnect();
    await device.connect(node);
    const again = await device.order(node);
    expect(again.bytes).toEqual(first.bytes);
    const digest = nativeSuite.sha256(first.bytes);
    expect(signed.body["digest"]).toBe(toHex(digest));
    device.say({ type: "orderRefused", digest, code: "order-not-allowed", message: "no\nthanks" });
    const refused = await until(
      node,
      `${path}/flexibility`,
      ({ orders }) => Object(orders)[0].state === "refused",
    );
    expect(refused["orders"]).toMatchObject([{ code: "order-not-allowed", message: "no\nthanks" }]);
    await device.disconnect();
    await device.connect(node);
    device.readAt(NOON + 1000, { 1: 1_000_000 });
    await device.deliver();
    expect(device.told).toHaveLength(2);
  });

  it("that the device says to have already, or wants later, is not refused", async () => {
    const { node, device, path } = await started();
    await ask(node, `${path}/dispatches`, { body: DISPATCH });
    const { bytes } = await device.order(node);
    const digest = nativeSuite.sha256(bytes);
    device.say({ type: "orderRefused", digest, code: "order-rate", message: "too fast" });
    expect((await device.order(node)).bytes).toEqual(bytes);
    device.say({ type: "orderRefused", digest, code: "order-known", message: "taken" });
    device.readAt(NOON + 1000, { 1: 1_000_000 });
    await device.deliver();
    expect((await ask(node, `${path}/flexibility`)).body).toMatchObject({ orders: [{ state: "sent" }] });
  });

  it("is not refused by a device that was not sent it: that ends the connection", async () => {
    const { device } = await started();
    device.say({ type: "orderRefused", digest: new Uint8Array(32), code: "order-expired", message: "x" });
    expect(await device.next()).toMatchObject({ type: "refusal", code: "message-unexpected" });
  });

  it("outlives a restart of the node, sealed or not", async () => {
    const folder = temporaryFolder();
    const { node, device, path, id, seq } = await committed(folder);
    await device.disconnect();
    const waiting = await ask(node, `${path}/dispatches`, { body: { ...DISPATCH, commitment: id } });
    expect(waiting.body).toMatchObject({ state: "pending" });
    await node.close();
    const again = await flexNode(folder);
    await device.connect(again);
    const sent = await device.order(again);
    expect(toHex(nativeSuite.sha256(sent.bytes))).toBe(waiting.body["digest"]);
    const { body } = await ask(again, `${path}/commitments/${id}`);
    expect(body).toMatchObject({ state: "sealed", seq, dispatches: [{ id: waiting.body["id"] }] });
  });

  it("expires, and is sealed all the same when the device had taken it before", async () => {
    const { node, device, path } = await started();
    await ask(node, `${path}/dispatches`, { body: DISPATCH });
    const dispatch = await device.order(node);
    if (dispatch.kind !== "dispatch") throw new Error("no dispatch");
    setClock(EVENT_MS + HOUR_MS + 31_000);
    await until(node, `${path}/flexibility`, ({ orders }) => Object(orders)[0].state === "expired");
    const orderSeq = device.take("dispatch", dispatch.order, dispatch.bytes);
    device.acknowledge(orderSeq, "rejected", "unavailable");
    await device.deliver();
    expect((await ask(node, `${path}/flexibility`)).body["orders"]).toMatchObject([
      { state: "sealed", seq: orderSeq, acknowledgements: [{ state: "rejected", reason: "unavailable" }] },
    ]);
  });

  it("is withdrawn: by itself before it was sent, else by another order, and is listed if it was given", async () => {
    const { node, device, path, id } = await committed();
    await device.disconnect();
    const called = { ...DISPATCH, commitment: id };
    const unsent = await ask(node, `${path}/dispatches`, { body: called });
    const twice = await ask(node, `${path}/dispatches`, { body: called });
    expect(twice).toMatchObject({ status: 409, body: { code: "order-overlap" } });
    const gone = await ask(node, `${path}/dispatches/${String(unsent.body["id"])}/withdraw`, {
      method: "POST",
    });
    expect(gone).toMatchObject({ status: 201, body: { state: "withdrawn", id: unsent.body["id"] } });
    const given = await ask(node, `${path}/dispatches`, { body: called });
    await device.connect(node);
    await device.order(node);
    const ended = await ask(node, `${path}/dispatches/${String(given.body["id"])}/withdraw`, {
      method: "POST",
    });
    expect(ended).toMatchObject({ status: 201, body: { withdraws: given.body["id"], commitment: id } });
    const order = await device.order(node);
    expect(order).toMatchObject({ kind: "dispatch", order: { toMs: EVENT_MS + HOUR_MS } });
    expect(Object.keys(order.order)).not.toContain("command");
    const free = await ask(node, `${path}/dispatches`, { body: called });
    expect(free.status).toBe(201);
    setClock(EVENT_MS + HOUR_MS + 1000);
    const { list } = await until(node, `${path}/commitments/${id}`, (body) => body["list"] !== undefined);
    const { digests } = openDispatchList(
      nativeSuite,
      Uint8Array.from(Buffer.from(String(list), "hex")),
      node.nodeKey,
    );
    expect(toHex(digests)).toBe([given, ended, free].map(({ body }) => body["digest"]).join(""));
    expect(
      (await ask(node, `${path}/dispatches/${String(free.body["id"])}/withdraw`, { method: "POST" })).body,
    ).toMatchObject({
      code: "order-late",
    });
  });

  it("takes the place of another one that it names", async () => {
    const { node, device, path } = await started();
    const first = await ask(node, `${path}/dispatches`, { body: DISPATCH });
    const supersedes = first.body["id"];
    const next = await ask(node, `${path}/dispatches`, { body: { ...DISPATCH, powerMw: 0, supersedes } });
    expect(next).toMatchObject({ status: 201, body: { withdraws: supersedes, powerMw: 0 } });
    expect((await device.order(node)).order.objectId).not.toEqual((await device.order(node)).order.objectId);
  });

  it("is one of a bounded number, and a call gives all of its dispatches or none", async () => {
    const { node, device, path } = await started();
    const quarters = Array.from({ length: 96 }, (_, at) => at);
    const [first, second, third] = await Promise.all(
      [1, 2, 3].map(async (day) => {
        const from = EVENT_MS + 12 * HOUR_MS + day * 24 * HOUR_MS;
        const body = { ...COMMITMENT, from, deltaMwh: quarters.map(() => -1000) };
        return String((await ask(node, `${path}/commitments`, { body })).body["id"]);
      }),
    );
    for (let taken = 0; taken < 3; taken++) {
      const { kind, order, bytes } = await device.order(node);
      if (kind === "commitment") device.commit(order, bytes);
    }
    await device.deliver();
    const call = (
      id = "",
      body = { powerMw: quarters.map((at) => 1000 * (at % 2)) },
    ): ReturnType<typeof ask> => ask(node, `${path}/commitments/${id}/call`, { body });
    expect((await call(first)).body["dispatches"]).toHaveLength(96);
    expect((await call(second)).status).toBe(201);
    expect(await call(third)).toMatchObject({ status: 409, body: { code: "orders-full" } });
    expect((await ask(node, `${path}/commitments/${third}`)).body["dispatches"]).toEqual([]);
    // They are handed out at a pace that the device takes: 25 at once, the commitments among them, then one in 11 s.
    for (let handed = 0; handed < 22; handed++) await device.order(node);
    device.readAt(NOON + 1000, { 1: 1_000_000 });
    await device.deliver();
    expect(device.told.length).toBeLessThan(60);
  });
});

describe("the store, under fsck", () => {
  it("has its orders checked: signed by this node, as their columns say, in the leaf that is named", async () => {
    const folder = temporaryFolder();
    const { node, device, path, id } = await committed(folder);
    await ask(node, `${path}/dispatches`, { body: { ...DISPATCH, commitment: id } });
    await device.order(node);
    await device.disconnect();
    await node.close();
    const file = `${folder}/node.sqlite`;
    const options = { deviceKeys: [], nodeKeys: [], most: 100 };
    const codes = (): string[] => runFsck(file, options).findings.map(({ code }) => code);
    expect(codes()).toEqual([]);
    const { default: Database } = await import("better-sqlite3");
    const damaged = (sql: string): string[] => {
      const database = new Database(file);
      const before = database.prepare("SELECT * FROM flex_order").all();
      database.exec(sql);
      const found = codes();
      database.exec("DELETE FROM flex_order");
      for (const row of before) {
        const names = Object.keys(Object(row));
        database
          .prepare(`INSERT INTO flex_order VALUES (${names.map((name) => `:${name}`).join()})`)
          .run(row);
      }
      database.close();
      return found;
    };
    expect(damaged("UPDATE flex_order SET to_ms = to_ms + 1 WHERE kind = 'dispatch'")).toEqual([
      "fsck-order",
    ]);
    expect(damaged("UPDATE flex_order SET seq = 3 WHERE kind = 'commitment'")).toEqual(["fsck-order"]);
    expect(damaged("UPDATE flex_order SET digest = zeroblob(32) WHERE kind = 'dispatch'")).toEqual([
      "fsck-order",
    ]);
    expect(damaged("UPDATE flex_order SET bytes = zeroblob(9) WHERE kind = 'dispatch'")).toHaveLength(1);
    expect(damaged("UPDATE flex_order SET result = '{' WHERE kind = 'commitment'")).toEqual(["fsck-order"]);
    expect(damaged("UPDATE flex_order SET list = bytes WHERE kind = 'commitment'")).toHaveLength(1);
    expect(codes()).toEqual([]);
    expect(
      runFsck(file, { ...options, nodeKeys: [new Uint8Array(32).fill(1)] }).findings.length,
    ).toBeGreaterThan(0);
  });
});

describe("who may", () => {
  it("operate needs the operator's token, and may ask with that for reading", async () => {
    const { node, path } = await started();
    const id = "0".repeat(32);
    const posts = [
      ...["commitments", "dispatches", "challenges"],
      ...[`commitments/${id}/call`, `dispatches/${id}/withdraw`],
    ];
    for (const post of posts) {
      const refused = await ask(node, `${path}/${post}`, { body: {}, token: READ_TOKEN });
      expect([post, refused]).toMatchObject([post, { status: 403, body: { code: "token-right" } }]);
    }
    for (const asked of ["flexibility", "commitments", "challenges", "track-record"])
      expect([asked, (await ask(node, `${path}/${asked}`, { token: READ_TOKEN })).status]).toEqual([
        asked,
        200,
      ]);
  });
});
