import { describe, expect, it } from "vitest";
import type { Doubt } from "../../../drivers/driver.ts";
import { Bench, reading } from "./kit.ts";

const START = { importMwh: 5_000_123_000, exportMwh: 1_000_456_000, activePowerMw: 1_200_000 };
const TORN: Doubt = {
  channel: "grid",
  quantities: ["power"],
  message: "the phases sum to 2.4 kW, the total is 1.2 kW, tolerance is 0.05 kW",
};
const REGISTER: Doubt = { ...TORN, quantities: ["import"], message: "the tariffs sum to 7,000.000 kWh" };

describe("a reading that its driver doubts", () => {
  it("is held, and read again, and leaves no trace when the next one agrees", () => {
    const bench = new Bench();
    expect(bench.say(START)).toBe("accept");
    expect(bench.judge(START, 500, [TORN])).toEqual({
      kind: "hold",
      reason: { code: "contradiction", message: TORN.message },
    });
    expect(bench.judge(START, 500)).toEqual({ kind: "accept", reading: reading(START) });
    expect(bench.gate.counts().rejected.get("contradiction")).toBe(1);
  });

  it("is never sealed as it is, however long the doubt stays", () => {
    const bench = new Bench();
    const said = Array.from({ length: 20 }, () => bench.judge(START, 500, [TORN]));
    expect(said.slice(0, 3).map(({ kind }) => kind)).toEqual(["hold", "hold", "hold"]);
    const { activePowerMw: _, ...rest } = START;
    for (const verdict of said.slice(3)) {
      expect(verdict).toEqual({
        kind: "accept",
        reading: reading(rest),
        stripped: { code: "contradiction", message: TORN.message },
      });
    }
    expect(bench.gate.counts().stripped.get("contradiction")).toBe(17);
    expect(bench.gate.counts().rejected.size).toBe(0);
  });

  it("loses both registers for one, and everything when all is doubted", () => {
    const bench = new Bench();
    for (let i = 0; i < 3; i += 1) bench.say(START, 500, [REGISTER]);
    expect(bench.judge(START, 500, [REGISTER])).toMatchObject({
      reading: reading({ activePowerMw: 1_200_000 }),
    });
    expect(bench.say(START, 500, [REGISTER, TORN])).toBe("reject contradiction");
    const verdict = bench.judge(START, 500, [REGISTER, TORN]);
    expect(verdict).toMatchObject({ reason: { message: `${REGISTER.message}; ${TORN.message}` } });
  });

  it.each(["import", "export"] as const)("loses both registers for its %s", (quantity) => {
    const bench = new Bench();
    const doubts = [{ ...TORN, quantities: [quantity] }];
    for (let i = 0; i < 3; i += 1) bench.say(START, 500, doubts);
    expect(bench.judge(START, 500, doubts)).toMatchObject({ reading: reading({ activePowerMw: 1_200_000 }) });
    expect(Object.keys(bench.judge(START, 500, doubts))).toContain("stripped");
    expect(bench.judge(START, 500, doubts)).not.toHaveProperty("reading.importMwh");
    expect(bench.judge(START, 500, doubts)).not.toHaveProperty("reading.exportMwh");
  });

  it("is said to be doubted also where something else is left out, too", () => {
    const bench = new Bench();
    const { exportMwh: _, ...half } = { ...START, voltageMv: [229_900] };
    for (let i = 0; i < 3; i += 1) bench.say(half, 500, [TORN]);
    expect(bench.say(half, 500, [TORN])).toBe("accept without contradiction");
  });

  it("is doubted anew after one that was good", () => {
    const bench = new Bench();
    for (let i = 0; i < 5; i += 1) bench.say(START, 500, [TORN]);
    expect(bench.say(START)).toBe("accept");
    expect(bench.say(START, 500, [TORN])).toBe("hold contradiction");
  });

  it("is not confirmed by the same telegram", () => {
    const bench = new Bench();
    const telegram = { ...START, meterTimeMs: 1_790_000_000_000 };
    const said = Array.from({ length: 10 }, () => bench.say(telegram, 1000, [TORN]));
    expect(said).toEqual(Array(10).fill("hold contradiction"));
  });

  it("does not hide a register that could not be", () => {
    const bench = new Bench();
    bench.say(START);
    const jumped = { ...START, importMwh: 2 * START.importMwh };
    for (let i = 0; i < 3; i += 1) bench.say(jumped, 500, [TORN]);
    expect(bench.say(jumped, 500, [TORN])).toBe("hold register-jump");
  });
});
