import { describe, expect, it } from "vitest";
import type { Report } from "../../../agent/outlet/report.ts";
import { statusText } from "../../../agent/outlet/status-text.ts";
import type { EnclosureStatus } from "../../../agent/panel/panel-status.ts";
import type { Indicated } from "../../../firmware-bridge/indicator/indicated.ts";
import { channelReport, deviceReport, enclosureStatus, NOW_MS, nodeReport, report } from "./kit.ts";

function codes(changes: Partial<Report>): string[] {
  return report(changes).attention.map(({ code, failing }) => (failing ? `${code}!` : code));
}

const OFFLINE = deviceReport({
  ...{ id: "roof", driver: "sunspec", online: false, channels: [] },
  problem: {
    ...{ code: "driver-no-answer", message: "192.168.1.20:502: connection refused; check the port" },
    ...{ hint: "check the port", sinceMs: NOW_MS - 720_000 },
  },
});

describe("what needs attention", () => {
  it("is nothing while all is well", () => {
    expect(codes({})).toEqual([]);
  });

  it("is a device that does not answer, or has not answered yet", () => {
    expect(codes({ devices: [OFFLINE] })).toEqual(["device-offline!"]);
    const { problem: _, ...silent } = OFFLINE;
    expect(report({ devices: [silent] }).attention[0]?.what).toBe("roof has not answered yet");
  });

  it("is a channel of which nothing is accepted, with the reason that was said last", () => {
    const said = { event: "reading-hold", code: "register-down", reason: "import went down", atMs: NOW_MS };
    const quiet = channelReport({ ageMs: 60_001, lastReason: said });
    const { attention } = report({ devices: [deviceReport({ channels: [quiet] })] });
    expect(attention).toEqual([
      {
        ...{ code: "channel-quiet", failing: true, hint: "see docs/quality-codes.md#register-down" },
        what: "house/grid: no reading accepted for 60 s: import went down",
      },
    ]);
  });

  it("is no channel that is read seldom", () => {
    const channels = [channelReport({ ageMs: 239_000 })];
    expect(codes({ devices: [deviceReport({ intervalMs: 60_000, channels })] })).toEqual([]);
    expect(codes({ devices: [deviceReport({ intervalMs: 5000, channels })] })).toEqual(["channel-quiet!"]);
  });

  it("is a channel that never had a reading, once it should have one", () => {
    const { ageMs: _, acceptedAtMs: __, ...never } = channelReport();
    const devices = [deviceReport({ channels: [never] })];
    expect(codes({ devices, uptimeMs: 59_000 })).toEqual([]);
    expect(codes({ devices })).toEqual(["channel-quiet!"]);
  });

  it("is what fails now, the worst first", () => {
    const failure = (event: string) => ({ event, code: "x", message: "disk full", sinceMs: NOW_MS });
    expect(
      codes({
        failures: [failure("anchor-failed"), failure("node-problem"), failure("commit-failed")],
        clock: { timeMs: 5000, timeQuality: 1 },
        devices: [OFFLINE],
      }),
    ).toEqual(["commit-failed!", "device-offline!", "anchor-failed", "clock-unknown"]);
  });

  it("is a node that is gone or silent, but not one that is just being asked", () => {
    const away = nodeReport({ connected: false, problem: "refused" });
    const { problem: _, ...asking } = away;
    expect(codes({ nodes: [away] })).toEqual(["node-offline"]);
    expect(codes({ nodes: [asking], uptimeMs: 5000 })).toEqual([]);
    expect(codes({ nodes: [asking] })).toEqual(["node-offline"]);
    const behind = { unreceiptedLeaves: 9, lastReceiptAgeMs: 700_000 };
    expect(codes({ nodes: [nodeReport(behind)] })).toEqual(["node-behind"]);
    expect(codes({ nodes: [nodeReport({ ...behind, lastReceiptAgeMs: 60_000 })] })).toEqual([]);
  });

  it("is a signature that waits although a node is there", () => {
    const log = { ...report().log, signingWaits: true };
    expect(codes({ log })).toEqual(["signing-waits"]);
    expect(codes({ log, nodes: [nodeReport({ connected: false, problem: "refused" })] })).toEqual([
      "node-offline",
    ]);
  });

  it("is an enclosure that is open or that nobody watches, and a lamp that cannot be switched", () => {
    const enclosures = [
      enclosureStatus(),
      enclosureStatus({ name: "cover", state: "opened" }),
      enclosureStatus({ name: "door", state: "unwatched", problem: "there is no gpiomon" }),
    ];
    const failures = [{ event: "indicator-failed", code: "x", message: "no such lamp", sinceMs: NOW_MS }];
    const { attention } = report({ panel: { enclosures }, failures });
    expect(attention.map(({ code, what }) => [code, what])).toEqual([
      ["indicator-failed", "a lamp shows nothing: no such lamp"],
      ["enclosure-opened", "the enclosure cover is open since 2026-11-01T10:00:00.000Z"],
      ["enclosure-unwatched", "nobody watches the enclosure door: there is no gpiomon"],
    ]);
    expect(attention.every(({ failing }) => !failing)).toBe(true);
  });

  it("is a full card and an outlet that does not work", () => {
    const socket = { address: "/journal.sock", working: true };
    const broken = { address: "mqtts://broker", working: false, problem: "refused" };
    expect(codes({ journal: { bytes: 1, freeBytes: 200 * 1024 ** 2 } })).toEqual(["disk-space"]);
    const frames = { bytes: 0, refused: 0 };
    const keeping = { state: "slow", pace: 4, leftOut: 9, released: 0, frames } as const;
    expect(codes({ journal: { bytes: 1, keeping } })).toEqual(["sampling-slow"]);
    expect(codes({ journal: { bytes: 1, keeping: { ...keeping, pace: 0 } } })).toEqual(["sampling-stopped!"]);
    expect(codes({ outlets: { socket, mqtt: { ...broken, published: 0, skipped: 0 } } })).toEqual([
      "mqtt-failed",
    ]);
    expect(codes({ outlets: { socket, http: { ...broken, address: "http://127.0.0.1:8789" } } })).toEqual([
      "http-failed",
    ]);
  });
});

