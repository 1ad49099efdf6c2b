import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { DeviceConfig } from "../../../agent/config/config.ts";
import { Intake } from "../../../agent/intake.ts";
import { DISCONTINUITY, type Leaf } from "../../../attest/leaf.ts";
import { LogRules } from "../../../attest/log-rules.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { Problem } from "../../../attest/problem.ts";
import { verifyBatch } from "../../../attest/stream-verifier.ts";
import type { ChannelDescription } from "../../../drivers/driver.ts";
import { type Bench, FakeTime, meterReading, openBench, recordingLogger, temporaryFolder } from "../kit.ts";

const IDENTITY = { make: "Make", model: "Model", serial: "A1", firmware: "" };
const GRID: ChannelDescription = {
  ...{ name: "grid", role: "grid", resolutionMwh: 1000 },
  quantities: ["import", "export", "power"],
};
const DEVICE: DeviceConfig = {
  id: "meter",
  definition: {
    ...{ name: "test", summary: "", schema: z.strictObject({}) },
    open: () => {
      throw new Error("no test opens it");
    },
  },
  ...{ options: {}, intervalMs: 5000, channels: {} },
};
const READINGS = 30;
const STEP_MWH = 2000;

/** An agent that can be stopped and started over one journal. */
class Site {
  readonly #path: string;
  readonly #time = new FakeTime();
  #bench: Bench;
  #intake: Intake;

  constructor(path: string) {
    this.#path = path;
    this.#bench = openBench(path, { time: this.#time });
    this.#intake = this.#opened();
  }

