import { toHex } from "../attest/bytes.ts";
import { LruCache } from "../attest/lru-cache.ts";
import { nativeSigner, nativeSuite } from "../attest/native.ts";
import type { Signer } from "../attest/signature.ts";
import { loadOrCreateKey } from "../runtime/key-file.ts";
import type { Logger } from "../runtime/log.ts";
import { Admission } from "./admission.ts";
import { LOOPBACK_HOSTS, type NodeConfig } from "./config.ts";
import { Connection, type ConnectionContext, DEFAULT_TIMING } from "./connection.ts";
import { Connections } from "./connections.ts";
import { NodeCounters } from "./http/metrics-counters.ts";
import { createQuestionServer } from "./http/server.ts";
import { closeServer, hostAndPort, listen } from "./listen.ts";
import { RulesCache } from "./rules-cache.ts";
import { openSqliteStore, type SqliteStore } from "./store/sqlite-store.ts";
import { createStreamServer } from "./stream-server.ts";

/** A running node. */
export interface RunningNode {
  /** Where devices connect, `ws://host:port`. */
  readonly wsUrl: string;
  /** Where questions are answered, `http://host:port`. */
  readonly httpUrl: string;
  readonly nodeKey: Uint8Array;
  /** Changes which devices are taken; open connections of others are closed. */
  admit(devices: NodeConfig["devices"]): void;
  /** Finishes the batches in hand, closes every socket with 1001, and leaves the store in one file. */
  close(): Promise<void>;
}

/** Logs whose rules are kept in memory; keys whose check is remembered. */
const KEPT_LOGS = 256;
const KEPT_KEYS = 4096;

/** Starts a node. Throws `key-…`, `database-…`, `store-network` or `listen`, and then has left nothing open. */
export async function startNode(config: NodeConfig, logger: Logger): Promise<RunningNode> {
  const { key, created } = loadOrCreateKey(config.key);
  const signer = nativeSigner(key.seed);
  logger.info("node-key", { created, nodeKey: toHex(signer.publicKey) });
  const store = openSqliteStore(nativeSuite, {
    path: config.store,
    network: config.network,
    maxBytes: config.maxStoreMiB * 1_048_576,
  });
  try {
    return await serve({ config, logger, signer, store });
  } catch (thrown) {
    await store.close();
    throw thrown;
  }
}

interface Parts {
  readonly config: NodeConfig;
  readonly logger: Logger;
  readonly signer: Signer;
  readonly store: SqliteStore;
}

async function serve(parts: Parts): Promise<RunningNode> {
  const { config, logger, signer, store } = parts;
  const connections = new Connections({
    total: config.maxConnections,
    perAddress: config.maxConnectionsPerAddress,
  });
  const admission = new Admission(config.devices);
  const counters = new NodeCounters();
  const context = connectionContext(parts, { connections, admission, counters });
  const stream = createStreamServer(connections, {
    maxConnections: config.maxConnections,
    maxConnectionsPerAddress: config.maxConnectionsPerAddress,
    opened: (socket, tcp) => connections.add(new Connection(socket, tcp, context)),
  });
  const questions = createQuestionServer(
    { archive: store, suite: nativeSuite, network: config.network, nodeKey: signer.publicKey, logger },
    {
      ...{ counters, connections, archive: store, logger },
      store: config.store,
      maxStoreMiB: config.maxStoreMiB,
    },
  );
  const close = async (): Promise<void> => {
    await Promise.all([connections.stop(), closeServer(stream), closeServer(questions)]);
    await store.close();
  };
  try {
    if (!LOOPBACK_HOSTS.includes(config.listen.host)) logger.warn("listen-without-tls", config.listen);
    const wsPort = await listen(stream, { ...config.listen, key: "listen" });
    const httpPort = await listen(questions, { ...config.http, key: "http" });
    return {
      wsUrl: `ws://${hostAndPort(config.listen.host, wsPort)}`,
      httpUrl: `http://${hostAndPort(config.http.host, httpPort)}`,
      nodeKey: signer.publicKey,
      admit: (devices) => {
        admission.change(devices);
        connections.refuseWhere((key) => !admission.admits(key));
      },
      close,
    };
  } catch (thrown) {
    await Promise.all([closeServer(stream), closeServer(questions)]);
    throw thrown;
  }
}

interface Surroundings {
  readonly connections: Connections;
  readonly admission: Admission;
  readonly counters: NodeCounters;
}

function connectionContext(
  parts: Parts,
  { connections, admission, counters }: Surroundings,
): ConnectionContext {
  const { config, signer } = parts;
  const checked = new LruCache<string, boolean>(KEPT_KEYS);
  return {
    network: config.network,
    suite: nativeSuite,
    signer,
    store: counters.counting(parts.store),
    rules: new RulesCache(nativeSuite, KEPT_LOGS),
    nowMs: () => Date.now(),
    admits: (key) => admission.admits(key),
    checkKey: (key) => checked.getOrCompute(toHex(key), () => nativeSuite.checkPublicKey(key)),
    logger: counters.listening(parts.logger),
    timing: DEFAULT_TIMING,
    authenticated: (connection, key) => connections.claim(connection, key),
    ended: (connection) => connections.remove(connection),
  };
}
