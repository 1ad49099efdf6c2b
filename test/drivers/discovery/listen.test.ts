import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { discover, planDiscovery } from "../../../drivers/discovery/discovery.ts";
import { NOTICING_FORMAT, planListening } from "../../../drivers/discovery/listen-plan.ts";
import { bySenderSpeed } from "../../../drivers/discovery/sender-speed.ts";
import { type FormatText, formatFrom } from "../../../drivers/discovery/serial-format.ts";
import type { LineReport } from "../../../drivers/discovery/serial-survey.ts";
import type { DiscoveryTerms, MeterAsker } from "../../../drivers/discovery/terms.ts";
import { formatText } from "../../../drivers/line/address.ts";
import type { Listening } from "../../../drivers/telegram/protocol.ts";
import { unitsModel } from "./image.ts";
import { FakeLines, type LinePeer, quickTerms } from "./kit.ts";
import { image } from "./profiles.ts";
import { type FarEnd, QUICK_TIMES, SpeakingLines, toy, toyTelegram } from "./speaking.ts";
import { type BadCharacters, received } from "./uart.ts";

const LINE = "/dev/ttyTEST";
const formats = (...texts: readonly FormatText[]) => texts.map(formatFrom);

const FAST = toy({ driver: "toy-fast", formats: formats("115200 8N1", "9600 7E1") });
const SLOW = toy({ driver: "toy-slow", formats: formats("2400 8E1", "9600 8N1") });
const OTHER = toy({ driver: "toy-other", formats: formats("9600 8N1") });
const TOYS: readonly Listening[] = [FAST, OTHER, SLOW];

interface Heard {
  readonly report: LineReport;
  readonly lines: SpeakingLines;
  readonly modbus: FakeLines;
  readonly seconds: number;
}

interface Scene extends Partial<DiscoveryTerms> {
  readonly speakers?: readonly Listening[];
  readonly askers?: readonly MeterAsker[];
  readonly peer?: LinePeer;
}

/** What a scan finds on a line with this far end; `peer` answers Modbus on the same line. */
async function scan(
  end: FarEnd,
  { speakers = TOYS, askers = [], peer, ...changes }: Scene = {},
): Promise<Heard> {
  const lines = new SpeakingLines({ [LINE]: end });
  const modbus = new FakeLines(peer === undefined ? {} : { [LINE]: peer });
  const usual = quickTerms();
  const meters = { ...usual.meters, speakers, askers, createLine: lines.createLine };
  const terms = { ...usual, openLine: modbus.openLine, meters, ...changes };
  const reports: LineReport[] = [];
  const begunMs = performance.now();
  await discover(planDiscovery({ lines: [LINE], groups: [] }, terms), {
    terms,
    listener: {
      onLine: (report) => void reports.push(report),
      onHost: () => undefined,
      onSenders: () => undefined,
      onProblem: () => undefined,
      onProgress: () => undefined,
    },
  });
  const [report] = reports;
  if (report === undefined) throw new Error("no report");
  expect([lines.open, modbus.open, lines.written]).toEqual([0, 0, 0]);
  return { report, lines, modbus, seconds: (performance.now() - begunMs) / 1000 };
}

function speaks(format: FormatText, ...bursts: readonly Uint8Array[]): FarEnd {
  return { format: formatFrom(format), says: { everyMs: 200, bursts } };
}

function told({ meters }: LineReport): readonly string[] {
  return meters.map(({ driver, place, identity, encrypted }) => {
    const format = place.kind === "serial" ? formatText(place.format) : "";
    return `${driver} ${format} ${identity?.serial ?? "nameless"}${encrypted ? " encrypted" : ""}`;
  });
}

