import { nativeSuite } from "../../attest/native.ts";
import type { NodeExtension, NodeInside } from "../node.ts";
import { sqliteExchange } from "../store/exchange-archive.ts";
import { startExchange } from "./exchange.ts";
import { EXCHANGE_PATHS } from "./openapi-paths.ts";
import type { PeerConfig } from "./peers-config.ts";
import { addExchangeRoutes } from "./routes.ts";

/**
 * The exchange as a part of a node: it answers peers, and asks those that the configuration names. Throws `exchange-file`.
 */
export function openExchange(
  { config, logger, store }: Pick<NodeInside, "config" | "logger" | "store">,
  peers: readonly PeerConfig[],
): NodeExtension {
  const archive = sqliteExchange(store.database);
  const suite = nativeSuite;
  const { network } = config;
  const asking = startExchange({ network, suite, store, archive, logger, peers, nowMs: () => Date.now() });
  return {
    routes: [{ add: (app) => addExchangeRoutes(app, { archive, store, suite }), paths: EXCHANGE_PATHS }],
    close: () => asking.stop(),
  };
}
