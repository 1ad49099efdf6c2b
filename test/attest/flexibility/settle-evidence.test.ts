import { describe, expect, it } from "vitest";
import { dayNumber, dayStart } from "../../../attest/baseline/zone.ts";
import { settle, settlementBody } from "../../../attest/flexibility/settle.ts";
import type { Settled, SettlementEvidence } from "../../../attest/flexibility/settle-types.ts";
import { CLOSE_SHAPE, DISCONTINUITY, type IntervalClose } from "../../../attest/leaf.ts";
import { SETTLEMENT } from "../../../attest/leaf-flexibility.ts";
import { refusalOf } from "../refusal.ts";
import {
  BERLIN,
  callOf,
  EVENT_DAY,
  evidenceOf,
  HOUR,
  NOTICE,
  QUARTER,
  type Scene,
  START,
} from "./settle-kit.ts";

const half = [500_000, 500_000, 500_000, 500_000];
const dayMs = (day: number): number => dayStart(BERLIN, day);

function settledOf(scene: Scene): Settled {
  return settle(evidenceOf({ actualMwh: half, ...scene }));
}

function codes({ remarks }: Settled): string[] {
  return remarks.map(({ code }) => code);
}

describe("a baseline that cannot be computed", () => {
  it.each<[code: string, scene: Scene]>([
    ["baseline-method", { terms: { baselineMethod: "h11/1" } }],
    ["baseline-telemetry", { terms: { baselineMethod: "before-after/1" } }],
    ["baseline-zone", { terms: { timeZone: "Europe/Bonn" } }],
    ["baseline-nomination-missing", { terms: { baselineMethod: "nom/1" } }],
    ["baseline-days", { shownFromMs: dayMs(EVENT_DAY - 13) }],
    ["baseline-days", { terms: { excludedDays: [EVENT_DAY - 1] } }],
    [
      "baseline-window-missing",
      {
        terms: { baselineMethod: "h10-sda20/1" },
        dark: [{ fromMs: NOTICE - HOUR, toMs: NOTICE - HOUR + 1 }],
      },
    ],
    ["baseline-interval", { intervalMs: 50_000, fromMs: START, deltaMwh: [-1] }],
  ])("makes it unavailable: %s", (code, scene) => {
    const settled = settledOf(scene);
    expect([settled.result, settled.reason?.code, settled.days]).toEqual([SETTLEMENT.unavailable, code, []]);
    for (const interval of settled.intervals) {
      expect(interval).not.toHaveProperty("baselineMwh");
      expect(interval.countedMwh).toBe(0);
    }
    expect(settled.totals.shortfallMwh).toBe(settled.totals.committedMwh);
    expect(settled.totals.deliveredMwh).toBe(0);
  });

  it("for what the device has not read since the notice makes the data invalid", () => {
    const issuedAtMs = START - 30 * HOUR;
    const dark = (fromMs: number): Scene => ({ issuedAtMs, dark: [{ fromMs, toMs: issuedAtMs + 2 * HOUR }] });
    const after = settledOf(dark(issuedAtMs + HOUR));
    expect([after.result, after.reason?.code]).toEqual([SETTLEMENT.dataInvalid, "dark-after-notice"]);
    expect(after.reason?.message).toContain("10 complete like days");
    expect(after.totals.countedMwh).toBe(-2_000_000);
    const before = settledOf(dark(issuedAtMs));
    expect([before.result, before.reason?.code]).toEqual([SETTLEMENT.unavailable, "baseline-days"]);
  });
});

