import { toHex } from "../attest/bytes.ts";
import type { LogIdentity } from "../attest/identity.ts";
import { LogRules, restoreRules } from "../attest/log-rules.ts";
import { LruCache } from "../attest/lru-cache.ts";
import type { Suite } from "../attest/suite.ts";
import type { LogHead } from "./store/store.ts";

/** How often signed leaves that the rules refuse are looked into before the log grows: it costs more than refusing them. */
const MOST_JUDGED = 16;

interface Place {
  rules: LogRules;
  judged: number;
}

/** Rules of the logs that batches came for last, so that their saved text is not read for every batch. */
export class RulesCache {
  readonly #suite: Suite;
  readonly #places: LruCache<string, Place>;

  constructor(suite: Suite, limit: number) {
    this.#suite = suite;
    this.#places = new LruCache(limit);
  }

  /** The rules at `head`, which the store has just given; without a head, those of a log that is not opened yet. */
  at(identity: LogIdentity, head: LogHead | undefined): LogRules {
    return head === undefined ? new LogRules(this.#suite, identity) : this.#placeAt(identity, head).rules;
  }

  /** Counts one more look into refused leaves behind `head`; false when there have been as many as there may be. */
  mayJudge(identity: LogIdentity, head: LogHead): boolean {
    const place = this.#placeAt(identity, head);
    place.judged += 1;
    return place.judged <= MOST_JUDGED;
  }

  /** Takes rules over that are now durable. */
  keep(rules: LogRules): void {
    const place = this.#place(rules.logId, () => rules);
    place.rules = rules;
    place.judged = 0;
  }

  #placeAt(identity: LogIdentity, head: LogHead): Place {
    const place = this.#place(head.logId, () => restoreRules(this.#suite, identity, head.rules));
    // The store has one history of a log, so a size says which state it is; another process may have moved it.
    if (place.rules.size !== head.size) place.rules = restoreRules(this.#suite, identity, head.rules);
    return place;
  }

  #place(logId: Uint8Array, compute: () => LogRules): Place {
    return this.#places.getOrCompute(toHex(logId), () => ({ rules: compute(), judged: 0 }));
  }
}