describe("a line on which a meter speaks by itself", () => {
  it.concurrent.each<[FormatText, string]>([
    ["9600 8N1", "toy-other"],
    ["9600 8N1", "toy-slow"],
    ["115200 8N1", "toy-fast"],
    ["9600 7E1", "toy-fast"],
    ["2400 8E1", "toy-slow"],
  ])("shows it at %s: %s, and nothing is asked there", async (format, driver) => {
    const peer: LinePeer = {
      format: formatFrom("9600 8N1"),
      framing: "rtu",
      model: unitsModel({ 1: image() }),
    };
    const { report, modbus } = await scan(speaks(format, toyTelegram(driver, "4711")), { peer });
    expect(told(report)).toEqual([`${driver} ${format} 4711`]);
    expect([modbus.requests, report.requests, report.places.length]).toEqual([0, 0, 0]);
  });

  it("is told by the one of its telegrams that has its name", async () => {
    const bursts = [toyTelegram("toy-fast"), toyTelegram("toy-fast", "77")];
    expect(told((await scan(speaks("115200 8N1", ...bursts))).report)).toEqual(["toy-fast 115200 8N1 77"]);
    expect(told((await scan(speaks("115200 8N1", toyTelegram("toy-fast")))).report)).toEqual([
      "toy-fast 115200 8N1 nameless",
    ]);
  });

  it("shows it where noise comes before and telegrams are damaged", async () => {
    const good = toyTelegram("toy-slow", "9");
    const damaged = good.map((byte, at) => (at === 20 ? byte ^ 1 : byte));
    const noise = Uint8Array.from({ length: 40 }, (_, at) => (at * 37) % 256);
    const { report } = await scan(speaks("2400 8E1", damaged, new Uint8Array([...noise, ...good])));
    expect(told(report)).toEqual(["toy-slow 2400 8E1 9"]);
  });

  it("says that it is encrypted, or why nobody reads it", async () => {
    const end = speaks("9600 8N1", toyTelegram("toy", "1"));
    const one = (refuses: string) => [toy({ driver: "toy", formats: formats("9600 8N1"), refuses })];
    const { report } = await scan(end, { speakers: one("toy-key-missing") });
    expect(told(report)).toEqual(["toy 9600 8N1 nameless encrypted"]);
    const { report: refused } = await scan(end, { speakers: one("toy-empty") });
    expect(refused.meters).toMatchObject([{ driver: "toy", encrypted: false, unfit: "refused" }]);
    const { report: unclear } = await scan(end, { speakers: one("toy-units") });
    expect(unclear.meters).toMatchObject([{ driver: "toy", encrypted: false, needs: "refused" }]);
  });

  it("is not asked either when nobody knows who speaks", async () => {
    const words = new TextEncoder().encode("some other device polls its meters here, and is not known");
    const { report, modbus } = await scan(speaks("19200 8N1", words));
    expect(told(report)).toEqual([]);
    expect(report.unknown).toContain("9600 8N1");
    expect(modbus.requests).toBe(0);
  });

  it("is left alone as soon as the scan is interrupted", async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 50);
    // It would be listened to for an hour.
    const speakers = [toy({ driver: "toy-rare", formats: formats("9600 8N1"), periodMs: 3_600_000 })];
    const { report, lines } = await scan({ format: NOTICING_FORMAT }, { signal: stop.signal, speakers });
    expect(report).toMatchObject({ meters: [], places: [], unknown: [] });
    expect(report.problem).toBeUndefined();
    expect(lines.opened).toEqual(["9600 8N1"]);
  });
});

describe("a line on which nobody speaks", () => {
  const peer: LinePeer = {
    ...{ format: formatFrom("19200 8E1"), framing: "rtu" },
    model: unitsModel({ 1: image({ code: 331 }) }),
  };

  it("is asked after one period, and shows what it showed before", async () => {
    const { report, lines, seconds } = await scan({ format: NOTICING_FORMAT }, { peer });
    expect(
      report.places.flatMap(({ units }) => units.map(({ candidates }) => candidates[0]?.driver)),
    ).toEqual(["acme-coded"]);
    expect(lines.opened).toEqual(["9600 8N1"]);
    const [first] = planListening(TOYS, QUICK_TIMES);
    expect(seconds * 1000).toBeGreaterThan(first?.patienceMs ?? Number.NaN);
  });

  it("is asked in other ways only where nobody answers Modbus, unless that is wanted", async () => {
    const asked: string[] = [];
    const asker: MeterAsker = {
      ...{
        driver: "toy",
        because: "an answer",
        formats: formats("300 7E1"),
        ownFormat: formatFrom("300 7E1"),
      },
      ...{ silentMs: () => 1, longestMs: 1000 },
      ask: (talk) => {
        asked.push(talk.name);
        const identity = { make: "ACME", model: "A", serial: "8", firmware: "" };
        return Promise.resolve([{ identity, options: { address: 3 } }]);
      },
    };
    const silent = { format: NOTICING_FORMAT };
    const { report } = await scan(silent, { askers: [asker] });
    expect(report.meters).toMatchObject([{ driver: "toy", how: "asked", options: { address: 3 } }]);
    expect([told(report), asked]).toEqual([["toy 300 7E1 8"], [LINE]]);
    const { report: modbus } = await scan(silent, { askers: [asker], peer });
    expect([modbus.places.length, told(modbus), asked.length]).toEqual([1, [], 1]);
    const { report: all } = await scan(silent, { askers: [asker], peer, thorough: true });
    expect([all.places.length, told(all)]).toEqual([1, ["toy 300 7E1 8"]]);
    const { report: spoken } = await scan(speaks("9600 8N1", toyTelegram("toy-other", "1")), {
      askers: [asker],
    });
    expect([told(spoken), asked.length]).toEqual([["toy-other 9600 8N1 1"], 2]);
  });

  it("is asked though its adapter gives a few stray bytes", async () => {
    const stray = speaks("9600 8N1", Uint8Array.of(0, 255, 0));
    const { report } = await scan(stray, { peer });
    expect(report.places.length).toBe(1);
    expect(report.unknown).toEqual([]);
  });

  it("is listened to at all settings when the scan is thorough", async () => {
    const { lines } = await scan({ format: NOTICING_FORMAT }, { thorough: true });
    expect(lines.opened).toEqual(["9600 8N1", "115200 8N1", "2400 8E1"]);
  });
});

