import { describe, expect, it } from "vitest";
import type { CheckResult } from "../../../drivers/kit/checklist.ts";
import { bench } from "./kit.ts";
import { FrontEnd, type FrontEndOptions, failed, held, meterBench, TestTime } from "./metering-kit.ts";

const CLOCK = "read: its counter runs like a clock";
const NEW = "read: a new snapshot comes";
const CONTENT = "read: one number, one content";
const APPARENT = "read: power is not more than voltage times current";
const ENERGY = "read: registers of grid go with its power";
const STEPS = "read: registers are whole steps, and never fall";

type Wrong = Omit<FrontEndOptions, "time">;

interface Run {
  readonly watchMs?: number;
  readonly restart?: boolean;
}

async function checked(wrong: Wrong, run: Run = {}): Promise<readonly CheckResult[]> {
  const time = new TestTime();
  return await held(meterBench(new FrontEnd({ time, ...wrong })), { time, ...run });
}

/** Alternates between taking and giving, as a house with a roof. */
const both = (ms: number): number => (ms % 30_000 < 20_000 ? 2_300_000 : -1_500_000);

/** Stands still from the third to the fourth second. */
const lostSecond = (ms: number): number => (ms < 3_000 ? ms : Math.max(3_000, ms - 1_000));

/** What is wrong at once, what alone is found, and how it is told. */
const AT_ONCE: readonly (readonly [what: string, wrong: Wrong, check: string, told: RegExp])[] = [
  [
    "a counter that is 10 % fast",
    { counter: (ms) => ms * 1.1 },
    CLOCK,
    /^ms and age together went on by \d+ in \d+ to \d+ ms$/,
  ],
  ["a counter that is 10 % slow", { counter: (ms) => ms * 0.9 }, CLOCK, /^ms and age together/],
  [
    "a counter that is 10 % fast, at 9600 baud",
    { counter: (ms) => ms * 1.1, wireMs: () => [40, 230] },
    CLOCK,
    /^ms and age together/,
  ],
  ["a lost second", { counter: lostSecond }, CLOCK, /^ms and age together/],
  [
    "a lost second, latched once in three",
    { latchMs: 3_000, counter: lostSecond },
    CLOCK,
    /^age of snapshot 1 went from \d+ to \d+ in 1\d{3} to 1\d{3} ms$/,
  ],
  [
    "an age of nothing",
    { exchanged: (shown) => Object.assign(shown, { age: 0 }) },
    CLOCK,
    /; age was 0 each time$/,
  ],
  [
    "an age of nothing, latched once in three seconds",
    { latchMs: 3_000, exchanged: (shown) => Object.assign(shown, { age: 0 }) },
    CLOCK,
    /^age of snapshot \d+ went from 0 to 0 in \d+ to \d+ ms; age was 0 each time$/,
  ],
  [
    "an age in seconds",
    { latchMs: 3_000, exchanged: (shown) => Object.assign(shown, { age: Math.floor(shown.age / 1000) }) },
    CLOCK,
    /^age of snapshot \d+ went from \d to \d in/,
  ],
  [
    "a front end that stopped before",
    { deadMs: 1_400 },
    NEW,
    /^no new snapshot in (?:8|9|10)\.\d s, its age went from 2\d\d to 1\d{4} ms: the front end stands still/,
  ],
  ["a front end that stops meanwhile", { deadMs: 3_000 }, NEW, /^no new snapshot in/],
  [
    "a number that stays",
    { exchanged: (shown) => Object.assign(shown, { seq: 1 }) },
    NEW,
    /^no new snapshot in \d+\.\d s: seq stays 1 while ms goes on from \d+ to \d+$/,
  ],
  [
    "values exchanged under one number",
    { exchanged: (shown, count) => Object.assign(shown, { u: [230_000 + (count % 2)] }) },
    CONTENT,
    /two snapshots of one number have different values/,
  ],
  [
    "values exchanged under one number that another follows soon",
    {
      latchMs: 100,
      exchanged: (shown, count) => Object.assign(shown, { u: [230_000 + (count < 10 ? count % 2 : 0)] }),
    },
    CONTENT,
    /two snapshots of one number have different values/,
  ],
  [
    "power of another instant than current",
    { exchanged: (shown) => Object.assign(shown, { p: shown.p * 3 }) },
    APPARENT,
    /^channel grid: power is 6900000 mW, voltage times current 2300000 mVA, in (\d+) of \1 snapshots/,
  ],
  [
    "power in W",
    { exchanged: (shown) => Object.assign(shown, { p: shown.p / 1000 }) },
    APPARENT,
    /^channel grid: power is 2300 mW, .* is p in mW\?/,
  ],
];

