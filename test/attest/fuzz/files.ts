import { encodeFault, type Fault, joinObjects } from "../../../attest/fault.ts";
import { buildMultiproof } from "../../../attest/multiproof.ts";
import { joinHashes } from "../../../attest/proof.ts";
import {
  buildFlexibilityProof,
  buildProof,
  buildProofAcross,
  type ProofRequest,
} from "../../../attest/proof-build.ts";
import type { LogBuilder } from "../../kit/log-builder.ts";
import type { KeyLife } from "./objects.ts";
import { CLOCK_STEP_MS, leafBytes, newest, quarter, seqsOf, type World } from "./world.ts";

/** Valid proof files: one interval, a span with a gap and a clock step, a flexibility reading, two epochs. */
export interface Proofs {
  readonly interval: Uint8Array;
  readonly span: Uint8Array;
  readonly flexibility: Uint8Array;
  readonly epochs: Uint8Array;
  /** The same interval of another device, in another network, of an interval before it, of another channel and epoch. */
  readonly neighbour: Uint8Array;
  readonly elsewhere: Uint8Array;
  readonly earlier: Uint8Array;
  readonly otherChannel: Uint8Array;
  readonly otherEpoch: Uint8Array;
}

export function proofsOf(world: World, { statement, countersignature, lateRotation }: KeyLife): Proofs {
  const first = world.first.proofSource();
  const second = world.second.proofSource();
  const [flexibility = 0] = seqsOf(world.first, "flexibility");
  const between = (from: number, to: number, channel = 1): ProofRequest => ({
    ...{ channel, fromMs: quarter(from), toMs: quarter(to) },
  });
  const last = { channel: 1, fromMs: quarter(7) + CLOCK_STEP_MS, toMs: quarter(8) };
  const enrolment = [statement, countersignature, lateRotation];
  return {
    interval: buildProof(first, between(1, 2)),
    span: buildProof(first, between(0, 8)),
    flexibility: buildFlexibilityProof(first, flexibility),
    epochs: buildProofAcross(
      [
        { source: first, ...last },
        { source: second, ...between(9, 10) },
      ],
      enrolment,
    ),
    neighbour: buildProof(world.neighbour.proofSource(), between(1, 2)),
    elsewhere: buildProof(world.elsewhere.proofSource(), between(1, 2)),
    earlier: buildProof(first, between(0, 1)),
    otherChannel: buildProof(first, between(0, 1, 2)),
    otherEpoch: buildProof(second, between(9, 10)),
  };
}

/** Fault files, one of each kind of contradiction or of use of a key. */
export type Faults = Readonly<Record<Contradiction | Use, Uint8Array>>;
type Contradiction = "roots" | "leaves" | "epochs" | "rule" | "raw";
type Use = "retired" | "revoked" | "unknown";

export function faultsOf(world: World, life: KeyLife): Faults {
  return { ...contradictions(world), ...uses(world, life) };
}

function contradictions(world: World): Pick<Faults, Contradiction> {
  const { first, forked, second } = world;
  const { checkpoint, ...head } = headOf(first);
  const falsely = { ...headOf(forked), fault: "false-leaf" } as const;
  const later = { laterEpoch: 2, laterCheckpoint: newest(second).bytes, leaf: leafBytes(second, [1]) };
  const index = 3;
  return {
    roots: encodeFault({ fault: "fork", ...head, checkpoint, otherCheckpoint: newest(forked, 1).bytes }),
    leaves: encodeFault({
      ...{ fault: "fork", ...head, checkpoint, otherCheckpoint: newest(forked).bytes, index },
      ...{ leaf: leafBytes(first, [index]), hashes: hashes(first, [index]) },
      ...{ otherLeaf: leafBytes(forked, [index]), otherHashes: hashes(forked, [index]) },
    }),
    // The second epoch knows of one leaf less than the forked log has.
    epochs: encodeFault({ fault: "two-epochs", ...headOf(forked), ...later, hashes: hashes(second, [1]) }),
    rule: encodeFault({ ...falsely, leaves: leafBytes(forked, [2, 3]), hashes: hashes(forked, [2, 3]) }),
    raw: encodeFault({ ...falsely, leaves: leafBytes(forked, [5]), hashes: hashes(forked, [5]), index: 5 }),
  };
}

function uses(world: World, life: KeyLife): Pick<Faults, Use> {
  const { statement, countersignature, rotations } = life;
  const use = { fault: "key", ...headOf(world.first) } as const;
  return {
    retired: encodeFault({ ...use, statement, countersignature, rotations: joinObjects(rotations) }),
    revoked: encodeFault({
      ...{ ...use, statement, countersignature, revocations: [life.byRecovery, life.byRegistrar] },
    }),
    unknown: encodeFault(use),
  };
}

type Head = Pick<Fault, "network" | "deviceKey" | "epoch" | "checkpoint">;

function headOf(log: LogBuilder): Head {
  const { network, deviceKey, epoch } = log.rules.identity;
  return { network, deviceKey, epoch, checkpoint: newest(log).bytes };
}

/** The multiproof for leaves under a log's newest checkpoint. */
function hashes(log: LogBuilder, indices: readonly number[]): Uint8Array {
  return joinHashes(buildMultiproof(log.proofSource().tree(), newest(log).checkpoint.size, indices));
}

/** Every file, for a mutation to take something out of. */
export function allFiles(proofs: Proofs, faults: Faults): readonly Uint8Array[] {
  return [...Object.values(proofs), ...Object.values(faults)];
}
