import { describe, expect, it } from "vitest";
import { DeviceObserver } from "../../../agent/outlet/device-observer.ts";
import { DiskWrites } from "../../../agent/outlet/disk.ts";
import { LogMemory } from "../../../agent/outlet/log-memory.ts";
import { Problem } from "../../../attest/problem.ts";
import { recordingLogger } from "../kit.ts";
import { Record, snapshotOf } from "../sampling/kit.ts";

function memory() {
  const { logger, lines } = recordingLogger();
  let nowMs = 1000;
  const kept = new LogMemory(logger, () => nowMs);
  return { kept, lines, at: (ms: number) => (nowMs = ms) };
}

const FULL = new Problem("SQLITE_FULL", "database or disk is full");

describe("the memory of the log", () => {
  it("hands every line on as it is", () => {
    const { kept, lines } = memory();
    kept.info("a", { one: 1 });
    kept.warn("b", { two: 2 });
    kept.error("c");
    kept.problem("d", FULL, { three: 3 });
    expect(lines).toEqual([
      { event: "a", one: 1 },
      { event: "b", two: 2 },
      { event: "c" },
      { event: "d", code: "SQLITE_FULL", message: "database or disk is full", three: 3 },
    ]);
    expect(kept.lines().map((line) => JSON.parse(line))).toMatchObject([
      { level: "info", time: "1970-01-01T00:00:01.000Z", event: "a", one: 1 },
      { level: "warn", event: "b" },
      { level: "error", event: "c" },
      { level: "warn", event: "d", code: "SQLITE_FULL", three: 3 },
    ]);
  });

  it("knows what fails from its beginning until it is over", () => {
    const { kept, at } = memory();
    kept.problem("commit-failed", FULL);
    at(5000);
    kept.problem("commit-failed", new Problem("SQLITE_IOERR", "disk I/O error"));
    kept.problem("channel-refused", FULL, { channel: "a" });
    kept.problem("channel-refused", FULL, { channel: "b" });
    expect(kept.failures()).toMatchObject([
      { event: "commit-failed", code: "SQLITE_IOERR", sinceMs: 1000 },
      { event: "channel-refused", sinceMs: 5000 },
      { event: "channel-refused", sinceMs: 5000 },
    ]);
    kept.info("commit-failed-over", {});
    kept.info("channel-refused-over", { channel: "a" });
    expect(kept.failures()).toHaveLength(1);
  });

  it("keeps the last reason of each channel", () => {
    const { kept } = memory();
    kept.warn("reading-hold", { channel: "a", code: "register-down", reason: "went down", help: "" });
    kept.warn("reading-reject", { channel: "a", code: "empty", reason: "nothing", help: "" });
    kept.warn("device-offline", { device: "a", code: "x", message: "y" });
    expect(kept.reasonOf("a")).toEqual({
      event: "reading-reject",
      code: "empty",
      reason: "nothing",
      atMs: 1000,
    });
    expect(kept.reasonOf("b")).toBeUndefined();
  });

  it("is bounded, whatever is said", () => {
    const { kept } = memory();
    const long = "x".repeat(1_000_000);
    for (let at = 0; at < 1000; at += 1) {
      kept.warn("reading-hold", { channel: `${at}`, code: "empty", reason: "nothing" });
      kept.problem("seal-refused", FULL, { channel: `${at}` });
    }
    kept.warn("device-offline", { message: long });
    expect(kept.lines()).toHaveLength(300);
    expect(JSON.parse(kept.lines().at(-1) ?? "")).toMatchObject({ event: "device-offline", cut: true });
    expect(kept.failures()).toHaveLength(64);
    expect(kept.failures().at(-1)?.event).toBe("seal-refused");
    expect(kept.reasonOf("999")).toBeDefined();
    expect(kept.reasonOf("743")).toBeUndefined();
  });
});

describe("the observer of devices", () => {
  it("changes nothing on the way and knows who fails since when", () => {
    const record = new Record();
    record.doubts = 1;
    const observer = new DeviceObserver(record);
    const identity = { make: "Fake", model: "F", serial: "A-1", firmware: "" };
    observer.failed("d", new Problem("modbus-timeout", "no answer", { hint: "check the cable" }));
    expect(observer.of("d")).toMatchObject({
      channels: [],
      problem: { code: "modbus-timeout", message: "no answer; check the cable", hint: "check the cable" },
    });
    const { sinceMs } = observer.of("d").problem ?? {};
    observer.failed("d", new Error("again"));
    expect(observer.of("d").problem).toMatchObject({ code: "internal", sinceMs });
    observer.identified("d", identity, [{ name: "grid", role: "grid", quantities: ["power"] }]);
    expect(observer.take("d", snapshotOf(1))).toEqual({ reread: true });
    expect(observer.take("d", snapshotOf(2))).toEqual({ reread: false });
    expect(observer.of("d")).toEqual({
      identity,
      channels: [{ name: "grid", role: "grid", quantities: ["power"] }],
    });
    expect(record.powers).toEqual([1, 2]);
    expect(record.failures).toEqual(["modbus-timeout", "again"]);
    expect(record.identities).toEqual(["A-1"]);
  });

  it("knows the step of registers as they were shown last", () => {
    const observer = new DeviceObserver(new Record());
    const identity = { make: "Fake", model: "F", serial: "A-1", firmware: "" };
    const locked = { name: "grid", role: "grid", quantities: ["import"], resolutionMwh: 1_000_000 } as const;
    observer.identified("d", identity, [locked]);
    observer.take("d", snapshotOf(1));
    expect(observer.of("d").stepsMwh?.get("grid")).toBe(1_000_000);
    const unlocked = { channel: "grid", importMwh: 5, resolutionMwh: 100, evidence: new Uint8Array(32) };
    observer.take("d", { readings: [unlocked], flexibility: [], absent: [] });
    expect(observer.of("d").stepsMwh?.get("grid")).toBe(100);
  });
});

describe("bytes written", () => {
  it("are those of the last day, or since the start", () => {
    let [nowMs, bytes] = [0, 1000];
    const writes = new DiskWrites(
      () => bytes,
      () => nowMs,
    );
    const HOUR = 3_600_000;
    for (let hour = 1; hour <= 60; hour += 1) {
      [nowMs, bytes] = [hour * HOUR, 1000 + hour * 100];
      writes.sample();
      const hours = Math.min(hour, 24);
      expect(writes.written()).toEqual({ bytes: hours * 100, overMs: hours * HOUR });
    }
  });

  it("are unknown where the kernel does not count", () => {
    expect(new DiskWrites(() => undefined).written()).toBeUndefined();
  });
});