/** What is found only by watching for a minute. */
const WATCHED: readonly (readonly [what: string, wrong: Wrong, check: string, told: RegExp])[] = [
  [
    "the sign of power turned",
    { exchanged: (shown) => Object.assign(shown, { p: -shown.p }) },
    ENERGY,
    /^in \d\d s .*; with its sign turned it would fit/,
  ],
  [
    "a register that stands still",
    { exchanged: (shown) => Object.assign(shown, { i: 1_000_000 }) },
    ENERGY,
    /^in \d\d s the import register went on by 0 mWh, and power says at least \d+$/,
  ],
  [
    "power that is counted twice",
    { exchanged: (shown) => Object.assign(shown, { i: shown.i + (shown.i - 1_234_567_000) }) },
    ENERGY,
    /^in \d\d s the import register went on by \d+ mWh, and power says at most \d+$/,
  ],
  [
    "power in W on three phases, where nobody can tell at once",
    {
      exchanged: (shown) =>
        Object.assign(shown, { p: shown.p / 1000, u: [230_000, 230_000, 230_000], a: [3_000, 3_000, 4_000] }),
    },
    ENERGY,
    /; a thousand times of it would fit: is p in mW\?$/,
  ],
  [
    "registers in Wh",
    {
      exchanged: (shown) =>
        Object.assign(shown, { i: 1_234_000 + Math.floor((shown.i - 1_234_567_000) / 1_000_000) * 1_000 }),
    },
    ENERGY,
    /the import register went on by \d+ mWh, and power says at least \d+/,
  ],
  [
    "export that is taken from import",
    {
      powerMw: both,
      exchanged: (shown) => Object.assign(shown, { i: shown.i - (shown.e - 89_000), e: 89_000 }),
    },
    STEPS,
    /^channel grid: importMwh fell from \d+ to \d+$/,
  ],
  [
    "export that is not counted",
    { powerMw: both, exchanged: (shown) => Object.assign(shown, { e: 89_000 }) },
    ENERGY,
    /the export register went on by 0 mWh, and power says at least \d+/,
  ],
  [
    "old values under new numbers",
    {
      exchanged: (shown, count) =>
        Object.assign(shown, { p: 2_300_000, ...(count > 4 ? { i: 1_234_570_000 } : {}) }),
    },
    ENERGY,
    /the import register went on by \d+ mWh, and power says at least/,
  ],
  [
    "a second lost in ten",
    { counter: (ms) => ms - Math.floor(ms / 10_000) * 1_000 },
    CLOCK,
    /^ms and age together/,
  ],
  ["a counter that is 2 % fast", { counter: (ms) => ms * 1.02 }, CLOCK, /^ms and age together/],
];

const RESTARTED: readonly (readonly [what: string, wrong: Wrong, told: RegExp])[] = [
  ["a counter that goes on", { keeps: "ms" }, /^ms went on: ms and age together are \d+, \d+ ms after/],
  ["a number that goes on", { keeps: "seq", upMs: 300 }, /^seq went on: from \d+ to \d+$/],
  ["the same start", { keeps: "boot" }, /^boot is 1 as before$/],
];

function skippedReads(results: readonly CheckResult[]): readonly CheckResult[] {
  return results.filter(({ name, outcome }) => name.startsWith("read:") && outcome === "skipped");
}

describe("what a front end shows, held against the host's time and against itself", () => {
  it.each(AT_ONCE)("finds %s", async (_, wrong, check, told) => {
    const results = await checked(wrong);
    expect(failed(results)).toContain(check);
    expect(results.find(({ name }) => name === check)?.detail).toMatch(told);
  });

  it.each(WATCHED)("finds %s in a minute", async (_, wrong, check, told) => {
    const results = await checked(wrong, { watchMs: 60_000 });
    expect(failed(results)).toContain(check);
    expect(results.find(({ name }) => name === check)?.detail).toMatch(told);
  });

  it.each(RESTARTED)("finds %s after a restart", async (_, wrong, told) => {
    const results = await checked(wrong, { restart: true });
    const check = "restart: another start, and its counter begins anew";
    expect(failed(results)).toEqual([check]);
    expect(results.find(({ name }) => name === check)?.detail).toMatch(told);
  });

  it("finds a microcontroller that restarts without an answer", async () => {
    const time = new TestTime();
    const made = meterBench(new FrontEnd({ time }), false);
    expect(failed(await held(made, { time, restart: true }))).toEqual(["restart: is answered first"]);
  });

  it("finds a counter that stands still while it signs", async () => {
    const time = new TestTime();
    let signs = false;
    const results = await held(
      bench({
        monotonicMs: () => (signs ? 0 : time.nowMs()),
        exchanged: (command, answer) => {
          time.pass(5);
          signs ||= command === 3;
          if (command === 3) time.pass(200);
          return answer;
        },
      }),
      { time },
    );
    expect(failed(results)).toEqual(["read: its counter ran on meanwhile"]);
  });

  it("says what was not compared, and does not call it right", async () => {
    const numbered = await checked({ latchMs: 50, wireMs: () => [60, 10] });
    expect(failed(numbered)).toEqual([]);
    expect(skippedReads(numbered)).toEqual([
      { name: CONTENT, outcome: "skipped", detail: expect.stringMatching(/^not seen: /) },
      {
        name: "read: registers go with power",
        outcome: "skipped",
        detail: expect.stringMatching(/--watch 60/),
      },
    ]);
    const idle = await checked({ powerMw: () => 40_000 }, { watchMs: 20_000 });
    expect(failed(idle)).toEqual([]);
    expect(skippedReads(idle)).toEqual([
      {
        name: ENERGY,
        outcome: "skipped",
        detail: expect.stringMatching(
          /^too little flowed to tell: at most 2\d\d mWh in \d\d s, and the step is 1000 mWh/,
        ),
      },
    ]);
  });
});
