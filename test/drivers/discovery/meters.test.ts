import { describe, expect, it } from "vitest";
import { askingMs } from "../../../drivers/discovery/ask-line.ts";
import { planDiscovery, usualTerms } from "../../../drivers/discovery/discovery.ts";
import { knownSpeakers } from "../../../drivers/discovery/listen-known.ts";
import { planListening } from "../../../drivers/discovery/listen-plan.ts";
import { surveyLine } from "../../../drivers/discovery/serial-survey.ts";
import { sweepMs } from "../../../drivers/discovery/sweep-plan.ts";
import type { DiscoveryTerms } from "../../../drivers/discovery/terms.ts";
import { formatText } from "../../../drivers/line/address.ts";
import { quickTerms } from "./kit.ts";
import { SIMULATED, type SimulatedMeter } from "./simulated-meters.ts";
import { QUICK_TIMES, SpeakingLines } from "./speaking.ts";

const LINE = "/dev/ttyTEST";
const EVERY_MS = 220;
/** As meters here speak more often than real ones. */
const speakers = knownSpeakers.map((listening) => ({ ...listening, periodMs: EVERY_MS }));

async function scanOne({ format, telegrams }: SimulatedMeter, noise: Uint8Array = new Uint8Array()) {
  const burst = new Uint8Array(Buffer.concat([noise, ...telegrams()]));
  const lines = new SpeakingLines({ [LINE]: { format, says: { everyMs: EVERY_MS, bursts: [burst] } } });
  const usual = quickTerms();
  const terms = { ...usual, meters: { ...usual.meters, speakers, createLine: lines.createLine } };
  const plan = { listening: planListening(speakers, QUICK_TIMES), sweep: [] };
  const report = await surveyLine(LINE, plan, { terms, listener: { onProgress: () => undefined } });
  expect(lines.open).toBe(0);
  return { report, lines };
}

describe("a simulated meter", () => {
  it.concurrent.each(SIMULATED.map((meter) => [meter.name, meter] as const))(
    "is found: %s",
    async (_, meter) => {
      const { report } = await scanOne(meter);
      expect(report.problem).toBeUndefined();
      const [found] = report.meters;
      const place = found?.place;
      expect([found?.driver, place?.kind === "serial" ? formatText(place.format) : ""]).toEqual([
        meter.driver,
        meter.heard,
      ]);
      expect(found?.encrypted).toBe(meter.encrypted);
      expect(found?.identity === undefined).toBe(meter.encrypted);
      if (found?.identity !== undefined)
        expect(found.identity.serial.replaceAll(" ", "")).toMatch(meter.serial);
      expect([found?.needs, found?.unfit]).toEqual([undefined, undefined]);
    },
  );

  /** What comes on a wire before a meter is plugged in well; another one each time. */
  it.concurrent.each(SIMULATED.slice(0, 4).map((meter) => [meter.name, meter] as const))(
    "is found behind noise: %s",
    async (_, meter) => {
      const noise = Uint8Array.from({ length: 200 }, (_, at) => (at * 89 + (at % 13) * 7) % 256);
      const { report } = await scanOne(meter, noise);
      expect(report.meters.map(({ driver }) => driver)).toEqual([meter.driver]);
    },
  );
});

describe("the time of a line", () => {
  const terms = usualTerms(new AbortController().signal);
  const plan = (changes: Partial<DiscoveryTerms>) => {
    const { lineMs, noticingMs } = planDiscovery({ lines: [LINE], groups: [] }, { ...terms, ...changes });
    return [Math.round(lineMs / 1000), noticingMs / 1000];
  };

  it("is told before: so long to hear that nobody speaks, so long until all is done", () => {
    const { speakers } = terms.meters;
    expect(Math.max(...speakers.map(({ periodMs }) => periodMs))).toBe(10_000);
    // 10 s and a margin; five stops with a telegram's time each, and a period for the name of whom is found.
    expect(plan({})).toEqual([76, 10.8]);
    // All stops, then the sweep of all settings and those who answer slowly.
    const { stops } = planDiscovery({ lines: [LINE], groups: [] }, { ...terms, thorough: true });
    const askedMs = sweepMs(stops, terms.serial.probeMs) + askingMs(terms.meters.askers);
    expect(plan({ thorough: true })).toEqual([Math.round(45 + askedMs / 1000), 45]);
  });
});