describe("the days of a baseline", () => {
  it("are those of the terms", () => {
    // 4 June 2026 is Corpus Christi; 8 June is left out; so it goes back to 1 June.
    const [holiday, excluded] = [dayNumber("2026-06-04"), dayNumber("2026-06-08")];
    const settled = settledOf({
      terms: { holidays: [holiday], excludedDays: [excluded] },
      shownFromMs: dayMs(EVENT_DAY - 20),
    });
    const used = [1, 2, 5, 6, 7, 8, 12, 14, 15, 16].map((back) => EVENT_DAY - back);
    expect(settled.days).toEqual([
      {
        ...{ day: EVENT_DAY, usedDays: used, adjustment: { kind: "none", why: "method" } },
        excludedDays: [
          ...[3, 4].map((back) => ({ day: EVENT_DAY - back, reason: "unlike" })),
          { day: excluded, reason: "listed" },
          ...[10, 11, 13].map((back) => ({ day: EVENT_DAY - back, reason: "unlike" })),
        ],
      },
    ]);
    expect(settled.lookedBackToMs).toBe(dayMs(EVENT_DAY - 16));
  });

  it("are others on the other side of midnight, and never the event's own", () => {
    // Friday 23:30 to Saturday 00:30: weekdays hold 1 kWh, Saturdays and Sundays 3 kWh, the Friday of the event 9 kWh.
    const friday = EVENT_DAY + 2;
    const fromMs = dayMs(friday + 1) - HOUR / 2;
    const load = (ms: number): number => {
      const day = Math.floor((ms + 2 * HOUR) / (24 * HOUR));
      return day === friday
        ? 9_000_000
        : [friday + 1, friday - 5, friday - 6].includes(day)
          ? 3_000_000
          : 1_000_000;
    };
    const night = settledOf({ fromMs, load, issuedAtMs: fromMs - 25 * HOUR });
    expect(night.days.map(({ day, usedDays }) => [day, usedDays])).toEqual([
      [friday, [1, 2, 3, 4, 7, 8, 9, 10, 11, 14].map((back) => friday - back)],
      [friday + 1, [5, 6, 12, 13].map((back) => friday - back)],
    ]);
    expect(night.intervals.map(({ baselineMwh }) => baselineMwh)).toEqual([
      ...[1_000_000, 1_000_000],
      ...[2_000_000, 2_000_000],
    ]);
    // Thursday to Friday: both weekdays, and Thursday must not stand for Friday.
    const week = settledOf({
      fromMs: fromMs - 24 * HOUR,
      load,
      issuedAtMs: fromMs - 49 * HOUR,
      shownFromMs: dayMs(friday - 15),
    });
    expect(week.days.map(({ usedDays }) => usedDays[0])).toEqual([friday - 2, friday - 2]);
    expect(week.days[1]?.excludedDays[0]).toEqual({ day: friday - 1, reason: "listed" });
    expect(week.totals.baselineMwh).toBe(4_000_000);
  });

  it("that ended after the notice are named", () => {
    const issuedAtMs = dayMs(EVENT_DAY - 1);
    expect(codes(settledOf({ issuedAtMs }))).toEqual(["days-after-notice"]);
    expect(codes(settledOf({ issuedAtMs: issuedAtMs + 24 * HOUR }))).toEqual([]);
  });
});

describe("an adjustment at its limit is a remark", () => {
  it.each([
    [6, 1_200_000, []],
    [4, 800_000, []],
    [7, 1_200_000, ["adjustment-at-limit"]],
    [3, 800_000, ["adjustment-at-limit"]],
  ])("of %s fifths", (fifths, baselineMwh, remarks) => {
    const load = (ms: number): number => (ms >= dayMs(EVENT_DAY) ? 200_000 * fifths : 1_000_000);
    const settled = settledOf({ load, terms: { baselineMethod: "h10-sda20/1" } });
    expect(settled.intervals.map((each) => each.baselineMwh)).toEqual(half.map(() => baselineMwh));
    expect(codes(settled)).toEqual(remarks);
  });

  it("and what is burnt after the notice does not move it", () => {
    const burnt = (ms: number): number => (ms >= NOTICE && ms < START ? 6_000_000 : 1_000_000);
    const terms = { baselineMethod: "h10-sda20/1" };
    expect(settledOf({ load: burnt, terms })).toEqual(settledOf({ terms }));
  });
});

