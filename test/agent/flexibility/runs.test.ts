import { describe, expect, it } from "vitest";
import { TIME_QUALITY } from "../../../attest/leaf.ts";
import { Problem } from "../../../attest/problem.ts";
import {
  Bench,
  commitment,
  dispatch,
  HOUR,
  MINUTE,
  otherNode,
  START,
  sendCommitment,
  sendDispatch,
  startedBench,
} from "./kit.ts";

describe("a dispatch", () => {
  it("is accepted, held from its begin to its end, and succeeds", async () => {
    const bench = new Bench();
    await sendDispatch(bench, dispatch(bench, { rampMwPerSecond: 500 }));
    await bench.pass(MINUTE - 1000);
    expect(bench.control.told).toEqual([]);
    await bench.pass(1000);
    expect(bench.control.told).toEqual(["commitment powerSetpoint -2000000 for 600 s"]);
    expect(bench.control.current).toMatchObject({ rampMwPerS: 500, orderSeq: bench.of("dispatch")[0]?.seq });
    expect(bench.desk.status().orders).toMatchObject([{ device: "battery", state: "started" }]);
    await bench.pass(10 * MINUTE - 1000);
    expect(bench.lastAnswers).toEqual(["accepted", "started"]);
    await bench.pass(1000);
    expect(bench.lastAnswers).toEqual(["accepted", "started", "succeeded"]);
    expect(bench.control.told.slice(1)).toEqual(["commitment released: over"]);
    expect(bench.desk.status().orders).toEqual([]);
  });

  it("that is due already begins at once, for what is left of its window", async () => {
    const bench = new Bench();
    const order = dispatch(bench, { fromMs: START - MINUTE, toMs: START + MINUTE });
    await sendDispatch(bench, order);
    expect(bench.lastAnswers).toEqual(["accepted", "started"]);
    expect(bench.control.told).toEqual(["commitment powerSetpoint -2000000 for 60 s"]);
  });

  it("that is due and refused by the control is rejected with its code", async () => {
    const bench = new Bench();
    bench.control.refusals.push("control-outside-ratings");
    await sendDispatch(bench, dispatch(bench, { fromMs: START }));
    expect(bench.lastAnswers).toEqual(["rejected: control-outside-ratings"]);
  });

  it("that was accepted and is refused at its begin is aborted with the code", async () => {
    const bench = new Bench();
    bench.control.refusals.push("control-limit");
    await sendDispatch(bench, dispatch(bench));
    await bench.pass(2 * MINUTE);
    expect(bench.lastAnswers).toEqual(["accepted", "aborted: control-limit"]);
  });

  it("that finds a stronger word at its begin is superseded", async () => {
    const bench = new Bench();
    bench.control.refusals.push("control-outranked");
    await sendDispatch(bench, dispatch(bench));
    await bench.pass(2 * MINUTE);
    expect(bench.lastAnswers).toEqual(["accepted", "superseded: control-outranked"]);
  });

  it.each(["control-too-soon", "control-offline", "control-failsafe", "control-meter-stale"])(
    "asks again where the control says %s, for a minute",
    async (code) => {
      const bench = new Bench();
      bench.control.refusals.push(...Array.from({ length: 20 }, () => code));
      await sendDispatch(bench, dispatch(bench));
      await bench.pass(MINUTE + 20_000);
      expect(bench.lastAnswers).toEqual(["accepted", "started"]);
      expect(bench.control.told).toEqual(["commitment powerSetpoint -2000000 for 580 s"]);
    },
  );

  it("gives up after that minute, as unavailable where nothing had been accepted", async () => {
    const bench = new Bench();
    bench.control.refusals.push(...Array.from({ length: 100 }, () => "control-offline"));
    await sendDispatch(bench, dispatch(bench, { fromMs: START, toMs: START + HOUR }));
    await bench.pass(MINUTE - 1000);
    expect(bench.lastAnswers).toEqual([]);
    await bench.pass(1000);
    expect(bench.lastAnswers).toEqual(["rejected: unavailable: control-offline"]);
  });

  it("whose whole window passed unseen is aborted as missed", async () => {
    const bench = new Bench();
    await sendDispatch(bench, dispatch(bench));
    await bench.until(START + HOUR);
    expect(bench.lastAnswers).toEqual(["accepted", "aborted: missed"]);
    expect(bench.control.told).toEqual([]);
  });

  it("does not begin while the clock is not known", async () => {
    const bench = new Bench();
    await sendDispatch(bench, dispatch(bench));
    bench.log.stepClock(START + 2 * MINUTE, TIME_QUALITY.sinceBoot);
    bench.desk.clockStepped();
    await bench.pass(10_000);
    expect(bench.control.told).toEqual([]);
    bench.log.stepClock(START + 3 * MINUTE, TIME_QUALITY.ntp);
    bench.desk.clockStepped();
    await bench.pass(1000);
    expect(bench.lastAnswers).toEqual(["accepted", "started"]);
  });

  it("is rejected where another one has the device at that time, and taken right behind it without a gap", async () => {
    const { bench } = await startedBench();
    await sendDispatch(bench, dispatch(bench, { fromMs: START + 10 * MINUTE }));
    expect(bench.lastAnswers).toEqual(["rejected: busy"]);
    await sendDispatch(bench, dispatch(bench, { fromMs: START + 11 * MINUTE, value: -1_000_000 }));
    await bench.pass(10 * MINUTE);
    expect(bench.lastAnswers).toEqual(["accepted", "started"]);
    expect(bench.control.told).toEqual([
      "commitment powerSetpoint -2000000 for 600 s",
      "commitment powerSetpoint -1000000 for 600 s",
    ]);
  });

  it("says what the log could not take when it takes it again, in order", async () => {
    const { bench, seq } = await startedBench();
    bench.sealProblem = new Problem("log-takes-over", "not now");
    await bench.pass(10 * MINUTE);
    expect(bench.control.told.at(-1)).toBe("commitment released: over");
    expect(bench.answers(seq)).toEqual(["accepted", "started"]);
    bench.sealProblem = undefined;
    await bench.pass(1000);
    expect(bench.answers(seq)).toEqual(["accepted", "started", "succeeded"]);
  });
});

