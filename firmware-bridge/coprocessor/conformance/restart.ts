import { equalBytes } from "../../../attest/bytes.ts";
import { type Checklist, Skipped } from "../../../drivers/kit/checklist.ts";
import type { SmpConnection } from "../../smp/connection.ts";
import { awaitAnswer, reset } from "../../smp/os-group.ts";
import { type CoprocessorDescription, describeCoprocessor } from "../describe.ts";
import { type CoprocessorKey, readKey } from "../signing.ts";
import { MOST_DRIFT_PPM } from "./clock.ts";
import { REGISTERS, wentOn } from "./registers.ts";
import { type HostTime, ownMs, type Seen, see } from "./seen.ts";
import { seeFirst } from "./series.ts";

export interface BeforeRestart {
  readonly described: CoprocessorDescription;
  readonly key: CoprocessorKey | undefined;
  /** How long nothing is asked after it, ms. */
  readonly settleMs: number;
  readonly patienceMs: number;
  readonly time: HostTime;
}

const RESTART_ATTEMPTS = 24;
/** So that the old start is older than the new one when both are compared. */
const OLDER_MS = 1_000;
/** Steps of the counter, and an age that is told a little too high. */
const LATE_MS = 100;
const MILLION = 1_000_000;

/** The last snapshot before a restart, and when the restart was asked for. */
interface Reset {
  readonly before: Seen;
  readonly askedMs: number;
}

/** What survives a restart, and what begins anew. */
export async function checkRestart(
  connection: SmpConnection,
  list: Checklist,
  old: BeforeRestart,
): Promise<void> {
  const { described, key, time } = old;
  let before: Seen | undefined;
  let askedMs = 0;
  let answered = false;
  const restarted = await list.run("restart: comes back", async () => {
    if (described.channels.length > 0) before = await seeOld(connection, old);
    askedMs = time.nowMs();
    answered = await reset(connection);
    await time.pause(old.settleMs);
    await awaitAnswer(connection, { attempts: RESTART_ATTEMPTS });
    return undefined;
  });
  if (!restarted) return;
  await list.run("restart: is answered first", () =>
    answered ? undefined : "expected {} before it restarts, got nothing",
  );
  await list.run("restart: is the same device", async () => {
    const { identity } = await describeCoprocessor(connection);
    return identity.serial === described.identity.serial ? undefined : `serial number ${identity.serial}`;
  });
  if (before !== undefined) await checkCountAfter(connection, list, { ...old, before, askedMs });
  if (key !== undefined)
    await list.run("restart: has the same key, and counts anew", () => keyAfter(connection, key));
}

async function seeOld(connection: SmpConnection, { settleMs, time }: BeforeRestart): Promise<Seen> {
  const youngMs = settleMs + OLDER_MS - ownMs(await see(connection, time));
  if (youngMs > 0) await time.pause(youngMs);
  return await see(connection, time);
}

async function checkCountAfter(
  connection: SmpConnection,
  list: Checklist,
  { described, before, ...old }: BeforeRestart & Reset,
): Promise<void> {
  let after: Seen | undefined;
  await list.run("restart: another start, and its counter begins anew", async () => {
    after = await seeFirst(connection, old);
    return anewFault({ before, askedMs: old.askedMs }, after);
  });
  await list.run("restart: no register has fallen", () => {
    if (after === undefined) throw new Skipped("nothing was read");
    return fallen(described, before, after);
  });
}

/** A counter that began anew shows less than it did, or no more than the time since the restart was asked for. */
function anewFault({ before, askedMs }: Reset, after: Seen): string | undefined {
  const { boot } = after.snapshot;
  if (boot === before.snapshot.boot) return `boot is ${boot} as before`;
  const sinceMs = after.seenMs - askedMs;
  const [was, is] = [ownMs(before), ownMs(after)];
  if (is >= was && is > sinceMs * (1 + MOST_DRIFT_PPM / MILLION) + LATE_MS)
    return `ms went on: ms and age together are ${is}, ${Math.ceil(sinceMs)} ms after the restart was asked for (${was} before it)`;
  // A start that lasts longer than the one before has more of them by right.
  const { number } = after.snapshot;
  if (is < was && number > before.snapshot.number)
    return `seq went on: from ${before.snapshot.number} to ${number}`;
  return undefined;
}

function fallen({ channels }: CoprocessorDescription, before: Seen, after: Seen): string | undefined {
  for (const channel of channels) {
    const [old, now] = [before, after].map(({ snapshot }) =>
      snapshot.channels.map(({ reading }) => reading).find((reading) => reading.channel === channel.name),
    );
    for (const key of REGISTERS) {
      const [was, is] = [old?.[key], now?.[key]];
      if (was !== undefined && wentOn(channel, was, is ?? 0) < 0)
        return `channel ${channel.name}: ${key} fell from ${was} to ${is ?? "nothing"}`;
    }
  }
  return undefined;
}

async function keyAfter(connection: SmpConnection, before: CoprocessorKey): Promise<string | undefined> {
  const now = await readKey(connection);
  if (!equalBytes(now.publicKey, before.publicKey)) return "another key";
  if (now.boot === before.boot) return `boot is ${now.boot} as before`;
  return now.signatures === 0 ? undefined : `n is ${now.signatures}, and nothing was signed since`;
}
