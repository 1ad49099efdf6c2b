import { equalBytes, toHex } from "../../attest/bytes.ts";
import { openCheckpoint, openCheckpointSize } from "../../attest/checkpoint.ts";
import { parseObject } from "../../attest/cose.ts";
import { decodeFault, type Fault } from "../../attest/fault.ts";
import { verifyFault } from "../../attest/fault-verify.ts";
import { logIdOf } from "../../attest/identity.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import {
  at,
  bytesOf,
  type Findings,
  guarded,
  placeOf,
  type Row,
  shown,
  wholeOf,
} from "../../runtime/fsck-rows.ts";
import type { StoreContext } from "./fsck-types.ts";

const HINT = "keep the file: as it stands here the fault accuses nobody; the log itself is checked by itself";
const KINDS: readonly string[] = ["fork", "false-leaf", "two-epochs"];

/** A fault with its columns of their types. */
interface FaultRow {
  readonly where: string;
  readonly deviceKey: Uint8Array;
  readonly epoch: number;
  readonly logId: Uint8Array;
  readonly kind: string;
  readonly size: number;
  readonly ours: Uint8Array | undefined;
  readonly theirs: Uint8Array;
  readonly proof: Uint8Array | undefined;
}

/** Each fault that is kept: what it accuses of is signed, what it is held against is stored, its file shows it. */
export function* checkFaults(context: StoreContext): Findings {
  const { rows, counts } = context;
  let row = rows.one("faults", { after: Number.MIN_SAFE_INTEGER });
  while (row !== undefined) {
    const found = row;
    counts.faults += 1;
    yield* guarded(() => requireFault(context, found));
    row = rows.one("faults", { after: Number(row["id"]) });
  }
}

function requireFault(context: StoreContext, row: Row): void {
  const fault = faultRow(row);
  requireTheirs(fault);
  requireOurs(context, fault);
  if (fault.proof === undefined && fault.kind !== "fork")
    throw differs(fault, "the fault is kept without its file", "a fault file", "none");
  const network = fault.proof === undefined ? context.network : requireProof(fault, fault.proof);
  if (network === undefined) return;
  const { where, deviceKey, epoch, logId } = fault;
  const expected = at(where, HINT, () => logIdOf(nativeSuite, { network, deviceKey, epoch }));
  if (!equalBytes(expected, logId))
    throw differs(fault, "the log id is not that of the device and the epoch", toHex(expected), toHex(logId));
  if (context.network !== undefined && context.network !== network)
    throw differs(fault, "the fault is of another network", shown(context.network), shown(network));
}

function faultRow(row: Row): FaultRow {
  const where = placeOf("fault", { id: row["id"] });
  const bytes = (column: string): Uint8Array => bytesOf(row, column, where);
  const maybe = (column: string): Uint8Array | undefined =>
    row[column] === null ? undefined : bytes(column);
  const { kind } = row;
  if (typeof kind !== "string" || !KINDS.includes(kind)) {
    throw new Problem("fsck-fault", "the node keeps no such kind of fault", {
      ...{ where, expected: KINDS.join(", "), got: shown(kind), hint: HINT },
    });
  }
  return {
    ...{ where, kind, deviceKey: bytes("deviceKey"), logId: bytes("logId"), theirs: bytes("theirs") },
    ...{ epoch: wholeOf(row, "epoch", where), size: wholeOf(row, "size", where) },
    ...{ ours: maybe("ours"), proof: maybe("proof") },
  };
}

/** The checkpoint that should not have been signed is signed by that device, for that log. */
function requireTheirs(fault: FaultRow): void {
  const { where, deviceKey, logId, theirs } = fault;
  const { size } = at(`${where}, column theirs`, HINT, () =>
    openCheckpoint(nativeSuite, theirs, { deviceKey, logId }),
  );
  if (size !== fault.size)
    throw differs(fault, "the size is not the checkpoint's", String(size), String(fault.size));
}

/**
 * One of the two checkpoints is stored here, of the same device; which of them a node got from another node shows in the file.
 * A false leaf contradicts itself.
 */
function requireOurs(context: StoreContext, fault: FaultRow): void {
  const { where, kind, ours, theirs } = fault;
  if ((ours === undefined) !== (kind === "false-leaf"))
    throw differs(fault, "the checkpoint that it contradicts is there or not", kind, ours ? "one" : "none");
  if (ours === undefined) return;
  const later = at(`${where}, column ours`, HINT, () => storedEpoch(context, fault, ours));
  const own = kind === "two-epochs" && later === undefined ? storedEpoch(context, fault, theirs) : undefined;
  if (later === undefined && own === undefined)
    throw differs(fault, "the checkpoint that it contradicts is not stored", "a stored one", "none");
  const isRight = kind === "fork" ? later === fault.epoch : later === undefined || later > fault.epoch;
  if (isRight) return;
  throw differs(
    fault,
    "the checkpoint that it contradicts is of another log",
    `epoch ${fault.epoch}`,
    `epoch ${later}`,
  );
}

/** Epoch of a checkpoint that is stored here for that device. */
function storedEpoch(
  { rows }: StoreContext,
  { where, deviceKey }: FaultRow,
  checkpoint: Uint8Array,
): number | undefined {
  const place = { logId: parseObject(checkpoint).kid, size: openCheckpointSize(checkpoint) };
  const stored = rows.one("checkpointOfLog", place);
  if (stored === undefined || !equalBytes(bytesOf(stored, "bytes", where), checkpoint)) return undefined;
  return equalBytes(bytesOf(stored, "deviceKey", where), deviceKey) ? Number(stored["epoch"]) : undefined;
}

/** The file shows what the row says; returns the network that it names. A fork may be kept without a file. */
function requireProof(fault: FaultRow, proof: Uint8Array): string {
  const where = `${fault.where}, column proof`;
  const { identity } = at(where, HINT, () => verifyFault(nativeSuite, proof));
  const file = decodeFault(proof);
  const said = `${file.fault} of epoch ${identity.epoch} by ${toHex(identity.deviceKey)}`;
  const expected = `${fault.kind} of epoch ${fault.epoch} by ${toHex(fault.deviceKey)}`;
  if (said !== expected) throw differs(fault, "the fault file is of something else", expected, said);
  const [theirs, ours] = checkpointsOf(file);
  const isSame = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
    a === undefined || b === undefined ? a === b : equalBytes(a, b);
  if (isSame(theirs, fault.theirs) && isSame(ours, fault.ours)) return identity.network;
  throw differs(fault, "the fault file is over other checkpoints than the row", "theirs and ours", "others");
}

/** The one that should not have been signed, and the one that it contradicts. */
function checkpointsOf(file: Fault): readonly [Uint8Array, Uint8Array | undefined] {
  if (file.fault === "fork") return [file.otherCheckpoint, file.checkpoint];
  return [file.checkpoint, file.fault === "two-epochs" ? file.laterCheckpoint : undefined];
}

function differs({ where }: FaultRow, what: string, expected: string, got: string): Problem {
  return new Problem("fsck-fault", what, { where, expected, got, hint: HINT });
}
