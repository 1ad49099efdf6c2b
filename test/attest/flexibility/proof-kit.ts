import { concatBytes } from "../../../attest/bytes.ts";
import {
  type CommitmentOrder,
  type DispatchOrder,
  signCommitment,
  signDispatch,
  signDispatchList,
} from "../../../attest/flexibility/orders.ts";
import { buildSettlementProof } from "../../../attest/flexibility/proof-build.ts";
import { decodeSettlementProof, encodeSettlementProof } from "../../../attest/flexibility/proof-file.ts";
import { verifySettlement } from "../../../attest/flexibility/proof-verify.ts";
import type { SettlementSource } from "../../../attest/flexibility/settlement-source.ts";
import { encodeTerms, type FlexTerms } from "../../../attest/flexibility/terms.ts";
import type { Leaf, Unplaced } from "../../../attest/leaf.ts";
import { decodeLeaf, decodeLeafAt, encodeLeaf } from "../../../attest/leaf-codec.ts";
import {
  ACKNOWLEDGEMENT,
  BOUNDARY,
  type Commitment,
  DIRECTION,
  type Dispatch,
  LIFECYCLE_KINDS,
} from "../../../attest/leaf-flexibility.ts";
import { nativeSuite } from "../../../attest/native.ts";
import type { ProofPart } from "../../../attest/proof.ts";
import type { LocalSigner } from "../../../attest/signature.ts";
import { leafHash } from "../../../attest/tree.ts";
import { LogBuilder, type LogBuilderOptions } from "../../kit/log-builder.ts";
import {
  nodeA,
  nodeB,
  partShowing,
  patientSuite,
  quickSigner,
  receiptsNow,
  type Shown,
  say,
} from "../proof-kit.ts";
import { problemOf } from "../refusal.ts";

/**
 * One commitment from its offer to its settlement, in a log of hours. The meter reads once an hour: 1 kWh on every hour of
 * every day, so a baseline of like days is 1 kWh an hour, whatever they are.
 */
export const HOUR_MS = 3_600_000;
export const DAY_MS: number = 24 * HOUR_MS;
/** Monday, 2026-01-05; the event is on Tuesday two weeks later, 17:00 to 19:00 in Berlin. */
export const BEGIN_MS: number = Date.UTC(2026, 0, 5, 12);
export const EVENT_MS: number = Date.UTC(2026, 0, 20, 16);
export const EVENT_END_MS: number = EVENT_MS + 2 * HOUR_MS;
export const REBOUND_END_MS: number = EVENT_END_MS + 2 * HOUR_MS;
export const ISSUED_MS: number = EVENT_MS - 7 * HOUR_MS;
export const USUAL_MWH = 1_000_000;

export const TERMS: FlexTerms = {
  ...{ direction: DIRECTION.reduce, baselineMethod: "h10/1", timeZone: "Europe/Berlin" },
  ...{ noticeMs: HOUR_MS, settlementRules: 1 },
};

export interface WorldOptions extends LogBuilderOptions {
  readonly terms?: Partial<FlexTerms>;
  /** When the meter is read first. */
  readonly beginMs?: number;
  readonly order?: Partial<CommitmentOrder>;
  /** Energy of an hour that begins then, mWh; undefined: the meter is not read at its end. */
  readonly energyAt?: (startMs: number) => number | undefined;
  /** When nodes A and B receipt the commitment. */
  readonly receiptedMs?: number;
  /** Who signs the orders. */
  readonly node?: LocalSigner;
  /** What comes at a time of day, once the hour before it is closed. */
  readonly also?: (world: World, hourMs: number) => void | Promise<void>;
  /** Without any dispatch nothing is called. */
  readonly dispatches?: readonly Partial<DispatchOrder>[];
  readonly offer?: boolean;
  readonly acknowledge?: boolean;
}

/** A log with one commitment that is over, receipted to its end. */
export class World {
  readonly log: LogBuilder;
  readonly options: WorldOptions;
  readonly node: LocalSigner;
  importMwh = 5_000_000;
  commitment: Commitment | undefined;
  readonly dispatches: Dispatch[] = [];

  constructor(options: WorldOptions = {}) {
    this.options = options;
    this.node = options.node ?? nodeA;
    this.log = new LogBuilder({
      ...{ suite: nativeSuite, signer: quickSigner(1), intervalMs: HOUR_MS },
      ...{ startMs: (options.beginMs ?? BEGIN_MS) - 5000, ...options },
    });
    this.log.manifest({ samplingMs: 10_000 });
  }

  /** The log's own clock, which leaves are written by. */
  at(ms: number): this {
    this.log.timeMs = ms;
    return this;
  }

