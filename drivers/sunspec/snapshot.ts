import { Problem } from "../../attest/problem.ts";
import type { Snapshot } from "../driver.ts";
import { registerFrame } from "../evidence/register-frame.ts";
import type { Block, Source } from "./block.ts";
import type { BlockReader } from "./block-reader.ts";
import { BlockSet, type Channel } from "./channel.ts";

/** The blocks of one snapshot, and what was not read, in words. */
export interface RawSnapshot {
  readonly blocks: BlockSet;
  readonly missing: readonly string[];
}

/**
 * Reads each model that the channels are made from once, in the order of the chain; then those that only say more about
 * them, of which the first that fails ends the reading and takes nothing with it.
 */
export async function readSnapshot(reader: BlockReader, channels: readonly Channel[]): Promise<RawSnapshot> {
  const blocks = new Map<number, Block>();
  for (const source of inOrder(channels.flatMap(({ sources }) => sources)))
    blocks.set(source.place.start, await reader.read(source));
  const extras = inOrder(channels.flatMap((channel) => channel.extras));
  const missing: string[] = [];
  for (const source of extras.filter(({ place }) => !blocks.has(place.start))) {
    const block = await reader.read(source).catch((error: unknown) => refused(source, error));
    if (typeof block === "string") {
      missing.push(block);
      break;
    }
    blocks.set(source.place.start, block);
  }
  return { blocks: new BlockSet(blocks), missing };
}

/** Each place once. */
function inOrder(sources: readonly Source[]): readonly Source[] {
  const byStart = new Map(sources.map((source) => [source.place.start, source]));
  return [...byStart.values()].sort((a, b) => a.place.start - b.place.start);
}

function refused({ model }: Source, error: unknown): string {
  if (!(error instanceof Problem) || error.code === "sunspec-layout-changed") throw error;
  return `model ${model.id}: ${error.message}`;
}

/** What the channels say in these blocks; the registers of all of them, by address, are the evidence of each. */
export function decodeSnapshot({ blocks, missing }: RawSnapshot, channels: readonly Channel[]): Snapshot {
  const decoded = channels.map((channel) => channel.decode(blocks));
  const doubts = decoded.flatMap((one) => one.doubts);
  const inOrder = blocks.all.toSorted((a, b) => a.place.start - b.place.start);
  const frame = registerFrame(inOrder.flatMap(({ runs }) => runs));
  const { digest: evidence } = frame;
  return {
    readings: decoded.map(({ reading }) => ({ ...reading, evidence })),
    flexibility: decoded.flatMap(({ flexibility }) =>
      flexibility === undefined ? [] : { ...flexibility, evidence },
    ),
    absent: [...blocks.all.flatMap((block) => block.absent), ...missing],
    ...(doubts.length > 0 ? { doubts } : {}),
    frames: [frame],
  };
}
