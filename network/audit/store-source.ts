import { concatBytes } from "../../attest/bytes.ts";
import type { Leaf, ReadingLeaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { restoreRules } from "../../attest/log-rules.ts";
import { inclusionProof } from "../../attest/node-source.ts";
import { Problem } from "../../attest/problem.ts";
import type { Suite } from "../../attest/suite.ts";
import type { LogHead, Store } from "../store/store.ts";
import type { AuditedLeaf, AuditSource, LeafProof } from "./audit-record.ts";

/** Between closes, flexibility and channels without evidence, this many tries find a reading. */
const TRIES = 16;

export interface StoreSourceOptions {
  readonly store: Pick<Store, "newestHead" | "leaves" | "checkpointOver" | "history">;
  readonly suite: Suite;
  readonly network: string;
  /** How far back from its newest leaf a device is asked: not longer than agents keep frames. */
  readonly windowMs: number;
}

/** Leaves to audit out of the node's own store. Times are those of the leaves, so that a device's clock does not matter. */
export class StoreAuditSource implements AuditSource {
  readonly #options: StoreSourceOptions;

  constructor(options: StoreSourceOptions) {
    this.#options = options;
  }

  async pick(deviceKey: Uint8Array, random: () => number): Promise<AuditedLeaf | undefined> {
    const { store, suite, network, windowMs } = this.#options;
    const head = await store.newestHead(deviceKey);
    if (head === undefined) return undefined;
    const rules = restoreRules(suite, { network, deviceKey, epoch: head.epoch }, head.rules);
    const fromMs = rules.lastTime.timeMs - windowMs;
    const first = await this.#firstSince(head, fromMs);
    for (let tried = 0; tried < TRIES; tried++) {
      const seq = first + Math.floor(random() * (head.size - first));
      const leaf = await this.#leaf(head, seq);
      if (!isReading(leaf) || leaf.timeMs < fromMs) continue;
      const { manifest } = rules.channels.get(leaf.channel) ?? {};
      const { evidence } = leaf;
      // What was read under an earlier manifest is of another profile, or another meter.
      if (evidence === undefined || manifest === undefined || manifest.seq > seq) continue;
      return { deviceKey, log: head.log, epoch: head.epoch, leaf, evidence, manifest };
    }
    return undefined;
  }

  /** Throws `leaf-missing`, or `audit-unsigned` when no checkpoint over the leaf is stored. */
  async proofOf({ log, leaf: { seq } }: AuditedLeaf): Promise<LeafProof> {
    const { store } = this.#options;
    const checkpoint = await store.checkpointOver(log, seq + 1);
    if (checkpoint === undefined)
      throw new Problem("audit-unsigned", "no checkpoint covers the audited leaf");
    const history = await store.history(log);
    const path = concatBytes(...inclusionProof(history.tree(), checkpoint.size, seq));
    return { leaf: history.leaf(seq), path, checkpoint: checkpoint.bytes };
  }

  /** The place from which on leaves are that young, by halves: times rise but for a step of the clock. */
  async #firstSince(head: LogHead, fromMs: number): Promise<number> {
    let [low, high] = [0, head.size];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const { timeMs } = await this.#leaf(head, middle);
      if (timeMs < fromMs) low = middle + 1;
      else high = middle;
    }
    return Math.min(low, head.size - 1);
  }

  async #leaf({ log }: LogHead, seq: number): Promise<Leaf> {
    const [bytes] = await this.#options.store.leaves(log, seq, seq + 1);
    if (bytes === undefined) throw new Problem("leaf-missing", "the store does not hold this leaf");
    return decodeLeaf(bytes);
  }
}

function isReading(leaf: Leaf): leaf is ReadingLeaf {
  return leaf.kind === "reading";
}
