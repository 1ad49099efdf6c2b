import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AgentClock, type ClockSource } from "../../agent/clock/clock.ts";
import { lastReceipted } from "../../agent/journal/last-receipted.ts";
import { type OpenedLog, openLog } from "../../agent/journal/open-log.ts";
import type { ChannelSource } from "../../agent/sealing/leaves.ts";
import { Sealer } from "../../agent/sealing/sealer.ts";
import { nativeSigner } from "../../attest/native.ts";
import { describeProblem } from "../../attest/problem.ts";
import type { MeterReading } from "../../attest/reading.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import type { Logger } from "../../runtime/log.ts";

export const NETWORK = "test";
export const INTERVAL_MS = 60_000;
/** Half a minute into an interval of 2026, UTC. */
export const START_MS: number = Date.UTC(2026, 10, 1, 12, 0, 30);
export const deviceSigner: LocalSigner = nativeSigner(new Uint8Array(32).fill(7));

/** A clock that moves when it is told to. */
export class FakeTime implements ClockSource {
  wall: number = START_MS;
  monotonic = 1000;
  boot = 5000;
  ntp = true;
  wallMs(): number {
    return this.wall;
  }
  monotonicMs(): number {
    return this.monotonic;
  }
  sinceBootMs(): number {
    return this.boot;
  }
  synchronised(): boolean {
    return this.ntp;
  }
  advance(ms: number): void {
    this.wall += ms;
    this.monotonic += ms;
    this.boot += ms;
  }
}

/** One line of a {@link recordingLogger}. */
export interface Line {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** A logger that keeps its lines. */
export function recordingLogger(): { readonly logger: Logger; readonly lines: Line[] } {
  const lines: Line[] = [];
  const say = (event: string, fields: object = {}): void => {
    lines.push({ event, ...fields });
  };
  const logger: Logger = {
    info: say,
    warn: say,
    error: say,
    problem: (event, thrown, fields) => say(event, { ...describeProblem(thrown), ...fields }),
  };
  return { logger, lines };
}

/** A folder of its own, and how to be rid of it. */
export function temporaryFolder(): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "kw-agent-"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** An opened journal with the sealer that writes it, as the agent puts them together. */
export interface Bench {
  readonly log: OpenedLog;
  readonly sealer: Sealer;
  readonly time: FakeTime;
}

export interface BenchOptions {
  readonly time?: FakeTime;
  readonly signer?: LocalSigner;
  readonly network?: string;
}

export function openBench(path: string, options: BenchOptions = {}): Bench {
  const { time = new FakeTime(), signer = deviceSigner, network = NETWORK } = options;
  const log = openLog({ path, network, deviceKey: signer.publicKey, nowMs: 1 });
  const sealer = new Sealer({
    ...{ journal: log.journal, clock: new AgentClock(time), signer, saltKey: new Uint8Array(32) },
    ...{ rules: log.rules, openBlock: log.openBlock, bootCount: 1 },
  });
  if (sealer.rules.size > 0) sealer.reconcileClock();
  else {
    const { epoch } = log.identity;
    const manifest = { network, epoch, deviceKey: signer.publicKey, agentVersion: "t" };
    sealer.open(
      { ...manifest, assuranceTier: 0, bootCount: 1, intervalMs: INTERVAL_MS },
      log.reason === undefined
        ? undefined
        : { reason: log.reason, ...lastReceipted(log.journal, log.identity) },
    );
  }
  return { log, sealer, time };
}

/** What the meter "meter/grid" is. */
export function meterSource(serial = "A1"): ChannelSource {
  return {
    driver: "test",
    samplingMs: 5000,
    identity: { make: "Make", model: "Model", serial, firmware: "" },
    description: {
      ...{ name: "grid", role: "grid", resolutionMwh: 1000 },
      quantities: ["import", "export", "power"],
    },
    settings: { name: "meter/grid" },
  };
}

export function meterReading(importMwh: number): MeterReading {
  return {
    ...{ channel: "grid", importMwh, exportMwh: 5000, activePowerMw: 1_000_000 },
    evidence: new Uint8Array(32).fill(1),
  };
}

/** Seals `count` readings 5 s apart, the first 5 s from now. */
export function sealReadings({ sealer, time }: Bench, count: number): void {
  const channel = sealer.channel(meterSource());
  const last = sealer.rules.channels.get(channel)?.last?.importMwh ?? 1_000_000;
  for (let i = 1; i <= count; i++) {
    time.advance(5000);
    sealer.sealReading(channel, meterReading(last + i * 1000));
  }
}
