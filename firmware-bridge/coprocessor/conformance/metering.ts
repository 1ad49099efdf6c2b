import type { ChannelDescription } from "../../../drivers/driver.ts";
import { type Checklist, Skipped } from "../../../drivers/kit/checklist.ts";
import type { SmpConnection } from "../../smp/connection.ts";
import { breakBetween, requireWhole } from "../continuity.ts";
import { type CoprocessorDescription, describeCoprocessor } from "../describe.ts";
import { readSnapshot, type SnapshotChannel, type TakenSnapshot } from "../snapshot.ts";

/** A snapshot with the host's own time of it. */
interface Seen extends TakenSnapshot {
  readonly seenMs: number;
}

export interface MeteringSettings {
  readonly snapshots: number;
  readonly pauseMs: number;
}

const MS_PER_S = 1000;
/** What a quartz of a microcontroller may be wrong by, many times over, and how late an answer may come. */
const MOST_DRIFT_PPM = 20_000;
const MOST_LATE_MS = 500;

/** The checks of the commands `describe` and `read`. */
export async function checkMetering(
  connection: SmpConnection,
  list: Checklist,
  settings: MeteringSettings,
): Promise<CoprocessorDescription | undefined> {
  let described: CoprocessorDescription | undefined;
  await list.run("describe: who it is, and its channels", async () => {
    described = await describeCoprocessor(connection);
    return undefined;
  });
  const known = described;
  if (known === undefined) return undefined;
  await list.run("describe: says the same again", async () =>
    JSON.stringify(await describeCoprocessor(connection)) === JSON.stringify(known)
      ? undefined
      : "the second answer is another one",
  );
  const seen: Seen[] = [];
  const name = `read: ${settings.snapshots} snapshots`;
  const taken = await list.run(name, async () => {
    if (known.channels.length === 0) throw new Skipped("it describes no channel");
    for (let count = 0; count < settings.snapshots; count += 1) {
      if (count > 0) await pause(settings.pauseMs);
      seen.push({ ...(await readSnapshot(connection)), seenMs: performance.now() });
    }
    return undefined;
  });
  if (taken) await checkSnapshots(list, known, seen);
  return known;
}

async function checkSnapshots(
  list: Checklist,
  { identity, channels }: CoprocessorDescription,
  seen: readonly Seen[],
): Promise<void> {
  await list.run("read: the serial number is the described one", () => {
    const other = seen.find(({ snapshot }) => snapshot.serial !== identity.serial);
    return other === undefined ? undefined : `described ${identity.serial}, read ${other.snapshot.serial}`;
  });
  await list.run("read: channels and quantities are the described ones", () =>
    firstOf(seen, ({ snapshot }) => channelsFault(channels, snapshot.channels)),
  );
  await list.run("read: registers are whole steps, and never fall", () => registersFault(channels, seen));
  await list.run("read: start, counter and number never go back", () =>
    firstOf(pairs(seen), ([before, now]) => breakBetween(before.snapshot, now.snapshot)),
  );
  await list.run("read: one number, one content", () => {
    for (const [before, now] of pairs(seen)) requireWhole(before, now, "read");
    return undefined;
  });
  await list.run("read: its counter runs like a clock", () => clockFault(seen));
}

function channelsFault(
  described: readonly ChannelDescription[],
  shown: readonly SnapshotChannel[],
): string | undefined {
  const missing = described.find(({ name }) => shown.every(({ reading }) => reading.channel !== name));
  if (missing !== undefined) return `channel ${missing.name} is described and not in the snapshot`;
  return firstOf(shown, ({ role, reading }) => {
    const known = described.find(({ name }) => name === reading.channel);
    if (known === undefined) return `channel ${reading.channel} is in the snapshot and not described`;
    if (known.role !== role)
      return `channel ${known.name} is described as ${known.role} and shown as ${role}`;
    const has: Readonly<Record<string, unknown>> = {
      import: reading.importMwh,
      export: reading.exportMwh,
      power: reading.activePowerMw,
      stateOfCharge: reading.stateOfChargePpm,
    };
    const surplus = Object.keys(has).find(
      (quantity) => has[quantity] !== undefined && !known.quantities.some((one) => one === quantity),
    );
    return surplus === undefined ? undefined : `channel ${known.name} shows ${surplus}, which q does not say`;
  });
}

function registersFault(described: readonly ChannelDescription[], seen: readonly Seen[]): string | undefined {
  return firstOf(described, ({ name, resolutionMwh = 1 }) => {
    const readings = seen.flatMap(({ snapshot }) =>
      snapshot.channels.flatMap(({ reading }) => (reading.channel === name ? [reading] : [])),
    );
    return firstOf(["importMwh", "exportMwh"] as const, (key) => {
      const values = readings.flatMap((reading) => reading[key] ?? []);
      const uneven = values.find((value) => value % resolutionMwh !== 0);
      if (uneven !== undefined)
        return `channel ${name}: ${key} ${uneven} is no multiple of the step ${resolutionMwh}`;
      const fall = pairs(values).find(([before, now]) => now < before);
      return fall === undefined ? undefined : `channel ${name}: ${key} fell from ${fall[0]} to ${fall[1]}`;
    });
  });
}

function clockFault(seen: readonly Seen[]): string | undefined {
  const [first, last] = [seen[0], seen.at(-1)];
  if (first === undefined || last === undefined || last.seenMs - first.seenMs < MS_PER_S)
    throw new Skipped("less than a second was watched");
  const hostMs = last.seenMs - first.seenMs;
  const ownMs = last.snapshot.atMs - first.snapshot.atMs;
  const mostMs = (hostMs * MOST_DRIFT_PPM) / 1_000_000 + MOST_LATE_MS;
  if (Math.abs(ownMs - hostMs) <= mostMs) return undefined;
  return `ms went on by ${ownMs} in ${Math.round(hostMs)} ms`;
}

/** Neighbours. */
export function pairs<T>(all: readonly T[]): readonly (readonly [T, T])[] {
  return all.slice(1).flatMap((now, at) => {
    const before = all[at];
    return before === undefined ? [] : [[before, now] as const];
  });
}

function firstOf<T>(all: readonly T[], fault: (one: T) => string | undefined): string | undefined {
  for (const one of all) {
    const words = fault(one);
    if (words !== undefined) return words;
  }
  return undefined;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
