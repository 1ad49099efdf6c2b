import { concatBytes } from "../../attest/bytes.ts";
import type { Fault } from "../../attest/fault.ts";
import type { LogIdentity } from "../../attest/identity.ts";
import { buildMultiproof } from "../../attest/multiproof.ts";
import { joinHashes } from "../../attest/proof.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import { type Dice, subsetOf } from "./fault-subsets.ts";
import type { World } from "./fault-world.ts";

/**
 * What somebody who holds every byte that an honest device and its neighbour ever signed can put into a fault file.
 * True paths, true signatures, true leaves; false is only what is put beside what, and what it is called.
 */
export function attackOn(world: World, dice: Dice): Fault {
  const attack = dice.pick([forkBySize, forkByLeaf, twoEpochs, twoEpochs, falseLeaf, falseLeaf, rawLeaf]);
  return attack(world, dice);
}

/** A log and one of its checkpoints. */
interface Side {
  readonly log: LogBuilder;
  readonly checkpoint: Uint8Array;
  readonly size: number;
}

function anyLog(world: World, dice: Dice): LogBuilder {
  return dice.chance(90) ? dice.pick(world.logs) : world.neighbour;
}

/** Mostly a checkpoint, old or new; sometimes a receipt over one. */
function sideOf(log: LogBuilder, dice: Dice): Side {
  const { checkpoint, bytes, receipts } = dice.pick(log.checkpoints);
  const receipt = dice.chance(4) ? receipts[0] : undefined;
  return { log, checkpoint: receipt ?? bytes, size: checkpoint.size };
}

/** Mostly the log's own name, sometimes another epoch, network or key. */
function headOf(log: LogBuilder, world: World, dice: Dice): LogIdentity {
  const { network, deviceKey, epoch } = log.rules.identity;
  if (dice.chance(90)) return { network, deviceKey, epoch };
  const other = anyLog(world, dice).rules.identity;
  return dice.pick([
    { network, deviceKey, epoch: other.epoch },
    { network: other.network, deviceKey, epoch },
    { network, deviceKey: other.deviceKey, epoch },
  ]);
}

function forkBySize(world: World, dice: Dice): Fault {
  const one = sideOf(anyLog(world, dice), dice);
  const other = sideOf(dice.chance(70) ? one.log : anyLog(world, dice), dice);
  const head = headOf(one.log, world, dice);
  return { fault: "fork", ...head, checkpoint: one.checkpoint, otherCheckpoint: other.checkpoint };
}

function forkByLeaf(world: World, dice: Dice): Fault {
  const one = sideOf(anyLog(world, dice), dice);
  const other = sideOf(dice.chance(80) ? one.log : anyLog(world, dice), dice);
  const index = dice.below(Math.min(one.size, other.size));
  const elsewhere = dice.chance(60) ? index : dice.below(other.size);
  const [first, second] = [placed(one, index), placed(other, elsewhere)];
  const swapped = dice.chance(20);
  return {
    ...{ fault: "fork", ...headOf(one.log, world, dice) },
    ...{
      checkpoint: one.checkpoint,
      otherCheckpoint: other.checkpoint,
      index: dice.pick([index, elsewhere]),
    },
    ...{ leaf: (swapped ? second : first).leaf, otherLeaf: (dice.chance(90) ? second : first).leaf },
    ...{ hashes: (swapped ? second : first).hashes, otherHashes: second.hashes },
  };
}

interface Placed {
  readonly leaf: Uint8Array;
  readonly hashes: Uint8Array;
}

function placed({ log, size }: Side, index: number): Placed {
  const hashes = joinHashes(buildMultiproof(log.proofSource().tree(), size, [index]));
  return { leaf: bytesAt(log, index), hashes };
}

function bytesAt(log: LogBuilder, seq: number): Uint8Array {
  const placed = log.leaves[seq];
  if (placed === undefined) throw new Error(`leaf ${seq} is not in the log`);
  return placed.bytes;
}

function twoEpochs(world: World, dice: Dice): Fault {
  const old = sideOf(anyLog(world, dice), dice);
  const later = sideOf(anyLog(world, dice), dice);
  const { leaf, hashes } = placed(
    later,
    dice.chance(80) ? Math.min(1, later.size - 1) : dice.below(later.size),
  );
  return {
    ...{ fault: "two-epochs", ...headOf(old.log, world, dice), checkpoint: old.checkpoint },
    ...{ laterEpoch: dice.chance(90) ? later.log.rules.identity.epoch : dice.below(5) },
    ...{ laterCheckpoint: later.checkpoint, leaf, hashes },
  };
}

function falseLeaf(world: World, dice: Dice): Fault {
  const side = sideOf(anyLog(world, dice), dice);
  const leaves = side.log.leaves.slice(0, side.size).map(({ leaf }) => leaf);
  const seqs = subsetOf(leaves, dice).map(({ seq }) => seq);
  const hashes = joinHashes(buildMultiproof(side.log.proofSource().tree(), side.size, seqs));
  const from = dice.chance(95) ? side.log : anyLog(world, dice);
  const shown = seqs.filter((seq) => seq < from.leaves.length).map((seq) => bytesAt(from, seq));
  return {
    ...{ fault: "false-leaf", ...headOf(side.log, world, dice) },
    ...{ checkpoint: side.checkpoint, leaves: concatBytes(...shown), hashes },
  };
}

/** One leaf as raw bytes, at its own index or at another, whole or with a piece more. */
function rawLeaf(world: World, dice: Dice): Fault {
  const side = sideOf(anyLog(world, dice), dice);
  const seq = dice.below(side.size);
  const { leaf, hashes } = placed(side, seq);
  const bytes = dice.pick([leaf, leaf, leaf, leaf.slice(1), concatBytes(leaf, Uint8Array.of(0))]);
  return {
    ...{ fault: "false-leaf", ...headOf(side.log, world, dice), checkpoint: side.checkpoint },
    ...{ leaves: bytes, hashes, index: dice.chance(80) ? seq : dice.below(side.size) },
  };
}
