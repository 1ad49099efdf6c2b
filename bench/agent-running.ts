import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { Journal } from "../agent/journal/journal.ts";
import { decodeLeaf } from "../attest/leaf-codec.ts";
import { buildProgram, SOURCE_LAUNCHER } from "./agent-built.ts";
import type { DeviceEntry } from "./agent-devices.ts";
import { figure, median, type Result } from "./measure.ts";

const DEVICES = fileURLToPath(new URL("agent-devices.ts", import.meta.url));
const STARTS = 5;
const POLL_MS = 5;
const PATIENCE_MS = 30_000;
const MANY = 10;
const SETTLE_S = 10;
const MINUTE_S = 60;
/** Of the times in /proc/PID/stat, on all of Linux (proc_pid_stat(5), USER_HZ). */
const TICKS_PER_S = 100;

/**
 * The real agent, compiled as it ships and started as its command is: how long until the first reading is durable, of a
 * device that answers; and with ten devices at 1 Hz its memory as ps(1) shows it, its part of a core, and that it sealed
 * them all. The latter from sources, too.
 */
export async function runningBench(): Promise<readonly Result[]> {
  const { launcher, remove } = await buildProgram();
  try {
    const built = await tenDevices({ launcher, of: `${MANY} devices at 1 Hz` });
    const sources = await tenDevices({
      launcher: SOURCE_LAUNCHER,
      of: `${MANY} devices at 1 Hz, from sources`,
    });
    return [await firstReading(launcher), ...built, ...sources];
  } finally {
    remove();
  }
}

async function firstReading(launcher: string): Promise<Result> {
  const site = await openSite(1);
  const tookMs: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const beginMs = performance.now();
    await whileRunning({ launcher, site }, async (agent) => {
      await agent.sealed(1);
      tookMs.push(performance.now() - beginMs);
    });
  }
  await site.close();
  return figure("agent", { name: "start to first sealed reading", unit: "ms" }, [median(tookMs)]);
}

/** What the agent has sealed and used up to an instant. */
interface Mark {
  readonly ms: number;
  readonly readings: number;
  readonly usage: AgentUsage | undefined;
}

/** Which program, and what its figures are called. */
interface Program {
  readonly launcher: string;
  readonly of: string;
}

async function tenDevices({ launcher, of }: Program): Promise<readonly Result[]> {
  const site = await openSite(MANY);
  const [before, after] = await whileRunning({ launcher, site }, async (agent) => {
    const mark = (): Mark => ({ ms: performance.now(), readings: agent.readings(), usage: agent.usage() });
    await agent.sealed(MANY);
    await sleep(1000 * SETTLE_S);
    const begin = mark();
    await sleep(1000 * MINUTE_S);
    return [begin, mark()] as const;
  });
  await site.close();
  return minuteOf(of, before, after);
}

function minuteOf(of: string, before: Mark, after: Mark): readonly Result[] {
  const wallMs = after.ms - before.ms;
  const readings = [after.readings - before.readings, (MANY * wallMs) / 1000] as const;
  const sealed = figure("agent", { name: `${of}: sealed in a minute`, unit: "readings" }, readings);
  if (before.usage === undefined || after.usage === undefined) return [sealed];
  const share = (after.usage.cpuMs - before.usage.cpuMs) / wallMs;
  return [
    sealed,
    figure("agent", { name: `${of}: resident`, unit: "bytes" }, [after.usage.residentBytes]),
    figure("agent", { name: `${of}: of one core`, unit: "%" }, [100 * share]),
  ];
}

interface Site {
  readonly devices: readonly DeviceEntry[];
  close(): Promise<void>;
}

async function openSite(count: number): Promise<Site> {
  const child = spawn(process.execPath, [DEVICES, String(count)], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = await once(child.stdout, "data");
  return {
    // The process prints this first.
    devices: JSON.parse(String(line)) as DeviceEntry[],
    close: async () => {
      child.stdin.end();
      await once(child, "exit");
    },
  };
}

/** What the process has used: all of its threads, and its resident set now. */
interface AgentUsage {
  readonly cpuMs: number;
  readonly residentBytes: number;
}

interface RunningAgent {
  /** Resolves when so many readings are durable. */
  sealed(count: number): Promise<void>;
  /** Durable readings. */
  readings(): number;
  /** Undefined where the system does not say. */
  usage(): AgentUsage | undefined;
}

/** Starts the agent, and stops it again however `use` ends. */
async function whileRunning<T>(
  { launcher, site }: { readonly launcher: string; readonly site: Site },
  use: (agent: RunningAgent) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "kilowitness-agent-"));
  const journal = join(folder, "journal.sqlite");
  const config = join(folder, "agent.yaml");
  const files = { network: "bench", key: join(folder, "device.key"), journal };
  writeFileSync(config, stringify({ ...files, logLevel: "error", devices: site.devices }));
  const child = spawn(process.execPath, [launcher, "agent", "--config", config], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    return await use({
      sealed: (count) => waitFor(count, journal),
      readings: () => readingsIn(journal),
      usage: () => usageOf(child),
    });
  } finally {
    child.kill("SIGTERM");
    await once(child, "exit");
    rmSync(folder, { recursive: true });
  }
}

async function waitFor(count: number, journal: string): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (readingsIn(journal) < count) {
    if (performance.now() > endMs) throw new Error(`no ${count} readings in ${PATIENCE_MS} ms`);
    await sleep(POLL_MS);
  }
}

/** As another program sees them, who can see only what is committed. */
function readingsIn(path: string): number {
  if (!existsSync(path)) return 0;
  let journal: Journal | undefined;
  try {
    journal = new Journal(path, "reader");
    const leaves = journal.leaves(1, 0, journal.size(1));
    return leaves.filter((bytes) => decodeLeaf(bytes).kind === "reading").length;
  } catch {
    return 0; // it is just being made
  } finally {
    journal?.close();
  }
}

function usageOf({ pid }: ChildProcess): AgentUsage | undefined {
  if (!existsSync(`/proc/${pid}/stat`)) return undefined;
  // Behind the name in brackets; utime and stime are the fields 14 and 15 of all.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  const ticks = Number(fields[11]) + Number(fields[12]);
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return { cpuMs: (1000 * ticks) / TICKS_PER_S, residentBytes: 1024 * Number(resident) };
}
