import { describe, expect, it } from "vitest";
import { type MeterReading, READING_STATUS } from "../../../attest/reading.ts";
import { Bench, GRID, reading } from "./kit.ts";

const SAMPLED = { ...GRID, samplingMs: 5000 };
/** The clock of a meter may be years off: it is only ever compared with itself. */
const NOON = Date.UTC(2004, 1, 29, 12);
const at = (seconds: number, more: Partial<MeterReading> = {}): Partial<MeterReading> => ({
  ...{ importMwh: 5_000_123_000, exportMwh: 1_000_456_000, activePowerMw: 120_000 },
  ...{ meterTimeMs: NOON + seconds * 1000, ...more },
});

describe("the same telegram", () => {
  it("is sealed once", () => {
    const bench = new Bench(SAMPLED);
    expect(bench.say(at(0))).toBe("accept");
    expect([0, 0, 5, 5, 10].map((seconds) => bench.say(at(seconds)))).toEqual([
      ...["reject duplicate", "reject duplicate", "accept", "reject duplicate", "accept"],
    ]);
  });

  it("is none that has other values: a clock of whole minutes, or one that stopped", () => {
    const bench = new Bench({ ...SAMPLED, samplingMs: 60_000 });
    expect(bench.say(at(0))).toBe("accept");
    expect(bench.say(at(0, { activePowerMw: 130_000 }))).toBe("accept");
    expect(bench.say(at(0, { activePowerMw: 130_000 }))).toBe("reject duplicate");
    expect(bench.say(at(0, { activePowerMw: 130_000, voltageMv: [230_100] }))).toBe("accept");
  });

  it("cannot be told where the meter prints no time", () => {
    const bench = new Bench(SAMPLED);
    const { meterTimeMs: _, ...timeless } = at(0);
    expect([timeless, timeless].map((values) => bench.say(values))).toEqual(["accept", "accept"]);
  });
});

describe("an older telegram", () => {
  it("that comes between two newer ones leaves no trace", () => {
    const bench = new Bench(SAMPLED);
    bench.say(at(10));
    expect(bench.say(at(5))).toBe("hold meter-time-back");
    expect(bench.say(at(15))).toBe("accept");
    expect(bench.gate.counts().rejected.get("meter-time-back")).toBe(1);
  });

  it("is believed when the next ones follow it: the clock was set back", () => {
    const bench = new Bench(SAMPLED);
    bench.say(at(7200));
    expect([5, 10, 15, 20, 25, 30].map((seconds) => bench.say(at(seconds)))).toEqual([
      ...Array<string>(3).fill("hold meter-time-back"),
      ...["accept", "accept", "accept"],
    ]);
  });

  it("that is repeated is not believed", () => {
    const bench = new Bench(SAMPLED);
    bench.say(at(7200));
    expect(Array.from({ length: 8 }, () => bench.say(at(5)))).toEqual(Array(8).fill("hold meter-time-back"));
  });

  it("names both times", () => {
    const bench = new Bench(SAMPLED);
    bench.say(at(10));
    expect(bench.judge(at(5))).toMatchObject({
      reason: {
        message: "the meter's time went back from 2004-02-29T12:00:10.000Z to 2004-02-29T12:00:05.000Z",
      },
    });
  });
});

describe("values that are old", () => {
  /** A meter on a line of 1 s, sampled every 5 s. */
  function live(bench: Bench, from: number, to: number): string[] {
    const said = new Set<string>();
    for (let seconds = from; seconds <= to; seconds += 5) said.add(bench.say(at(seconds)));
    return [...said];
  }

  it("are marked once they lag by two sampling intervals and a step of the clock", () => {
    const bench = new Bench(SAMPLED);
    expect(live(bench, 0, 60)).toEqual(["accept"]);
    // The clock stands still for the time that passes beside it.
    expect(bench.say(at(61), 12_000)).toBe("accept");
    expect(bench.say(at(62), 2000)).toBe("accept as stale");
    expect(bench.judge(at(63), 1000)).toMatchObject({
      kind: "accept",
      reading: reading({ ...at(63), status: READING_STATUS.stale }),
      marked: { message: "the values are 12 s old by the meter's own clock" },
    });
  });

  it("keep what the device says of itself", () => {
    const bench = new Bench(SAMPLED);
    live(bench, 0, 60);
    expect(bench.judge(at(61, { status: READING_STATUS.tariffSum }), 60_000)).toMatchObject({
      reading: { status: READING_STATUS.tariffSum | READING_STATUS.stale },
    });
  });

  it("are live again when the lag is made up", () => {
    const bench = new Bench(SAMPLED);
    live(bench, 0, 60);
    expect(bench.say(at(61), 60_000)).toBe("accept as stale");
    expect(bench.say(at(125), 5000)).toBe("accept");
  });

  it("are none when the clock is slow by 50 s a day, or was set back", () => {
    const bench = new Bench(SAMPLED);
    const said = new Set<string>();
    for (let i = 0; i < 20_000; i += 1) said.add(bench.say(at(i * 5 * (1 - 0.000_6))));
    expect([...said]).toEqual(["accept"]);
    const back = [...Array(12).keys()].map((i) => bench.say(at(40_000 + i * 5)));
    expect(back).toEqual([
      ...Array<string>(3).fill("hold meter-time-back"),
      ...Array<string>(9).fill("accept"),
    ]);
  });

  it("are none of a clock of whole minutes", () => {
    const bench = new Bench(SAMPLED);
    const said = new Set<string>();
    for (let i = 0; i < 500; i += 1) {
      const minute = Math.floor((i * 5) / 60) * 60;
      said.add(bench.say(at(minute, { activePowerMw: 100_000 + i })));
    }
    expect([...said]).toEqual(["accept"]);
  });

  it("are none that a slow line has always brought late", () => {
    const bench = new Bench(SAMPLED);
    bench.nowMs += 3_600_000;
    expect(live(bench, 0, 300)).toEqual(["accept"]);
  });
});
