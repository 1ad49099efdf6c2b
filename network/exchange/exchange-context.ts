import type { Suite } from "../../attest/suite.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Store } from "../store/store.ts";
import type { ExchangeArchive } from "./exchange-archive.ts";
import type { HistoryCache } from "./history-cache.ts";

/** What comparing with peers needs; one for the whole node. */
export interface ExchangeContext {
  readonly network: string;
  readonly suite: Suite;
  readonly store: Pick<
    Store,
    "head" | "laterHeads" | "checkpointOver" | "history" | "faultRoom" | "addFault"
  >;
  readonly archive: ExchangeArchive;
  readonly histories: HistoryCache;
  readonly logger: Logger;
  /** ms since 1970 UTC. */
  readonly nowMs: () => number;
}
