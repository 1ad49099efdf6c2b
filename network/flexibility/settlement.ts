import { parseObject } from "../../attest/cose.ts";
import {
  ANSWER_WITHIN_MS,
  type ChallengeVerdict,
  judgeChallenge,
} from "../../attest/flexibility/challenge.ts";
import { challengeSeries, challengeStart } from "../../attest/flexibility/challenge-series.ts";
import { openChallenge } from "../../attest/flexibility/orders.ts";
import { buildSettlementProof } from "../../attest/flexibility/proof-build.ts";
import { verifySettlement } from "../../attest/flexibility/proof-verify.ts";
import type { SettlementSource } from "../../attest/flexibility/settlement-source.ts";
import { judgeSettlement, type SettlementVerdict } from "../../attest/flexibility/verdict.ts";
import { LEAF_KINDS, type Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { ACKNOWLEDGEMENT } from "../../attest/leaf-flexibility.ts";
import { Problem } from "../../attest/problem.ts";
import type { Suite } from "../../attest/suite.ts";
import { NamedStatements } from "../store/named-statements.ts";
import type { SqliteStore } from "../store/sqlite-store.ts";
import type { DeviceLog, DeviceLogs } from "./device-log.ts";
import { FLEXIBILITY_SQL } from "./flexibility-sql.ts";
import type { KeptAcknowledgement, KeptOrder } from "./order-record.ts";

/** What computing settlements and verdicts needs. */
export interface JudgeParts {
  readonly store: SqliteStore;
  readonly logs: DeviceLogs;
  readonly suite: Suite;
  readonly nodeKey: Uint8Array;
}

/** More than a device says in two weeks of commitments at every quarter of an hour. */
const MOST_LIFE = 100_000;
/** Leaves read in one go, and at all: half an hour of a device with many channels, read every second. */
const PAGE = 1000;
const MOST_LEAVES = 200_000;

/** What this node computes by itself of what devices have sealed: nothing that a device says of itself is taken over. */
export class Judge {
  readonly #parts: JudgeParts;
  readonly #statements: NamedStatements;

  constructor(parts: JudgeParts) {
    this.#parts = parts;
    this.#statements = new NamedStatements(parts.store.database, FLEXIBILITY_SQL);
  }

  /** One log of the store as settlement proofs are built from. */
  async sourceOf({ log, identity }: DeviceLog): Promise<SettlementSource> {
    const place = { log, channel: 0, fromMs: 0, toMs: 0 };
    const source = await this.#parts.store.proofSource(identity, place);
    const kinds = { firstKind: LEAF_KINDS.offer, lastKind: LEAF_KINDS.settlement };
    const lifecycle = (fromMs: number, toMs: number): readonly number[] =>
      this.#statements
        .all<{ seq: number }>("lifecycle", { log, fromMs, toMs, limit: MOST_LIFE, ...kinds })
        .map(({ seq }) => seq);
    return { ...source, lifecycle };
  }

  /** The proof file of a commitment that the device has sealed. Throws `order-commitment` and what `buildSettlementProof` does. */
  async proofOf({ log, seq, list, state }: KeptOrder): Promise<Uint8Array> {
    if (seq === null)
      throw new Problem("order-commitment", "the device is not bound by the commitment", {
        expected: "one that stands sealed in its log",
        got: state,
      });
    const source = await this.sourceOf(this.#parts.logs.numbered(log));
    return buildSettlementProof(source, { commitmentSeq: seq, ...(list === null ? {} : { list }) });
  }

  /** Verifies the proof as a stranger would who trusts this node and knows the device. Throws as its parts do. */
  async settlementOf(order: KeptOrder): Promise<SettlementVerdict> {
    const { suite, nodeKey } = this.#parts;
    const proven = verifySettlement(suite, await this.proofOf(order));
    const policy = { deviceKeys: [order.deviceKey], nodeKeys: [nodeKey], witnesses: 1 };
    return judgeSettlement(suite, proven, policy);
  }

  /** What the log holds of a challenge, judged; undefined while what is missing may still come. */
  async verdictOf(
    kept: KeptOrder,
    {
      acknowledgements,
      nowMs,
    }: { readonly acknowledgements: readonly KeptAcknowledgement[]; readonly nowMs: number },
  ): Promise<ChallengeVerdict | undefined> {
    const { suite, logs } = this.#parts;
    const log = logs.numbered(kept.log);
    const isRejected = acknowledgements.some(({ state }) => state === ACKNOWLEDGEMENT.rejected);
    const isComplete = log.lastMs >= kept.toMs || nowMs >= kept.toMs + ANSWER_WITHIN_MS;
    if (kept.seq === null || (!isRejected && !isComplete)) return undefined;
    const order = openChallenge(suite, kept.bytes, parseObject(kept.bytes).kid);
    const leaves = await this.#leavesFrom(log, kept.seq, kept.toMs);
    const start = challengeStart(leaves, kept.seq);
    if (start === undefined) return judgeChallenge(suite, { order, device: [] });
    const seriesOf = (channel: number) => challengeSeries(leaves, channel, { start, order });
    const receivedAtMs = this.#receiptedAt(kept.log, leaves);
    const reading = await logs.flexibility(kept.log, order.channel);
    const capacityMwh = reading?.capacityMwh;
    return judgeChallenge(suite, {
      ...{ order, startedMs: start.startedMs, device: seriesOf(order.channel) },
      ...(order.siteChannel === undefined ? {} : { site: seriesOf(order.siteChannel) }),
      ...(capacityMwh === undefined ? {} : { facts: { capacityMwh } }),
      ...(receivedAtMs === undefined ? {} : { receivedAtMs }),
    });
  }

  /** From the challenge on to the last leaf that can belong to it. */
  async #leavesFrom({ log, size }: DeviceLog, fromSeq: number, toMs: number): Promise<Leaf[]> {
    const found: Leaf[] = [];
    const end = Math.min(size, fromSeq + MOST_LEAVES);
    for (let from = fromSeq; from < end; from += PAGE) {
      const page = await this.#parts.store.leaves(log, from, Math.min(end, from + PAGE));
      for (const bytes of page) {
        const leaf = decodeLeaf(bytes);
        if (leaf.timeMs > toMs) return found;
        found.push(leaf);
      }
    }
    return found;
  }

  /** When this node first had the last of the leaves. */
  #receiptedAt(log: number, leaves: readonly Leaf[]): number | undefined {
    const size = (leaves.at(-1)?.seq ?? 0) + 1;
    return this.#statements.get<{ ms: number | null }>("receipted", { log, size })?.ms ?? undefined;
  }
}