  #opened(): Intake {
    const { logger } = recordingLogger();
    return new Intake({ sealer: () => this.#bench.sealer, accepted: () => undefined, logger }, [DEVICE]);
  }

  identified(more: Partial<ChannelDescription>, serial = "A1"): void {
    this.#intake.identified("meter", { ...IDENTITY, serial }, [{ ...GRID, ...more }]);
  }

  /** Readings every 5 s over more than two intervals, from this register on. */
  reads(fromMwh: number): void {
    for (let index = 0; index < READINGS; index += 1) {
      this.#time.advance(5000);
      const reading = meterReading(fromMwh + index * STEP_MWH);
      this.#intake.take("meter", { readings: [reading], flexibility: [], absent: [] });
    }
  }

  /** The driver finds that the device counts otherwise than before. */
  settingsChange(): void {
    const problem = new Problem("driver-settings-changed", "the device's setting netting was changed");
    this.#intake.failed("meter", problem);
  }

  restart(): void {
    this.#bench.sealer.commit();
    this.#bench.log.journal.close();
    this.#time.advance(5000);
    this.#bench = openBench(this.#path, { time: this.#time });
    this.#intake = this.#opened();
  }

  /** The log as a node sees it: verified leaf by leaf, from the bytes alone. */
  async verified(): Promise<readonly Leaf[]> {
    await this.#bench.sealer.checkpoint();
    const { journal, identity } = this.#bench.log;
    const batch = journal.batchAfter(1, 0, 4096);
    if (batch === undefined) throw new Error("nothing was signed");
    const { leaves } = verifyBatch(nativeSuite, new LogRules(nativeSuite, identity), batch);
    return leaves.others;
  }

  close(): void {
    this.#bench.log.journal.close();
  }
}

function ofKind<K extends Leaf["kind"]>(leaves: readonly Leaf[], kind: K): Extract<Leaf, { kind: K }>[] {
  return leaves.filter((leaf): leaf is Extract<Leaf, { kind: K }> => leaf.kind === kind);
}

/** All import that any close states. */
function sealedMwh(leaves: readonly Leaf[]): number {
  const closes = ofKind(leaves, "intervalClose");
  return closes.reduce(
    (sum, { openingImportMwh = 0, closingImportMwh = 0 }) => sum + closingImportMwh - openingImportMwh,
    0,
  );
}

/** The chain ends before the break and begins after it, and what lies between is in no close. */
function expectOneBreak(leaves: readonly Leaf[], classification: number): void {
  const breaks = ofKind(leaves, "discontinuity");
  expect(breaks.map((leaf) => leaf.classification)).toEqual([classification]);
  const at = breaks[0]?.seq ?? 0;
  const closes = ofKind(leaves, "intervalClose");
  const sides = closes.map(({ openingSeq, closingSeq }) => [openingSeq > at, closingSeq > at]);
  expect(new Set(sides.map(String))).toEqual(new Set(["false,false", "true,true"]));
  // Closed up to the last reading before the break; behind it the last interval is still open.
  const [before] = closes.filter(({ seq }) => seq < at).slice(-1);
  expect(before?.closingImportMwh).toBe(breaks[0]?.oldImportMwh);
  expect(sealedMwh(leaves)).toBeLessThanOrEqual(2 * (READINGS - 1) * STEP_MWH);
  expect(sealedMwh(leaves)).toBeGreaterThan((READINGS - 1) * STEP_MWH);
}

describe("a transformer ratio in the channel manifest", () => {
  let folder = "";
  let site: Site;
  let closers: (() => void)[] = [];
  beforeEach(() => {
    const made = temporaryFolder();
    folder = made.folder;
    site = new Site(join(folder, "journal.sqlite"));
    closers = [made.remove, () => site.close()];
  });
  afterEach(() => {
    for (const close of closers.reverse()) close();
  });

  it("stands there beside phases, class and profile, as the driver describes them", async () => {
    const profileDigest = new Uint8Array(32).fill(9);
    const more = { phaseMapping: "L2 L3 L1", accuracyClass: "B", profileDigest } as const;
    site.identified({ ctRatio: [200, 5], vtRatio: [20_000, 100], ...more });
    site.reads(1_000_000);
    expect(ofKind(await site.verified(), "channelManifest")).toMatchObject([
      { ctRatio: [200, 5], vtRatio: [20_000, 100], ...more },
    ]);
  });

  it.each<[string, Partial<ChannelDescription>, Partial<ChannelDescription>]>([
    ["a current transformer is exchanged", { ctRatio: [200, 5] }, { ctRatio: [250, 5] }],
    ["a voltage transformer is exchanged", { vtRatio: [10_000, 100] }, { vtRatio: [20_000, 100] }],
    ["the ratio becomes known", {}, { ctRatio: [200, 5] }],
    ["it becomes known to be one", {}, { ctRatio: [1, 1] }],
  ])("ends the chain and begins another when %s", async (_name, before, after) => {
    const restarts: (() => void)[][] = [
      [() => site.identified(after)],
      [() => site.restart(), () => site.identified(after)],
      [() => site.identified(after), () => site.restart(), () => site.identified(after)],
    ];
    for (const [index, changes] of restarts.entries()) {
      site.close();
      site = new Site(join(folder, `journal-${index}.sqlite`));
      site.identified(before);
      site.reads(1_000_000);
      for (const change of changes) change();
      site.reads(5_000_000);
      const leaves = await site.verified();
      expectOneBreak(leaves, DISCONTINUITY.settingsChanged);
      expect(ofKind(leaves, "discontinuity")).toMatchObject([
        { oldImportMwh: 1_000_000 + (READINGS - 1) * STEP_MWH, newImportMwh: 5_000_000 },
      ]);
    }
  });

  it("breaks the chain also where the register shows the same before and after", async () => {
    site.identified({ ctRatio: [200, 5] });
    site.reads(1_000_000);
    site.identified({ ctRatio: [40, 1] });
    site.reads(1_000_000 + READINGS * STEP_MWH);
    expectOneBreak(await site.verified(), DISCONTINUITY.settingsChanged);
  });

  it.each<[string, Partial<ChannelDescription>]>([
    ["is in no manifest, such as how it nets its phases", {}],
    ["is in the manifest", { ctRatio: [250, 5] }],
  ])("ends the chain, once, for a setting that %s", async (_name, after) => {
    site.identified({ ctRatio: [200, 5] });
    site.reads(1_000_000);
    site.settingsChange();
    site.identified({ ctRatio: [200, 5], ...after });
    site.reads(1_000_000 + READINGS * STEP_MWH);
    expectOneBreak(await site.verified(), DISCONTINUITY.settingsChanged);
  });

  it("is kept while the device is asleep and does not say it", async () => {
    site.identified({ ctRatio: [200, 5] });
    site.reads(1_000_000);
    site.identified({});
    site.restart();
    site.identified({});
    site.reads(1_000_000 + READINGS * STEP_MWH);
    const leaves = await site.verified();
    expect(ofKind(leaves, "channelManifest")).toHaveLength(1);
    expect(ofKind(leaves, "discontinuity")).toEqual([]);
  });

  it("of another meter is another meter's", async () => {
    site.identified({ ctRatio: [200, 5] });
    site.reads(9_000_000);
    site.identified({}, "B2");
    site.restart();
    site.identified({}, "B2");
    site.reads(5000);
    const leaves = await site.verified();
    expectOneBreak(leaves, DISCONTINUITY.meterReplaced);
    expect(ofKind(leaves, "channelManifest").map(({ serial, ctRatio }) => [serial, ctRatio])).toEqual([
      ["A1", [200, 5]],
      ["B2", undefined],
    ]);
  });

  it("leaves the energy whole where only words about the meter change", async () => {
    site.identified({ phaseMapping: "L1 L2 L3", accuracyClass: "1" });
    site.reads(1_000_000);
    site.identified({ phaseMapping: "L2 L3 L1", accuracyClass: "B" });
    site.reads(1_000_000 + READINGS * STEP_MWH);
    const leaves = await site.verified();
    expect(ofKind(leaves, "channelManifest").map(({ accuracyClass }) => accuracyClass)).toEqual(["1", "B"]);
    expect(ofKind(leaves, "discontinuity")).toEqual([]);
    const closes = ofKind(leaves, "intervalClose");
    const gaps = closes
      .slice(1)
      .map((close, i) => (close.openingImportMwh ?? 0) - (closes[i]?.closingImportMwh ?? 0));
    expect(gaps.every((gap) => gap === 0)).toBe(true);
  });
});
