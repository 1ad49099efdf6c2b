import { describe, expect, it } from "vitest";
import type { FlexSettings } from "../../../agent/flexibility/host.ts";
import { calendarDigest, calendarOf } from "../../../agent/flexibility/offered-terms.ts";
import { windowOf } from "../../../agent/flexibility/offers.ts";
import { flexibilitySchema } from "../../../agent/flexibility/settings.ts";
import { dayNumber, openZone } from "../../../attest/baseline/zone.ts";
import { fromHex, toHex } from "../../../attest/bytes.ts";
import { signDispatchList } from "../../../attest/flexibility/orders.ts";
import { encodeTerms } from "../../../attest/flexibility/terms.ts";
import { SETTLEMENT } from "../../../attest/leaf-flexibility.ts";
import { nativeSuite } from "../../../attest/native.ts";
import type { LogBuilder } from "../../kit/log-builder.ts";
import {
  BATTERY,
  Bench,
  commitment,
  dispatch,
  HOUR,
  node,
  OFFER,
  openedLog,
  otherNode,
  QUARTER,
  START,
  sendCommitment,
  sendDispatch,
  TERMS,
  ZONE,
} from "./kit.ts";

const DAY = 24 * HOUR;
/** 17:00 in Amsterdam on the day of {@link START}. */
const FIVE = Date.UTC(2026, 0, 5, 16);

/** A log of so many days in which the battery takes in as many mWh each quarter as `load` says. */
function metered(days: number, load: (startMs: number) => number): LogBuilder {
  const log = openedLog(START - days * DAY);
  let importMwh = 0;
  log.read({ importMwh, exportMwh: 0 }, BATTERY);
  for (let at = log.timeMs; at < START; at += QUARTER) {
    importMwh += load(at);
    log.timeMs = at + QUARTER;
    log.read({ importMwh, exportMwh: 0 }, BATTERY);
  }
  log.closeDue(BATTERY);
  return log;
}

describe("offers", () => {
  it("are sealed at the start, once a day, and not again after a restart", async () => {
    const bench = new Bench();
    await bench.pass(3000);
    bench.restart();
    await bench.pass(3000);
    expect(bench.of("offer")).toHaveLength(1);
    expect(bench.of("offer")[0]).toMatchObject({
      ...{ channel: BATTERY, fromMs: FIVE, toMs: FIVE + 4 * HOUR, powerMw: 4_000_000, noticeMs: HOUR },
      baselineMethod: "h10/1",
    });
    const midnight = Date.UTC(2026, 0, 5, 23);
    await bench.until(midnight - 1);
    expect(bench.of("offer")).toHaveLength(1);
    await bench.until(midnight);
    expect(bench.of("offer").map(({ fromMs }) => fromMs)).toEqual([FIVE, FIVE + DAY]);
  });

  it("are not sealed when nobody could take them any more", async () => {
    const bench = new Bench();
    bench.log.timeMs = FIVE - HOUR;
    await bench.desk.tick();
    expect(bench.of("offer")).toEqual([]);
  });

  it("name the terms and the calendar that they expect", async () => {
    const holiday = dayNumber("2026-01-01");
    const settings: Partial<FlexSettings> = {
      holidays: [dayNumber("2025-10-01"), holiday, dayNumber("2026-12-25")],
      excludedDays: [dayNumber("2026-01-02")],
    };
    const bench = new Bench(settings);
    await bench.desk.tick();
    const [offer] = bench.of("offer");
    const terms = { ...TERMS, holidays: [holiday], excludedDays: [holiday + 1] };
    expect(offer?.parametersDigest).toEqual(nativeSuite.sha256(encodeTerms(terms)));
    // {1: [20454], 2: [20455]}, as bytes of RFC 8949.
    expect(offer?.calendarDigest).toEqual(nativeSuite.sha256(fromHex("a20181194fe60281194fe7", "cbor")));
    expect([holiday, holiday + 1]).toEqual([0x4fe6, 0x4fe7]);
    expect(offer?.biasPpm).toBeUndefined();
  });

  it("leave out of the calendar what no method looks back to", () => {
    const days = { holidays: [139, 140, 200, 201, 140], excludedDays: [] };
    expect(calendarOf(200, days)).toEqual({ holidays: [140, 200], excludedDays: [] });
    // {1: [], 2: []}
    const digest = toHex(nativeSuite.sha256(fromHex("a201800280", "cbor")));
    expect(toHex(calendarDigest({ holidays: [], excludedDays: [] }))).toBe(digest);
  });

  it("say how far the method was off on past days", async () => {
    // Weekdays alternate between 100 and 300 Wh in a quarter; ten of them have a mean of 200, which is off by 100.
    const load = (startMs: number): number => (Math.floor(startMs / DAY) % 2 === 0 ? 100_000 : 300_000);
    const bench = new Bench({}, metered(24, load));
    await bench.desk.tick();
    const [offer] = bench.of("offer");
    expect(offer?.biasPpm).toBeTypeOf("number");
    expect(offer?.relativeRmsePpm).toBeGreaterThan(400_000);
    expect(offer?.relativeRmsePpm).toBeLessThan(600_000);
  });

  it("follow local time over the days on which the clock is set", () => {
    const zone = openZone(ZONE);
    const offer = { fromClockMs: 22 * HOUR, toClockMs: 24 * HOUR };
    const summer = windowOf(offer, zone, dayNumber("2026-03-29"));
    expect(summer).toEqual({ fromMs: Date.UTC(2026, 2, 29, 20), toMs: Date.UTC(2026, 2, 29, 22) });
    const winter = windowOf(offer, zone, dayNumber("2026-10-25"));
    expect(winter).toEqual({ fromMs: Date.UTC(2026, 9, 25, 21), toMs: Date.UTC(2026, 9, 25, 23) });
  });
});

