import { openObject, parseObject, requireType, signObject } from "./cose.ts";
import { type Field, must, type RecordCodec, recordCodec } from "./field.ts";
import { Problem } from "./problem.ts";
import type { Signer } from "./signature.ts";
import type { Suite } from "./suite.ts";

/** A device's signed statement: "my log `logId` has `size` leaves and this root". */
export interface Checkpoint {
  readonly size: number;
  /** RFC 6962 tree hash over the first `size` leaves. */
  readonly root: Uint8Array;
  /** Time of the last leaf under it, as that leaf carries it. */
  readonly lastLeafMs: number;
  readonly issuedAtMs: number;
  readonly timeQuality: number;
  readonly bootCount: number;
  /** Leaf hash of the log manifest, leaf 0. */
  readonly manifestHash: Uint8Array;
}

/** The fields of the payload, by property name. */
export const CHECKPOINT_FIELDS: Readonly<Record<keyof Checkpoint, Field>> = {
  size: must(1, "uint"),
  root: must(2, "bytes32"),
  lastLeafMs: must(3, "uint"),
  issuedAtMs: must(4, "uint"),
  timeQuality: must(5, "uint"),
  bootCount: must(6, "uint"),
  manifestHash: must(7, "bytes32"),
};
const codec: RecordCodec<Checkpoint> = recordCodec<Checkpoint>("checkpoint", CHECKPOINT_FIELDS);

/** Signs a checkpoint as COSE_Sign1 with kid = log id; refuses size 0 with `checkpoint-empty`. */
export async function signCheckpoint(
  signer: Signer,
  logId: Uint8Array,
  checkpoint: Checkpoint,
): Promise<Uint8Array> {
  requireLeaves(checkpoint);
  return signObject(signer, { type: "checkpoint", kid: logId, payload: codec.toMap(checkpoint) });
}

/** Verifies a checkpoint of `logId` under `deviceKey`. Throws `cose-…`, `field` or `checkpoint-empty`. */
export function openCheckpoint(
  suite: Suite,
  bytes: Uint8Array,
  expected: { readonly deviceKey: Uint8Array; readonly logId: Uint8Array },
): Checkpoint {
  const payload = openObject(suite, bytes, {
    type: "checkpoint",
    key: expected.deviceKey,
    kid: expected.logId,
  });
  const checkpoint = codec.fromMap(payload);
  requireLeaves(checkpoint);
  return checkpoint;
}

function requireLeaves(checkpoint: Checkpoint): void {
  if (checkpoint.size > 0) return;
  throw new Problem("checkpoint-empty", "a checkpoint covers at least the log manifest", {
    expected: "size 1 or more",
    got: "0",
  });
}

/** The size that a checkpoint names, before anything is verified; for one's own store. Throws `cose-…` or `field`. */
export function openCheckpointSize(bytes: Uint8Array): number {
  const object = parseObject(bytes);
  requireType(object, "checkpoint");
  return codec.fromMap(object.payload).size;
}
