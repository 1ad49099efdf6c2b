import type { ChannelDescription } from "../../../drivers/driver.ts";
import { Skipped } from "../../../drivers/kit/checklist.ts";
import { wentOn } from "./registers.ts";
import { distinct, pairs, type Seen } from "./seen.ts";

/** What one channel showed at one instant. */
interface Point {
  readonly atMs: number;
  readonly powerMw: number;
  readonly importMwh: number | undefined;
  readonly exportMwh: number | undefined;
  readonly phases: number;
}

/** Energy in mWh, by what power was at both ends of each interval: at least and at most. */
interface Flow {
  readonly least: number;
  readonly most: number;
}

interface Compared {
  /** What is wrong. */
  readonly fault?: string;
  /** Enough flowed that a register that stands still would have shown. */
  readonly told: boolean;
}

const MWMS_PER_MWH = 3_600_000;
const MS_PER_S = 1000;
/** Power is sampled, and registers may come from another part of the chip. */
const OFF_PERCENT = 10;
/** Registers may be written down that much later than power. */
const MOST_LATE_MS = 1_000;

/** What would explain it, by what power has to be multiplied with. */
const EXPLANATIONS: readonly (readonly [factor: number, words: string])[] = [
  [-1, "with its sign turned it would fit: + is into the metered boundary"],
  [1000, "a thousand times of it would fit: is p in mW?"],
  [1 / 1000, "a thousandth of it would fit: are the registers in mWh?"],
];

/** Whether a channel shows power and counts it. */
export function countsPower({ quantities }: ChannelDescription): boolean {
  return quantities.includes("power") && (quantities.includes("import") || quantities.includes("export"));
}

/**
 * What is wrong with the registers of a channel against its power, over all that was seen. Phases may be counted each for
 * itself: then both registers go on by more than the sum of power says, and alike.
 *
 * @throws Skipped where too little flowed
 */
export function energyFault(channel: ChannelDescription, seen: readonly Seen[]): string | undefined {
  const points = pointsOf(channel, seen);
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || first === last)
    throw new Skipped("not seen: fewer than two snapshots show power");
  const { fault, told } = compare(channel, points);
  const seconds = Math.round((last.atMs - first.atMs) / MS_PER_S);
  if (fault !== undefined) return `in ${seconds} s ${fault}${explanation(channel, points)}`;
  if (!told) throw new Skipped(tooLittle(channel, { points, seconds }));
  return undefined;
}

function pointsOf({ name }: ChannelDescription, seen: readonly Seen[]): readonly Point[] {
  const own = seen.filter(({ snapshot }) => snapshot.boot === seen[0]?.snapshot.boot);
  return distinct(own).flatMap(({ snapshot }) =>
    snapshot.channels.flatMap(({ reading }) => {
      const { channel, activePowerMw, importMwh, exportMwh, voltageMv = [] } = reading;
      if (channel !== name || activePowerMw === undefined) return [];
      return [
        {
          ...{ atMs: snapshot.atMs, powerMw: activePowerMw, importMwh, exportMwh },
          phases: voltageMv.length,
        },
      ];
    }),
  );
}

function explanation(channel: ChannelDescription, points: readonly Point[]): string {
  const found = EXPLANATIONS.find(([factor]) => {
    const { fault, told } = compare(
      channel,
      points.map((point) => ({ ...point, powerMw: point.powerMw * factor })),
    );
    return fault === undefined && told;
  });
  return found === undefined ? "" : `; ${found[1]}`;
}

function tooLittle(
  { resolutionMwh = 1 }: ChannelDescription,
  { points, seconds }: { readonly points: readonly Point[]; readonly seconds: number },
): string {
  const most = Math.ceil(Math.max(flow(points, importOf).most, flow(points, exportOf).most));
  return `too little flowed to tell: at most ${most} mWh in ${seconds} s, and the step is ${resolutionMwh} mWh; watch for longer, or with a larger load`;
}

const importOf = (powerMw: number): number => Math.max(0, powerMw);
const exportOf = (powerMw: number): number => Math.max(0, -powerMw);
const netOf = (powerMw: number): number => powerMw;

/** How much of `part` of the power flowed. */
function flow(points: readonly Point[], part: (powerMw: number) => number): Flow {
  let [least, most] = [0, 0];
  for (const [before, now] of pairs(points)) {
    const ends = [part(before.powerMw), part(now.powerMw)];
    const ms = Math.max(0, now.atMs - before.atMs);
    least += (Math.min(...ends) * ms) / MWMS_PER_MWH;
    most += (Math.max(...ends) * ms) / MWMS_PER_MWH;
  }
  return { least, most };
}

function compare(channel: ChannelDescription, points: readonly Point[]): Compared {
  const counted = {
    in: countedBy(channel, points, ({ importMwh }) => importMwh),
    out: countedBy(channel, points, ({ exportMwh }) => exportMwh),
  };
  const { resolutionMwh = 1 } = channel;
  const highestMw = points.reduce((most, { powerMw }) => Math.max(most, Math.abs(powerMw)), 0);
  const slack = resolutionMwh + (highestMw * MOST_LATE_MS) / MWMS_PER_MWH;
  const [into, out] = [widened(flow(points, importOf), slack), widened(flow(points, exportOf), slack)];
  const net = widened(flow(points, netOf), slack + resolutionMwh);
  const single = points.every(({ phases }) => phases <= 1);
  const fault =
    outside("the import register", counted.in, single ? into : { ...into, most: Infinity }) ??
    outside("the export register", counted.out, single ? out : { ...out, most: Infinity }) ??
    (counted.in === undefined || counted.out === undefined
      ? undefined
      : outside("import less export", counted.in - counted.out, net));
  const told = (counted.in !== undefined && into.least > 0) || (counted.out !== undefined && out.least > 0);
  return fault === undefined ? { told } : { fault, told };
}

/** What is left where the sampling of power is off by as much as it may be. */
function widened({ least, most }: Flow, slack: number): Flow {
  const off = (Math.max(Math.abs(least), Math.abs(most)) * OFF_PERCENT) / 100 + slack;
  return { least: least - off, most: most + off };
}

/** By how much a register went on; undefined where it is not shown throughout. */
function countedBy(
  channel: ChannelDescription,
  points: readonly Point[],
  register: (point: Point) => number | undefined,
): number | undefined {
  const values = points.map(register);
  if (values.includes(undefined)) return undefined;
  const shown = values.filter((value) => value !== undefined);
  return pairs(shown).reduce((sum, [before, now]) => sum + wentOn(channel, before, now), 0);
}

function outside(what: string, counted: number | undefined, { least, most }: Flow): string | undefined {
  if (counted === undefined || (counted >= least && counted <= most)) return undefined;
  const bound = counted < least ? `at least ${Math.ceil(least)}` : `at most ${Math.floor(most)}`;
  return `${what} went on by ${counted} mWh, and power says ${bound}`;
}