describe("where a scan listens", () => {
  const long = (speakers: readonly Listening[]) =>
    planListening(speakers, QUICK_TIMES).map(({ format, patienceMs, speakers: own }) => [
      formatText(format),
      patienceMs,
      own.map(({ listening, format: one }) => `${listening.driver} ${formatText(one)}`),
    ]);

  it("begins where everybody is noticed, for as long as the slowest is silent", () => {
    const lazy = toy({ driver: "lazy", formats: formats("115200 8N1", "9600 7E1"), periodMs: 10_000 });
    expect(long([SLOW, lazy])).toEqual([
      ["9600 8N1", 10_300, ["toy-slow 9600 8N1", "lazy 9600 7E1"]],
      ["2400 8E1", 500, ["toy-slow 2400 8E1"]],
      ["115200 8N1", 10_300, ["lazy 115200 8N1"]],
    ]);
    expect(long([])).toEqual([]);
  });

  /** Every frame at which meters speak, seen at the first stop by receivers that drop bad characters or not. */
  it.each<readonly [baud: number, bytes: number]>([
    [1200, 30],
    [2400, 30],
    [4800, 30],
    [9600, 30],
    [19_200, 90],
    [115_200, 300],
  ])("notices at %i baud a telegram of %i bytes", (baud, bytes) => {
    const text = new TextEncoder().encode("1-0:1.8.1(00101.777*kWh)\r\n".repeat(12)).subarray(0, bytes);
    fc.assert(
      fc.property(
        fc.oneof(fc.constant(text), fc.uint8Array({ minLength: bytes, maxLength: bytes })),
        fc.constantFrom("8N1", "8E1", "7E1"),
        fc.constantFrom<BadCharacters>("dropped", "kept"),
        (sent, frame, bad) => {
          const heard = received(sent, [formatFrom(`${baud} ${frame}`), NOTICING_FORMAT], bad);
          expect(heard.length).toBeGreaterThanOrEqual(6);
        },
      ),
    );
  });

  it("goes on where the sender is as fast as it sounds", () => {
    const stops = planListening(
      [FAST, SLOW, toy({ driver: "toy-other", formats: formats("19200 8N1") })],
      QUICK_TIMES,
    );
    const order = (sent: Uint8Array, format: FormatText, bad: BadCharacters): readonly string[] => {
      const heard = received(sent, [formatFrom(format), NOTICING_FORMAT], bad);
      return bySenderSpeed(stops.slice(1), NOTICING_FORMAT, heard).map((stop) => formatText(stop.format));
    };
    const bytes = fc
      .uint8Array({ minLength: 300, maxLength: 300 })
      .map((all) => all.map((byte, at) => byte ^ (at * 83)));
    const bad = fc.constantFrom<BadCharacters>("dropped", "kept");
    const cases = fc.constantFrom<[FormatText, boolean]>(
      ["2400 8E1", true],
      ["2400 8N1", true],
      ["1200 8N1", true],
      ["19200 8N1", false],
      ["115200 8N1", false],
    );
    fc.assert(
      fc.property(bytes, bad, cases, (sent, how, [format, isSlow]) => {
        const slow = ["2400 8E1", "115200 8N1", "19200 8N1"];
        const fast = ["115200 8N1", "19200 8N1", "2400 8E1"];
        expect(order(sent, format, how)).toEqual(isSlow ? slow : fast);
      }),
    );
  });

  it("hears nothing of a slow meter where it listens to fast ones", () => {
    const sent = toyTelegram("toy-other", "1");
    expect(received(sent, formatPair("9600 8N1", "115200 8N1"))).toEqual(new Uint8Array());
    expect(received(sent, formatPair("9600 8N1", "9600 8N1"))).toEqual(sent);
    expect(received(sent, formatPair("9600 7E1", "9600 8N1")).map((byte) => byte & 0x7f)).toEqual(sent);
  });
});

function formatPair(sent: FormatText, heard: FormatText) {
  return [formatFrom(sent), formatFrom(heard)] as const;
}