describe("a change of the meter", () => {
  const changed = (
    { classification, atMs, timeQuality = 3 }: { classification: number; atMs: number; timeQuality?: number },
    scene: Scene = {},
  ): Settled => {
    const evidence = evidenceOf({ actualMwh: half, dark: [{ fromMs: atMs - 1, toMs: atMs }], ...scene });
    const discontinuities = evidence.discontinuities.map((each) => ({
      ...each,
      classification,
      timeQuality,
    }));
    return settle({ ...evidence, discontinuities });
  };
  const { registerReset, meterReplaced, settingsChanged, rollover, gap, counterDowntime } = DISCONTINUITY;

  it.each([registerReset, meterReplaced, settingsChanged])("%i makes the data invalid", (classification) => {
    const settled = changed({ classification, atMs: START + QUARTER });
    expect([settled.result, settled.reason?.code]).toEqual([SETTLEMENT.dataInvalid, "meter-changed"]);
    expect(settled.totals.countedMwh).toBe(-2_000_000);
  });

  it.each([rollover, gap, counterDowntime])("is none with %i", (classification) => {
    expect(changed({ classification, atMs: START + QUARTER }).reason?.code).toBe("incomplete");
  });

  it("is one of the event from its first to its last ms", () => {
    const classification = meterReplaced;
    const at = (atMs: number): string | undefined => changed({ classification, atMs }).reason?.code;
    expect([START - 1, START, START + HOUR - 1, START + HOUR].map(at)).toEqual([
      ...[undefined, "meter-changed", "meter-changed", "incomplete"],
    ]);
  });

  it("is told by its place in the log while the clock is not known", () => {
    const classification = meterReplaced;
    const at = (atMs: number): string | undefined =>
      changed({ classification, atMs, timeQuality: 1 }).reason?.code;
    expect([START + QUARTER, START - HOUR].map(at)).toEqual(["meter-changed", undefined]);
  });
});

describe("a clock that was set in the event is a remark", () => {
  const withCloses = (change: (close: IntervalClose) => Partial<IntervalClose>): string[] => {
    const evidence = evidenceOf({ actualMwh: half });
    return codes(
      settle({ ...evidence, closes: evidence.closes.map((close) => ({ ...close, ...change(close) })) }),
    );
  };
  it("by the step that its closes name", () => {
    const from = (ms: number): string[] =>
      withCloses(({ t0Ms }) => (t0Ms >= ms ? { lastClockStepSeq: 9 } : {}));
    expect(from(START + QUARTER)).toEqual(["clock-stepped"]);
    expect(from(START)).toEqual(["clock-stepped"]);
    expect(from(START - QUARTER)).toEqual([]);
    expect(from(START + HOUR)).toEqual([]);
  });

  it("by a close over a time without a clock", () => {
    const at = (ms: number): string[] =>
      withCloses(({ t0Ms }) => (t0Ms === ms ? { shape: CLOSE_SHAPE.bridges } : {}));
    expect([at(START), at(START + HOUR)]).toEqual([["clock-stepped"], []]);
  });
});

describe("evidence", () => {
  const evidence = evidenceOf({ actualMwh: half, dark: [{ fromMs: START + 1, toMs: START + 2 }] });
  const { commitment, terms, calls, closes } = evidence;
  const [call] = calls;
  if (call === undefined) throw new Error("no call");
  const stranger = { ...call.leaf, commitmentSeq: 5 };
  const { commitmentId: _, ...unnamed } = call.order;

  it.each<[what: string, change: Partial<SettlementEvidence>]>([
    ["of another channel", { commitment: { ...commitment, channel: 4 } }],
    ["of another boundary", { commitment: { ...commitment, boundary: 1 } }],
    ["of another time", { commitment: { ...commitment, fromMs: START + QUARTER } }],
    ["of other intervals", { commitment: { ...commitment, intervalMs: HOUR } }],
    ["of other energy", { commitment: { ...commitment, deltaMwh: [-1, -1, -1, -1] } }],
    ["under other terms", { terms: { ...terms, baselineMethod: "h10-sda20/1" } }],
    ["with a dispatch of another commitment", { calls: [{ ...call, leaf: stranger }] }],
    ["with a dispatch that names none", { calls: [{ ...call, order: unnamed }] }],
    [
      "with another dispatch's answer",
      {
        calls: [
          call,
          { ...callOf({ fromMs: START, toMs: START + HOUR }), acknowledgements: call.acknowledgements },
        ],
      },
    ],
    [
      "with a stranger's close",
      { closes: closes.map((close, at) => (at === 7 ? { ...close, channel: 4 } : close)) },
    ],
    ["without one of the closes", { closes: closes.toSpliced(7, 1) }],
    ["with closes in another order", { closes: closes.toReversed() }],
  ])("%s is refused", (_what, change) => {
    expect(refusalOf(() => settle({ ...evidence, ...change }))).toBe("settlement-evidence");
  });

  it("without a break that the event's closes name is refused", () => {
    expect(refusalOf(() => settle({ ...evidence, discontinuities: [] }))).toBe("proof-chain");
  });

  it("is looked at back to the notice where something is missing", () => {
    const issuedAtMs = START - 30 * 24 * HOUR;
    const shownFromMs = issuedAtMs - HOUR;
    const lookedBackTo = (scene: Scene): number | undefined =>
      settledOf({ issuedAtMs, shownFromMs, ...scene }).lookedBackToMs;
    expect(lookedBackTo({})).toBe(dayMs(EVENT_DAY - 14));
    expect(lookedBackTo({ dark: [{ fromMs: START, toMs: START + 1 }] })).toBe(issuedAtMs);
  });
});

