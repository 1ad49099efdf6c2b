import { expect, it } from "vitest";
import { trackRecord } from "../../../attest/flexibility/track-record.ts";
import { ACKNOWLEDGEMENT, type LifecycleLeaf } from "../../../attest/leaf-flexibility.ts";
import {
  Bench,
  commitment,
  dispatch,
  HOUR,
  MINUTE,
  sendCommitment,
  sendDispatch,
} from "../flexibility/kit.ts";

async function committed(): Promise<{ bench: Bench; seq: number; order: ReturnType<typeof commitment> }> {
  const bench = new Bench();
  const order = commitment(bench);
  await sendCommitment(bench, order);
  return { bench, seq: bench.of("commitment")[0]?.seq ?? -1, order };
}

it("says once in the log that the owner opted out of a commitment, on the commitment's channel", async () => {
  const { bench, seq, order } = await committed();
  const before = bench.commits;
  expect(bench.desk.optOut(seq)).toBe(true);
  expect(bench.desk.optOut(seq)).toBe(true);
  bench.restart();
  expect(bench.desk.optOut(seq)).toBe(true);
  expect(bench.of("acknowledgement")).toMatchObject([
    { orderSeq: seq, channel: order.channel, state: ACKNOWLEDGEMENT.optedOut, reason: "owner" },
  ]);
  expect(bench.commits).toBeGreaterThan(before);
});

it("knows nothing to opt out of when the commitment is over", async () => {
  const { bench, seq, order } = await committed();
  await bench.until(order.fromMs + HOUR);
  expect(bench.desk.optOut(seq)).toBe(false);
  expect(bench.of("acknowledgement")).toEqual([]);
});

it("owes nothing for a commitment that was never called, opted out of or not", async () => {
  const { bench, seq, order } = await committed();
  bench.desk.optOut(seq);
  await bench.until(order.fromMs + 3 * HOUR);
  expect(bench.of("settlement")).toEqual([]);
  const leaves: LifecycleLeaf[] = [...bench.of("commitment"), ...bench.of("acknowledgement")];
  expect(trackRecord(leaves, { asOfMs: bench.log.timeMs })).toMatchObject({
    notCalled: 1,
    optedOut: 0,
    failed: 0,
  });
});

it("answers every later dispatch of it so, and tells the device nothing", async () => {
  const { bench, seq, order } = await committed();
  bench.desk.optOut(seq);
  const { objectId: commitmentId, fromMs } = order;
  await sendDispatch(bench, dispatch(bench, { commitmentId, fromMs, toMs: fromMs + 10 * MINUTE }));
  expect(bench.lastAnswers).toEqual(["optedOut: owner"]);
  expect(bench.control.told).toEqual([]);
});
