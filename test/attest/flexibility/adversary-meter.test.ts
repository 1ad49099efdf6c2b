import { describe, expect, it } from "vitest";
import { settle } from "../../../attest/flexibility/settle.ts";
import { gapsOf } from "../../../attest/flexibility/settle-metered.ts";
import type { SettlementEvidence } from "../../../attest/flexibility/settle-types.ts";
import { type ChannelManifest, DISCONTINUITY, type IntervalClose } from "../../../attest/leaf.ts";
import { SETTLEMENT } from "../../../attest/leaf-flexibility.ts";
import { evidenceOf, HOUR, NOTICE, QUARTER, START } from "./settle-kit.ts";

const half = { actualMwh: Array.from({ length: 4 }, () => 500_000) };
const manifest: ChannelManifest = {
  ...{ kind: "channelManifest", seq: 1, timeMs: 0, timeQuality: 3, salt: new Uint8Array(16), channel: 3 },
  ...{ name: "grid", role: 1, make: "Maker", model: "M", serial: "1", registers: 3, samplingMs: 1000 },
  driver: "test",
};

/** The closes from the middle of the event on say something else, each interval whole. */
function fromTheMiddle(changes: Partial<IntervalClose>): SettlementEvidence {
  const evidence = evidenceOf(half);
  const isLater = ({ t0Ms }: IntervalClose): boolean => t0Ms >= START + 2 * QUARTER;
  return {
    ...evidence,
    closes: evidence.closes.map((close) => (isLater(close) ? { ...close, ...changes } : close)),
  };
}

describe("a meter that is changed in the middle of an event, with no interval lost", () => {
  it.each<[what: string, changes: Partial<ChannelManifest>, result: number]>([
    ["another serial number", { serial: "2" }, SETTLEMENT.dataInvalid],
    ["another ratio", { ctRatio: [200, 5] }, SETTLEMENT.dataInvalid],
    ["other registers", { registers: 1 }, SETTLEMENT.dataInvalid],
    ["another name alone", { name: "main" }, SETTLEMENT.delivered],
  ])("is seen by the manifests, however the break is called: %s", (_, changes, result) => {
    const meters = new Map([
      [1, manifest],
      [2, { ...manifest, seq: 2, ...changes }],
    ]);
    const settled = settle({ ...fromTheMiddle({ manifestSeq: 2 }), meters });
    expect([settled.result, settled.reason?.code]).toEqual([
      result,
      result === SETTLEMENT.delivered ? undefined : "meter-changed",
    ]);
  });

  it("is seen by its place where a clock that was set gives it another time", () => {
    const evidence = fromTheMiddle({ lastClockStepSeq: 5 });
    const later = evidence.closes.findIndex(({ t0Ms }) => t0Ms === START + 2 * QUARTER);
    const closes = evidence.closes.map((close, at) =>
      at < later ? close : { ...close, lastDiscontinuitySeq: (evidence.closes[later]?.seq ?? 0) - 5 },
    );
    const timeMs = START + 24 * HOUR;
    const discontinuities = [
      {
        ...{
          kind: "discontinuity" as const,
          seq: (evidence.closes[later]?.seq ?? 0) - 5,
          timeMs,
          timeQuality: 3,
        },
        ...{ salt: new Uint8Array(16), channel: 3, classification: DISCONTINUITY.meterReplaced },
        ...{ gapFromMs: timeMs, gapToMs: timeMs },
      } as const,
    ];
    const settled = settle({ ...evidence, closes, discontinuities });
    expect([settled.result, settled.reason?.code]).toEqual([SETTLEMENT.dataInvalid, "meter-changed"]);
    expect(settled.remarks.map(({ code }) => code)).toContain("clock-stepped");
  });
});

describe("energy that is put into a gap between two whole intervals", () => {
  it("is named", () => {
    const evidence = fromTheMiddle({});
    const closes = evidence.closes.map((close) => {
      const isLater = close.t0Ms >= START + 2 * QUARTER;
      const { openingImportMwh = 0, closingImportMwh = 0 } = close;
      const moved = { openingImportMwh: openingImportMwh + 777, closingImportMwh: closingImportMwh + 777 };
      return isLater ? { ...close, ...moved } : close;
    });
    const codes = (settled: ReturnType<typeof settle>): string[] => settled.remarks.map(({ code }) => code);
    const shifted = settle({ ...evidence, closes });
    expect([codes(settle(evidence)), codes(shifted)]).toEqual([[], ["energy-in-gaps"]]);
    expect(shifted.remarks[0]?.message).toContain("777 mWh");
  });
});

describe("missing intervals", () => {
  it("are looked up without going through all leaves for each", () => {
    const dark = [{ fromMs: START + 1, toMs: START + 2 }];
    const evidence = evidenceOf({ dark });
    let looks = 0;
    const discontinuities = evidence.discontinuities.map((leaf) => ({
      ...leaf,
      get gapFromMs() {
        looks += 1;
        return leaf.gapFromMs;
      },
    }));
    const gapAt = gapsOf({ ...evidence, discontinuities });
    for (let at = 0; at < 1000; at++) expect(gapAt(START + at * QUARTER)).toBe("gap");
    expect(looks).toBe(discontinuities.length);
  });

  it("are dark since before the notice only until the first edge of a close behind it", () => {
    const dark = [{ fromMs: NOTICE, toMs: START + HOUR }];
    const evidence = evidenceOf({ dark });
    const gapAt = gapsOf(evidence);
    expect(gapAt(START)).toBe("gap-before-notice");
    const [close] = evidence.closes;
    if (close === undefined) throw new Error("no close");
    const between = { ...close, t0Ms: NOTICE - 1, t1Ms: START };
    expect(gapsOf({ ...evidence, closes: [...evidence.closes, between] })(START)).toBe("gap");
    expect(gapsOf({ ...evidence, closes: [...evidence.closes, between] })(START - 1)).toBe(
      "gap-before-notice",
    );
  });
});

describe("days that were made incomplete before the notice", () => {
  it("are named: whoever lost them could have chosen", () => {
    const lost = START - 24 * HOUR;
    const { remarks, result } = settle(
      evidenceOf({
        ...half,
        dark: [{ fromMs: lost, toMs: lost + 1 }],
        shownFromMs: START - 20 * 24 * HOUR - 14 * HOUR,
      }),
    );
    expect(result).toBe(SETTLEMENT.delivered);
    expect(remarks.find(({ code }) => code === "days-incomplete")?.message).toContain("2026-06-16");
  });
});