describe("the body of a settlement leaf", () => {
  const what = { channel: 3, commitmentSeq: 77 };

  it("is what was computed", () => {
    expect(
      settlementBody(settledOf({ actualMwh: [500_000, 400_000, 600_000, 900_000, 1_100_000] }), what),
    ).toEqual({
      ...{ kind: "settlement", channel: 3, commitmentSeq: 77, baselineMethod: "h10/1" },
      usedDays: [1, 2, 5, 6, 7, 8, 9, 12, 13, 14].map((back) => EVENT_DAY - back),
      excludedDays: [3, 4, 10, 11].map((back) => EVENT_DAY - back),
      exclusionReasons: [3, 3, 3, 3],
      baselineMwh: [1_000_000, 1_000_000, 1_000_000, 1_000_000],
      actualMwh: [500_000, 400_000, 600_000, 900_000],
      deliveredMwh: [500_000, 600_000, 400_000, 100_000],
      ...{
        shortfallMwh: 400_000,
        reboundMwh: 100_000,
        completenessPpm: 1_000_000,
        result: SETTLEMENT.partial,
      },
    });
  });

  it("leaves out a list with a hole, and what there is not", () => {
    const body = settlementBody(settledOf({ dark: [{ fromMs: START, toMs: START + 1 }] }), what);
    expect(body).not.toHaveProperty("actualMwh");
    expect(body).not.toHaveProperty("deliveredMwh");
    expect(body.baselineMwh).toHaveLength(4);
    const none = settlementBody(settledOf({ terms: { baselineMethod: "nom/1" } }), what);
    expect(none).toEqual({
      ...{ kind: "settlement", ...what, baselineMethod: "nom/1", actualMwh: half },
      ...{ shortfallMwh: 2_000_000, completenessPpm: 1_000_000, result: SETTLEMENT.unavailable },
    });
  });

  it("leaves out the days when they are more than a leaf holds", () => {
    // A hundred hours are five local days, each of which looks back over two weeks and more.
    const deltaMwh = Array.from({ length: 100 }, () => -1);
    const scene = {
      intervalMs: HOUR,
      deltaMwh,
      shownFromMs: dayMs(EVENT_DAY - 45),
      issuedAtMs: START - HOUR,
    };
    const load = (ms: number): number => (ms >= START ? 0 : 1);
    const excludedDays = Array.from({ length: 20 }, (_, at) => EVENT_DAY - 20 + at);
    const settled = settledOf({ ...scene, load, actualMwh: [], terms: { excludedDays } });
    expect(settled.days).toHaveLength(5);
    const body = settlementBody(settled, what);
    expect(body).not.toHaveProperty("excludedDays");
    expect(body).not.toHaveProperty("exclusionReasons");
    expect(body.usedDays).toHaveLength(settled.days.flatMap(({ usedDays }) => usedDays).length);
  });
});
