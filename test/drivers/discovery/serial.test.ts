import { describe, expect, it } from "vitest";
import { discover, planDiscovery } from "../../../drivers/discovery/discovery.ts";
import { SILENT } from "../../../drivers/discovery/facts.ts";
import { formatFrom } from "../../../drivers/discovery/serial-format.ts";
import type { LineReport } from "../../../drivers/discovery/serial-survey.ts";
import type { DiscoveryTerms } from "../../../drivers/discovery/terms.ts";
import { formatText } from "../../../drivers/line/address.ts";
import { SerialLine } from "../../../drivers/line/serial.ts";
import { openLineOf } from "../../../drivers/modbus/open-line.ts";
import { startLinePeer } from "../../../drivers/simulated/modbus-peer.ts";
import { cable, cleanupAfterEach, HAS_SOCAT } from "../modbus/kit.ts";
import { unitsModel } from "./image.ts";
import { FakeLines, type LinePeer, quickTerms } from "./kit.ts";
import { image } from "./profiles.ts";

const later = cleanupAfterEach();
const LINE = "/dev/ttyTEST";

async function scan(
  lines: readonly string[],
  terms: DiscoveryTerms,
  onProgress: (fraction: number) => void = () => undefined,
): Promise<readonly LineReport[]> {
  const reports: LineReport[] = [];
  await discover(planDiscovery({ lines, groups: [] }, terms), {
    terms,
    listener: {
      onLine: (report) => void reports.push(report),
      onHost: () => undefined,
      onSenders: () => undefined,
      onProblem: () => undefined,
      onProgress: ({ fraction }) => onProgress(fraction),
    },
  });
  return reports;
}

interface Scanned {
  readonly report: LineReport;
  readonly lines: FakeLines;
}

async function scanPeer(peer: LinePeer, changes: Partial<DiscoveryTerms> = {}): Promise<Scanned> {
  const lines = new FakeLines({ [LINE]: peer });
  const terms = quickTerms(undefined, { ...changes, openLine: lines.openLine });
  const [report] = await scan([LINE], terms);
  if (report === undefined) throw new Error("no report");
  expect(lines.open).toBe(0);
  return { report, lines };
}

/** Settings with the units found at them and what they are. */
function told({ places }: LineReport): readonly string[] {
  return places.flatMap(({ place, units }) =>
    units.map(({ unit, candidates }) => {
      const format = place.transport === "tcp" ? "" : formatText(place);
      return `${format} ${unit} ${candidates[0]?.driver ?? "unknown"}`;
    }),
  );
}

function meter(format: Parameters<typeof formatFrom>[0], units: Parameters<typeof unitsModel>[0]): LinePeer {
  return { format: formatFrom(format), framing: "rtu", model: unitsModel(units) };
}