  append(leaf: Unplaced): Leaf {
    return this.log.append(leaf).leaf;
  }

  /** Reads the meter on every hour from..to and closes each. */
  async meter(fromMs: number, toMs: number): Promise<this> {
    const { energyAt = usualEnergy, also, beginMs = BEGIN_MS, intervalMs = HOUR_MS } = this.options;
    for (let ms = fromMs; ms <= toMs; ms += intervalMs) {
      const energy = ms === beginMs ? 0 : energyAt(ms - intervalMs);
      this.importMwh += energy ?? USUAL_MWH;
      this.at(ms);
      if (energy !== undefined) this.log.read({ importMwh: this.importMwh });
      this.at(ms + 5000).log.closeDue();
      await also?.(this, ms);
    }
    return this;
  }

  async commit(changes: Partial<CommitmentOrder> = {}): Promise<Commitment> {
    const terms = encodeTerms({ ...TERMS, ...this.options.terms });
    const order = {
      ...{ logId: this.log.rules.logId, objectId: id(1), channel: 1, boundary: BOUNDARY.device },
      ...{ issuedAtMs: ISSUED_MS, expiresMs: ISSUED_MS + HOUR_MS, fromMs: EVENT_MS, intervalMs: HOUR_MS },
      ...{ deltaMwh: [-500_000, -500_000], terms, ...this.options.order, ...changes },
    };
    const { channel, boundary, fromMs, intervalMs, deltaMwh } = order;
    const leaf = this.append({
      ...{ kind: "commitment", ...this.log.time(), channel, boundary, fromMs, intervalMs, deltaMwh },
      ...(order.offerSeq !== undefined && { offerSeq: order.offerSeq }),
      ...{ termsDigest: nativeSuite.sha256(terms), counterparty: await signCommitment(this.node, order) },
    });
    if (leaf.kind !== "commitment") throw new Error("not a commitment");
    return leaf;
  }

  async dispatch(changes: Partial<DispatchOrder> = {}, node: LocalSigner = this.node): Promise<Dispatch> {
    const order = {
      ...{ logId: this.log.rules.logId, objectId: id(2 + this.dispatches.length), channel: 1 },
      ...{ issuedAtMs: EVENT_MS - HOUR_MS / 2, expiresMs: EVENT_END_MS, commitmentId: id(1) },
      ...{ fromMs: EVENT_MS, toMs: EVENT_END_MS, command: 1, value: -2_000_000, ...changes },
    };
    const leaf = this.append({
      ...{ kind: "dispatch", ...this.log.time(), channel: 1 },
      ...(this.commitment && { commitmentSeq: this.commitment.seq }),
      order: await signDispatch(node, order),
    });
    if (leaf.kind !== "dispatch") throw new Error("not a dispatch");
    this.dispatches.push(leaf);
    return leaf;
  }

  acknowledge(orderSeq: number, state: number, reason?: string): Leaf {
    return this.append({
      ...{ kind: "acknowledgement", ...this.log.time(), channel: 1, orderSeq, state },
      ...(reason !== undefined && { reason }),
    });
  }

  /** The node's word on its dispatches: those of the log, or others. */
  list(
    orders: readonly Uint8Array[] = this.dispatches.map(({ order }) => order),
    changes: Partial<Parameters<typeof signDispatchList>[1]> = {},
  ): Promise<Uint8Array> {
    const digests = concatBytes(...orders.map((order) => nativeSuite.sha256(order)));
    const { logId } = this.log.rules;
    const list = { logId, commitmentId: id(1), digests, issuedAtMs: EVENT_END_MS + HOUR_MS, ...changes };
    return signDispatchList(this.node, list);
  }

  source(): SettlementSource {
    const { log } = this;
    return {
      ...log.proofSource(),
      lifecycle: (fromMs, toMs) =>
        log.leaves
          .filter(({ leaf }) => isLifecycle(leaf) && leaf.timeMs >= fromMs && leaf.timeMs <= toMs)
          .map(({ leaf }) => leaf.seq),
    };
  }

  get commitmentSeq(): number {
    return this.commitment?.seq ?? 0;
  }
}

function isLifecycle({ kind }: Leaf): boolean {
  return LIFECYCLE_KINDS.some((each) => each === kind);
}

export function id(number: number): Uint8Array {
  return new Uint8Array(16).fill(number);
}

/** 1 kWh an hour, and 0.4 kWh in the event: 0.6 kWh delivered in each of its hours. */
export function usualEnergy(startMs: number): number {
  return startMs >= EVENT_MS && startMs < EVENT_END_MS ? 400_000 : USUAL_MWH;
}

