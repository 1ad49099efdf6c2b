import { DAY_MS } from "../../attest/baseline/zone.ts";
import { openDispatch } from "../../attest/flexibility/orders.ts";
import { settle, settlementBody } from "../../attest/flexibility/settle.ts";
import type { Call, SettlementEvidence } from "../../attest/flexibility/settle-types.ts";
import type { ChannelManifest, Discontinuity, IntervalClose, Leaf } from "../../attest/leaf.ts";
import type { Dispatch } from "../../attest/leaf-flexibility.ts";
import { nativeSuite } from "../../attest/native.ts";
import type { FlexHost } from "./host.ts";
import type { KeptCommitment } from "./kept-commitment.ts";

/** Further back no baseline looks: 60 days, and a day to every side of it. */
const HISTORY_MS = 62 * DAY_MS;
/** A close comes up to half an interval late, and then it has to be written. */
const LATE_INTERVALS = 2;

/** The device's own account of each commitment that was called, once its rebound is over. */
export class Settlements {
  readonly #host: FlexHost;

  constructor(host: FlexHost) {
    this.#host = host;
  }

  /** Seals what is due. Returns whether anything was sealed. */
  tick(commitments: readonly KeptCommitment[]): boolean {
    if (!this.#host.clockKnown()) return false;
    const due = commitments.filter((each) => !each.settled && this.#isDue(each));
    return due.map((each) => this.#settle(each)).includes(true);
  }

  #isDue({ order, toMs, called }: KeptCommitment): boolean {
    const reboundMs = toMs - order.fromMs;
    return called && this.#host.nowMs() >= toMs + reboundMs + LATE_INTERVALS * order.intervalMs;
  }

  #settle(commitment: KeptCommitment): boolean {
    // Once, whatever comes of it: what cannot be computed now cannot be computed a second later either.
    commitment.settled = true;
    const { seq, order } = commitment;
    try {
      const evidence = this.#evidence(commitment);
      const settled = evidence === undefined ? undefined : settle(evidence);
      if (settled?.called !== true) return false;
      this.#host.seal(settlementBody(settled, { channel: order.channel, commitmentSeq: seq }));
      this.#host.logger.info("flex-settled", { commitmentSeq: seq, result: settled.result });
      return true;
    } catch (thrown) {
      this.#host.logger.problem("flex-settlement-failed", thrown, { commitmentSeq: seq });
      return false;
    }
  }

  #evidence(kept: KeptCommitment): SettlementEvidence | undefined {
    const { order, terms, seq, takenMs } = kept;
    const commitment = this.#host.leaf(seq);
    if (commitment?.kind !== "commitment") return undefined;
    const closes = this.#unbroken(order.channel, order.fromMs - HISTORY_MS);
    return {
      ...{ commitment, order, terms, closes, discontinuities: this.#breaks(closes) },
      meters: this.#meters(closes),
      calls: callsOf(kept, this.#host.lifecycle(takenMs)),
    };
  }

  /** The channel's closes from `fromMs` on, each the previous one of the next, the newest one last. */
  #unbroken(channel: number, fromMs: number): IntervalClose[] {
    const found = this.#host.closes(channel, fromMs, this.#host.nowMs());
    const bySeq = new Map(found.map((close) => [close.seq, close]));
    const list: IntervalClose[] = [];
    let next = found.at(-1);
    while (next !== undefined && next.t0Ms >= fromMs) {
      list.push(next);
      const { previousCloseSeq } = next;
      next =
        previousCloseSeq === undefined
          ? undefined
          : (bySeq.get(previousCloseSeq) ?? this.#close(previousCloseSeq));
    }
    return list.reverse();
  }

  /** One that a clock which was set has put out of the order of time. */
  #close(seq: number): IntervalClose | undefined {
    const leaf = this.#host.leaf(seq);
    return leaf?.kind === "intervalClose" ? leaf : undefined;
  }

  /** The manifests that the closes name. */
  #meters(closes: readonly IntervalClose[]): ReadonlyMap<number, ChannelManifest> {
    const found = new Map<number, ChannelManifest>();
    for (const seq of new Set(closes.map(({ manifestSeq }) => manifestSeq))) {
      const leaf = this.#host.leaf(seq);
      if (leaf?.kind === "channelManifest") found.set(seq, leaf);
    }
    return found;
  }

  /** Every discontinuity that the closes name, and those between them. */
  #breaks(closes: readonly IntervalClose[]): Discontinuity[] {
    const firstSeq = closes[0]?.openingSeq ?? 0;
    const found = new Map<number, Discontinuity>();
    for (const { lastDiscontinuitySeq } of closes) {
      let seq = lastDiscontinuitySeq;
      while (seq !== undefined && seq >= firstSeq && !found.has(seq)) {
        const leaf = this.#host.leaf(seq);
        if (leaf?.kind !== "discontinuity") break;
        found.set(seq, leaf);
        seq = leaf.previousDiscontinuitySeq;
      }
    }
    return [...found.values()].sort((a, b) => a.seq - b.seq);
  }
}

/** The dispatches under a commitment, with what the device answered. */
export function callsOf(
  { seq, nodeKey }: Pick<KeptCommitment, "seq" | "nodeKey">,
  leaves: readonly Leaf[],
): Call[] {
  const dispatches = leaves.filter(
    (leaf): leaf is Dispatch => leaf.kind === "dispatch" && leaf.commitmentSeq === seq,
  );
  return dispatches.map((leaf) => ({
    leaf,
    order: openDispatch(nativeSuite, leaf.order, nodeKey),
    acknowledgements: leaves.flatMap((each) =>
      each.kind === "acknowledgement" && each.orderSeq === leaf.seq ? [each] : [],
    ),
  }));
}
