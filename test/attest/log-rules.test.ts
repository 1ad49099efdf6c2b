import { describe, expect, it } from "vitest";
import { CLOSE_SHAPE, DISCONTINUITY, TIME_QUALITY } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { LogRules } from "../../attest/log-rules.ts";
import { nativeSuite } from "../../attest/native.ts";
import { EPOCH_MS, LogBuilder, testSigner } from "../kit/log-builder.ts";
import { refusalOf } from "./refusal.ts";

import { closesOf, DAY, every, MINUTE, opened, reading, refusedAs, spans } from "./rules-kit.ts";

describe("closes at boundaries", () => {
  it("come at each boundary, on the reading that lies on it, and each begins where the last one ended", () => {
    const log = opened().readMany(180 * 2 + 2, every);
    expect(spans(log)).toEqual([
      [0, 15, 180, CLOSE_SHAPE.opensChain],
      [15, 30, 180, 0],
    ]);
    const [first, second] = closesOf(log);
    expect(second).toMatchObject({
      openingSeq: first?.closingSeq,
      openingImportMwh: first?.closingImportMwh,
      previousCloseSeq: first?.seq,
      ...{ count: 180, minPowerMw: 720_000, maxPowerMw: 720_000, manifestSeq: 1 },
    });
    expect(second?.manifestHash).toEqual(log.leaves[1]?.hash);
  });

  it("are the same whichever kind of array holds a leaf's bytes", () => {
    const { leaves, rules: built } = opened().readMany(180 * 2 + 2, every);
    const rules = new LogRules(nativeSuite, built.identity);
    for (const { bytes } of leaves) rules.apply(decodeLeaf(Buffer.from(bytes)), Buffer.from(bytes));
    expect(rules.size).toBe(leaves.length);
  });

  it("span to the next boundary that has a reading, and say that they are coarse", () => {
    const log = opened().readMany(180 + 60, every); // until minute 20
    log.timeMs += 20 * MINUTE; // minute 40: nothing near minute 30
    log.readMany(80, every);
    expect(spans(log)).toEqual([
      [0, 15, 180, CLOSE_SHAPE.opensChain],
      [15, 45, 120, CLOSE_SHAPE.coarse],
    ]);
  });

  it("take a reading up to the tolerance before the boundary, and none from further away", () => {
    for (const [secondsBefore, closes] of [
      [30, 1],
      [31, 0],
    ] as const) {
      const log = opened().readMany(1, every);
      log.timeMs = EPOCH_MS + 15 * MINUTE - secondsBefore * 1000;
      log.read({ importMwh: 2_000_000 });
      log.timeMs = EPOCH_MS + 15 * MINUTE + 1;
      log.read({ importMwh: 3_000_000 });
      expect(closesOf(log)).toHaveLength(closes);
    }
  });

  it("are missing when a later reading, a gap or a manifest comes without them", () => {
    const log = opened().readMany(181, every);
    expect(refusedAs(log, reading(log, 9_000_000))).toBe("close-missing");
    expect(refusedAs(log, { ...log.manifestLeaf(), timeMs: log.timeMs + 5000 })).toBe("close-missing");
    const gap = {
      kind: "discontinuity",
      channel: 1,
      ...log.time(),
      classification: DISCONTINUITY.gap,
    } as const;
    const times = { gapFromMs: log.timeMs, gapToMs: log.timeMs + 5000, timeMs: log.timeMs + 5000 };
    expect(refusedAs(log, { ...gap, ...times, oldImportMwh: 1_181_000, newImportMwh: 1 })).toBe(
      "close-missing",
    );
    expect(refusedAs(log, reading(log, 9_000_000, 0))).toBeUndefined(); // still on the boundary
  });

  it("are unexpected where none is due", () => {
    const log = opened().readMany(182, every);
    const close = closesOf(log)[0];
    if (close === undefined) throw new Error("no close was written");
    expect(refusedAs(log, { ...close, timeMs: log.timeMs })).toBe("close-unexpected");
  });
});

