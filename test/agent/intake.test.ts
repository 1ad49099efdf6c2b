import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { DeviceConfig } from "../../agent/config/config.ts";
import { namedChannels } from "../../agent/config/named-channels.ts";
import { Intake } from "../../agent/intake.ts";
import type { AcceptedEvent } from "../../agent/status.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { type FlexibilityReading, type MeterReading, READING_STATUS } from "../../attest/reading.ts";
import type { ChannelDescription, Doubt, Snapshot } from "../../drivers/driver.ts";
import { type Bench, type Line, meterReading, openBench, recordingLogger, temporaryFolder } from "./kit.ts";

const IDENTITY = { make: "Make", model: "Model", serial: "A1", firmware: "" };
const GRID: ChannelDescription = {
  ...{ name: "grid", role: "grid", resolutionMwh: 1000 },
  quantities: ["import", "export", "power"],
};
const PV: ChannelDescription = { ...GRID, name: "pv", role: "generation" };

function device(id: string, channels: DeviceConfig["channels"] = {}): DeviceConfig {
  const open = (): never => {
    throw new Error("no test opens it");
  };
  const definition = { name: "test", summary: "", schema: z.strictObject({}), open };
  return { id, definition, options: {}, intervalMs: 5000, channels };
}

function snapshot(...readings: MeterReading[]): Snapshot {
  return { readings, flexibility: [], absent: [] };
}

