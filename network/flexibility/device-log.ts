import { fromHex } from "../../attest/bytes.ts";
import type { ChannelState } from "../../attest/channel-state.ts";
import type { LogIdentity } from "../../attest/identity.ts";
import { type IntervalClose, LEAF_KINDS, type Leaf, type LeafKind } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import type { FlexibilityLeaf, Offer } from "../../attest/leaf-flexibility.ts";
import { type LogRules, restoreRules } from "../../attest/log-rules.ts";
import type { OpenCommitment } from "../../attest/open-commitments.ts";
import { Problem } from "../../attest/problem.ts";
import { readSaved } from "../../attest/saved-rules.ts";
import type { Suite } from "../../attest/suite.ts";
import { NamedStatements, plain } from "../store/named-statements.ts";
import type { SqliteStore } from "../store/sqlite-store.ts";
import type { LogHead } from "../store/store.ts";
import { FLEXIBILITY_SQL } from "./flexibility-sql.ts";

/** A log of a device as it stands now, as far as orders have to do with it. */
export interface DeviceLog extends LogHead {
  readonly identity: LogIdentity;
  readonly intervalMs: number;
  /** Of its last leaf. */
  readonly lastMs: number;
  readonly channels: ReadonlyMap<number, ChannelState>;
  /** Commitments in it that have not ended, and some that have. */
  readonly commitments: readonly OpenCommitment[];
}

/** Offers and other newest leaves that one question looks at. */
const MOST_LEAVES = 100;
/** Two months of intervals of a minute. */
const MOST_CLOSES = 90_000;

/** What orders need to know of devices' logs, out of the node's store. */
export class DeviceLogs {
  readonly #store: SqliteStore;
  readonly #suite: Suite;
  readonly #network: string;
  readonly #statements: NamedStatements;

  constructor(store: SqliteStore, { suite, network }: { readonly suite: Suite; readonly network: string }) {
    this.#store = store;
    this.#suite = suite;
    this.#network = network;
    this.#statements = new NamedStatements(store.database, FLEXIBILITY_SQL);
  }

  /** The log of the device's highest epoch. Throws `device-unknown`. */
  async newest(deviceKey: Uint8Array): Promise<DeviceLog> {
    const head = await this.#store.newestHead(deviceKey);
    if (head !== undefined) return this.#open(head, deviceKey);
    throw new Problem("device-unknown", "this node holds no log of that device", {
      hint: "GET /devices lists them",
    });
  }

  /** As {@link newest}, the key in hexadecimal; undefined where there is none. */
  async newestOf(deviceKey: string): Promise<DeviceLog | undefined> {
    const key = fromHex(deviceKey, "device key");
    const head = await this.#store.newestHead(key);
    return head && this.#open(head, key);
  }

  /** A log by the store's number of it. Throws `leaf-missing` when it is gone. */
  numbered(log: number): DeviceLog {
    const row = this.#statements.get<LogHead & { readonly deviceKey: Uint8Array }>("log-by-id", { log });
    if (row === undefined) throw new Problem("leaf-missing", "the store does not hold this log");
    return this.#open({ ...row, logId: plain(row.logId) }, plain(row.deviceKey));
  }

  #open(head: LogHead, deviceKey: Uint8Array): DeviceLog {
    const identity = { network: this.#network, deviceKey, epoch: head.epoch };
    const rules: LogRules = restoreRules(this.#suite, identity, head.rules);
    return {
      ...{ ...head, identity, channels: rules.channels, intervalMs: rules.intervalMs },
      lastMs: rules.lastTime.timeMs,
      commitments: readSaved(head.rules).state.commitments ?? [],
    };
  }

  /** One leaf. Throws `leaf-missing`. */
  async leaf(log: number, seq: number): Promise<Leaf> {
    const [bytes] = await this.#store.leaves(log, seq, seq + 1);
    if (bytes === undefined) throw new Problem("leaf-missing", "the store does not hold this leaf");
    return decodeLeaf(bytes);
  }

  /** The newest leaves of a kind, newest first. */
  newestLeaves(log: number, kind: LeafKind, limit: number): Promise<Leaf[]> {
    const values = { log, kind: LEAF_KINDS[kind], limit };
    const rows = this.#statements.all<{ seq: number }>("newest-of-kind", values);
    return Promise.all(rows.map(({ seq }) => this.leaf(log, seq)));
  }

  /** Offers whose window has not ended, newest first. */
  async offers(log: number, nowMs: number): Promise<Offer[]> {
    const leaves = await this.newestLeaves(log, "offer", MOST_LEAVES);
    return leaves.filter((leaf): leaf is Offer => leaf.kind === "offer" && leaf.toMs > nowMs);
  }

  /** The channel's closes within a span, by seq. */
  closes(
    log: number,
    span: { readonly channel: number; readonly fromMs: number; readonly toMs: number },
  ): Promise<readonly IntervalClose[]> {
    return this.#store.closes({ log, ...span, afterSeq: -1, limit: MOST_CLOSES });
  }

  /** The channel's newest flexibility reading. */
  async flexibility(log: number, channel: number): Promise<FlexibilityLeaf | undefined> {
    const values = { log, kind: LEAF_KINDS.flexibility, channel };
    const row = this.#statements.get<{ seq: number }>("newest-of-channel", values);
    const leaf = row && (await this.leaf(log, row.seq));
    return leaf?.kind === "flexibility" ? leaf : undefined;
  }
}
