import { toHex } from "../attest/bytes.ts";
import { LruCache } from "../attest/lru-cache.ts";
import type { FrameMessage, OrderRefusedMessage } from "../attest/messages.ts";
import { nativeBusySigner, nativeSuite } from "../attest/native.ts";
import { Problem } from "../attest/problem.ts";
import type { Signer } from "../attest/signature.ts";
import { loadOrCreateKey } from "../runtime/key-file.ts";
import type { Logger } from "../runtime/log.ts";
import { Admission } from "./admission.ts";
import { LOOPBACK_HOSTS, type NodeConfig } from "./config.ts";
import { Connection, type ConnectionContext, DEFAULT_TIMING } from "./connection.ts";
import { Connections } from "./connections.ts";
import { type DeskContext, enrolDevice } from "./enrolment/desk.ts";
import type { Office } from "./enrolment/operator.ts";
import { EnrolmentRecords } from "./enrolment/records.ts";
import type { ExtraRoutes } from "./http/app.ts";
import { LiveBoard } from "./http/live-board.ts";
import { NodeCounters } from "./http/metrics-counters.ts";
import { NodeFiles } from "./http/node-files.ts";
import { createQuestionServer } from "./http/server.ts";
import { NodeLimits } from "./limits/node-limits.ts";
import { closeServer, listen, urlOf, type WebServer } from "./listen.ts";
import { EpochQuarantine } from "./quarantine/quarantine.ts";
import { type QuarantineOffice, quarantineRoutes } from "./quarantine/routes.ts";
import { RulesCache } from "./rules-cache.ts";
import { sqliteQuarantine } from "./store/exchange-quarantine.ts";
import { openSqliteStore, type SqliteStore } from "./store/sqlite-store.ts";
import { createStreamServer } from "./stream-server.ts";

/** A running node. */
export interface RunningNode {
  /** Where devices connect, `ws://host:port` or `wss://host:port`. */
  readonly wsUrl: string;
  /** Where questions are answered, `http://host:port` or `https://host:port`. */
  readonly httpUrl: string;
  readonly nodeKey: Uint8Array;
  /** Changes which devices are taken; open connections of others are closed. */
  admit(devices: NodeConfig["devices"]): void;
  /** As {@link admit}, and reads tokens and certificates again. Throws `config-…`, and then has changed nothing. */
  reload(devices: NodeConfig["devices"]): void;
  /** Finishes the batches in hand, closes every socket with 1001, and leaves the store in one file. */
  close(): Promise<void>;
}

/** What a further part of the node may use. */
export interface NodeInside {
  readonly config: NodeConfig;
  readonly logger: Logger;
  readonly signer: Signer;
  readonly store: SqliteStore;
  readonly connections: Connections;
  readonly counters: NodeCounters;
}

/** A further part of the node: routes of its own, what devices say to it. It is closed before the store is. */
export interface NodeExtension {
  readonly routes?: readonly ExtraRoutes[];
  readonly onFrame?: (deviceKey: Uint8Array, message: FrameMessage) => void;
  readonly onOrderRefused?: (deviceKey: Uint8Array, message: OrderRefusedMessage) => void;
  /** Called when a device has proven its key, before its welcome has left; the key in hexadecimal. */
  readonly onConnected?: (deviceKey: string) => void;
  close?(): Promise<void>;
}

export type OpenExtension = (inside: NodeInside) => NodeExtension;

/** Logs whose rules are kept in memory; keys whose check is remembered. */
const KEPT_LOGS = 256;
const KEPT_KEYS = 4096;
/** Keys that wait for the operator. */
const MAX_WAITING_KEYS = 1000;

/**
 * Starts a node. Throws `config-tls`, `config-tokens`, `key-…`, `database-…`, `store-network` or `listen`, and then has
 * left nothing open.
 */
