import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { AgentClock, type ClockSource } from "../agent/clock/clock.ts";
import type { DeviceConfig } from "../agent/config/config.ts";
import { Intake } from "../agent/intake.ts";
import { openLog } from "../agent/journal/open-log.ts";
import { Sealer } from "../agent/sealing/sealer.ts";
import { nativeSigner } from "../attest/native.ts";
import type { MeterReading } from "../attest/reading.ts";
import type { ChannelDescription } from "../drivers/driver.ts";
import { SimulatedHome } from "../drivers/simulated/home.ts";
import { openLogger } from "../runtime/log.ts";
import type { Sealed } from "./agent-sealing.ts";

/**
 * `node agent-sealing-process.ts DEVICES SECONDS tick|reading` seals the readings of so many simulated meters at 1 Hz as the
 * agent does, in no time: its clocks are simulated, too. Commits every 10 s, or behind every reading. Prints {@link Sealed}
 * as JSON. With `--expose-gc`, the heap's growth is measured behind a full collection of garbage.
 */
const TICK_S = 10;
const CHECKPOINT_S = 60;
const WARM_UP_S = 120;
const DAY_MS = 86_400_000;
const IDENTITY = { make: "Acme Metering", model: "AM-3 direct", serial: "4711", firmware: "2.1.4" };
const GRID: ChannelDescription = {
  ...{ name: "grid", role: "grid", quantities: ["import", "export", "power"], resolutionMwh: 1 },
};

/** A gateway that knows the time and whose time passes when it is told to. */
class SimulatedTime implements ClockSource {
  #ms = 0;
  wallMs = (): number => Date.UTC(2026, 10, 2, 12) + this.#ms;
  monotonicMs = (): number => this.#ms;
  sinceBootMs = (): number => this.#ms;
  synchronised = (): boolean => true;
  advance(ms: number): void {
    this.#ms += ms;
  }
}

const [devices = 1, seconds = 60] = process.argv.slice(2).map(Number);
const commitsEach = process.argv[4] === "reading";
const time = new SimulatedTime();
// The quality gate holds readings against how much time has passed.
performance.now = time.monotonicMs;
const readings = Array.from({ length: devices }, (_, at) => readingsOf(at, WARM_UP_S + seconds));

const folder = mkdtempSync(join(tmpdir(), "kilowitness-agent-"));
const journal = join(folder, "journal.sqlite");
const signer = nativeSigner(new Uint8Array(32).fill(5));
const log = openLog({ path: journal, network: "bench", deviceKey: signer.publicKey, nowMs: time.wallMs() });
const sealer = openSealer();
let accepted = 0;
let walBytes = 0;
const intake = new Intake(
  { sealer: () => sealer, accepted: () => void accepted++, logger: openLogger("bench", "error") },
  readings.map((_, at) => deviceConfig(at)),
);
for (const [at] of readings.entries()) intake.identified(`meter-${at}`, IDENTITY, [GRID]);

for (let second = 0; second < WARM_UP_S; second++) await live(second);
const half = WARM_UP_S + Math.floor(seconds / 2);
const before = { accepted, io: writtenSoFar(), cpu: process.cpuUsage() };
for (let second = WARM_UP_S; second < half; second++) await live(second);
const halfHeapBytes = heapBytes();
for (let second = half; second < WARM_UP_S + seconds; second++) await live(second);
const { user, system } = process.cpuUsage(before.cpu);
const written = difference(before.io, writtenSoFar());
log.journal.close();
const sealed: Sealed = {
  readings: accepted - before.accepted,
  cpuMs: (user + system) / 1000,
  walBytes,
  heapGrowthBytes: heapBytes() - halfHeapBytes,
  databaseBytes: Math.round((statSync(journal).size * seconds) / (WARM_UP_S + seconds)),
  ...written,
};
rmSync(folder, { recursive: true });
if (sealed.readings !== devices * seconds) throw new Error(`${sealed.readings} readings were accepted`);
process.stdout.write(`${JSON.stringify(sealed)}\n`);

/** One second of the agent: a reading of each meter, and what its timers do. */
async function live(second: number): Promise<void> {
  time.advance(1000);
  for (const [at, list] of readings.entries()) {
    const reading = list[second];
    if (reading !== undefined)
      intake.take(`meter-${at}`, { readings: [reading], flexibility: [], absent: [] });
    if (commitsEach) sealer.commit();
  }
  if ((second + 1) % TICK_S === 0) {
    sealer.closeOverdue();
    sealer.commit();
    walBytes = Math.max(walBytes, statSync(`${journal}-wal`).size);
  }
  if ((second + 1) % CHECKPOINT_S === 0 || sealer.closedSinceCheckpoint) await sealer.checkpoint();
}

function openSealer(): Sealer {
  const opened = new Sealer({
    ...{ journal: log.journal, clock: new AgentClock(time), signer, saltKey: new Uint8Array(32).fill(6) },
    ...{ rules: log.rules, openBlock: log.openBlock, bootCount: 1 },
  });
  opened.open({
    ...{ network: "bench", epoch: 1, deviceKey: signer.publicKey, agentVersion: "bench" },
    ...{ assuranceTier: 0, bootCount: 1, intervalMs: 900_000 },
  });
  return opened;
}

function deviceConfig(at: number): DeviceConfig {
  const open = (): never => {
    throw new Error("its readings are handed over");
  };
  const definition = { name: "sunspec", summary: "", schema: z.strictObject({}), open };
  return { id: `meter-${at}`, definition, options: {}, intervalMs: 1000, channels: {} };
}

/** What the grid meter of a home shows second by second; no two homes have the same time of day. */
function readingsOf(at: number, count: number): readonly MeterReading[] {
  const home = new SimulatedHome({ startMs: 0, dayMs: (at * DAY_MS) / 10, daySpeed: 1 });
  return Array.from({ length: count }, (_, second) => {
    home.advanceTo(1000 * (second + 1));
    const { registers, powers } = home;
    return {
      channel: GRID.name,
      importMwh: registers.gridImportLowMwh + registers.gridImportNormalMwh,
      exportMwh: registers.gridExportLowMwh + registers.gridExportNormalMwh,
      activePowerMw: powers.gridMw,
      evidence: new Uint8Array(createHash("sha256").update(`${at} ${second}`).digest()),
    };
  });
}

/** What is alive, where garbage can be collected. */
function heapBytes(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

type Written = Pick<Sealed, "blockBytes" | "callBytes">;

/** Linux alone counts what a process has written (proc_pid_io(5)). */
function writtenSoFar(): Written {
  if (!existsSync("/proc/self/io")) return {};
  const text = readFileSync("/proc/self/io", "utf8");
  const count = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1]);
  return { blockBytes: count("write_bytes"), callBytes: count("wchar") };
}

function difference(from: Written, to: Written): Written {
  if (to.blockBytes === undefined || to.callBytes === undefined) return {};
  return {
    blockBytes: to.blockBytes - (from.blockBytes ?? 0),
    callBytes: to.callBytes - (from.callBytes ?? 0),
  };
}
