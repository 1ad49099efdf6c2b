import { toHex } from "../bytes.ts";
import { parseObject } from "../cose.ts";
import type {
  Acknowledgement,
  Challenge,
  Commitment,
  Dispatch,
  LifecycleLeaf,
  Settlement,
} from "../leaf-flexibility.ts";
import { DISPATCH_FIELDS } from "./orders.ts";

/** What a log tells of commitments and challenges, each leaf beside those that belong to it. */
export interface Story {
  readonly commitments: ReadonlyMap<number, Commitment>;
  readonly challenges: readonly Challenge[];
  /** By the seq of the commitment leaf. */
  readonly calls: ReadonlyMap<number, readonly Dispatch[]>;
  /** By the seq of the dispatch or challenge leaf. */
  readonly answers: ReadonlyMap<number, readonly Acknowledgement[]>;
  readonly settlements: ReadonlyMap<number, Settlement>;
  readonly lastMs: number;
}

export function storyOf(leaves: Iterable<LifecycleLeaf>): Story {
  const commitments = new Map<number, Commitment>();
  const challenges: Challenge[] = [];
  const dispatches: Dispatch[] = [];
  const answers = new Map<number, readonly Acknowledgement[]>();
  const settlements = new Map<number, Settlement>();
  let lastMs = 0;
  for (const leaf of leaves) {
    lastMs = Math.max(lastMs, leaf.timeMs);
    if (leaf.kind === "commitment") commitments.set(leaf.seq, leaf);
    else if (leaf.kind === "challenge") challenges.push(leaf);
    else if (leaf.kind === "settlement") settlements.set(leaf.commitmentSeq, leaf);
    else if (leaf.kind === "acknowledgement")
      answers.set(leaf.orderSeq, [...(answers.get(leaf.orderSeq) ?? []), leaf]);
    else if (leaf.kind === "dispatch") dispatches.push(leaf);
  }
  return { commitments, challenges, calls: callsOf(dispatches), answers, settlements, lastMs };
}

/** By the seq of the commitment leaf: the dispatches that ask for power and were not withdrawn before they began. */
function callsOf(dispatches: readonly Dispatch[]): Story["calls"] {
  const orders = dispatches.map((leaf) => ({ leaf, payload: payloadOf(leaf.order) }));
  const withdrawals = orders.flatMap(({ payload }) => withdrawalOf(payload));
  const called = orders.filter(({ payload }) => isCall(payload, withdrawals)).map(({ leaf }) => leaf);
  return Map.groupBy(called, ({ commitmentSeq }) => commitmentSeq ?? NO_COMMITMENT);
}

/** No leaf has this number. */
const NO_COMMITMENT = -1;

type Payload = ReturnType<typeof payloadOf>;

interface Withdrawal {
  readonly objectId: string;
  readonly atMs: number;
}

function withdrawalOf(payload: Payload): readonly Withdrawal[] {
  const withdraws = payload?.get(DISPATCH_FIELDS.withdraws.key);
  const atMs = payload?.get(DISPATCH_FIELDS.issuedAtMs.key);
  if (!(withdraws instanceof Uint8Array) || typeof atMs !== "number") return [];
  return [{ objectId: toHex(withdraws), atMs }];
}

/** What cannot be read is a call. */
function isCall(payload: Payload, withdrawals: readonly Withdrawal[]): boolean {
  const objectId = payload?.get(DISPATCH_FIELDS.objectId.key);
  const fromMs = payload?.get(DISPATCH_FIELDS.fromMs.key);
  if (payload === undefined || !(objectId instanceof Uint8Array) || typeof fromMs !== "number") return true;
  const id = toHex(objectId);
  const isWithdrawn = withdrawals.some((each) => each.objectId === id && each.atMs <= fromMs);
  return payload.has(DISPATCH_FIELDS.command.key) && !isWithdrawn;
}

/** What is signed; whose signature it is, others have verified. Undefined where it is no signed object. */
export function payloadOf(order: Uint8Array): ReadonlyMap<number, unknown> | undefined {
  try {
    return parseObject(order).payload;
  } catch {
    return undefined;
  }
}
