import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { figure, median, type Result } from "./measure.ts";

const PROCESS = fileURLToPath(new URL("agent-sealing-process.ts", import.meta.url));

/** What `agent-sealing-process.ts` prints. */
export interface Sealed {
  readonly readings: number;
  readonly cpuMs: number;
  /** The journal when it is closed, as far as these readings are in it. */
  readonly databaseBytes: number;
  /** The most that its write-ahead log took beside it. */
  readonly walBytes: number;
  /** From half of the run to its end; what is alive only where the process has `--expose-gc`. */
  readonly heapGrowthBytes: number;
  /** Handed to the disk (`write_bytes`) and to the kernel (`wchar`), where the system counts them. */
  readonly blockBytes?: number;
  readonly callBytes?: number;
}

const ROUNDS = 3;
/** Seconds of each meter: an hour, and where every reading waits for the disk, two minutes. */
const SECONDS = 3600;
const SECONDS_EACH = 120;
/** Of the run that must not grow: four hours of ten meters. */
const SECONDS_LONG = 14_400;

/**
 * What sealing costs the agent: readings of simulated meters at 1 Hz through quality gate, sealer and journal, committed
 * every 10 s and signed every 60 s, held against one transaction for each reading.
 */
export async function sealingBench(): Promise<readonly Result[]> {
  return [...(await sealing(10)), ...(await sealing(1)), await growth(10)];
}

/** What is alive in the heap at the end of a long run and was not half-way. */
async function growth(devices: number): Promise<Result> {
  const { heapGrowthBytes } = await run({ devices, seconds: SECONDS_LONG, commits: "tick" }, ["--expose-gc"]);
  const readings = (devices * SECONDS_LONG) / 2;
  return figure("agent", { name: `heap grown over ${readings} readings`, unit: "bytes" }, [heapGrowthBytes]);
}

async function sealing(devices: number): Promise<readonly Result[]> {
  const rounds: { readonly ours: Sealed; readonly each: Sealed }[] = [];
  for (let i = 0; i < ROUNDS; i++)
    rounds.push({
      ours: await run({ devices, seconds: SECONDS, commits: "tick" }),
      each: await run({ devices, seconds: SECONDS_EACH, commits: "reading" }),
    });
  const of = `${devices} meter${devices === 1 ? "" : "s"} at 1 Hz`;
  const results = [
    compared({ name: `${of}: CPU`, unit: "cpu-s/million readings" }, rounds, (one) => one.cpuMs * 1000),
  ];
  const written = (name: string, bytes: (one: Sealed) => number | undefined): void => {
    if (rounds.every(({ ours }) => bytes(ours) !== undefined))
      results.push(
        compared({ name: `${of}: ${name}`, unit: "bytes/reading" }, rounds, (one) => bytes(one) ?? 0),
      );
  };
  written("to disk (write_bytes)", (one) => one.blockBytes);
  written("to the kernel (wchar)", (one) => one.callBytes);
  written("database, closed", (one) => one.databaseBytes);
  const walBytes = Math.max(...rounds.map(({ ours }) => ours.walBytes));
  return [
    ...results,
    figure("agent", { name: `${of}: write-ahead log, largest`, unit: "bytes" }, [walBytes]),
  ];
}

/** Medians of a sum, a reading, of both ways. */
function compared(
  what: { readonly name: string; readonly unit: string },
  rounds: readonly { readonly ours: Sealed; readonly each: Sealed }[],
  sum: (one: Sealed) => number,
): Result {
  const perReading = (one: Sealed): number => sum(one) / one.readings;
  return figure("agent", what, [
    median(rounds.map(({ ours }) => perReading(ours))),
    median(rounds.map(({ each }) => perReading(each))),
  ]);
}

interface Run {
  readonly devices: number;
  readonly seconds: number;
  readonly commits: "tick" | "reading";
}

async function run({ devices, seconds, commits }: Run, flags: readonly string[] = []): Promise<Sealed> {
  const args = [...flags, PROCESS, String(devices), String(seconds), commits];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  // The process was started from a file that prints just this.
  return JSON.parse(stdout) as Sealed;
}
