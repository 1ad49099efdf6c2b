import { equalBytes, toHex } from "../bytes.ts";
import type { Refusal } from "../check.ts";
import type { IntervalClose } from "../leaf.ts";
import { Problem } from "../problem.ts";
import type { EnergyClaim, ProvenSegment } from "../proof-claim.ts";
import type { ProvenReceipt } from "../proof-log.ts";
import type { ProvenFile } from "../proof-verify.ts";
import { RULE_VERSION } from "../receipt.ts";
import { arrangeSegments } from "../segments.ts";
import type { Suite } from "../suite.ts";
import type { TrustPolicy } from "../trust-policy.ts";
import { type EnergyVerdict, judge, type Standing } from "../verdict.ts";
import { CLOCK_TOLERANCE_MS, isTrusted } from "../verdict-bounds.ts";
import { endOf } from "./proof-evidence.ts";
import { type ProvenSettlement, verifySettlement } from "./proof-verify.ts";
import type { Remark } from "./settle-types.ts";
import {
  type CommitmentTerms,
  type JudgedDispatch,
  judgedDispatches,
  type PlainSettled,
  plainSettled,
  termsOf,
} from "./verdict-data.ts";
import { type AccountVerdict, accountOf, faultsOf, remarksOf } from "./verdict-remarks.ts";

type Common = Omit<
  EnergyVerdict,
  "claim" | "fromMs" | "toMs" | "import" | "export" | "segments" | "coarse" | "gaps" | "clockSteps" | "opaque"
>;

/** The judged settlement of one commitment, as plain data: what `verify --json` prints. */
export interface SettlementVerdict extends Common {
  readonly claim: "settlement";
  /** Whether the result holds against the counterparty: nothing in `faults`. */
  readonly counts: boolean;
  /** Why it does not count. */
  readonly faults: readonly Remark[];
  /** What a reader must know and what does not decide. */
  readonly remarks: readonly Remark[];
  /** Whose word the commitment is. */
  readonly counterparty: { readonly nodeKey: string; readonly trusted: boolean };
  readonly commitment: CommitmentTerms;
  readonly dispatches: readonly JudgedDispatch[];
  /** The node's own list of them. */
  readonly list?: { readonly issuedAtMs: number; readonly dispatches: number };
  /** Computed from the leaves of the file alone. */
  readonly settled: PlainSettled;
  /** What the device says itself, beside that. */
  readonly account?: AccountVerdict;
}

/**
 * Judges what a settlement proof shows against what is trusted. Throws `wrong-network`, `untrusted-key`, `retired-key`,
 * `revoked-key`, and `proof-time` where clocks of trusted nodes contradict the device's or the order's.
 */
export function judgeSettlement(
  suite: Suite,
  proven: ProvenSettlement,
  policy: TrustPolicy,
): SettlementVerdict {
  const { life, settled } = proven;
  const common = commonOf(judge(suite, eventFile(proven), policy));
  const receiptedAtMs = receiptedAt(proven, policy);
  const standing = standingOf(proven, policy);
  const trusted = policy.nodeKeys.some((key) => equalBytes(key, life.nodeKey));
  const faults = faultsOf(proven, { receiptedAtMs, standing, trusted });
  const account = accountOf(proven);
  return {
    ...{ ...common, standing, claim: "settlement", counts: faults.length === 0, faults },
    remarks: remarksOf(proven, account),
    counterparty: { nodeKey: toHex(life.nodeKey), trusted },
    commitment: termsOf(life, receiptedAtMs),
    dispatches: judgedDispatches(life),
    ...(life.list && {
      list: { issuedAtMs: life.list.issuedAtMs, dispatches: life.list.digests.length / 32 },
    }),
    settled: plainSettled(settled),
    ...(account && { account }),
  };
}

/** What came out of {@link checkSettlement}. */
export type CheckedSettlement =
  | { readonly valid: true; readonly value: SettlementVerdict }
  | { readonly valid: false; readonly refusal: Refusal };

/** A settlement proof against what is trusted: codes as in docs/evidence-format.md, "Settlement proof". */
export function checkSettlement(suite: Suite, bytes: Uint8Array, policy: TrustPolicy): CheckedSettlement {
  try {
    return { valid: true, value: judgeSettlement(suite, verifySettlement(suite, bytes), policy) };
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown;
    return { valid: false, refusal: { code: thrown.code, message: thrown.message } };
  }
}