export async function startNode(
  config: NodeConfig,
  logger: Logger,
  extensions: readonly OpenExtension[] = [],
): Promise<RunningNode> {
  const files = new NodeFiles(config);
  const { key, created } = loadOrCreateKey(config.key);
  const signer = nativeBusySigner(key.seed);
  logger.info("node-key", { created, nodeKey: toHex(signer.publicKey) });
  const store = openSqliteStore(nativeSuite, {
    path: config.store,
    network: config.network,
    maxBytes: config.maxStoreMiB * 1_048_576,
  });
  try {
    return await serve(assemble({ config, logger, signer, store, files }, extensions));
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
  readonly files: NodeFiles;
}

/** A node with all its parts, not listening yet. */
interface Assembled extends Parts {
  readonly connections: Connections;
  readonly admission: Admission;
  readonly stream: WebServer;
  readonly questions: WebServer;
  readonly extensions: readonly NodeExtension[];
}

function assemble(parts: Parts, openers: readonly OpenExtension[]): Assembled {
  const { config, store, files } = parts;
  const counters = new NodeCounters();
  const limits = new NodeLimits(config, counters);
  const connections = new Connections(limits.connections);
  const perSource = config.maxConnectionsPerAddress;
  const records = new EnrolmentRecords(store, { total: MAX_WAITING_KEYS, perSource });
  const admission = new Admission(config.devices, (key) => records.stateOf(key));
  const live = new LiveBoard(limits.live);
  const extensions = openers.map((open) => open({ ...parts, connections, counters }));
  const quarantine = quarantineOf(parts);
  const around = { connections, admission, counters, limits, records, live, extensions, quarantine };
  const context = connectionContext(parts, around);
  const stream = createStreamServer(connections, {
    maxConnections: config.maxConnections,
    maxConnectionsPerAddress: config.maxConnectionsPerAddress,
    opened: (socket, tcp) => connections.add(new Connection(socket, tcp, context)),
    ...(files.listenTls === undefined ? {} : { tls: files.listenTls }),
  });
  return { ...parts, connections, admission, extensions, stream, questions: questionServer(parts, around) };
}

interface Surroundings {
  readonly connections: Connections;
  readonly admission: Admission;
  readonly counters: NodeCounters;
  readonly limits: NodeLimits;
  readonly records: EnrolmentRecords;
  readonly live: LiveBoard;
  readonly extensions: readonly NodeExtension[];
  readonly quarantine: QuarantineOffice;
}

function quarantineOf({ config, store, logger }: Parts): QuarantineOffice {
  const archive = sqliteQuarantine(store.database);
  const parts = { archive, logger, nowMs: () => Date.now(), epochsADay: config.maxEpochsPerDay };
  return { archive, quarantine: new EpochQuarantine(parts) };
}

function questionServer(parts: Parts, around: Surroundings): WebServer {
  const { config, logger, signer, store: archive, files } = parts;
  const { counters, connections, live, extensions, quarantine } = around;
  const { network, store, maxStoreMiB } = config;
  return createQuestionServer(
    {
      questions: { archive, suite: nativeSuite, network, nodeKey: signer.publicKey, logger },
      operations: {
        ...{ counters, connections, archive, logger, store, maxStoreMiB },
        quarantine: () => quarantine.quarantine.census(),
      },
      office: officeOf(parts, around),
      live,
      access: { tokens: () => files.tokens, loopbackOnly: LOOPBACK_HOSTS.includes(config.http.host) },
      extraRoutes: [quarantineRoutes(quarantine), ...extensions.flatMap(({ routes }) => routes ?? [])],
    },
    files.httpTls,
  );
}

function officeOf({ logger }: Parts, { records, connections, admission }: Surroundings): Office {
  return {
    ...{ records, logger, suite: nativeSuite, nowMs: () => Date.now() },
    dismiss: (deviceKey) => {
      if (!admission.admits(deviceKey)) connections.refuse(deviceKey, noLongerTaken());
    },
  };
}

function noLongerTaken(): Problem {
  return new Problem("device-unknown", "this node no longer takes the device");
}

async function serve(node: Assembled): Promise<RunningNode> {
  const { config, logger, signer, store, files, connections, admission, stream, questions } = node;
  const admit = (devices: NodeConfig["devices"]): void => {
    admission.change(devices);
    connections.refuseWhere((key) => !admission.admits(key));
  };
  const endExtensions = (): Promise<unknown> => Promise.all(node.extensions.map((part) => part.close?.()));
  try {
    if (!LOOPBACK_HOSTS.includes(config.listen.host) && config.listen.tls === undefined)
      logger.warn("listen-without-tls", { host: config.listen.host, port: config.listen.port });
    const wsPort = await listen(stream, { ...config.listen, key: "listen" });
    const httpPort = await listen(questions, { ...config.http, key: "http" });
    return {
      wsUrl: urlOf("ws", { ...config.listen, port: wsPort }),
      httpUrl: urlOf("http", { ...config.http, port: httpPort }),
      nodeKey: signer.publicKey,
      admit,
      reload: (devices) => {
        files.reload({ stream, questions });
        admit(devices);
      },
      close: async () => {
        await Promise.all([connections.stop(), closeServer(stream), closeServer(questions)]);
        await endExtensions();
        await store.close();
      },
    };
  } catch (thrown) {
    await Promise.all([closeServer(stream), closeServer(questions), endExtensions()]);
    throw thrown;
  }
}

function connectionContext(parts: Parts, around: Surroundings): ConnectionContext {
  const { config, signer } = parts;
  const { connections, admission, counters, limits, live, extensions } = around;
  const checked = new LruCache<string, boolean>(KEPT_KEYS);
  const logger = counters.listening(parts.logger);
  const nowMs = (): number => Date.now();
  const desk: DeskContext = {
    ...{ network: config.network, suite: nativeSuite, signer, nowMs, logger },
    ...{ records: around.records, wrongCodes: limits.wrongCodes },
  };
  return {
    ...{ network: config.network, suite: nativeSuite, signer, nowMs, logger, timing: DEFAULT_TIMING },
    store: counters.counting(parts.store),
    quarantine: around.quarantine.quarantine,
    rules: new RulesCache(nativeSuite, KEPT_LOGS),
    standing: (key) => admission.standing(key),
    checkKey: (key) => checked.getOrCompute(toHex(key), () => nativeSuite.checkPublicKey(key)),
    enrol: (request) => enrolDevice(desk, request),
    waitMs: (key, batch) => limits.waitMs(key, batch),
    live: (key, bytes) => live.post(key, bytes),
    onFrame: (key, message) => {
      for (const { onFrame } of extensions) onFrame?.(key, message);
    },
    onOrderRefused: (key, message) => {
      for (const { onOrderRefused } of extensions) onOrderRefused?.(key, message);
    },
    unverified: limits.unverified,
    authenticated: (connection, key) => {
      connections.claim(connection, key);
      for (const { onConnected } of extensions) onConnected?.(key);
    },
    ended: (connection) => connections.remove(connection),
  };
}
