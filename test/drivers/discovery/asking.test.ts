import { describe, expect, it } from "vitest";
import { Problem } from "../../../attest/problem.ts";
import { knownAskers, wiredBus } from "../../../drivers/discovery/ask-known.ts";
import { askingMs, askOnLine } from "../../../drivers/discovery/ask-line.ts";
import { listenOnNetwork } from "../../../drivers/discovery/senders.ts";
import { type FormatText, formatFrom } from "../../../drivers/discovery/serial-format.ts";
import type {
  DiscoveryTerms,
  FoundMeter,
  MeterAsker,
  NetworkSender,
} from "../../../drivers/discovery/terms.ts";
import { formatText } from "../../../drivers/line/address.ts";
import { MbusFramer } from "../../../drivers/mbus/framing.ts";
import { iec62056Answerer } from "../../../drivers/simulated/iec62056-telegram.ts";
import { mbusAnswerer } from "../../../drivers/simulated/mbus-telegram.ts";
import type { SimulatedAnswerer } from "../../../drivers/simulated/speaking.ts";
import { quickTerms } from "./kit.ts";
import { SHOWN } from "./simulated-meters.ts";
import { type FarEnd, SpeakingLines } from "./speaking.ts";

const LINE = "/dev/ttyTEST";
const QUICK_BUS = wiredBus({ timing: { beginMs: 3, gapMs: 3, wholeMs: 20 } });

function answering(format: FormatText, ...answerers: readonly SimulatedAnswerer[]): FarEnd {
  return {
    format: formatFrom(format),
    answers: (bytes) => answerers.flatMap((answerer) => answerer.answers(bytes, SHOWN)),
  };
}

interface Scene extends Partial<Pick<DiscoveryTerms, "thorough" | "signal">> {
  readonly askers: readonly MeterAsker[];
}

async function ask(end: FarEnd, { askers, ...changes }: Scene) {
  const lines = new SpeakingLines({ [LINE]: end });
  const usual = quickTerms();
  const terms = { ...usual, meters: { ...usual.meters, askers, createLine: lines.createLine }, ...changes };
  const spent: number[] = [];
  try {
    const found = await askOnLine(LINE, { terms, listener: { onProgress: (ms) => void spent.push(ms) } });
    return { found, lines, spent };
  } finally {
    expect(lines.open).toBe(0);
  }
}

function told({ driver, place, options, identity, unfit }: FoundMeter): string {
  const format = place.kind === "serial" ? formatText(place.format) : place.host;
  return [driver, format, JSON.stringify(options), identity?.make, identity?.serial, unfit ?? "fit"].join(
    " ",
  );
}