describe("partial closes", () => {
  it("come before a discontinuity, on the last good register, and a new chain opens behind it", () => {
    const log = opened().readMany(60, every);
    log.timeMs += 5000;
    log.read({ importMwh: 7000 }); // the meter was reset
    log.readMany(130, every);
    expect(spans(log)).toEqual([
      [0, 4 + 55 / 60, 59, CLOSE_SHAPE.opensChain | CLOSE_SHAPE.endsChain],
      [5, 15, 120, CLOSE_SHAPE.opensChain],
    ]);
    const [before, after] = closesOf(log);
    const broken = log.leaves.find(({ leaf }) => leaf.kind === "discontinuity")?.leaf;
    expect(broken).toMatchObject({ oldImportMwh: before?.closingImportMwh, newImportMwh: 7000 });
    expect(after).toMatchObject({ lastDiscontinuitySeq: broken?.seq, openingImportMwh: 7000 });
  });

  it("come before a manifest change; the chain goes on from the same register and instant", () => {
    const log = opened().readMany(60, every);
    log.manifest({ firmware: "2" });
    log.readMany(130, every);
    expect(spans(log)).toEqual([
      [0, 4 + 55 / 60, 59, CLOSE_SHAPE.opensChain | CLOSE_SHAPE.endsChain],
      [4 + 55 / 60, 15, 121, CLOSE_SHAPE.opensChain],
    ]);
    expect(closesOf(log)[1]?.manifestSeq).toBeGreaterThan(60);
  });

  it.each([-14, 14])(
    "come before a clock step of %i days; the chain goes on from the same register",
    (days) => {
      const log = opened().readMany(60, every);
      log.stepClock(log.timeMs + days * DAY);
      log.readMany(130, every);
      const [before, after] = closesOf(log);
      expect(after?.t0Ms).toBe((before?.t1Ms ?? 0) + days * DAY);
      expect(after?.openingImportMwh).toBe(before?.closingImportMwh);
      expect(after?.lastClockStepSeq).toBeDefined();
      expect(before?.lastClockStepSeq).toBeUndefined();
    },
  );

  it("are not left out when both readings of a chain carry the same time", () => {
    const log = opened().readMany(1, every);
    log.read({ importMwh: 5_000_000 });
    log.read({ importMwh: 1000 });
    expect(spans(log)).toEqual([[0, 0, 3999, CLOSE_SHAPE.opensChain | CLOSE_SHAPE.endsChain]]);
  });

  it("are missing when the break comes without them", () => {
    const log = opened().readMany(60, every);
    expect(refusedAs(log, log.manifestLeaf({ firmware: "2" }))).toBe("close-missing");
    const step = {
      kind: "clockStep",
      ...log.time(),
      beforeMs: log.timeMs,
      beforeQuality: log.timeQuality,
    } as const;
    expect(refusedAs(log, step)).toBe("close-missing");
  });

  it("end the chain for good: a reading needs the reason for the break first", () => {
    const log = opened().readMany(60, every);
    log.breakChain();
    expect(refusedAs(log, reading(log, 9_000_000))).toBe("discontinuity-missing");
  });
});

