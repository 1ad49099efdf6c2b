import { join } from "node:path";
import { vi } from "vitest";
import { z } from "zod";
import type { ClockSource } from "../../../agent/clock/clock.ts";
import { Intake } from "../../../agent/intake.ts";
import { startSampling } from "../../../agent/sampling/sampler.ts";
import type { DISCONTINUITY, Leaf } from "../../../attest/leaf.ts";
import { decodeLeaf } from "../../../attest/leaf-codec.ts";
import type { DriverDefinition } from "../../../drivers/driver.ts";
import type { ShownByMeter } from "../../../drivers/simulated/speaking.ts";
import { ListeningMeter } from "../../../drivers/telegram/listening-meter.ts";
import type { TelegramProtocol } from "../../../drivers/telegram/protocol.ts";
import { FakeTime, type Line, openBench, recordingLogger, temporaryFolder } from "../../agent/kit.ts";
import { GivenLine } from "./given-line.ts";

const HOUR_MS = 3_600_000;
const MWMS_PER_MWH = 3_600_000;
/** What flows in each quarter of an hour, W: day and night, both directions, and nothing. */
const POWERS_W = [1_200, -800, 300, 0, 2_500, 60, -2_400, 950];
const QUARTER_MS = 900_000;

/** What a meter shows so long after the start: each direction of the power, counted without end. */
export function shownAt(sinceMs: number, startMs: number): ShownByMeter {
  let [importMwMs, exportMwMs] = [0, 0];
  const quarter = Math.floor(sinceMs / QUARTER_MS);
  for (let at = 0; at <= quarter; at += 1) {
    const flowed = powerMw(at) * Math.min(QUARTER_MS, sinceMs - at * QUARTER_MS);
    if (flowed > 0) importMwMs += flowed;
    else exportMwMs -= flowed;
  }
  const activePowerMw = powerMw(quarter);
  const amperes = Math.round(Math.abs(activePowerMw) / 3 / 230);
  return {
    serial: "30471106",
    importT1Mwh: 1_234_567_800 + Math.floor(importMwMs / MWMS_PER_MWH),
    importT2Mwh: 2_000_000_000,
    exportT1Mwh: 5_600_000 + Math.floor(exportMwMs / MWMS_PER_MWH),
    exportT2Mwh: 0,
    activePowerMw,
    timeMs: startMs + sinceMs,
    // Fine digits of a line never stand still.
    voltageMv: [0, 1, 2].map((phase) => 230_000 + 100 * ((quarter * 7 + sinceMs / 1_000 + phase) % 20)),
    currentMa: [amperes, amperes, amperes],
    frequencyMhz: 49_980 + 10 * ((sinceMs / 1_000) % 5),
  };
}

function powerMw(quarter: number): number {
  return (POWERS_W[quarter % POWERS_W.length] ?? 0) * 1_000;
}

/** The clocks of a machine whose timers are told to go on. */
class ToldTime extends FakeTime implements ClockSource {
  override wallMs(): number {
    return Date.now();
  }
  override monotonicMs(): number {
    return performance.now();
  }
  override sinceBootMs(): number {
    return performance.now() + 5_000;
  }
}

export interface Hours {
  readonly createProtocol: () => TelegramProtocol;
  /** What arrives so long after the start. */
  readonly said: (sinceMs: number, startMs: number) => readonly Uint8Array[];
  readonly hours: number;
  readonly periodMs?: number;
  readonly startMs?: number;
}

export type Reading = Extract<Leaf, { kind: "reading" }>;

/** What an agent sealed of a meter. */
export interface Sealed {
  readonly leaves: readonly Leaf[];
  readonly readings: readonly Reading[];
  readonly breaks: readonly (typeof DISCONTINUITY)[keyof typeof DISCONTINUITY][];
  readonly serials: readonly string[];
  readonly lines: readonly Line[];
}

/** The real way from a line's bytes to leaves, driver, sampling, gate and sealer, for simulated hours. */
export async function sealHours({
  createProtocol,
  said,
  hours,
  periodMs = 10_000,
  startMs = Date.UTC(2026, 5, 15, 12, 0, 30),
}: Hours): Promise<Sealed> {
  vi.useFakeTimers({ now: startMs });
  const { folder, remove } = temporaryFolder();
  const bench = openBench(join(folder, "journal.sqlite"), { time: new ToldTime() });
  try {
    const line = new GivenLine();
    const { logger, lines } = recordingLogger();
    const definition: DriverDefinition = {
      ...{ name: "told", summary: "", schema: z.strictObject({}) },
      open: () =>
        new ListeningMeter(
          createProtocol(),
          { silenceMs: 90_000, identifyTimeoutMs: 75_000 },
          { createLine: () => line, nowMs: Date.now },
        ),
    };
    const device = { id: "meter", definition, options: {}, intervalMs: periodMs, channels: {} };
    const sink = new Intake({ sealer: () => bench.sealer, accepted: () => undefined, logger }, [device]);
    const sampling = startSampling({ device, sink, logger, random: () => 0.5 });
    for (let sinceMs = 0; sinceMs < hours * HOUR_MS; sinceMs += periodMs) {
      await vi.advanceTimersByTimeAsync(periodMs);
      for (const bytes of said(sinceMs, startMs)) line.listener?.onBytes(bytes);
    }
    const stopped = sampling.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    await stopped;
    bench.sealer.commit();
    const leaves = bench.log.journal.leaves(1, 0, bench.log.journal.size(1)).map(decodeLeaf);
    return {
      ...{ leaves, lines },
      readings: leaves.filter((leaf): leaf is Reading => leaf.kind === "reading"),
      breaks: leaves.flatMap((leaf) =>
        leaf.kind === "discontinuity" ? [leaf.classification as Sealed["breaks"][number]] : [],
      ),
      serials: leaves.flatMap((leaf) => (leaf.kind === "channelManifest" ? [leaf.serial] : [])),
    };
  } finally {
    bench.log.journal.close();
    remove();
    vi.useRealTimers();
  }
}