describe("a settlement", () => {
  async function delivered(bench: Bench, exportMwh: number): Promise<number> {
    const order = commitment(bench, { fromMs: FIVE });
    expect(await sendCommitment(bench, order)).toBeUndefined();
    const call = dispatch(bench, { commitmentId: order.objectId, fromMs: FIVE, toMs: FIVE + HOUR });
    expect(await sendDispatch(bench, call)).toBeUndefined();
    const { importMwh = 0 } = bench.log.state(BATTERY).last ?? {};
    let [imported, exported] = [importMwh, 0];
    for (let at = bench.log.timeMs; at < FIVE + 4 * HOUR; at += QUARTER) {
      const inEvent = at >= FIVE && at < FIVE + HOUR;
      imported += inEvent ? 0 : 100_000;
      exported += inEvent ? exportMwh : 0;
      await bench.until(at + QUARTER - 1000);
      await bench.until(at + QUARTER);
      bench.log.read({ importMwh: imported, exportMwh: exported }, BATTERY);
    }
    await bench.until(FIVE + 4 * HOUR);
    return bench.of("commitment")[0]?.seq ?? -1;
  }

  it("follows the event and its rebound, once", async () => {
    const bench = new Bench(
      {},
      metered(16, () => 100_000),
    );
    const commitmentSeq = await delivered(bench, 400_000);
    expect(bench.of("settlement")).toHaveLength(1);
    // The baseline is 100 Wh a quarter, and 400 went out: 500 less each, as was committed.
    expect(bench.of("settlement")[0]).toMatchObject({
      ...{ channel: BATTERY, commitmentSeq, baselineMethod: "h10/1", result: SETTLEMENT.delivered },
      ...{ deliveredMwh: [500_000, 500_000, 500_000, 500_000], shortfallMwh: 0, completenessPpm: 1_000_000 },
    });
    const [settlement] = bench.of("settlement");
    expect(settlement?.timeMs).toBeGreaterThanOrEqual(FIVE + 2 * HOUR + 2 * QUARTER);
    bench.restart();
    await bench.pass(HOUR, QUARTER);
    expect(bench.of("settlement")).toHaveLength(1);
  });

  it("says that nothing was delivered where nothing was", async () => {
    const bench = new Bench(
      {},
      metered(16, () => 0),
    );
    await delivered(bench, 0);
    expect(bench.of("settlement")[0]).toMatchObject({
      result: SETTLEMENT.notDelivered,
      shortfallMwh: 2_000_000,
    });
  });

  it("does not follow a commitment that was never called", async () => {
    const bench = new Bench(
      {},
      metered(16, () => 100_000),
    );
    await sendCommitment(bench, commitment(bench, { fromMs: FIVE }));
    await bench.until(FIVE + 6 * HOUR);
    expect(bench.of("settlement")).toEqual([]);
  });

  it("keeps the day of the event out of the next offers' calendar", async () => {
    const bench = new Bench(
      {},
      metered(16, () => 100_000),
    );
    await delivered(bench, 400_000);
    await bench.until(START + DAY - 12 * HOUR);
    const terms = { ...TERMS, excludedDays: [dayNumber("2026-01-05")] };
    expect(bench.of("offer").at(-1)?.parametersDigest).toEqual(nativeSuite.sha256(encodeTerms(terms)));
  });
});