/** The whole life: metered, offered, committed, dispatched, done, metered on, and receipted. */
export async function lived(options: WorldOptions = {}): Promise<World> {
  const world = new World(options);
  const { log } = world;
  const { receiptedMs = ISSUED_MS + 120_000, dispatches = [{}], acknowledge = true } = options;
  const stepMs = options.intervalMs ?? HOUR_MS;
  await world.meter(options.beginMs ?? BEGIN_MS, ISSUED_MS);
  world.at(ISSUED_MS + 20_000);
  const offer = options.offer === false ? undefined : world.append(offerOf(log));
  world.commitment = await world.at(ISSUED_MS + 60_000).commit(offer && { offerSeq: offer.seq });
  await log.checkpoint();
  for (const node of [nodeA, nodeB]) await log.receive(node, receiptedMs);
  await world.meter(ISSUED_MS + stepMs, EVENT_MS - HOUR_MS / 2);
  world.at(EVENT_MS - HOUR_MS / 2 + 5000);
  for (const dispatch of dispatches) {
    const { seq } = await world.dispatch(dispatch);
    if (acknowledge) world.acknowledge(seq, ACKNOWLEDGEMENT.accepted);
  }
  await world.meter(Math.floor((EVENT_MS - HOUR_MS / 2) / stepMs + 1) * stepMs, EVENT_MS);
  world.at(EVENT_MS + 6000);
  for (const { seq } of acknowledge ? world.dispatches : []) {
    world.acknowledge(seq, ACKNOWLEDGEMENT.started);
    world.append({
      ...{ kind: "actuation", ...log.time(), channel: 1, orderSeq: seq, action: 1 },
      ...{ command: 1, value: -2_000_000, readBack: -2_000_000, leaseMs: 60_000 },
    });
  }
  await world.meter(EVENT_MS + stepMs, EVENT_END_MS);
  world.at(EVENT_END_MS + 6000);
  for (const { seq } of acknowledge ? world.dispatches : [])
    world.acknowledge(seq, ACKNOWLEDGEMENT.succeeded);
  await world.meter(EVENT_END_MS + stepMs, REBOUND_END_MS + HOUR_MS);
  await receiptsNow(log, [nodeA, nodeB]);
  return world;
}

function offerOf(log: LogBuilder): Unplaced {
  return {
    ...{ kind: "offer", ...log.time(), channel: 1, boundary: BOUNDARY.device, direction: DIRECTION.reduce },
    ...{ fromMs: EVENT_MS, toMs: EVENT_END_MS, powerMw: 500_000, noticeMs: HOUR_MS, baselineMethod: "h10/1" },
  };
}

/** A file put together by hand, with a multiproof that fits. */
export function fileShowing(world: World, shown: Shown & { readonly list?: Uint8Array }): Uint8Array {
  const { list, ...rest } = shown;
  return encodeSettlementProof({ part: partShowing(world.log, rest), ...(list && { list }) });
}

/** One leaf says something else, under hashes and signatures that fit: what a dishonest device can do. */
export function rewrite(world: World, seq: number, changes: object): void {
  const before = world.log.leaves[seq]?.leaf;
  // Callers change only values of the leaf's own fields.
  const bytes = encodeLeaf({ ...before, ...changes } as Leaf);
  world.log.leaves[seq] = { leaf: decodeLeaf(bytes), bytes, hash: leafHash(nativeSuite, bytes) };
}

/** Puts a leaf at the end past the log's rules. */
export function sayLate(world: World, leaf: Unplaced): number {
  return say(world.log, leaf);
}

/** The code with which a file is refused. */
export function refusalOf(bytes: Uint8Array): string {
  return problemOf(() => verifySettlement(patientSuite, bytes)).code;
}

export function leavesOf(part: ProofPart, which: "leaves" | "manifests" = "leaves"): Leaf[] {
  const found: Leaf[] = [];
  for (let at = 0; at < part[which].length; ) {
    const { leaf, end } = decodeLeafAt(part[which], at);
    found.push(leaf);
    at = end;
  }
  return found;
}

/** Which leaves the honest file shows. */
export function seqsOf(world: World): number[] {
  const { commitmentSeq } = world;
  const { part } = decodeSettlementProof(buildSettlementProof(world.source(), { commitmentSeq }));
  return leavesOf(part).map(({ seq }) => seq);
}

export function flipped(bytes: Uint8Array, at: number, bit = 0): Uint8Array {
  const changed = bytes.slice();
  changed[at] = (changed[at] ?? 0) ^ (1 << bit);
  return changed;
}