describe("a clock that is not known", () => {
  const unknown = { timeQuality: TIME_QUALITY.sinceBoot, startMs: 1000 };

  it("closes nothing until it is known, and then the first close spans all that was counted", () => {
    const log = opened(unknown).readMany(400, every); // more than two quarters since boot
    expect(closesOf(log)).toEqual([]);
    log.stepClock(EPOCH_MS + 40 * MINUTE, TIME_QUALITY.ntp);
    log.readMany(61, every);
    const [close] = closesOf(log);
    expect(spans(log)).toEqual([[expect.any(Number), 45, 459, CLOSE_SHAPE.opensChain | CLOSE_SHAPE.coarse]]);
    expect(close?.t0Ms).toBe(EPOCH_MS + 40 * MINUTE - 399 * 5000);
  });

  it("keeps what was counted across a manifest change, which no partial close could state", () => {
    const log = opened(unknown).readMany(10, every);
    log.manifest({ firmware: "2" });
    log.readMany(10, every);
    log.stepClock(EPOCH_MS, TIME_QUALITY.ntp);
    log.readMany(1, every);
    expect(closesOf(log)[0]).toMatchObject({
      openingImportMwh: 1_001_000,
      closingImportMwh: 1_020_000,
      count: 19,
    });
  });

  it("loses nothing when it is lost and found again", () => {
    const log = opened().readMany(60, every);
    log.stepClock(3000, TIME_QUALITY.sinceBoot);
    log.readMany(10, every);
    log.stepClock(EPOCH_MS + 10 * MINUTE, TIME_QUALITY.ntp);
    log.readMany(61, every);
    const [before, after] = closesOf(log);
    expect(closesOf(log)).toHaveLength(2);
    expect(after?.openingImportMwh).toBe(before?.closingImportMwh);
    expect(after?.closingImportMwh).toBe(1_130_000);
  });

  it("becomes known or unknown only by a clock step", () => {
    const log = opened().readMany(1, every);
    const next = reading(log, 2_000_000);
    expect(refusedAs(log, { ...next, timeQuality: TIME_QUALITY.sinceBoot })).toBe("time-quality");
    expect(refusedAs(log, { ...next, timeQuality: TIME_QUALITY.batteryClock })).toBeUndefined();
    const step = { kind: "clockStep", ...log.time(), beforeMs: log.timeMs, beforeQuality: 0 } as const;
    expect(refusedAs(log, step)).toBe("clock-step");
  });
});

describe("the log as a whole", () => {
  it("begins with its manifest, has one, and it names this network, key and epoch", () => {
    const log = new LogBuilder({ suite: nativeSuite });
    const manifest = log.leaves[0]?.leaf;
    if (manifest?.kind !== "logManifest") throw new Error("no manifest");
    expect(refusedAs(log, manifest)).toBe("manifest-twice");
    for (const change of [{ network: "other" }, { epoch: 2 }, { deviceKey: testSigner(2).publicKey }])
      expect(refusalOf(() => new LogBuilder({ suite: nativeSuite, manifest: change }))).toBe(
        "manifest-identity",
      );
    expect(refusalOf(() => new LogBuilder({ manifest: { intervalMs: 999 } }))).toBe("manifest-interval");
  });

  it("takes leaves in their order only", () => {
    const log = opened();
    const { leaf, bytes } = log.place(reading(log, 5));
    expect(refusalOf(() => log.rules.clone().apply({ ...leaf, seq: leaf.seq + 1 }, bytes))).toBe("seq");
    expect(refusalOf(() => log.rules.clone().apply({ ...leaf, seq: leaf.seq - 1 }, bytes))).toBe("seq");
  });

  it("takes leaves of kinds that it does not know", () => {
    const log = opened();
    const opaque = { kind: "opaque", number: 40, ...log.time(), body: new Map([[6, 1]]) } as const;
    expect(refusedAs(log, opaque)).toBeUndefined();
    expect(refusedAs(log, { ...opaque, channel: 1 })).toBeUndefined();
    expect(refusedAs(log, { ...opaque, channel: 9 })).toBe("channel-unknown");
    expect(refusedAs(log, { ...opaque, channel: 1, timeMs: 0 })).toBe("time-backwards");
  });

  it("opens at most 256 channels", () => {
    const log = opened();
    for (let channel = 2; channel <= 256; channel++) log.manifest({ channel, name: `channel ${channel}` });
    expect(refusedAs(log, log.manifestLeaf({ channel: 300 }))).toBe("channels");
    expect(refusedAs(log, log.manifestLeaf({ channel: 256, firmware: "2" }))).toBeUndefined();
  });
});
