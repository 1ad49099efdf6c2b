import { describe, expect, it } from "vitest";
import { fromHex } from "../../attest/bytes.ts";
import { openDispatchList } from "../../attest/flexibility/orders.ts";
import { checkSettlement } from "../../attest/flexibility/verdict.ts";
import { nativeSuite } from "../../attest/native.ts";
import { OPERATE_TOKEN } from "./enrolment-kit.ts";
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

describe("a commitment, from the offer to the settlement", () => {
  it("is signed, taken, called, followed and settled by leaves alone", async () => {
    setClock(EVENT_MS - 2 * HOUR_MS);
    const node = await flexNode();
    const device = new FlexDevice().live();
    const offer = device.offer();
    device.flexibility();
    await device.connect(node);
    await device.deliver();
    const path = `/devices/${device.key}`;
    expect((await ask(node, `${path}/flexibility`)).body).toMatchObject({
      intervalSeconds: 900,
      offers: [{ seq: offer, direction: "reduce", powerMw: 800_000, noticeSeconds: 3600 }],
      readings: [{ channel: 1, maxSetpointMw: 5_000_000, available: true }],
      orders: [],
      next: null,
    });

    const signed = await ask(node, `${path}/commitments`, { body: { ...COMMITMENT, offer } });
    expect(signed).toMatchObject({
      status: 201,
      body: { kind: "commitment", state: "pending", offer, intervalSeconds: 900, boundary: "device" },
    });
    const id = String(signed.body["id"]);
    const commitment = await device.order(node);
    if (commitment.kind !== "commitment") throw new Error("no commitment");
    expect(commitment.order).toMatchObject({
      fromMs: EVENT_MS,
      deltaMwh: COMMITMENT["deltaMwh"],
      offerSeq: offer,
    });
    const commitmentSeq = device.commit(commitment.order, commitment.bytes);
    await device.deliver();
    expect((await ask(node, `${path}/commitments/${id}`)).body).toMatchObject({
      state: "sealed",
      seq: commitmentSeq,
    });

    const called = await ask(node, `${path}/commitments/${id}/call`, { body: { follow: true } });
    // 250 Wh less 100 Wh in a quarter of an hour are 600 W: one run.
    expect(called).toMatchObject({
      status: 201,
      body: { dispatches: [{ powerMw: 600_000, commitment: id }] },
    });
    const dispatch = await device.order(node);
    if (dispatch.kind !== "dispatch") throw new Error("no dispatch");
    expect(dispatch.order).toMatchObject({
      fromMs: EVENT_MS,
      toMs: EVENT_MS + HOUR_MS,
      command: 1,
      value: 600_000,
    });
    const dispatchSeq = device.take("dispatch", dispatch.order, dispatch.bytes, commitmentSeq);
    device.acknowledge(dispatchSeq, "accepted");
    device.quarters(8).acknowledge(dispatchSeq, "started");
    device.quarters(4, 150_000).acknowledge(dispatchSeq, "succeeded");
    setClock(EVENT_MS + HOUR_MS);
    await device.deliver();
    const listed = await until(node, `${path}/commitments/${id}`, ({ list }) => list !== undefined);
    expect(listed).toMatchObject({
      dispatches: [
        {
          state: "sealed",
          seq: dispatchSeq,
          acknowledgements: [{ state: "accepted" }, { state: "started" }, { state: "succeeded" }],
        },
      ],
    });
    expect((await ask(node, `${path}/commitments/${id}/proof`)).body).toMatchObject({
      code: "settlement-open",
    });

    setClock(EVENT_MS + 2 * HOUR_MS + 1000);
    device.quarters(5);
    await device.deliver();
    const settled = await until(node, `${path}/commitments/${id}`, ({ result }) => result !== undefined);
    expect(settled["result"]).toMatchObject({
      result: "delivered",
      counts: true,
      completenessPpm: 1_000_000,
      totals: {
        committedMwh: 400_000,
        deliveredMwh: 400_000,
        countedMwh: 400_000,
        shortfallMwh: 0,
        reboundMwh: 0,
      },
    });
    // The device's own account comes later, and is held against what was computed.
    device.log.append({
      ...{ kind: "settlement", ...device.log.time(), channel: 1, commitmentSeq, baselineMethod: "h10/1" },
      ...{ completenessPpm: 1_000_000, result: 2 },
    });
    await device.deliver();
    const held = await until(
      node,
      `${path}/commitments/${id}`,
      ({ result }) => Object(result).verdict.account,
    );
    expect(held["result"]).toMatchObject({ result: "delivered", verdict: { account: { agrees: false } } });
    // The list came by itself, and is the node's word on just that dispatch.
    const told = device.told.find((message) => message.type === "dispatchList");
    if (told?.type !== "dispatchList") throw new Error("no list");
    const list = openDispatchList(nativeSuite, told.list, node.nodeKey);
    expect(list.digests).toEqual(nativeSuite.sha256(dispatch.bytes));
    expect(list.commitmentId).toEqual(fromHex(id, "id"));

    const file = await fetch(`${node.httpUrl}${path}/commitments/${id}/proof`, {
      headers: { authorization: `Bearer ${OPERATE_TOKEN}` },
    });
    expect(file.headers.get("content-type")).toBe("application/cbor");
    const policy = { deviceKeys: [device.log.signer.publicKey], nodeKeys: [node.nodeKey], witnesses: 1 };
    const checked = checkSettlement(nativeSuite, new Uint8Array(await file.arrayBuffer()), policy);
    expect(checked).toMatchObject({ valid: true, value: { counts: true, settled: { result: "delivered" } } });
    expect((await ask(node, `${path}/track-record`)).body).toMatchObject({
      ...{ delivered: 1, failed: 0, open: 0, committedMwh: 400_000, deliveredMwh: 400_000 },
      commitments: [{ seq: commitmentSeq, outcome: "delivered", by: "recomputed", disagrees: true }],
    });
  });
});
