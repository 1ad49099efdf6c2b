import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { ProbeResult } from "../../../agent/cli/probe-device.ts";
import { probeJson, probeText } from "../../../agent/cli/probe-report.ts";
import type { ChannelDescription } from "../../../drivers/driver.ts";

const DIGEST = new Uint8Array(32).fill(0xab);

/** The result of a look at a device with this one channel. */
function looked(more: Partial<ChannelDescription>): ProbeResult {
  const channel: ChannelDescription = { name: "grid", role: "grid", quantities: ["power"], ...more };
  return {
    device: {
      id: "meter",
      definition: {
        ...{ name: "test", summary: "", schema: z.strictObject({}) },
        open: () => {
          throw new Error("no test opens it");
        },
      },
      ...{ options: {}, intervalMs: 5000, channels: {} },
    },
    identity: { make: "Make", model: "Model", serial: "A1", firmware: "" },
    channels: [channel],
    snapshot: {
      readings: [{ channel: "grid", activePowerMw: 1_234_000, evidence: DIGEST }],
      ...{ flexibility: [], absent: [] },
    },
  };
}

function signLine(more: Partial<ChannelDescription>): string | undefined {
  return probeText([looked(more)])
    .split("\n")
    .find((line) => line.startsWith("    sign"));
}

describe("what probe says is not available", () => {
  it("is in words where drivers say it by names of the reading", () => {
    const result = looked({});
    const absent = ["activePowerMw: locked", "meterTimeMs: no zone", "0:energy: strange", "activePowerMw"];
    const snapshot = { readings: [], flexibility: [], absent };
    const lines = probeText([{ ...result, snapshot }]).split("\n");
    expect(lines.filter((line) => line.startsWith("  not available"))).toEqual([
      "  not available: power: locked",
      "  not available: the meter's time: no zone",
      "  not available: 0:energy: strange",
      "  not available: activePowerMw",
    ]);
  });
});

describe("what probe says of a sign", () => {
  const signSource = "the maker's register list";

  it("names where it comes from when a device has shown it", () => {
    expect(signLine({ signSource, signVerified: true })).toBe("    sign from the maker's register list");
  });

  it("says what to do on site when nothing has shown it yet", () => {
    for (const unverified of [{}, { signVerified: false }]) {
      expect(signLine({ signSource, ...unverified })).toBe(
        "    sign by the maker's register list, not verified: switch on a kettle: about 2 kW more must be imported, on the meter's display, too",
      );
    }
  });

  it("says so when it comes from nowhere", () => {
    expect(signLine({})).toBe(
      "    sign not verified: switch on a kettle: about 2 kW more must be imported, on the meter's display, too",
    );
  });

  it.each([
    ["generation", /generating/],
    ["storage", /charge, then discharge/],
    ["load", /behind it/],
    ["compute", /under load/],
  ] as const)("tells what fits a channel of %s", (role, words) => {
    expect(signLine({ role })).toMatch(words);
  });

  it("says nothing where there is no power to have one", () => {
    const result = looked({ quantities: ["import"], signSource });
    const readings = [{ channel: "grid", importMwh: 1000, evidence: DIGEST }];
    const text = probeText([{ ...result, snapshot: { readings, flexibility: [], absent: [] } }]);
    expect(text).not.toMatch(/sign/);
  });

  it.each([
    [{}, { signVerified: false }],
    [{ signSource }, { signSource, signVerified: false }],
    [
      { signSource, signVerified: true },
      { signSource, signVerified: true },
    ],
  ])("has both in JSON: %j", (more, expected) => {
    const { devices } = JSON.parse(JSON.stringify(probeJson([looked(more)])));
    expect(devices[0].channels[0]).toMatchObject(expected);
    expect("signSource" in devices[0].channels[0]).toBe("signSource" in expected);
  });

  it("gives ratios as they are and the profile's digest as hexadecimal text", () => {
    const { devices } = JSON.parse(
      JSON.stringify(probeJson([looked({ ctRatio: [200, 5], profileDigest: DIGEST })])),
    );
    expect(devices[0].channels[0]).toMatchObject({ ctRatio: [200, 5], profileDigest: "ab".repeat(32) });
  });
});
