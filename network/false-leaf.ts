import { buildFalseLeafFault, type SignedHistory } from "../attest/fault-build.ts";
import { suspectSeqs } from "../attest/fault-choice.ts";
import { decodeLeaf } from "../attest/leaf-codec.ts";
import type { LogRules } from "../attest/log-rules.ts";
import { Problem } from "../attest/problem.ts";
import { readSaved } from "../attest/saved-rules.ts";
import { claimedHistory, type Ground, signedCheckpoint } from "./claimed-history.ts";
import type { Arrival, IngestContext } from "./ingest-types.ts";
import { keepFault } from "./keep-fault.ts";

/**
 * How much may be looked at to find the leaves that contradict each other, because the search tries all of them again and
 * again. A reading costs 1. What names leaves before it, such as a close, is held against all of those.
 */
const MOST_WORK = 2400;
const NAMING_LEAF_WORK = 16;

/** A batch that its log's rules refuse, and the rules that did. */
export interface Refusal {
  readonly rules: LogRules;
  readonly refused: Problem;
}

/**
 * Keeps a refused batch as a fault where the device has signed exactly these leaves behind the stored ones and a file
 * can show a stranger what is wrong with them. Returns the Problem to throw: a damaged batch accuses nobody.
 */
export async function judgeRefusal(
  context: IngestContext,
  arrival: Arrival,
  { rules, refused }: Refusal,
): Promise<Problem> {
  const checkpoint = signedCheckpoint(context, arrival);
  if (checkpoint === undefined) return refused;
  const history = claimedHistory(context.suite, { ...arrival, checkpoint }, await groundOf(context, arrival));
  if (history === undefined) return refused;
  const { head, identity } = arrival;
  if (head !== undefined && !context.rules.mayJudge(identity, head)) return refused;
  const { size } = checkpoint;
  const kept = await keepFault(context, arrival, {
    ...{ kind: "false-leaf", size, ours: null, detail: `${refused.code}: ${refused.message}` },
    build: () =>
      buildFalseLeafFault(context.suite, identity, {
        history: bounded(history),
        seqs: suspects(rules.clone(), history, size),
      }),
  });
  if (!kept) return refused;
  const hint = "it is signed, and kept as evidence";
  return new Problem(refused.code, refused.message, { hint, cause: refused });
}

async function groundOf({ store }: IngestContext, { head }: Arrival): Promise<Ground> {
  if (head === undefined) return { size: 0, peaks: [] };
  const { peaks } = readSaved(head.rules);
  return { size: head.size, peaks, stored: await store.history(head.log) };
}

/** The leaf that the rules refuse and what they remember of its channel; the last one where only the checkpoint is wrong. */
function suspects(rules: LogRules, history: SignedHistory, size: number): number[] {
  for (let seq = rules.size; seq < size; seq++) {
    const bytes = history.leaf(seq);
    let channel: number | undefined;
    try {
      const leaf = decodeLeaf(bytes);
      channel = "channel" in leaf ? leaf.channel : undefined;
      rules.apply(leaf, bytes);
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause;
      return [...(channel === undefined ? [] : suspectSeqs(rules.channels.get(channel))), seq];
    }
  }
  return [size - 1];
}

/** Hands out leaves until looking at more of them would cost too much; then throws `fault-work`. */
function bounded(history: SignedHistory): SignedHistory {
  const seen = new Set<number>();
  let work = 0;
  return {
    ...history,
    leaf: (seq) => {
      const bytes = history.leaf(seq);
      if (seen.has(seq)) return bytes;
      seen.add(seq);
      work += isReading(bytes) ? 1 : NAMING_LEAF_WORK;
      if (work <= MOST_WORK) return bytes;
      throw new Problem("fault-work", "too many leaves would have to be searched", { where: `leaf ${seq}` });
    },
  };
}

function isReading(bytes: Uint8Array): boolean {
  try {
    return decodeLeaf(bytes).kind === "reading";
  } catch (cause) {
    if (cause instanceof Problem) return false;
    throw cause;
  }
}