describe("a dispatch ends before its time", () => {
  it("when a stronger word takes its place, and nothing is released", async () => {
    const { bench, seq } = await startedBench();
    const hold = bench.control.current;
    if (hold === undefined) throw new Error("nothing is held");
    bench.desk.superseded(hold, { authority: "manual" });
    await bench.pass(20 * MINUTE);
    expect(bench.answers(seq)).toEqual(["accepted", "started", "superseded: manual"]);
    expect(bench.control.told).toHaveLength(1);
  });

  it("when the control ends it, with its reason", async () => {
    const { bench, seq } = await startedBench();
    const hold = bench.control.current;
    if (hold === undefined) throw new Error("nothing is held");
    bench.desk.ended(hold, "site-meter-stale");
    bench.desk.ended(hold, "again");
    expect(bench.answers(seq)).toEqual(["accepted", "started", "aborted: site-meter-stale"]);
  });

  it("when the clock was set", async () => {
    const { bench, seq } = await startedBench();
    bench.log.stepClock(START + HOUR);
    bench.desk.clockStepped();
    await bench.pass(1000);
    expect(bench.answers(seq)).toEqual(["accepted", "started", "aborted: clock-step"]);
    expect(bench.control.told.at(-1)).toBe("commitment released: clock-step");
  });

  it("when its node withdraws it", async () => {
    const { bench, seq, objectId } = await startedBench();
    const now = bench.log.timeMs;
    const { command: _c, value: _v, ...order } = dispatch(bench, { fromMs: now, withdraws: objectId });
    await sendDispatch(bench, order);
    expect(bench.answers(seq)).toEqual(["accepted", "started", "aborted: withdrawn"]);
    expect(bench.lastAnswers).toEqual(["accepted", "succeeded"]);
    await bench.pass(1000);
    expect(bench.control.told.at(-1)).toBe("commitment released: withdrawn");
  });

  it("when its node gives another one in its place, without a gap between them", async () => {
    const { bench, seq, objectId } = await startedBench();
    const fromMs = bench.log.timeMs;
    await sendDispatch(bench, dispatch(bench, { fromMs, withdraws: objectId, value: -500_000 }));
    await bench.pass(1000);
    expect(bench.answers(seq)).toEqual(["accepted", "started", "aborted: withdrawn"]);
    expect(bench.lastAnswers).toEqual(["accepted", "started"]);
    expect(bench.control.told.slice(1)).toEqual(["commitment powerSetpoint -500000 for 600 s"]);
  });

  it("when the one in its place cannot be told: then the device is released all the same", async () => {
    const { bench, objectId } = await startedBench();
    bench.control.refusals.push("control-limit");
    const fromMs = bench.log.timeMs;
    await sendDispatch(bench, dispatch(bench, { fromMs, withdraws: objectId }));
    await bench.pass(1000);
    expect(bench.lastAnswers).toEqual(["rejected: control-limit"]);
    expect(bench.control.current).toBeUndefined();
  });

  it("but not when another node withdraws it, or one withdraws what there is not", async () => {
    const { bench, seq, objectId } = await startedBench();
    await sendDispatch(bench, dispatch(bench, { withdraws: objectId }), otherNode);
    expect(bench.lastAnswers).toEqual(["rejected: withdraw-other"]);
    await sendDispatch(bench, dispatch(bench, { withdraws: new Uint8Array(16) }));
    expect(bench.lastAnswers).toEqual(["rejected: withdraw-unknown"]);
    expect(bench.answers(seq)).toEqual(["accepted", "started"]);
  });

  it("while the device is still being told: it is released behind that, and never said to have started", async () => {
    const bench = new Bench();
    const order = dispatch(bench, { fromMs: START });
    let open: () => void = () => undefined;
    bench.control.gate = new Promise((resolve) => {
      open = resolve;
    });
    const sent = sendDispatch(bench, order);
    await new Promise((resolve) => setImmediate(resolve));
    const seq = bench.of("dispatch")[0]?.seq ?? -1;
    expect(bench.desk.optOut(seq)).toBe(true);
    open();
    await sent;
    await bench.pass(1000);
    expect(bench.answers(seq)).toEqual(["optedOut: owner"]);
    expect(bench.control.told.at(-1)).toBe("commitment released: owner");
  });

  it("when the owner opts out, of it or of all that its commitment calls", async () => {
    const bench = new Bench();
    const committed = commitment(bench);
    await sendCommitment(bench, committed);
    const { objectId: commitmentId, fromMs } = committed;
    await sendDispatch(bench, dispatch(bench, { commitmentId, fromMs }));
    const seq = bench.of("dispatch")[0]?.seq ?? -1;
    await bench.until(fromMs);
    expect(bench.desk.optOut(bench.of("commitment")[0]?.seq ?? -1)).toBe(true);
    await bench.pass(1000);
    expect(bench.answers(seq)).toEqual(["accepted", "started", "optedOut: owner"]);
    expect(bench.control.told.at(-1)).toBe("commitment released: owner");
    const later = { commitmentId, fromMs: fromMs + 20 * MINUTE };
    await sendDispatch(bench, dispatch(bench, later));
    expect(bench.lastAnswers).toEqual(["optedOut: owner"]);
    bench.restart();
    await sendDispatch(bench, dispatch(bench, later));
    expect(bench.lastAnswers).toEqual(["optedOut: owner"]);
    expect(bench.desk.optOut(9999)).toBe(false);
  });

  it("when the agent stops; what waits goes on after the next start", async () => {
    const { bench, seq } = await startedBench();
    const waiting = dispatch(bench, { fromMs: bench.log.timeMs + HOUR });
    await sendDispatch(bench, waiting);
    await bench.desk.stop();
    expect(bench.answers(seq)).toEqual(["accepted", "started", "aborted: stopped"]);
    expect(bench.control.told.at(-1)).toBe("commitment released: stopped");
    bench.restart();
    await bench.until(waiting.fromMs);
    expect(bench.lastAnswers).toEqual(["accepted", "started"]);
  });
});