/** The event by itself as a claim of energy: its keys, edges and witnesses are judged as those of any other. */
function eventFile({ life, closes, manifests, ...file }: ProvenSettlement): ProvenFile {
  const { fromMs } = life.commitment;
  const toMs = endOf(life.commitment);
  const [first, ...rest] = segmentsOf(eventCloses(closes, { fromMs, toMs }), manifests);
  const segments: EnergyClaim["segments"] = [first, ...rest];
  const claim: EnergyClaim = {
    ...{ kind: "energy", segments, gaps: [], clockSteps: [], opaque: false },
    ...{ fromMs: first.first.t0Ms, toMs: (rest.at(-1) ?? first).last.t1Ms },
  };
  return { ...file, claim };
}

/** The closes that touch the event, or the first one behind it where nothing does. */
function eventCloses(
  closes: ProvenSettlement["closes"],
  event: { readonly fromMs: number; readonly toMs: number },
): readonly [IntervalClose, ...IntervalClose[]] {
  const [first, ...rest] = closes.filter(({ t0Ms, t1Ms }) => t1Ms > event.fromMs && t0Ms < event.toMs);
  return first === undefined ? [closes.at(-1) ?? closes[0]] : [first, ...rest];
}

function segmentsOf(
  closes: readonly [IntervalClose, ...IntervalClose[]],
  manifests: ProvenSettlement["manifests"],
): readonly [ProvenSegment, ...ProvenSegment[]] {
  const [first, ...rest] = arrangeSegments(closes).map((segment) => {
    const manifest = manifests.get(segment.last.manifestSeq);
    if (manifest === undefined) throw new Problem("proof-manifest", "a close names no manifest of the file");
    return { ...segment, manifest, log: 0 };
  });
  if (first === undefined) throw new Problem("proof-cover", "the proof holds no close");
  return [first, ...rest];
}

function commonOf(verdict: ReturnType<typeof judge>): Common {
  if (verdict.claim !== "energy") throw new Problem("proof-leaf", "not the energy of an event");
  const { claim: _c, fromMs: _f, toMs: _t, import: _i, export: _e, ...rest } = verdict;
  const { segments: _s, coarse: _o, gaps: _g, clockSteps: _k, opaque: _q, ...common } = rest;
  return common;
}

/** Receipts of trusted nodes over a leaf, by rules that are known. */
function trustedOver({ logs: [log] }: ProvenSettlement, seq: number, policy: TrustPolicy): ProvenReceipt[] {
  return log.receipts.filter(
    (receipt) => receipt.size > seq && receipt.ruleVersion === RULE_VERSION && isTrusted(receipt, policy),
  );
}

/** When the first trusted node had the commitment; throws `proof-time` where that contradicts what it says. */
function receiptedAt(proven: ProvenSettlement, policy: TrustPolicy): number | undefined {
  const { commitment, order } = proven.life;
  const times = trustedOver(proven, commitment.seq, policy).map(({ receivedAtMs }) => receivedAtMs);
  if (times.length === 0) return undefined;
  const earliest = Math.min(...times);
  const latest = earliest + (policy.clockToleranceMs ?? CLOCK_TOLERANCE_MS);
  if (commitment.timeMs <= latest && order.issuedAtMs <= latest) return earliest;
  throw new Problem("proof-time", "the commitment was receipted before it was given or taken", {
    where: `leaf ${commitment.seq}`,
    expected: `issued and taken by ${latest}`,
    got: `issued ${order.issuedAtMs}, taken ${commitment.timeMs}, receipted ${earliest}`,
  });
}

/** Of everything that decides: the closes, and what the device answered. */
function standingOf(proven: ProvenSettlement, policy: TrustPolicy): Standing {
  const { dispatches, acknowledgements, actuations } = proven.life;
  const life = [...dispatches.map(({ leaf }) => leaf), ...acknowledgements, ...actuations];
  const last = [...life, ...proven.closes].reduce((most, { seq }) => Math.max(most, seq), 0);
  const nodes = new Set(trustedOver(proven, last, policy).map(({ nodeKey }) => toHex(nodeKey)));
  if (nodes.size === 0) return "device-asserted";
  return nodes.size >= policy.witnesses ? "witnessed" : "single witness";
}
