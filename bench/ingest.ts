import type { Flags } from "./flags.ts";
import { ingestStoreBench } from "./ingest-store.ts";
import type { BaselineAnswers } from "./load/baseline-process.ts";
import { coreFromEnd, LoadProcess } from "./load/process.ts";
import { type Round, Trial } from "./load/trial.ts";
import { figure, median, type Result } from "./measure.ts";

const DEVICES = 100;
const ROUNDS = 5;
/** Rounds until the node's code is compiled. */
const WARM_UP = 4;
/** Batches of each device in one round, by readings a batch: one reading in 5 s and a checkpoint a minute; and fewer of them. */
const BATCHES_PER_ROUND = [
  [12, 20],
  [64, 10],
] as const;
/** Of the devices of one node, at a batch of 12 readings each a minute. */
const FLEETS = [100, 1000];
const LONG_FLEETS = [10_000];
const FLEET_READINGS = 12;
/** Batches of all devices together, half of them to warm up; and of each at least. */
const FLEET_BATCHES = 6000;
const LEAST_BATCHES = 2;

/**
 * What one core takes in: a node in a process of its own, devices that sign and stream from another one over WebSockets,
 * every leaf verified, stored with `synchronous=FULL` and receipted. `readings/cpu-s` are readings a second of the CPU
 * time of the node's process, held against verification alone on the same core in turns, and as `ingest-receipt` against
 * verification and the signing of receipts alone; `readings/s` are those of the clock on the wall, held against the former.
 * Then what a device costs, and what storing costs.
 */
export async function ingestBench(flags: Flags): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const [readings, batches] of BATCHES_PER_ROUND)
    results.push(...(await throughput({ readings, batches }, flags)));
  for (const devices of flags.long ? [...FLEETS, ...LONG_FLEETS] : FLEETS)
    results.push(...(await fleetCosts(devices)));
  return [...results, ...(await ingestStoreBench())];
}

interface Load {
  readonly readings: number;
  readonly batches: number;
}

async function throughput(load: Load, { profileFolder }: Flags): Promise<readonly Result[]> {
  const { readings, batches } = load;
  const baseline = new LoadProcess<BaselineAnswers>("./baseline-process.ts", coreFromEnd(0));
  const plan = { devices: DEVICES, batches: batches * (WARM_UP + ROUNDS), readingsPerBatch: readings };
  const trial = await Trial.start({ plan, ...(profileFolder === undefined ? {} : { profileFolder }) });
  await trial.connect();
  for (let i = 0; i < WARM_UP; i++) await trial.round(batches);
  await baseline.ask("receipted", readings);
  const rounds: Turn[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const round = await trial.round(batches);
    const verified = await baseline.ask("verified", readings);
    rounds.push({ round, verified, receipted: await baseline.ask("receipted", readings) });
  }
  await trial.end();
  await baseline.end();
  return figures(load, rounds);
}

/** A round of the node, and what it is held against, measured just behind it. */
interface Turn {
  readonly round: Round;
  readonly verified: number;
  readonly receipted: number;
}

function figures({ readings }: Load, turns: readonly Turn[]): readonly Result[] {
  const name = `${readings} readings a checkpoint`;
  const cpu = { name, unit: "readings/cpu-s" };
  const wall = { name: `${name}, wall clock`, unit: "readings/s" };
  const against = (value: (turn: Turn) => number, baseline: (turn: Turn) => number): Pairs =>
    turns.map((turn) => [value(turn), baseline(turn)]);
  const ofCpu = ({ round }: Turn): number => perSecond(round.readings, round.cpuMs);
  const ofWall = ({ round }: Turn): number => perSecond(round.readings, round.wallMs);
  return [
    compared(
      "ingest",
      cpu,
      against(ofCpu, ({ verified }) => verified),
    ),
    compared(
      "ingest-receipt",
      cpu,
      against(ofCpu, ({ receipted }) => receipted),
    ),
    compared("ingest", wall, against(ofWall, ofCpu)),
  ];
}

/** The node and the devices that stay connected to it: memory, the handshake, and a batch of each. */
async function fleetCosts(devices: number): Promise<readonly Result[]> {
  const batches = Math.max(LEAST_BATCHES, Math.ceil(FLEET_BATCHES / devices));
  const plan = { devices, batches, readingsPerBatch: FLEET_READINGS };
  const trial = await Trial.start({ plan });
  const { before, connected } = await trial.connect();
  const warmUp = Math.floor(batches / 2);
  await trial.round(warmUp);
  const { cpuMs, batches: measured } = await trial.round(batches - warmUp);
  const loaded = await trial.usage();
  await trial.end();
  const of = `${devices} devices`;
  const greetingMs = connected.cpuMs - before.cpuMs;
  return [
    figure("ingest", { name: `${of}, to connect`, unit: "cpu-us/device" }, [(1000 * greetingMs) / devices]),
    figure("ingest", { name: `${of}, a batch of ${FLEET_READINGS}`, unit: "cpu-us/device" }, [
      (1000 * cpuMs) / measured,
    ]),
    figure("ingest", { name: `${of}, resident when connected`, unit: "bytes/device" }, [
      (connected.residentBytes - before.residentBytes) / devices,
    ]),
    figure("ingest", { name: `${of}, resident in all when each has sent`, unit: "bytes" }, [
      loaded.residentBytes,
    ]),
  ];
}

type Pairs = readonly (readonly [value: number, baseline: number])[];

/** Medians over the rounds; the ratio is the median of the rounds' ratios. */
function compared(
  bench: string,
  { name, unit }: { readonly name: string; readonly unit: string },
  pairs: Pairs,
): Result {
  return {
    ...{ bench, case: name, value: median(pairs.map(([value]) => value)), unit },
    baseline: median(pairs.map(([, baseline]) => baseline)),
    ratio: median(pairs.map(([value, baseline]) => value / baseline)),
  };
}

function perSecond(count: number, ms: number): number {
  return (1000 * count) / ms;
}
