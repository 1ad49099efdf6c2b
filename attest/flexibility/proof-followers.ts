import { equalBytes, toHex } from "../bytes.ts";
import { parseObject } from "../cose.ts";
import type { Leaf } from "../leaf.ts";
import { decodeLeaf } from "../leaf-codec.ts";
import type { Acknowledgement, Actuation, Dispatch, Settlement } from "../leaf-flexibility.ts";
import { Problem } from "../problem.ts";
import { endOf } from "./proof-evidence.ts";
import { theDispatch, type Under } from "./proof-life.ts";
import type { SettlementSource } from "./settlement-source.ts";

const DAY_MS = 86_400_000;
/** How long behind the event the device's answers and its own account are looked for. */
const ANSWERED_WITHIN_MS = 8 * DAY_MS;
/** Key of a dispatch's commitmentId. */
const COMMITMENT_ID = 6;
/** Of one dispatch: a device says some six things about it. */
const MOST_ANSWERS = 64;
/** In all: with the answers to 250 dispatches they leave room for the closes of two months. */
const MOST_ACTUATIONS = 8192;

/** A dispatch that is shown, and how many answers to it are. */
interface Followed {
  readonly leaf: Dispatch;
  answers: number;
}

/**
 * What follows a commitment in its log: dispatches under it, what answers them, the device's last account. What the log
 * holds beside that and no proof can show (a dispatch that its node never signed, or a second time; an answer on another
 * channel; answers without an end) is left out, or a device could write its way out of every proof.
 */
export function followersOf(source: SettlementSource, under: Under): Leaf[] {
  const { commitment } = under;
  const endMs = endOf(commitment) + ANSWERED_WITHIN_MS;
  const taken = new Set<string>();
  const followed = new Map<number, Followed>();
  const found: Leaf[] = [];
  let account: Settlement | undefined;
  let actuations = 0;
  for (const seq of source.lifecycle(commitment.timeMs - DAY_MS, endMs)) {
    if (seq <= commitment.seq) continue;
    const leaf = decodeLeaf(source.leaf(seq));
    if (leaf.kind === "dispatch" && isFirst(source, { leaf, under, taken })) {
      followed.set(seq, { leaf, answers: 0 });
      found.push(leaf);
    } else if (isAnswer(leaf) && isTo(leaf, followed.get(leaf.orderSeq ?? -1))) {
      if (leaf.kind === "acknowledgement" || ++actuations <= MOST_ACTUATIONS) found.push(leaf);
    }
    if (leaf.kind === "settlement" && leaf.commitmentSeq === commitment.seq) account = leaf;
  }
  return account === undefined ? found : [...found, account];
}

/** Whether the node signed it, as the leaf says it, and it stands here for the first time. */
function isFirst(
  source: SettlementSource,
  { leaf, under, taken }: { readonly leaf: Dispatch; readonly under: Under; readonly taken: Set<string> },
): boolean {
  try {
    const named = parseObject(leaf.order).payload.get(COMMITMENT_ID);
    if (!(named instanceof Uint8Array && equalBytes(named, under.order.objectId))) return false;
    const id = toHex(theDispatch(source.tree().suite, leaf, under).objectId);
    const isNew = !taken.has(id);
    taken.add(id);
    return isNew;
  } catch (thrown) {
    if (thrown instanceof Problem) return false;
    throw thrown;
  }
}

function isAnswer(leaf: Leaf): leaf is Acknowledgement | Actuation {
  return leaf.kind === "acknowledgement" || leaf.kind === "actuation";
}

function isTo(leaf: Acknowledgement | Actuation, to: Followed | undefined): boolean {
  if (to === undefined || to.leaf.channel !== leaf.channel) return false;
  return leaf.kind === "actuation" || ++to.answers <= MOST_ANSWERS;
}
