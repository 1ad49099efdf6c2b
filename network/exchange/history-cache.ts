import { LruCache } from "../../attest/lru-cache.ts";
import type { Store, StoredHistory } from "../store/store.ts";

const KEPT_TREES = 32;

/**
 * Logs with their trees, for a while: the higher nodes of a large tree cost thousands of look-ups, the tree remembers
 * them, and whoever compares asks for several of one tree.
 */
export class HistoryCache {
  readonly #store: Pick<Store, "history">;
  readonly #histories = new LruCache<number, Promise<StoredHistory>>(KEPT_TREES);

  constructor(store: Pick<Store, "history">) {
    this.#store = store;
  }

  of(log: number): Promise<StoredHistory> {
    return this.#histories.getOrCompute(log, async () => {
      const { leaf, tree } = await this.#store.history(log);
      const shared = tree();
      return { leaf, tree: () => shared };
    });
  }
}
