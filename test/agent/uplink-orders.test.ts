import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { OrderTaker } from "../../agent/uplink/orders.ts";
import type { Peer } from "./fake-node.ts";
import { until, useUplinkBench } from "./uplink-kit.ts";

const ORDER = new Uint8Array([1, 2, 3]);

describe("a node that orders", () => {
  const on = useUplinkBench();

  async function connected(
    orders?: OrderTaker,
  ): Promise<{ readonly peer: Peer; readonly problems: () => unknown[] }> {
    const node = await on().startNode();
    const { problems } = on().connect(node, {}, orders === undefined ? {} : { orders });
    const peer = await until(
      "a welcome",
      () => node.peers[0]?.types.includes("deviceHello") && node.peers[0],
    );
    return { peer, problems };
  }

  it("is refused each order, by its digest, where the owner has not allowed it", async () => {
    const { peer, problems } = await connected();
    peer.send({ type: "order", order: ORDER });
    await until("a refusal", () => peer.refusedOrders.length);
    const digest = new Uint8Array(createHash("sha256").update(ORDER).digest());
    expect(peer.refusedOrders).toEqual([
      {
        type: "orderRefused",
        digest,
        code: "order-not-allowed",
        message: expect.stringContaining("control: true"),
      },
    ]);
    expect(problems()).toEqual([]);
  });

  it("is heard where it may control, also with its lists", async () => {
    const [orders, lists]: [Uint8Array[], Uint8Array[]] = [[], []];
    const taker = {
      order: (bytes: Uint8Array) => orders.push(bytes),
      list: (bytes: Uint8Array) => lists.push(bytes),
    };
    const { peer } = await connected(taker);
    peer.send({ type: "dispatchList", list: ORDER });
    peer.send({ type: "order", order: ORDER });
    await until("the order", () => orders.length);
    expect(orders).toEqual([ORDER]);
    expect(lists).toEqual([ORDER]);
    expect(peer.refusedOrders).toEqual([]);
  });
});
