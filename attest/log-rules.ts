import type { ChannelState } from "./channel-state.ts";
import { type LogIdentity, logIdOf } from "./identity.ts";
import type { Leaf } from "./leaf.ts";
import { LeafRules, type LogState } from "./leaf-rules.ts";
import { type VerifiedLeaves, walkLeaves } from "./leaf-walk.ts";
import { ReadingScan } from "./reading-scan.ts";
import { readSaved, writeSaved } from "./saved-rules.ts";
import type { Suite } from "./suite.ts";
import { Frontier, leafHash } from "./tree.ts";

const scan = new ReadingScan();

/**
 * The rules that a whole log obeys, leaf by leaf, and what has to be remembered to check the next one. A node
 * runs them over what it is sent; the agent runs them over what it is about to write. {@link LogRules.clone}
 * first where a refusal must leave no trace.
 */
export class LogRules {
  readonly identity: LogIdentity;
  readonly logId: Uint8Array;
  readonly #suite: Suite;
  readonly #frontier: Frontier;
  readonly #rules: LeafRules;

  constructor(suite: Suite, identity: LogIdentity, known?: Known) {
    this.#suite = suite;
    this.identity = identity;
    this.logId = known?.logId ?? logIdOf(suite, identity);
    this.#frontier = known?.frontier ?? new Frontier(suite);
    this.#rules = new LeafRules(identity, known?.state ?? { size: 0, channels: [] });
  }

  get size(): number {
    return this.#rules.size;
  }

  /** Length of the market interval. Throws `log-empty` before the log manifest. */
  get intervalMs(): number {
    return this.#rules.opening.intervalMs;
  }

  get manifestHash(): Uint8Array {
    return this.#rules.opening.manifestHash;
  }

  /** Time and quality of the last leaf. */
  get lastTime(): { readonly timeMs: number; readonly timeQuality: number } {
    return this.#rules.lastTime;
  }

  get bootCount(): number {
    return this.#rules.opening.bootCount;
  }

  /** As they are now; ask again after the next leaf. */
  get channels(): ReadonlyMap<number, ChannelState> {
    return this.#rules.channels;
  }

  root(): Uint8Array {
    return this.#frontier.root();
  }

  clone(): LogRules {
    const frontier = this.#frontier.clone();
    return new LogRules(this.#suite, this.identity, {
      state: this.#rules.state,
      frontier,
      logId: this.logId,
    });
  }

  /**
   * Takes the next leaf, given as it decodes and as its exact bytes; returns its hash. Throws a Problem whose
   * code names the fault, and is then as it was before.
   */
  apply(leaf: Leaf, bytes: Uint8Array): Uint8Array {
    const hash = leafHash(this.#suite, bytes);
    const isTaken = leaf.kind === "reading" && this.#rules.takeReading(scan.of(leaf));
    if (!isTaken) this.#rules.judge(leaf, () => hash);
    this.#frontier.append(hash);
    return hash;
  }

  /**
   * The next leaves, back to back, and the rules behind them; this object stays as it is. Keeps `bytes`. Throws a
   * Problem whose code names the fault of the first wrong leaf and whose text names the leaf, or `batch-size`.
   */
  extended(
    bytes: Uint8Array,
    mostLeaves: number,
  ): { readonly rules: LogRules; readonly leaves: VerifiedLeaves } {
    const rules = this.clone();
    const leaves = walkLeaves(rules.#suite, rules.#rules, { bytes, mostLeaves });
    rules.#frontier.appendAll(leaves.hashes);
    return { rules, leaves };
  }

  /** Text from which {@link restoreRules} makes an equal object. */
  toText(): string {
    return writeSaved({ state: this.#rules.state, peaks: this.#frontier.hashes });
  }
}

interface Known {
  readonly state: LogState;
  readonly frontier: Frontier;
  readonly logId: Uint8Array;
}

/** Rules as {@link LogRules.toText} saved them. Throws `json`, `rules-version` or `tree-frontier` for other text. */
export function restoreRules(suite: Suite, identity: LogIdentity, text: string): LogRules {
  const { state, peaks } = readSaved(text);
  const frontier = new Frontier(suite, state.size, peaks);
  return new LogRules(suite, identity, { state, frontier, logId: logIdOf(suite, identity) });
}
