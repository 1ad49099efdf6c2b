import { describe, expect, it } from "vitest";
import { gateChannel, restoredFrom } from "../../../agent/quality/channel.ts";
import type { ChannelState } from "../../../attest/channel-state.ts";
import { type ChannelManifest, REGISTER } from "../../../attest/leaf.ts";
import type { ChannelDescription } from "../../../drivers/driver.ts";

const GRID: ChannelDescription = { name: "grid", role: "grid", quantities: ["import", "export", "power"] };
const MANIFEST: ChannelManifest = {
  ...{ kind: "channelManifest", seq: 1, timeMs: 1, timeQuality: 3, salt: new Uint8Array(16) },
  ...{ channel: 1, role: 1, make: "M", model: "M", serial: "1", driver: "d", samplingMs: 5000, name: "grid" },
  ...{ registers: REGISTER.import, resolutionMwh: 1000, maxImportMw: 5_000_000, maxExportMw: 4_000_000 },
};
const STATE: ChannelState = { manifest: MANIFEST, manifestHash: new Uint8Array(32), lastTimeMs: 1 };

describe("a channel for the gate", () => {
  it("has the registers of the log and the pace at which it is read", () => {
    expect(gateChannel(GRID, STATE, 5000)).toMatchObject({ registers: REGISTER.import, samplingMs: 5000 });
    expect(gateChannel(GRID, undefined, 5000)).toEqual({ ...GRID, registers: 0, samplingMs: 5000 });
  });

  it("has the limits that are said now, and else those of the log", () => {
    expect(gateChannel({ ...GRID, maxImportMw: 1 }, STATE, 5000)).toMatchObject({
      ...{ maxImportMw: 1, maxExportMw: 4_000_000, resolutionMwh: 1000 },
    });
  });

  it("goes on from the last registers, unless they are another meter's", () => {
    const last = { seq: 2, timeMs: 7, importMwh: 1000 };
    expect(restoredFrom({ ...STATE, last })).toEqual({ timeMs: 7, importMwh: 1000 });
    expect(restoredFrom({ ...STATE, last, replaced: true })).toBeUndefined();
    expect(restoredFrom(STATE)).toBeUndefined();
    // Behind a clock step nobody knows how long ago that was.
    expect(restoredFrom({ ...STATE, last, lastClockStepSeq: 3 })).toEqual({ timeMs: 0, importMwh: 1000 });
    expect(restoredFrom({ ...STATE, last, lastClockStepSeq: 1 })).toMatchObject({ timeMs: 7 });
  });
});
