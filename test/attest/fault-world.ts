import fc from "fast-check";
import { EPOCH_MS, type LogBuilder } from "../kit/log-builder.ts";
import { DAY_MS, type Event, histories, lawful, openedLog, otherDevice, play } from "./fault-kit.ts";

/** All that one honest device and a neighbour of it ever signed. */
export interface World {
  /** Of the device: two epochs in one network, one of them in another network, too. */
  readonly logs: readonly LogBuilder[];
  readonly neighbour: LogBuilder;
}

export interface WorldEvents {
  readonly first: readonly Event[];
  readonly second: readonly Event[];
  readonly third: readonly Event[];
  /** Whether the device knows for sure what it signed when it opens an epoch. */
  readonly sure: boolean;
}

export const worldEvents: fc.Arbitrary<WorldEvents> = fc.record({
  first: histories,
  second: histories,
  third: fc.array(lawful, { maxLength: 12 }),
  sure: fc.boolean(),
});

/** One device: epochs 1, 2 and 4 of one network, epoch 1 of another, and the same beginning under another key. */
export async function worldOf(events: WorldEvents): Promise<World> {
  const first = await play(openedLog(), events.first);
  const second = openedLog({ epoch: 2, startMs: EPOCH_MS + DAY_MS });
  openEpoch(second, first, events.sure);
  await play(second, events.second);
  const fourth = openedLog({ epoch: 4, startMs: EPOCH_MS + 2 * DAY_MS });
  openEpoch(fourth, second, !events.sure);
  await play(fourth, events.third);
  const elsewhere = await play(openedLog({ network: "other-network" }), events.first);
  const neighbour = await play(openedLog({ signer: otherDevice }), events.first);
  return { logs: [first, second, fourth, elsewhere], neighbour };
}

/** What an honest device writes as leaf 1: what a node last receipted, and what it has signed if it knows. */
export function openEpoch(log: LogBuilder, old: LogBuilder, sure: boolean): void {
  const receipted = old.checkpoints.findLast(({ receipts }) => receipts.length > 0)?.checkpoint;
  const signed = old.checkpoints.at(-1)?.checkpoint.size;
  log.append({
    ...{ kind: "epochOpen", ...log.time(), oldLogId: old.rules.logId, reason: "a node is gone" },
    ...(receipted && { oldSize: receipted.size, oldRoot: receipted.root }),
    ...(sure && signed !== undefined ? { oldSignedSize: signed } : {}),
  });
}