describe("a line that is asked", () => {
  it.each<FormatText>(["2400 8E1", "300 8E1", "9600 8E1"])(
    "shows meters on a wired M-Bus at %s",
    async (format) => {
      const meters = [
        { primary: 5, identification: "12345678", manufacturer: "ABB" },
        { primary: 0, identification: "20000002", manufacturer: "EMU" },
        { primary: 7, identification: "87654321", manufacturer: "KAM", medium: 4 },
      ];
      const { found } = await ask(answering(format, ...meters.map(mbusAnswerer)), { askers: [QUICK_BUS] });
      expect(found.map(told).toSorted()).toEqual([
        `mbus ${format} {"address":5} ABB 12345678 fit`,
        `mbus ${format} {"address":7} KAM 87654321 it measures no electricity`,
        // A meter without a number of its own is reached by its secondary address: EMU is 0x15b5 (EN 13757-3, 5.5).
        `mbus ${format} {"secondary":"20000002B5150102"} EMU 20000002 fit`,
      ]);
    },
  );

  it("shows a meter with an optical port", async () => {
    const askers = knownAskers.filter(({ driver }) => driver === "iec62056-21");
    const { found } = await ask(answering("300 7E1", iec62056Answerer()), { askers });
    expect(found).toMatchObject([
      { driver: "iec62056-21", how: "asked", identity: { make: "KWT", model: "SIM-C V1.0" } },
    ]);
    expect(found.map(({ place }) => place)).toEqual([
      {
        ...{ kind: "serial", path: LINE },
        ...{ format: formatFrom("300 8N1"), ownFormat: formatFrom("300 8N1") },
      },
    ]);
  });

  const [first, second] = ["2400 8E1", "9600 8E1"] as const;
  const toy = (driver: string, work: MeterAsker["ask"], longestMs = 1000): MeterAsker => ({
    ...{ driver, because: "an answer", formats: [formatFrom(first), formatFrom(second)] },
    ...{ ownFormat: formatFrom(first), silentMs: () => 10, longestMs, ask: work },
  });
  const someone = { identity: { make: "ACME", model: "", serial: "1", firmware: "" }, options: {} };
  const nobody: FarEnd = { format: formatFrom(first) };

  it("is asked by one kind after the other until somebody answers, or by all", async () => {
    const askers = [
      toy("none", () => Promise.resolve([])),
      toy("fails", () => Promise.reject(new Problem("toy-damaged", "damaged"))),
      toy("some", () => Promise.resolve([someone])),
      toy("never", () => Promise.resolve([someone])),
    ];
    const { found, lines, spent } = await ask(nobody, { askers });
    expect(found.map(({ driver }) => driver)).toEqual(["some"]);
    expect(lines.opened).toEqual([first, second, first, second, first]);
    expect(spent).toEqual([210, 420, 630, 840, 1050]);
    expect(askingMs(askers)).toBe(8 * 210);
    const all = await ask(nobody, { askers, thorough: true });
    expect(all.found.map(({ driver }) => driver)).toEqual(["some", "some", "never", "never"]);
  });

  /** Nobody ever answers to it: a conversation ends when its line is closed. */
  const waits: MeterAsker["ask"] = async (talk) => {
    await talk.receive(new MbusFramer(), 3_600_000);
    return [];
  };

  it("is let go of when an asker does not end, and when the scan is interrupted", async () => {
    const endless = toy("endless", waits, 60);
    expect((await ask(nobody, { askers: [endless] })).lines.opened).toEqual([first, second]);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 30);
    const { lines } = await ask(nobody, { askers: [{ ...endless, longestMs: 60_000 }], signal: stop.signal });
    expect(lines.opened).toEqual([first]);
  });

  it("says when it is lost", async () => {
    const lost = toy("lost", () => Promise.reject(new Problem("line-closed", "hung up")));
    await expect(ask(nobody, { askers: [lost] })).rejects.toMatchObject({ code: "line-closed" });
  });
});

describe("a network that is listened to", () => {
  const meter = (host: string, serial: string) => ({
    ...{ host, identity: { make: "SMA", model: "EM", serial, firmware: "" }, options: { serial } },
  });
  const sender: NetworkSender = {
    ...{ driver: "sma-speedwire", where: "Speedwire", because: "a telegram" },
    listen: () => Promise.resolve([meter("10.0.0.2", "1"), meter("10.0.0.3", "2")]),
  };
  const { meters, signal } = quickTerms();
  const listen = (named: boolean, senders: readonly NetworkSender[], hosts = ["10.0.0.3"]) =>
    listenOnNetwork([{ name: "n", hosts, named }], { meters: { ...meters, senders }, signal });

  it("shows all meters, or those on hosts that were named", async () => {
    const all = await listen(false, [sender]);
    expect(all.meters.map(told)).toEqual([
      'sma-speedwire 10.0.0.2 {"serial":"1"} SMA 1 fit',
      'sma-speedwire 10.0.0.3 {"serial":"2"} SMA 2 fit',
    ]);
    const named = await listen(true, [sender]);
    expect(named.meters.map(({ options }) => options)).toEqual([{ serial: "2" }]);
    expect(await listenOnNetwork([], { meters: { ...meters, senders: [sender] }, signal })).toEqual({
      meters: [],
      problems: [],
    });
  });

  it("says when nothing can be heard, and what was heard of others", async () => {
    const problem = new Problem("line-busy", "taken");
    const failing: NetworkSender = { ...sender, where: "Other", listen: () => Promise.reject(problem) };
    const report = await listen(false, [failing, sender]);
    expect(report.problems).toEqual([{ where: "Other", problem }]);
    expect(report.meters.length).toBe(2);
  });
});
