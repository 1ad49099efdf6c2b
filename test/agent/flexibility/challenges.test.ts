import { describe, expect, it } from "vitest";
import { FlexDesk } from "../../../agent/flexibility/desk.ts";
import { challengeSteps } from "../../../attest/flexibility/pattern.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { BATTERY, Bench, challenge, MINUTE, START, sendChallenge, startedBench } from "./kit.ts";

describe("a challenge", () => {
  it("has the device follow the pattern from its answer on", async () => {
    const bench = new Bench();
    const order = challenge(bench);
    await sendChallenge(bench, order);
    expect(bench.lastAnswers).toEqual(["accepted", "started"]);
    await bench.pass(140_000);
    expect(bench.lastAnswers).toEqual(["accepted", "started", "succeeded"]);
    const powers = challengeSteps(nativeSuite, order);
    expect(bench.control.told).toEqual([
      ...powers.map((powerMw, at) => `commitment powerSetpoint ${powerMw} for ${140 - 10 * at} s`),
      "commitment released: over",
    ]);
  });

  it("is not superseded by its own next step", async () => {
    const bench = new Bench();
    bench.control.taken = (hold) => {
      if (bench.control.told.length > 1) bench.desk.superseded(hold, hold);
    };
    await sendChallenge(bench, challenge(bench));
    await bench.pass(140_000);
    expect(bench.lastAnswers).toEqual(["accepted", "started", "succeeded"]);
  });

  it.each([
    ["challenge-too-fast", { stepMs: 9999 }],
    ["site-unknown", { siteChannel: 77 }],
  ])("is rejected: %s", async (reason, changes) => {
    const bench = new Bench();
    await sendChallenge(bench, challenge(bench, changes));
    expect(bench.lastAnswers).toEqual([`rejected: ${reason}`]);
    expect(bench.control.told).toEqual([]);
  });

  it("is rejected when the time to start is over", async () => {
    const bench = new Bench();
    const order = challenge(bench, { startByMs: START, expiresMs: START + MINUTE });
    await sendChallenge(bench, order);
    expect(bench.lastAnswers).toEqual(["rejected: missed"]);
  });

  it("is rejected while a dispatch has the device, or will have it", async () => {
    const { bench } = await startedBench();
    await sendChallenge(bench, challenge(bench));
    expect(bench.lastAnswers).toEqual(["rejected: busy"]);
  });

  it("waits for a device that was told something a moment ago, and then counts from there", async () => {
    const bench = new Bench();
    bench.control.refusals.push("control-too-soon", "control-too-soon");
    await sendChallenge(bench, challenge(bench));
    await bench.pass(2000);
    expect(bench.lastAnswers).toEqual(["accepted", "started"]);
    expect(bench.of("acknowledgement").at(-1)?.timeMs).toBe(START + 2000);
    await bench.pass(140_000);
    expect(bench.lastAnswers.at(-1)).toBe("succeeded");
  });

  it("is rejected where the device could not be told in time", async () => {
    const bench = new Bench();
    bench.control.refusals.push(...Array.from({ length: 60 }, () => "control-too-soon"));
    await sendChallenge(bench, challenge(bench));
    await bench.pass(30_000);
    expect(bench.lastAnswers).toEqual(["rejected: missed"]);
  });

  it("is aborted when a step cannot be given, or comes a step late", async () => {
    const bench = new Bench();
    await sendChallenge(bench, challenge(bench));
    bench.control.refusals.push("control-limit");
    await bench.pass(10_000);
    expect(bench.lastAnswers).toEqual(["accepted", "started", "aborted: control-limit"]);
    const second = new Bench();
    await sendChallenge(second, challenge(second));
    await second.until(second.log.timeMs + 25_000);
    await second.pass(1000);
    expect(second.lastAnswers).toEqual(["accepted", "started", "aborted: step-missed"]);
    expect(second.control.current).toBeUndefined();
  });

  it("is aborted by a restart", async () => {
    const bench = new Bench();
    await sendChallenge(bench, challenge(bench));
    bench.restart();
    expect(bench.lastAnswers).toEqual(["accepted", "started", "aborted: restarted"]);
  });
});

describe("what was done to a device", () => {
  it("is sealed with its numbers, and names an order of this log and channel only", async () => {
    const { bench, seq } = await startedBench();
    bench.desk.actuated({
      ...{ device: "battery", channel: "battery", action: "renew", kind: "powerSetpoint", leaseMs: 60_000 },
      ...{ value: { kind: "powerSetpoint", powerMw: -2_000_000 }, rampMwPerS: 7, orderSeq: seq },
      ...{ readBack: { kind: "powerSetpoint", powerMw: -1_999_000 }, reason: "ä".repeat(100) },
    });
    expect(bench.of("actuation")[0]).toMatchObject({
      ...{
        channel: BATTERY,
        action: 2,
        command: 1,
        value: -2_000_000,
        readBack: -1_999_000,
        leaseMs: 60_000,
      },
      ...{ rampMwPerSecond: 7, orderSeq: seq, reason: "ä".repeat(64) },
    });
    const revert = { device: "meter", channel: "grid", action: "revert", kind: "mode" } as const;
    bench.desk.actuated({ ...revert, orderSeq: seq, readBack: { kind: "mode", mode: "chargeOnly" } });
    const last = bench.of("actuation").at(-1);
    expect(last).toMatchObject({ action: 3, command: 5, readBack: 2 });
    expect(last?.orderSeq).toBeUndefined();
  });

  it("is logged where the log has no channel for it", async () => {
    const { bench } = await startedBench();
    bench.desk.actuated({ device: "heater", channel: "load", action: "revert", kind: "mode" });
    expect(bench.of("actuation")).toEqual([]);
    expect(bench.lines.at(-1)).toMatchObject({ event: "flex-actuation-unsealed", code: "channel-unknown" });
  });

  it("before the start is sealed with the start", async () => {
    const { bench, seq } = await startedBench();
    const desk = new FlexDesk(bench.host, bench.settings);
    desk.actuated({
      ...{ device: "battery", channel: "battery", action: "revert", kind: "powerSetpoint", orderSeq: seq },
      reason: "agent-killed",
    });
    expect(bench.of("actuation")).toEqual([]);
    desk.start();
    expect(bench.of("actuation")[0]).toMatchObject({ orderSeq: seq, reason: "agent-killed" });
  });
});
