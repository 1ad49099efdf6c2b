import { describe, expect, it } from "vitest";
import { type ChannelManifest, DISCONTINUITY, REGISTER, type Unplaced } from "../../attest/leaf.ts";
import { EPOCH_MS, QUARTER_MS } from "../kit/log-builder.ts";

import { closesOf, every, MINUTE, opened, reading, refusedAs } from "./rules-kit.ts";

describe("registers and pauses", () => {
  it("a register never falls without a discontinuity, and the discontinuity must be true", () => {
    const log = opened().readMany(60, every);
    expect(refusedAs(log, reading(log, 1_059_999))).toBe("register-drop");
    expect(refusedAs(log, reading(log, 1_060_000))).toBeUndefined();
    log.breakChain();
    const time = { ...log.time(), gapFromMs: log.timeMs, gapToMs: log.timeMs };
    const honest = {
      kind: "discontinuity",
      channel: 1,
      classification: DISCONTINUITY.registerReset,
      ...time,
    } as const;
    const from = { ...honest, oldImportMwh: 1_060_000 };
    expect(refusedAs(log, { ...from, newImportMwh: 5 })).toBeUndefined();
    expect(refusedAs(log, { ...from, newImportMwh: 5, oldImportMwh: 1_059_000 })).toBe("leaf-mismatch");
    expect(refusedAs(log, { ...honest, newImportMwh: 5 })).toBe("leaf-mismatch");
    expect(refusedAs(log, { ...from, newImportMwh: 5, gapFromMs: log.timeMs - 1 })).toBe("leaf-mismatch");
    expect(refusedAs(log, { ...from, newImportMwh: 5, gapToMs: log.timeMs + 1 })).toBe("leaf-mismatch");
    expect(refusedAs(log, { ...from, newImportMwh: 5, gapToMs: log.timeMs - 1 })).toBe("leaf-mismatch");
    expect(refusedAs(log, { ...from, newImportMwh: 5, previousDiscontinuitySeq: 2 })).toBe("leaf-mismatch");
    expect(refusedAs(log, { ...from, newImportMwh: 5, newExportMwh: 5 })).toBe("registers-mismatch");
  });

  it("a discontinuity binds the next reading, one without registers leaves it open, and it may be corrected", () => {
    const log = opened().readMany(60, every);
    log.discontinuity({ importMwh: 5 }, { classification: DISCONTINUITY.registerReset });
    expect(refusedAs(log, reading(log, 6))).toBe("leaf-mismatch");
    expect(refusedAs(log, reading(log, 5))).toBeUndefined();
    log.discontinuity({}, { classification: DISCONTINUITY.counterDowntime });
    expect(refusedAs(log, reading(log, 6))).toBeUndefined();
    log.timeMs += 5000;
    log.read({ importMwh: 6 });
    expect(log.state().lastDiscontinuitySeq).toBe(log.leaves.length - 2);
  });

  it("a discontinuity needs something that it breaks", () => {
    const log = opened();
    const none = { kind: "discontinuity", channel: 1, ...log.time(), classification: 1 } as const;
    expect(refusedAs(log, { ...none, gapFromMs: 0, gapToMs: 0 })).toBe("discontinuity-unexpected");
  });

  it("a pause above three intervals needs its gap, one of exactly three does not", () => {
    const log = opened().readMany(1, every);
    log.timeMs += MINUTE;
    log.read({ importMwh: 1_500_000 }); // far from every boundary: nothing is due
    expect(refusedAs(log, reading(log, 2_000_000, 3 * QUARTER_MS))).toBeUndefined();
    expect(refusedAs(log, reading(log, 2_000_000, 3 * QUARTER_MS + 1))).toBe("gap-missing");
    log.timeMs += 3 * QUARTER_MS + 1;
    log.read({ importMwh: 2_000_000 });
    expect(log.leaves.at(-2)?.leaf).toMatchObject({
      kind: "discontinuity",
      classification: DISCONTINUITY.gap,
    });
  });

  it("with an interval of a second a pause may last a minute", () => {
    const log = opened({ intervalMs: 1000 });
    log.timeMs = EPOCH_MS - 4400;
    log.read({ importMwh: 1 });
    expect(refusedAs(log, reading(log, 2, 60_000))).not.toBe("gap-missing");
    expect(refusedAs(log, reading(log, 2, 60_001))).toBe("gap-missing");
  });

  it("time never goes back within a channel", () => {
    const log = opened().readMany(2, every);
    expect(refusedAs(log, reading(log, 2_000_000, -1))).toBe("time-backwards");
    expect(refusedAs(log, reading(log, 2_000_000, 0))).toBeUndefined();
    log.manifest({ channel: 2, name: "other" });
    expect(refusedAs(log, { ...reading(log, 1, 0), channel: 2 } as Unplaced)).toBeUndefined();
  });

  it("a reading carries the registers of its manifest or none", () => {
    const log = opened().readMany(1, every);
    const next = { kind: "reading", channel: 1, ...log.time() } as const;
    expect(refusedAs(log, { ...next, activePowerMw: 5 })).toBeUndefined();
    expect(refusedAs(log, { ...next, exportMwh: 5 })).toBe("registers-mismatch");
    expect(refusedAs(log, { ...next, importMwh: 2_000_000, exportMwh: 5 })).toBe("registers-mismatch");
    expect(refusedAs(log, { ...next, channel: 2, importMwh: 5 })).toBe("channel-unknown");
  });

  it.each<[string, Partial<ChannelManifest>]>([
    ["serial", { serial: "4712" }],
    ["make", { make: "Other" }],
    ["registers", { registers: REGISTER.import | REGISTER.export }],
    ["current transformer", { ctRatio: [100, 5] }],
  ])("another meter, told by its %s, needs a discontinuity", (_, changes) => {
    const log = opened().readMany(60, every);
    log.manifest(changes);
    const both = changes.registers === undefined ? {} : { exportMwh: 0 };
    expect(refusedAs(log, { ...reading(log, 9_000_000), ...both } as Unplaced)).toBe("discontinuity-missing");
    log.timeMs += 5000;
    log.read({ importMwh: 9_000_000, ...both });
    expect(log.leaves.at(-2)?.leaf).toMatchObject({ classification: DISCONTINUITY.meterReplaced });
  });

  it("the status union keeps bit 31 and the close stays possible", () => {
    const log = opened().readMany(1, every);
    log.timeMs += 5000;
    log.read({ importMwh: 2_000_000, status: 0x8000_0001 });
    log.timeMs += 5000;
    log.read({ importMwh: 2_000_000, status: 2 });
    log.breakChain();
    expect(closesOf(log)[0]?.statusUnion).toBe(0x8000_0003);
  });
});
