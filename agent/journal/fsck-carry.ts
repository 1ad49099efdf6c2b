import { requireKey } from "../../attest/key-checks.ts";
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
import type { Extent, Notes } from "./fsck-types.ts";

const CARRY_HINT = "keep the file: leaves that were never signed may be missing from the newest epoch";
const PASSED_HINT =
  "the row is damaged: the agent may wait for a node that is gone, or not for one that is there";

/** What the newest epoch has still to take over, and the nodes that epochs do without: about epochs that there are. */
export function* checkCarry(held: Held, notes: Notes, extents: readonly Extent[]): Findings {
  for (const row of held.carry) yield* guarded(() => requireCarry(row, notes, extents));
  for (const row of held.passedOver) yield* guarded(() => requirePassed(row, notes));
}

/** Rows of both tables, as they were when the journal was first looked at. */
interface Held {
  readonly carry: readonly Row[];
  readonly passedOver: readonly Row[];
}

function requireCarry(row: Row, { epoch: newest = 0 }: Notes, extents: readonly Extent[]): void {
  const where = placeOf("carry", { one: row["one"] });
  const [epoch, old] = [wholeOf(row, "epoch", where), wholeOf(row, "oldEpoch", where)];
  const [next, end] = [wholeOf(row, "nextSeq", where), wholeOf(row, "endSeq", where)];
  const held = row["path"] === "" ? extents.find((extent) => extent.epoch === old)?.size : undefined;
  const isHeld = row["path"] !== "" || (held !== undefined && end <= held);
  if (typeof row["path"] === "string" && epoch <= newest && old < epoch && next <= end && isHeld) return;
  throw new Problem("fsck-carry", "what is to be taken over does not fit the epochs that there are", {
    where,
    expected: `leaves of an epoch before ${epoch}, and ${epoch} no later than ${newest}`,
    got: `leaves ${next} to ${end - 1} of epoch ${old}, which has ${held ?? "none here"}`,
    hint: CARRY_HINT,
  });
}

function requirePassed(row: Row, { epoch: newest = 0 }: Notes): void {
  const where = placeOf("passed_over", { epoch: row["epoch"] });
  const epoch = wholeOf(row, "epoch", where);
  at(where, PASSED_HINT, () => requireKey(nativeSuite, bytesOf(row, "nodeKey", where), "node key"));
  if (epoch >= 1 && epoch <= newest) return;
  throw new Problem("fsck-epoch", "a node is passed over in an epoch that is not there yet", {
    ...{ where, expected: `1 to ${newest}`, got: shown(epoch), hint: PASSED_HINT },
  });
}