describe("a serial line", () => {
  it.each(["9600 8N1", "19200 8E1", "2400 8E1"] as const)("shows a meter at %s", async (format) => {
    const { report, lines } = await scanPeer(meter(format, { 1: image({ code: 331 }) }));
    expect(told(report)).toEqual([`${format} 1 acme-coded`]);
    expect(report.problem).toBeUndefined();
    const [last] = lines.opened.slice(-1);
    expect(last).toBe(format.toLowerCase());
  });

  it("is not swept any further once something answers, unless that is wanted", async () => {
    const peer = meter("19200 8E1", { 1: image({ name: "AC-7", serial: "S" }) });
    const { lines } = await scanPeer(peer);
    expect(new Set(lines.opened).size).toBe(2);
    const { report, lines: all } = await scanPeer(peer, { thorough: true });
    expect(told(report)).toEqual(["19200 8E1 1 acme-named"]);
    expect(new Set(all.opened).size).toBeGreaterThan(20);
  });

  it("shows all meters that are numbered in a row, and the one that has kept its own number", async () => {
    const units = {
      2: image({ code: 331 }),
      3: image(),
      4: image({ code: 332 }),
      5: image({ name: "AC-7" }),
      8: image(),
    };
    const { report } = await scanPeer(meter("9600 8N1", units));
    expect(told(report).map((text) => text.split(" ").slice(2).join(" "))).toEqual([
      "2 acme-coded",
      "3 acme-ranged",
      "4 acme-coded",
      "5 acme-named",
      "8 acme-ranged",
    ]);
  });

  it("finds a unit that nobody would guess only when all are asked", async () => {
    const peer = meter("9600 8N1", { 77: image() });
    expect(told((await scanPeer(peer)).report)).toEqual([]);
    expect(told((await scanPeer(peer, { allUnits: true })).report)).toEqual(["9600 8N1 77 acme-ranged"]);
  });

  it("takes an exception for an answer", async () => {
    const { report } = await scanPeer(meter("9600 8N1", { 1: {} }));
    expect(told(report)).toEqual(["9600 8N1 1 unknown"]);
  });

  it("shows a device that keeps silent where it has no registers", async () => {
    const known = image({ code: 331 });
    const { model } = meter("9600 8N1", { 1: known });
    const silent: LinePeer = {
      format: formatFrom("9600 8N1"),
      framing: "rtu",
      model: {
        read: (request) => {
          const answer = model.read(request);
          return answer === undefined || "exception" in answer ? undefined : answer;
        },
      },
    };
    const { report } = await scanPeer(silent);
    expect(told(report)).toEqual(["9600 8N1 1 acme-coded"]);
  });

  it("shows a device that wants to be left alone between two requests", async () => {
    const { model } = meter("9600 8N1", { 1: image({ code: 331 }) });
    let answeredMs = Number.NEGATIVE_INFINITY;
    const read: typeof model.read = (request) => {
      if (performance.now() - answeredMs < 75) return undefined;
      answeredMs = performance.now();
      return model.read(request);
    };
    const { report } = await scanPeer({ ...meter("9600 8N1", {}), model: { read } });
    expect(told(report)).toEqual(["9600 8N1 1 acme-coded"]);
    const learnt = report.places.flatMap(({ units }) => units.flatMap(({ facts }) => facts.learnt));
    expect(learnt.filter(({ fact }) => "refused" in fact && fact.refused === SILENT)).toEqual([]);
  });

  it("shows a device whose first reply is damaged", async () => {
    const peer = meter("9600 8N1", { 1: image({ code: 331 }) });
    let replies = 0;
    const fault: LinePeer["fault"] = () => {
      replies += 1;
      return replies === 1 ? { kind: "damaged", at: 3, xor: 4 } : undefined;
    };
    expect(told((await scanPeer({ ...peer, fault })).report)).toEqual(["9600 8N1 1 acme-coded"]);
  });

  it("says at which settings bytes come that are no answer", async () => {
    const peer = meter("9600 8N1", { 1: image() });
    const { report } = await scanPeer({ ...peer, fault: () => ({ kind: "damaged", at: 3, xor: 4 }) });
    expect(told(report)).toEqual([]);
    expect(report.damaged).toEqual(["9600 8N1"]);
  });

  it("says what is wrong with it, while the others are scanned", async () => {
    const lines = new FakeLines({ [LINE]: meter("9600 8N1", { 1: image({ code: 331 }) }) });
    const terms = quickTerms(undefined, {
      openLine: (line, timeoutMs) => {
        const isTest = line.transport === "rtu" && line.path === LINE;
        return (isTest ? lines.openLine : openLineOf)(line, timeoutMs);
      },
    });
    const reports = await scan(["/dev/none", "/dev/null", LINE], terms);
    const codes = reports.map(({ path, problem }) => `${path} ${problem?.code ?? "good"}`);
    expect(codes.toSorted()).toEqual([
      "/dev/none line-not-found",
      "/dev/null line-not-serial",
      `${LINE} good`,
    ]);
  });

  it("is closed when the scan is interrupted, with what was found until then", async () => {
    const stop = new AbortController();
    const lines = new FakeLines({ [LINE]: meter("9600 8N1", {}) });
    const terms = quickTerms(stop.signal, { openLine: lines.openLine });
    const fractions: number[] = [];
    const [report] = await scan([LINE], terms, (fraction) => {
      fractions.push(fraction);
      if (fraction > 0.05) stop.abort();
    });
    expect(report).toMatchObject({ path: LINE, places: [] });
    expect(report?.problem).toBeUndefined();
    expect(lines.open).toBe(0);
    expect(fractions.slice(0, -1).every((fraction) => fraction < 0.2)).toBe(true);
  });
});

describe("a serial port", () => {
  if (!HAS_SOCAT) return void it.skip("socat is not installed");

  it("is read as a real one is, and told from one that another program has", async () => {
    const { near, far, close } = await cable();
    later(close);
    const format = formatFrom("9600 8N1");
    const model = unitsModel({ 1: image({ code: 331 }) });
    const peer = await startLinePeer({ framing: "rtu", model }, new SerialLine({ path: far, ...format }));
    later(() => peer.close());
    const terms = quickTerms();
    const patient = { ...terms, serial: { probeMs: 3000, replyMs: 3000 } };
    const [report] = await scan([near], patient);
    expect(report === undefined ? [] : told(report)).toEqual(["9600 8N1 1 acme-coded"]);
    const taken = new SerialLine({ path: near, ...format });
    await taken.open({ onBytes: () => undefined, onClosed: () => undefined });
    later(() => taken.close());
    const [refused] = await scan([near], patient);
    expect(refused?.problem).toMatchObject({ code: "line-busy" });
    expect(refused?.problem?.message).toContain("stop the agent first");
  });
});
