import { expect, it } from "vitest";
import { ask, COMMITMENT, EVENT_MS, FlexDevice, flexNode, HOUR_MS, setClock } from "./flexibility-kit.ts";

it("is not told that a device is bound by a leaf that says another thing than the order in it", async () => {
  setClock(EVENT_MS - 2 * HOUR_MS);
  const node = await flexNode();
  const device = new FlexDevice().live();
  await device.connect(node);
  await device.deliver();
  const path = `/devices/${device.key}`;
  const signed = await ask(node, `${path}/commitments`, { body: COMMITMENT });
  const id = String(signed.body["id"]);
  const commitment = await device.order(node);
  if (commitment.kind !== "commitment") throw new Error("no commitment");
  const { order, bytes } = commitment;
  device.commit({ ...order, deltaMwh: order.deltaMwh.map(() => -1) }, bytes);
  await device.deliver();
  expect((await ask(node, `${path}/commitments/${id}`)).body).toMatchObject({ state: "sent" });
  const called = await ask(node, `${path}/commitments/${id}/call`, { body: { powerMw: 0 } });
  expect([called.status, called.body["code"]]).toEqual([409, "order-commitment"]);
});
