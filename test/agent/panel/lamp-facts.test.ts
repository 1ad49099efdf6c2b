import { describe, expect, it } from "vitest";
import type { Report } from "../../../agent/outlet/report.ts";
import { lampFacts } from "../../../agent/panel/lamp-facts.ts";
import { type Indicated, indicated } from "../../../firmware-bridge/indicator/indicated.ts";
import { channelReport, deviceReport, nodeReport, report } from "../outlet/kit.ts";

const PACE = { commitMs: 10_000, checkpointMs: 60_000 };

function shown(changes: Partial<Report> = {}, sinceDurableMs: number | undefined = 2000): Indicated {
  return indicated(lampFacts(report(changes), PACE, sinceDurableMs));
}

function read(ageMs: number, intervalMs = 5000): Partial<Report> {
  return { devices: [deviceReport({ intervalMs, channels: [channelReport({ ageMs })] })] };
}

describe("what the lamps say of an agent", () => {
  it("is how far the newest reading has come", () => {
    expect(shown()).toEqual({ stage: "acknowledged" });
    const { lastReceiptAgeMs: _, ...node } = nodeReport();
    expect(shown({ nodes: [node] })).toEqual({ stage: "sealed" });
    expect(indicated(lampFacts(report(), PACE, undefined))).toEqual({ stage: "reading" });
    const { ageMs: __, acceptedAtMs: ___, ...never } = channelReport();
    const devices = [deviceReport({ channels: [never] })];
    expect(shown({ devices, uptimeMs: 14_999 })).toEqual({ stage: "starting" });
    expect(shown({ devices, uptimeMs: 61_000 })).toEqual({ stage: "starting", fault: "meterRefused" });
  });

  it("ends at sealed where no node is configured", () => {
    expect(shown({ nodes: [] })).toEqual({ stage: "sealed" });
  });

  it("is what the node acknowledges, whichever of them does", () => {
    const away = nodeReport({ connected: false, problem: "refused", lastReceiptAgeMs: 9_000_000 });
    expect(shown({ nodes: [away, nodeReport()] })).toEqual({
      stage: "acknowledged",
      fault: "nodeUnreachable",
    });
    expect(shown({ nodes: [away] })).toEqual({ stage: "sealed", fault: "nodeUnreachable" });
  });

  it("waits for seldom readings as long as they take, and for the commit and the checkpoint behind them", () => {
    expect(shown(read(61_000)).stage).toBe("starting");
    expect(shown(read(3_600_000, 900_000), 3_600_000).stage).toBe("acknowledged");
    expect(shown(read(3000), 60_000 + 2 * 10_000 + 30_000).stage).toBe("acknowledged");
    expect(shown(read(3000), 60_000 + 2 * 10_000 + 30_001).stage).toBe("reading");
    const receipted = (lastReceiptAgeMs: number) =>
      shown({ nodes: [nodeReport({ lastReceiptAgeMs })] }).stage;
    expect([receipted(260_000), receipted(260_001)]).toEqual(["acknowledged", "sealed"]);
  });

  it("is the meter that is read, beside one that is not", () => {
    const silent = deviceReport({
      ...{ id: "roof", intervalMs: 60_000, online: false },
      channels: [channelReport({ name: "roof", ageMs: 900_000 })],
    });
    expect(shown({ devices: [silent, deviceReport()] })).toEqual({
      stage: "acknowledged",
      fault: "meterSilent",
    });
  });

  it("is no fault while the agent is just starting", () => {
    const { problem: _, ...silent } = deviceReport({ online: false, channels: [] });
    expect(shown({ devices: [silent], uptimeMs: 14_999 })).toEqual({ stage: "starting" });
    expect(shown({ devices: [silent], uptimeMs: 15_000 })).toEqual({
      stage: "starting",
      fault: "meterSilent",
    });
  });
});
