import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Verdict } from "../../agent/quality/gate.ts";
import { REASON_CODES, type ReasonCode } from "../../agent/quality/reason.ts";
import type { MeterReading } from "../../attest/reading.ts";
import type { Doubt } from "../../drivers/driver.ts";
import { Bench, GRID } from "./quality/kit.ts";

const PAGE = readFileSync(new URL("../../docs/quality-codes.md", import.meta.url), "utf8");
const KWH = 1_000_000;
const SHOWN: Partial<MeterReading> = {
  importMwh: 4711 * KWH + 123_000,
  exportMwh: 815 * KWH + 456_000,
  activePowerMw: 1_200_000,
};
const TORN: Doubt = {
  channel: "grid",
  quantities: ["power"],
  message: "L1 + L2 + L3 is 2.4 kW, the total is 1.2 kW, tolerance 0.05 kW",
};
const NOON = Date.UTC(2026, 5, 21, 12);

type Story = (bench: Bench) => Verdict;

/** After a good reading. */
function next(values: Partial<MeterReading>, doubts: readonly Doubt[] = []): Story {
  return (bench) => {
    bench.judge(SHOWN);
    return bench.judge({ ...SHOWN, ...values }, 5000, doubts);
  };
}

/** Good readings every 5 s, and the verdict on the last of `count`. */
function repeated(count: number, values: (index: number) => Partial<MeterReading>): Story {
  return (bench) => {
    let verdict: Verdict | undefined;
    for (let index = 0; index < count; index += 1) verdict = bench.judge({ ...SHOWN, ...values(index) });
    if (verdict === undefined) throw new Error("no reading");
    return verdict;
  };
}

/** How each code comes about in a connection of 3 x 25 A. */
const STORIES: Readonly<Record<ReasonCode, Story>> = {
  malformed: next({ activePowerMw: 0.5 }),
  "power-range": next({ activePowerMw: 99_000_000 }),
  "voltage-range": next({ voltageMv: [2_300_000_000] }),
  "current-range": next({ currentMa: [42_000_000] }),
  "frequency-range": next({ frequencyMhz: 500_000 }),
  "state-of-charge-range": next({ stateOfChargePpm: 6_553_500 }),
  "state-of-charge-jump": (bench) => {
    bench.judge({ ...SHOWN, stateOfChargePpm: 540_000 });
    return bench.judge({ ...SHOWN, stateOfChargePpm: 0 });
  },
  "value-fill": next({ voltageMv: [6_553_500] }),
  "register-range": next({ importMwh: -1000 }),
  "register-fill": next({ importMwh: 0xffff_ffff * 1000 }),
  "register-down": next({ importMwh: 12_000 }),
  "register-zero": next({ importMwh: 0, exportMwh: 0 }),
  "register-jump": next({ importMwh: 53_000 * KWH }),
  "register-frozen": repeated(200, () => ({ activePowerMw: 3_000_000 })),
  "registers-incomplete": (bench) => {
    const { exportMwh: _, ...rest } = SHOWN;
    return bench.judge(rest);
  },
  "register-appeared": () => new Bench({ ...GRID, quantities: ["import", "power"] }).judge(SHOWN),
  contradiction: next({}, [TORN]),
  "power-direction": repeated(300, (index) => ({
    activePowerMw: 2_000_000,
    exportMwh: 815 * KWH + index * 2000,
  })),
  frozen: repeated(800, () => ({ voltageMv: [229_900] })),
  duplicate: (bench) => {
    bench.judge({ ...SHOWN, meterTimeMs: NOON });
    return bench.judge({ ...SHOWN, meterTimeMs: NOON });
  },
  "meter-time-back": (bench) => {
    bench.judge({ ...SHOWN, meterTimeMs: NOON });
    return bench.judge({ ...SHOWN, meterTimeMs: NOON - 60_000 });
  },
  stale: () => {
    const sampled = new Bench({ ...GRID, samplingMs: 5000 });
    for (let index = 0; index < 3; index += 1)
      sampled.judge({ ...SHOWN, activePowerMw: index, meterTimeMs: NOON + index * 5001 });
    return sampled.judge({ ...SHOWN, meterTimeMs: NOON + 11_000 }, 30_000);
  },
  empty: () => new Bench({ ...GRID, quantities: ["power"] }).judge({}),
};

/** The event under which the agent logs it, and why. */
function logged(verdict: Verdict): {
  readonly event: string;
  readonly code?: string;
  readonly reason?: string;
} {
  if (verdict.kind === "accept") {
    const why = verdict.stripped ?? verdict.marked;
    const event = verdict.stripped === undefined ? "reading-marked" : "reading-stripped";
    return { event, ...(why === undefined ? {} : { code: why.code, reason: why.message }) };
  }
  const { code, message } = verdict.reason;
  const event = verdict.kind === "discontinuity" ? "discontinuity" : `reading-${verdict.kind}`;
  return { event, code, reason: message };
}

/** The page's sections by their headings. */
function sections(): Map<string, string> {
  const [, ...parts] = PAGE.split(/^## /m);
  return new Map(
    parts.map((part): [string, string] => {
      const end = part.indexOf("\n");
      return [part.slice(0, end), part.slice(end)];
    }),
  );
}

describe("the page of quality codes", () => {
  it("has a section for every code, and no other", () => {
    expect([...sections().keys()].sort()).toEqual([...REASON_CODES].sort());
  });

  it.each([...REASON_CODES])("says of %s what it means, what the agent does and what to check", (code) => {
    const text = sections().get(code) ?? "";
    const parts = ["Means", "Agent", "On site", "Log"].map((part) => text.indexOf(`**${part}.** `));
    expect(parts).not.toContain(-1);
    expect(parts).toEqual([...parts].sort((a, b) => a - b));
  });

  it.each([...REASON_CODES])("shows the line that the agent logs for %s", (code) => {
    const line = /^\{.*\}$/m.exec(sections().get(code) ?? "")?.[0] ?? "{}";
    expect(JSON.parse(line)).toEqual({
      ...{ level: "warn", time: expect.any(String), program: "agent", channel: "meter/grid" },
      ...logged(STORIES[code](new Bench())),
      ...{ code, help: `docs/quality-codes.md#${code}` },
    });
  });
});
