import type { ChannelDescription } from "../../../drivers/driver.ts";
import { type Checklist, Skipped } from "../../../drivers/kit/checklist.ts";
import type { SmpConnection } from "../../smp/connection.ts";
import { breakBetween, requireWhole } from "../continuity.ts";
import { type CoprocessorDescription, describeCoprocessor } from "../describe.ts";
import type { SnapshotChannel } from "../snapshot.ts";
import { notTried } from "./checks.ts";
import { clockFault } from "./clock.ts";
import { countsPower, energyFault } from "./energy.ts";
import { apparentPowerFault } from "./power-factor.ts";
import { registersFault } from "./registers.ts";
import { firstOf, isSameSnapshot, pairs, type Seen, see } from "./seen.ts";
import { awaitNext, type SeriesSettings, takeSeries, watch } from "./series.ts";

export interface MeteringSettings extends SeriesSettings {
  /** How long registers are compared with power, ms; 0: they are not. */
  readonly watchMs: number;
}

/** What the metering half says. */
export interface Metered {
  readonly described: CoprocessorDescription;
  readonly seen: readonly Seen[];
  /** Whether its counter ran like a clock as far as it was watched. */
  readonly runs: boolean;
}

/** The checks of the commands `describe` and `read`. */
export async function checkMetering(
  connection: SmpConnection,
  list: Checklist,
  settings: MeteringSettings,
): Promise<Metered | undefined> {
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
  const taken = await list.run(`read: ${settings.snapshots} snapshots`, () => {
    if (known.channels.length === 0) throw new Skipped("it describes no channel");
    return takeSeries(connection, seen, settings);
  });
  if (!taken && known.channels.length > 0)
    await notTried(list, "everything else of read", "a series of snapshots");
  if (!taken) return { described: known, seen, runs: false };
  await list.run("read: a new snapshot comes", () => awaitNext(connection, seen, settings));
  if (settings.watchMs > 0)
    await list.run(`read: goes on for ${Math.round(settings.watchMs / 1000)} s`, () =>
      watch(connection, seen, settings),
    );
  const runs = await checkSnapshots(list, known, seen);
  await checkEnergy(list, known, { seen, watched: settings.watchMs > 0 });
  return { described: known, seen, runs };
}

/** Whether its counter ran on while it signed: who signs with interrupts off may lose time. */
export async function checkClockAfter(
  connection: SmpConnection,
  list: Checklist,
  { seen, runs, time }: Metered & Pick<MeteringSettings, "time">,
): Promise<void> {
  if (!runs) return;
  await list.run("read: its counter ran on meanwhile", async () =>
    clockFault([...seen, await see(connection, time)]),
  );
}

/** Whether its counter runs like a clock. */
async function checkSnapshots(
  list: Checklist,
  { identity, channels }: CoprocessorDescription,
  seen: readonly Seen[],
): Promise<boolean> {
  await list.run("read: the serial number is the described one", () => {
    const other = seen.find(({ snapshot }) => snapshot.serial !== identity.serial);
    return other === undefined ? undefined : `described ${identity.serial}, read ${other.snapshot.serial}`;
  });
  await list.run("read: channels and quantities are the described ones", () =>
    firstOf(seen, ({ snapshot }) => channelsFault(channels, snapshot.channels)),
  );
  await list.run("read: registers are whole steps, and never fall", () => registersFault(channels, seen));
  await list.run("read: power is not more than voltage times current", () => apparentPowerFault(seen));
  await list.run("read: start, counter and number never go back", () =>
    firstOf(pairs(seen), ([before, now]) => breakBetween(before.snapshot, now.snapshot)),
  );
  await list.run("read: one number, one content", () => contentFault(seen));
  return await list.run("read: its counter runs like a clock", () => clockFault(seen));
}

/** Registers against power, which needs as long as some steps of a register take. */
async function checkEnergy(
  list: Checklist,
  { channels }: CoprocessorDescription,
  { seen, watched }: { readonly seen: readonly Seen[]; readonly watched: boolean },
): Promise<void> {
  const counting = channels.filter(countsPower);
  if (counting.length === 0) return;
  if (!watched)
    await list.run("read: registers go with power", () => {
      throw new Skipped("not compared: that takes a minute under load (--watch 60)");
    });
  else
    for (const channel of counting)
      await list.run(`read: registers of ${channel.name} go with its power`, () =>
        energyFault(channel, seen),
      );
}

function contentFault(seen: readonly Seen[]): undefined {
  const alike = pairs(seen).filter(([before, now]) => isSameSnapshot(before, now));
  if (alike.length === 0) throw new Skipped("not seen: each answer had a number of its own");
  for (const [before, now] of alike) requireWhole(before, now, "read");
  return undefined;
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