describe("a list of dispatches", () => {
  it("is kept where it is of a commitment of this node and log, and else left alone", async () => {
    const bench = new Bench();
    const order = commitment(bench);
    await sendCommitment(bench, order);
    const list = {
      ...{ logId: order.logId, commitmentId: order.objectId, digests: new Uint8Array(32) },
      issuedAtMs: START,
    };
    bench.desk.list(node.publicKey, await signDispatchList(node, list));
    expect(bench.lists).toEqual([bench.of("commitment")[0]?.seq]);
    bench.desk.list(otherNode.publicKey, await signDispatchList(otherNode, list));
    bench.desk.list(node.publicKey, await signDispatchList(otherNode, list));
    const elsewhere = { ...list, logId: new Uint8Array(32) };
    bench.desk.list(node.publicKey, await signDispatchList(node, elsewhere));
    expect(bench.lists).toHaveLength(1);
  });
});

describe("the configuration of offers", () => {
  const offer = { resource: "battery/battery", direction: "reduce", powerKw: 4, between: "17:00-21:00" };

  it("becomes numbers", () => {
    const { offers, holidays } = flexibilitySchema.parse({
      offers: [{ ...offer, daysAhead: 0 }],
      holidays: ["2026-12-26", "2026-12-25", "2026-12-26"],
    });
    expect(offers).toEqual([OFFER]);
    expect(holidays).toEqual([dayNumber("2026-12-25"), dayNumber("2026-12-26")]);
  });

  it("takes midnight as an end, and energy", () => {
    const text = { ...offer, between: "00:00-24:00", energyKwh: 6.5, boundary: "site", noticeMinutes: 15 };
    expect(flexibilitySchema.parse({ offers: [text] }).offers[0]).toMatchObject({
      ...{
        fromClockMs: 0,
        toClockMs: DAY,
        energyMwh: 6_500_000,
        boundary: 2,
        noticeMs: QUARTER,
        daysAhead: 1,
      },
    });
  });

  it.each([
    { between: "21:00-17:00" },
    { between: "17:00-17:00" },
    { between: "24:00-24:00" },
    { between: "5-6" },
    { powerKw: 0 },
    { powerKw: 0.000_000_1 },
    { resource: "battery" },
    { baselineMethod: "nom/1" },
    { baselineMethod: "before-after/1" },
    { noticeMinutes: 10_081 },
    { nonsense: true },
  ])("refuses %j", (changes) => {
    expect(flexibilitySchema.safeParse({ offers: [{ ...offer, ...changes }] }).success).toBe(false);
  });

  it("refuses what is no day", () => {
    expect(flexibilitySchema.safeParse({ holidays: ["2026-02-30"] }).success).toBe(false);
  });
});