describe("intake", () => {
  let bench: Bench;
  let lines: Line[] = [];
  let accepted: AcceptedEvent[] = [];
  let closers: (() => void)[] = [];
  let folder = "";

  beforeEach(() => {
    const made = temporaryFolder();
    folder = made.folder;
    bench = openBench(join(folder, "journal.sqlite"));
    closers = [made.remove, () => bench.log.journal.close()];
    accepted = [];
  });
  afterEach(() => {
    for (const close of closers.reverse()) close();
  });

  function intake(...devices: DeviceConfig[]): Intake {
    const recording = recordingLogger();
    lines = recording.lines;
    const { logger } = recording;
    return new Intake(
      { sealer: () => bench.sealer, accepted: (event) => accepted.push(event), logger },
      devices,
    );
  }

  function sealed<K extends Leaf["kind"]>(kind: K): Extract<Leaf, { kind: K }>[] {
    bench.sealer.commit();
    const leaves = bench.log.journal.leaves(1, 0, bench.log.journal.size(1)).map(decodeLeaf);
    return leaves.filter((leaf): leaf is Extract<Leaf, { kind: K }> => leaf.kind === kind);
  }

  it("names channels by device and channel, or as the configuration says", () => {
    const both = intake(device("meter", { pv: { name: "roof/all" } }));
    both.identified("meter", IDENTITY, [GRID, PV]);
    expect(sealed("channelManifest").map(({ channel, name }) => [channel, name])).toEqual([
      [1, "meter/grid"],
      [2, "roof/all"],
    ]);
    both.take("meter", snapshot({ ...meterReading(5000), channel: "pv" }, meterReading(7000)));
    expect(sealed("reading").map(({ channel, importMwh }) => [channel, importMwh])).toEqual([
      [2, 5000],
      [1, 7000],
    ]);
    expect(accepted.map(({ channel, importMwh }) => [channel, importMwh])).toEqual([
      ["roof/all", 5000],
      ["meter/grid", 7000],
    ]);
    expect(both.channels()).toMatchObject([
      { number: 1, name: "meter/grid", role: "grid", accepted: 1, held: 0, rejected: 0, importMwh: 7000 },
      { number: 2, name: "roof/all", role: "generation", accepted: 1, held: 0, rejected: 0, importMwh: 5000 },
    ]);
  });

  it("seals nothing of what was never described", () => {
    const one = intake(device("meter"));
    one.take("meter", snapshot(meterReading(1000)));
    one.identified("meter", IDENTITY, [GRID]);
    one.take("meter", snapshot({ ...meterReading(1000), channel: "other" }));
    one.identified("stranger", IDENTITY, [GRID]);
    one.take("stranger", snapshot(meterReading(1000)));
    expect(sealed("reading")).toEqual([]);
    expect(sealed("channelManifest")).toHaveLength(1);
  });

  it("breaks the chain of a channel that did not count for a while, of that one only, and says since when", () => {
    const agent = intake(device("meter"));
    agent.identified("meter", IDENTITY, [GRID, PV]);
    agent.take("meter", snapshot(meterReading(5000), { ...meterReading(7000), channel: "pv" }));
    const downtime = [{ channel: "grid", message: "nobody counted from A to B" }];
    const after = snapshot(meterReading(6000), { ...meterReading(8000), channel: "pv" });
    agent.take("meter", { ...after, downtime });
    agent.take("meter", snapshot(meterReading(9000)));
    expect(sealed("discontinuity")).toMatchObject([
      { channel: 1, classification: 6, oldImportMwh: 5000, newImportMwh: 6000 },
    ]);
    expect(sealed("reading").map(({ importMwh }) => importMwh)).toEqual([5000, 7000, 6000, 8000, 9000]);
    const said = { channel: "meter/grid", reason: "nobody counted from A to B" };
    expect(lines).toContainEqual(expect.objectContaining({ event: "counter-downtime", ...said }));
  });

  it("warns of no break where a channel begins", () => {
    const agent = intake(device("meter"));
    agent.identified("meter", IDENTITY, [GRID]);
    const downtime = [{ channel: "grid", message: "the register begins" }];
    agent.take("meter", { ...snapshot(meterReading(5000)), downtime });
    expect(sealed("discontinuity")).toEqual([]);
    expect(lines).toEqual([
      { event: "counter-begins", channel: "meter/grid", reason: "the register begins" },
    ]);
  });

  it("opens a channel once, however often the same meter is identified", () => {
    const one = intake(device("meter"));
    for (let i = 0; i < 3; i++) {
      one.identified("meter", IDENTITY, [GRID]);
      one.take("meter", snapshot(meterReading(1000)));
    }
    expect(sealed("channelManifest")).toHaveLength(1);
    expect(one.channels()).toMatchObject([{ accepted: 3 }]);
    one.identified("meter", { ...IDENTITY, serial: "B2" }, [GRID]);
    expect(sealed("channelManifest").map(({ serial }) => serial)).toEqual(["A1", "B2"]);
    const changed = lines.filter(({ event }) => event === "meter-changed");
    expect(changed).toMatchObject([{ device: "meter", was: "Make Model A1", is: "Make Model B2" }]);
  });

  it("asks for another reading of what is held, counts it and says why once", () => {
    const one = intake(device("meter"));
    one.identified("meter", IDENTITY, [GRID]);
    expect(one.take("meter", snapshot(meterReading(900_000_000)))).toEqual({ reread: false });
    for (let i = 0; i < 2; i++)
      expect(one.take("meter", snapshot(meterReading(100_000_000 + i)))).toEqual({ reread: true });
    expect(sealed("reading")).toHaveLength(1);
    expect(one.channels()).toMatchObject([{ accepted: 1, held: 2 }]);
    expect(lines.map(({ event }) => event)).toEqual(["reading-hold"]);
    expect(lines[0]).toMatchObject({
      channel: "meter/grid",
      code: expect.any(String),
      reason: expect.any(String),
    });
  });

  it("keeps two meters apart that were given the same name, and says which", () => {
    const name = "house";
    const two = intake(device("first", { grid: { name } }), device("second", { grid: { name } }));
    for (const id of ["first", "second", "second"]) two.identified(id, IDENTITY, [GRID, PV]);
    for (const id of ["first", "second"])
      two.take(id, snapshot(meterReading(1000), { ...meterReading(2000), channel: "pv" }));
    expect(sealed("channelManifest").map((leaf) => leaf.name)).toEqual(["house", "first/pv", "second/pv"]);
    expect(sealed("reading").map(({ channel }) => channel)).toEqual([1, 2, 3]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      event: "channel-refused",
      code: "channel-name-taken",
      channel: "house",
    });
    expect(lines[0]?.["message"]).toBe(
      'device second: channels.grid: device first has a channel of this name, got "house"; give one of the two another name in the configuration',
    );
  });

  it("says once that the configuration names a channel that the device does not have", () => {
    const one = intake(device("meter", { gird: { name: "house" } }));
    for (let i = 0; i < 3; i++) one.identified("meter", IDENTITY, [GRID]);
    one.take("meter", snapshot(meterReading(1000)));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ event: "channel-not-found", code: "config-channel", device: "meter" });
    expect(lines[0]?.["message"]).toContain('did you mean "grid"?');
    expect(sealed("reading")).toHaveLength(1);
  });

  it("says so of a channel that control or flexibility names, too", () => {
    const recording = recordingLogger();
    const named = namedChannels({
      control: {
        siteMeter: { device: "meter", channel: "gird", maxStaleMs: 30_000 },
        ...{ leaseMs: 60_000, heartbeatMs: 120_000, resources: [] },
      },
    });
    const host = { sealer: () => bench.sealer, accepted: () => undefined, logger: recording.logger, named };
    const one = new Intake(host, [device("other"), device("meter")]);
    one.identified("other", IDENTITY, [GRID]);
    expect(recording.lines).toEqual([]);
    one.identified("meter", IDENTITY, [GRID]);
    expect(recording.lines).toMatchObject([{ event: "channel-not-found", device: "meter" }]);
    expect(recording.lines[0]?.["message"]).toBe(
      'control.siteMeter: the device has no such channel; expected one of grid, got gird; did you mean "grid"?',
    );
  });

  it("refuses readings while the disk takes none, says so once, and goes on when it does", () => {
    const one = intake(device("meter"));
    one.identified("meter", IDENTITY, [GRID]);
    let most = 0;
    for (; lines.length === 0 && most < 30_000; most++) one.take("meter", snapshot(meterReading(1000)));
    for (let i = 0; i < 10; i++) one.take("meter", snapshot(meterReading(1000)));
    expect(lines).toMatchObject([{ event: "seal-refused", code: "journal-stuck", channel: "meter/grid" }]);
    const [status] = one.channels();
    expect(status?.rejected).toBe(11);
    expect(status?.accepted).toBe(most - 1);
    expect(accepted).toHaveLength(most - 1);
    bench.sealer.commit();
    one.take("meter", snapshot(meterReading(1000)));
    expect(lines.map(({ event }) => event)).toEqual(["seal-refused", "seal-refused-over"]);
    expect(sealed("reading")).toHaveLength(most);
  });

  it("shows which devices answer, and what was wrong when they did not", () => {
    const two = intake(device("meter"), device("roof"));
    two.identified("meter", IDENTITY, [GRID]);
    two.failed("roof", new Error("no answer"));
    expect(two.devices()).toEqual([
      { id: "meter", online: true },
      { id: "roof", online: false, problem: "no answer" },
    ]);
    two.failed("meter", new Error("gone"));
    two.take("meter", snapshot(meterReading(1000)));
    expect(two.devices()[0]).toEqual({ id: "meter", online: true });
  });

  it("opens every channel again in a new epoch, and counts on", () => {
    const one = intake(device("meter"));
    one.identified("meter", IDENTITY, [GRID, PV]);
    one.take("meter", snapshot(meterReading(1000)));
    const old = bench;
    bench = openBench(join(folder, "next.sqlite"));
    closers.push(() => old.log.journal.close());
    one.redeclare();
    one.take("meter", snapshot(meterReading(2000)));
    expect(sealed("channelManifest").map(({ name }) => name)).toEqual(["meter/grid", "meter/pv"]);
    expect(sealed("reading").map(({ importMwh }) => importMwh)).toEqual([2000]);
    expect(one.channels()).toMatchObject([{ accepted: 2 }, { accepted: 0 }]);
    expect(lines).toEqual([]);
  });

  describe("with what cannot be trusted", () => {
    const torn: Doubt = { channel: "grid", quantities: ["power"], message: "phases and total differ" };
    const battery: ChannelDescription = {
      ...{ name: "battery", role: "storage" },
      quantities: ["power", "stateOfCharge"],
    };
    const evidence = new Uint8Array(32).fill(1);
    const able: FlexibilityReading = { channel: "battery", available: true, evidence };

    function charged(stateOfChargePpm: number, more: Partial<MeterReading> = {}): MeterReading {
      return { channel: "battery", stateOfChargePpm, activePowerMw: 500_000, evidence, ...more };
    }

    it("hands the doubts of a snapshot to the gate of their channel, and reads again", () => {
      const one = intake(device("meter"));
      one.identified("meter", IDENTITY, [GRID, PV]);
      const both = {
        ...snapshot(meterReading(1000), { ...meterReading(1000), channel: "pv" }),
        doubts: [torn],
      };
      for (let i = 0; i < 3; i++) expect(one.take("meter", both)).toEqual({ reread: true });
      expect(sealed("reading").map(({ channel }) => channel)).toEqual([2, 2, 2]);
      expect(one.take("meter", both)).toEqual({ reread: false });
      const [doubted] = sealed("reading").filter(({ channel }) => channel === 1);
      expect(doubted).toMatchObject({ importMwh: 1000 });
      expect(doubted).not.toHaveProperty("activePowerMw");
      expect(lines.map(({ event, code }) => [event, code])).toEqual([["reading-hold", "contradiction"]]);
    });

    it("seals no flexibility that comes with a reading it does not seal, or that is old", () => {
      const one = intake(device("home"));
      one.identified("home", IDENTITY, [battery]);
      const take = (reading: MeterReading, doubts: readonly Doubt[] = []): number => {
        one.take("home", { readings: [reading], flexibility: [able], absent: [], doubts });
        return sealed("flexibility").length;
      };
      expect(take(charged(500_000))).toBe(1);
      expect(take(charged(0))).toBe(1);
      expect(take(charged(6_553_500))).toBe(1);
      expect(take(charged(500_000, { status: READING_STATUS.stale }))).toBe(1);
      for (let i = 0; i < 5; i++) expect(take(charged(500_000), [{ ...torn, channel: "battery" }])).toBe(1);
      expect(take(charged(500_000))).toBe(2);
      one.take("home", { readings: [], flexibility: [able], absent: [] });
      expect(sealed("flexibility")).toHaveLength(3);
    });

    it("seals old values with their mark, and shows none of them as live", () => {
      const one = intake(device("home"));
      one.identified("home", IDENTITY, [battery]);
      one.take("home", snapshot(charged(500_000, { status: READING_STATUS.stale })));
      expect(sealed("reading")).toMatchObject([{ status: READING_STATUS.stale, activePowerMw: 500_000 }]);
      expect(accepted).toEqual([{ event: "accepted", channel: "home/battery" }]);
      expect(one.channels()[0]).not.toHaveProperty("activePowerMw");
      expect(one.channels()[0]).not.toHaveProperty("stateOfChargePpm");
    });

    it("says a code that comes and goes once, and where it is explained", () => {
      const one = intake(device("meter"));
      one.identified("meter", IDENTITY, [GRID]);
      for (let i = 0; i < 5; i++) {
        one.take("meter", snapshot(meterReading(900_000_000)));
        one.take("meter", snapshot(meterReading(100_000_000)));
      }
      one.take("meter", snapshot({ ...meterReading(900_000_000), frequencyMhz: 655_350 }));
      expect(lines).toMatchObject([
        { event: "reading-hold", code: "register-down", help: "docs/quality-codes.md#register-down" },
        { event: "reading-reject", code: "frequency-range", help: "docs/quality-codes.md#frequency-range" },
      ]);
    });

    it("says the code of a discontinuity, too", () => {
      const one = intake(device("meter"));
      one.identified("meter", IDENTITY, [GRID]);
      one.take("meter", snapshot(meterReading(900_000_000)));
      for (let i = 0; i < 4; i++) one.take("meter", snapshot(meterReading(1000)));
      one.take("meter", snapshot({ ...meterReading(1000), importMwh: -1 }));
      expect(one.channels()[0]?.reasons).toEqual([
        { outcome: "held", code: "register-down", count: 3 },
        { outcome: "discontinuity", code: "register-down", count: 1 },
        { outcome: "rejected", code: "register-range", count: 1 },
      ]);
      expect(one.channels()[0]).toMatchObject({ held: 3, rejected: 1 });
      expect(lines.at(-2)).toMatchObject({
        ...{ event: "discontinuity", channel: "meter/grid", code: "register-down" },
        help: "docs/quality-codes.md#register-down",
      });
      expect(sealed("discontinuity")).toMatchObject([{ oldImportMwh: 900_000_000, newImportMwh: 1000 }]);
    });

    it("judges a device that is asleep by the nameplate that it showed awake", () => {
      const one = intake(device("meter"));
      one.identified("meter", IDENTITY, [{ ...GRID, maxImportMw: 5_000_000, maxExportMw: 5_000_000 }]);
      const again = intake(device("meter"));
      again.identified("meter", IDENTITY, [GRID]);
      again.take("meter", snapshot({ ...meterReading(1000), activePowerMw: 6_250_001 }));
      expect(lines).toMatchObject([{ event: "reading-reject", code: "power-range" }]);
    });
  });
});