describe("after a restart", () => {
  it("what had begun is aborted and not taken up again", async () => {
    const { bench, seq } = await startedBench();
    bench.restart();
    await bench.pass(2000);
    expect(bench.answers(seq)).toEqual(["accepted", "started", "aborted: restarted"]);
    expect(bench.control.told).toEqual([]);
    bench.restart();
    expect(bench.answers(seq)).toHaveLength(3);
  });

  it("what had no answer is rejected", async () => {
    const bench = new Bench();
    bench.control.refusals.push("control-offline");
    await sendDispatch(bench, dispatch(bench, { fromMs: START }));
    expect(bench.lastAnswers).toEqual([]);
    bench.restart();
    expect(bench.lastAnswers).toEqual(["rejected: restarted"]);
  });

  it("what was over stays as it was", async () => {
    const { bench, seq } = await startedBench();
    await bench.pass(10 * MINUTE);
    bench.restart();
    expect(bench.answers(seq)).toEqual(["accepted", "started", "succeeded"]);
  });

  it("a new epoch ends everything without a word in the new log", async () => {
    const { bench } = await startedBench();
    const before = bench.leaves.length;
    const order = dispatch(bench);
    const logId = new Uint8Array(32).fill(9);
    Object.assign(bench.host, { logId: () => logId });
    bench.desk.epochChanged();
    await bench.pass(1000);
    expect(bench.leaves.length).toBe(before);
    expect(bench.control.told.at(-1)).toBe("commitment released: epoch-changed");
    expect(await sendDispatch(bench, order)).toBe("order-log");
    expect(await sendDispatch(bench, { ...order, logId })).toBeUndefined();
  });
});
