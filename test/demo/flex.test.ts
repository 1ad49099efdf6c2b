import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { fromHex } from "../../attest/bytes.ts";
import { checkSettlement } from "../../attest/flexibility/verdict.ts";
import { nativeSuite } from "../../attest/native.ts";
import { DemoProcess } from "./kit.ts";

const LONG_MS = 300_000;
const QUARTER_MS = 900_000;
const DAY_MS = 86_400_000;
/** 22 June 2026, 20:30 in Amsterdam. */
const EVENT_MS = Date.UTC(2026, 5, 22, 18, 30);
/** Registers of the meter are cut off to whole Wh, at both ends of an interval, in and out. */
const METER_MWH = 2000;

const interval = z.object({
  startMs: z.int(),
  baselineMwh: z.int(),
  actualMwh: z.int(),
  committedMwh: z.int(),
  deliveredMwh: z.int(),
  countedMwh: z.int(),
});
const resultSchema = z.object({
  result: z.string(),
  counts: z.boolean(),
  good: z.boolean(),
  proof: z.string(),
  alteredCode: z.string(),
  trust: z.tuple([z.string(), z.string()]),
  totals: z.object({ deliveredMwh: z.int(), countedMwh: z.int(), committedMwh: z.int() }),
  intervals: z.array(interval),
  challengePassed: z.boolean(),
  truth: z.array(z.object({ startMs: z.int(), gridMwh: z.int(), batteryMwh: z.int() })),
});
type Result = z.output<typeof resultSchema>;

const running: DemoProcess[] = [];

afterEach(async () => {
  for (const demo of running.splice(0)) await demo.dispose();
});

describe("kilowitness demo --flex", () => {
  it("delivers what the home itself counted, and proves it", { timeout: LONG_MS }, async () => {
    const { demo, facts, result } = await played("--flex");
    expect(result).toMatchObject({ result: "delivered", counts: true, good: true, challengePassed: true });
    expect(facts.map(({ event }) => event)).toEqual([
      ...["flex-started", "history", "offer", "commitment", "dispatch", "actuation", "settlement"],
      ...["challenge", "proof", "altered", undefined],
    ]);
    expectTrue(result);
    // The battery was told 2.8 kW: 700 Wh in a quarter of an hour, but for its ramp in the first one.
    const battery = eventTruth(result).map(({ batteryMwh }) => batteryMwh);
    for (const mwh of battery) expect(Math.abs(mwh + 700_000)).toBeLessThan(1000);
    expect(facts.find(({ event }) => event === "altered")).toMatchObject({ status: 1, code: "proof-root" });
    expect(judged(demo, result)).toMatchObject({ counts: true, settled: { result: "delivered" } });
    expect(demo.leftFiles().filter((name) => !name.endsWith(".kws"))).toEqual([]);
  });

  it("does not take a command that was read back for a delivery", { timeout: LONG_MS }, async () => {
    const { facts, result, demo } = await played("--fault", "ignores-command");
    expect(result).toMatchObject({ result: "notDelivered", counts: true, challengePassed: false });
    expectTrue(result);
    for (const { batteryMwh } of eventTruth(result)) expect(batteryMwh).toBe(0);
    expect(result.totals.countedMwh).toBeLessThanOrEqual(0);
    const actuation = facts.find(({ event }) => event === "actuation");
    expect(actuation).toMatchObject({ told: { valueMw: -2_800_000, readBackMw: -2_800_000 } });
    const codes = JSON.stringify(facts.find(({ event }) => event === "challenge"));
    expect(codes).toContain("challenge-device-no-response");
    expect(judged(demo, result)).toMatchObject({ counts: true, settled: { result: "notDelivered" } });
  });

  it("says which faults a battery can have", { timeout: LONG_MS }, async () => {
    const demo = started("--fault", "all-ones");
    expect(await demo.ended()).not.toBe(0);
    expect(demo.stderr).toContain("all-ones");
  });
});

function started(...args: readonly string[]): DemoProcess {
  const demo = new DemoProcess(...args, "--json");
  running.push(demo);
  return demo;
}

async function played(...args: readonly string[]): Promise<{
  readonly demo: DemoProcess;
  readonly facts: readonly Record<string, unknown>[];
  readonly result: Result;
}> {
  const demo = started(...args);
  expect(await demo.ended(), demo.stderr + demo.stdout.slice(-2000)).toBe(0);
  const lines = demo.stdout.trimEnd().split("\n");
  const facts = lines.map((line) => z.record(z.string(), z.unknown()).parse(JSON.parse(line)));
  return { demo, facts, result: resultSchema.parse(facts.at(-1)) };
}

/** What the settlement says of each interval against what the model of the home counted, by a baseline made anew here. */
function expectTrue(result: Result): void {
  const grid = new Map(result.truth.map(({ startMs, gridMwh }) => [startMs, gridMwh]));
  expect(result.intervals.map(({ startMs }) => startMs)).toEqual(
    [0, 1, 2, 3].map((at) => EVENT_MS + at * QUARTER_MS),
  );
  for (const { startMs, baselineMwh, actualMwh, deliveredMwh } of result.intervals) {
    const past = weekdaysBefore(startMs).map((at) => grid.get(at) ?? Number.NaN);
    const mean = past.reduce((sum, mwh) => sum + mwh, 0) / past.length;
    const actual = grid.get(startMs) ?? Number.NaN;
    expect(Math.abs(baselineMwh - mean)).toBeLessThan(METER_MWH);
    expect(Math.abs(actualMwh - actual)).toBeLessThan(METER_MWH);
    expect(Math.abs(deliveredMwh - (mean - actual))).toBeLessThan(2 * METER_MWH);
  }
  const delivered = result.intervals.reduce((sum, each) => sum + each.deliveredMwh, 0);
  expect(result.totals.deliveredMwh).toBe(delivered);
}

/** The same quarter of an hour on the ten Mondays to Fridays before; no clock is set in June. */
function weekdaysBefore(startMs: number): number[] {
  const days = Array.from({ length: 14 }, (_, back) => startMs - (back + 1) * DAY_MS);
  return days.filter((at) => ![0, 6].includes(new Date(at).getUTCDay())).slice(0, 10);
}

function eventTruth({ truth }: Result): Result["truth"] {
  return truth.filter(({ startMs }) => startMs >= EVENT_MS && startMs < EVENT_MS + 4 * QUARTER_MS);
}

function judged(demo: DemoProcess, { proof, trust }: Result): unknown {
  const [deviceKey, nodeKey] = trust.map((key) => fromHex(key.replace(/^\w+:/, ""), "key"));
  if (deviceKey === undefined || nodeKey === undefined) throw new Error("two keys are named");
  const bytes = new Uint8Array(readFileSync(join(demo.folder, proof)));
  const policy = { deviceKeys: [deviceKey], nodeKeys: [nodeKey], witnesses: 1 };
  const checked = checkSettlement(nativeSuite, bytes, policy);
  return checked.valid ? checked.value : checked.refusal;
}