describe("the status in words", () => {
  it("says how enclosures stand, and what a lamp shows", () => {
    const lines = (enclosure: Partial<EnclosureStatus>, lamps?: Indicated) =>
      statusText(
        report({
          panel: { enclosures: [enclosureStatus(enclosure)], ...(lamps === undefined ? {} : { lamps }) },
        }),
      )
        .split("\n")
        .filter((line) => /^(?:Enclosure|Lamp)/.test(line));
    expect(lines({}, { stage: "acknowledged" })).toEqual([
      "Enclosure lid: closed since 2026-11-01T10:00:00.000Z",
      "Lamp: lit with a short wink (acknowledged)",
    ]);
    const calmed = { openings: 9, betterForMs: 720_000, believedInMs: 2_880_000 };
    expect(lines({ state: "opened", ...calmed }, { stage: "sealed", fault: "enclosureOpened" })).toEqual([
      "Enclosure lid: open since 2026-11-01T10:00:00.000Z, opened 9 times since the start; closed again for 12 min, believed in 48 min",
      "Lamp: 6 long flashes (enclosureOpened); readings come as far as sealed",
    ]);
    expect(lines({ state: "unwatched", openings: 1 })).toEqual([
      "Enclosure lid: unwatched since 2026-11-01T10:00:00.000Z, opened once since the start",
    ]);
  });

  it("begins with what needs attention", () => {
    const nodes = [nodeReport({ connected: false, problem: "host not found", receiptedLeaves: 1000 })];
    const text = statusText(report({ devices: [deviceReport(), OFFLINE], nodes }));
    expect(text.split("\n").slice(0, 4)).toEqual([
      "2 things need attention: roof does not answer; node wss://node.example.org is not connected",
      "",
      "- roof does not answer: 192.168.1.20:502: connection refused; check the port (device-offline)",
      "- node wss://node.example.org is not connected: host not found (node-offline)",
    ]);
    expect(text).toContain(
      "roof (sunspec), Landis+Gyr E350 serial E0012345678: does not answer since 2026-11-01T11:48",
    );
    expect(text).toContain(
      "Node wss://node.example.org: not connected, behind by 211 entries, last receipt 12 s ago",
    );
  });

  it("says of a meter that counts whole kWh what that means, and how a German one is unlocked", () => {
    const channels = [channelReport({ resolutionMwh: 1_000_000 })];
    const said = statusText(report({ devices: [deviceReport({ driver: "sml", channels })] }));
    expect(said).toMatch(/\n {4}its registers go in steps of 1,000 Wh: .*; enter the meter's PIN/);
    expect(statusText(report({ devices: [deviceReport({ driver: "mbus", channels })] }))).toMatch(
      /steps of 1,000 Wh: most short intervals will be 0 Wh\n/,
    );
    const fine = [channelReport({ resolutionMwh: 999_999 })];
    expect(statusText(report({ devices: [deviceReport({ channels: fine })] }))).not.toContain("in steps of");
  });

  it("names what fails where it is one read in fifty", () => {
    const { sampling } = deviceReport();
    const failing = (reads: number, failures: Readonly<Record<string, number>>) =>
      statusText(report({ devices: [deviceReport({ sampling: { ...sampling, reads, failures } })] }));
    expect(failing(294, { "sml-checksum": 5, "sml-truncated": 1 })).toContain(
      "\n  6 of 300 reads failed since the start: 5 sml-checksum, 1 sml-truncated\n",
    );
    expect(failing(295, { "sml-checksum": 6 })).not.toContain("failed since");
    expect(failing(4, { "sml-checksum": 4 })).not.toContain("failed since");
  });

  it("says what an installer wants to see when all is well", () => {
    const said = { event: "reading-hold", code: "register-down", reason: "went down", atMs: NOW_MS - 60_000 };
    const channel = channelReport({
      ...{ held: 3, rejected: 1, lastReason: said },
      reasons: [{ outcome: "held", code: "register-down", count: 3 }],
    });
    expect(statusText(report({ devices: [deviceReport({ channels: [channel] })] }))).toBe(
      `All is well: the device answers, readings are sealed, the node is connected

Running since 2026-11-01T09:00:00.000Z (3 h), version 1.2.3
Device key ${"ab".repeat(32)}, network test, epoch 1

meter (dsmr-p1), Landis+Gyr E350 serial E0012345678: answers
  house/grid (grid): exporting 1.234 kW; import 12,345.678 kWh; export 1.000 kWh, 3 s ago
    1234 accepted, 3 held, 1 rejected
    since the start: 3 held for register-down
    last said 2026-11-01T11:59:00.000Z, register-down: went down
    see docs/quality-codes.md#register-down

Journal: 12 MB, 21 GB free, 800 kB written in 3 h (6.4 MB a day)
Log: 1211 entries, 1210 written, 1200 signed; last signed 12 s ago
Node wss://node.example.org: connected, has all that is signed, last receipt 12 s ago
Clock: 2026-11-01T12:00:00.000Z, set and synchronised
`,
    );
  });
});
