import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { expect } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import type { BatchMessage } from "../../attest/messages.ts";
import { nativeSigner } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import type { ExchangeArchive } from "../../network/exchange/exchange-archive.ts";
import { HistoryCache } from "../../network/exchange/history-cache.ts";
import { DEFAULT_LIMITS, type PeerLimits, PeerQuestions } from "../../network/exchange/peer.ts";
import { exchangeRound, PeerMemory, type RoundReport } from "../../network/exchange/round.ts";
import { addExchangeRoutes } from "../../network/exchange/routes.ts";
import { httpTransport } from "../../network/exchange/transport.ts";
import { ingestBatch } from "../../network/ingest.ts";
import { closeServer, listen } from "../../network/listen.ts";
import { EpochQuarantine } from "../../network/quarantine/quarantine.ts";
import { RulesCache } from "../../network/rules-cache.ts";
import { sqliteExchange } from "../../network/store/exchange-archive.ts";
import { sqliteQuarantine } from "../../network/store/exchange-quarantine.ts";
import { STORE_SCHEMA } from "../../network/store/schema.ts";
import { SqliteStore } from "../../network/store/sqlite-store.ts";
import { Statements } from "../../network/store/statements.ts";
import { openOwnedDatabase } from "../../runtime/database-lock.ts";
import type { Logger } from "../../runtime/log.ts";
import { device, suite } from "../attest/fault-kit.ts";
import { NETWORK, START_MS, seedOf } from "../kit/device.ts";
import { ruleShown } from "./fault-kit.ts";
import { atEnd, temporaryFolder } from "./fixture.ts";

const EXCHANGE_SCHEMA = new URL("../../network/store/migrations/005-exchange.sql", import.meta.url);

/** A line of the log: level, event, code of a Problem. */
export interface LogLine {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export function listeningLogger(): { readonly logger: Logger; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const note = (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    lines.push({ event, fields });
  };
  const problem: Logger["problem"] = (event, thrown, fields) =>
    note(event, { ...(thrown instanceof Problem ? { code: thrown.code } : {}), ...fields });
  return { logger: { info: note, warn: note, error: note, problem }, lines };
}

/** A node's store with everything that this part adds to it. */
export function openExchangeStore(folder: string = temporaryFolder()): {
  readonly store: SqliteStore;
  readonly archive: ExchangeArchive;
  readonly quarantine: ReturnType<typeof sqliteQuarantine>;
  readonly close: () => Promise<void>;
} {
  const schema = [...STORE_SCHEMA.filter(({ href }) => href !== EXCHANGE_SCHEMA.href), EXCHANGE_SCHEMA];
  const owned = openOwnedDatabase({
    path: join(folder, "node.sqlite"),
    maxBytes: 64 * 1_048_576,
    migrations: schema.map((url) => readFileSync(url, "utf8")),
  });
  const store = new SqliteStore(suite, new Statements(owned.database), owned);
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= store.close();
    return closed;
  };
  atEnd(close);
  return {
    store,
    archive: sqliteExchange(owned.database),
    quarantine: sqliteQuarantine(owned.database),
    close,
  };
}

/** What a node lets others ask, and what it asks. */
export interface TestNode {
  readonly signer: LocalSigner;
  readonly store: SqliteStore;
  readonly archive: ExchangeArchive;
  readonly url: string;
  readonly lines: LogLine[];
  /** Changes the clock, ms since 1970. */
  readonly clock: { nowMs: number };
  readonly quarantine: EpochQuarantine;
  /** Paths that were asked, in order. */
  readonly asked: string[];
  /** The refusal's code, or "accepted". */
  send(batch: BatchMessage, key?: Uint8Array): Promise<string>;
  /** One round with a peer. */
  ask(
    peer: { readonly url: string; readonly signer: LocalSigner },
    limits?: Partial<PeerLimits>,
  ): Promise<RoundReport>;
  /** What each fault file shows a stranger who trusts the device's key; null where there is no file. */
  shown(deviceKey?: Uint8Array): Promise<(string | null)[]>;
}

export interface NodeOptions {
  readonly seed: number;
  readonly guarded?: boolean;
  readonly folder?: string;
}

/** A node that answers peers over HTTP on a free port. */
export async function exchangeNode({ seed, guarded = false, folder }: NodeOptions): Promise<TestNode> {
  const { store, archive, quarantine: rows } = openExchangeStore(folder);
  const signer = nativeSigner(seedOf(seed));
  const { logger, lines } = listeningLogger();
  const clock = { nowMs: START_MS };
  const nowMs = (): number => clock.nowMs++;
  const quarantine = new EpochQuarantine({ archive: rows, logger, nowMs });
  const asked: string[] = [];
  const ingest = {
    ...{ network: NETWORK, suite, signer, store, rules: new RulesCache(suite, 4), nowMs },
    ...(guarded ? { quarantine } : {}),
  };
  const context = { ...ingest, archive, logger, histories: new HistoryCache(store) };
  const memory = new Map<string, PeerMemory>();
  const app = new Hono();
  app.use(async (request, next) => {
    asked.push(new URL(request.req.url).pathname);
    await next();
  });
  addExchangeRoutes(app, { archive, store, suite });
  const url = await served(getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  return {
    ...{ signer, store, archive, url, lines, clock, quarantine, asked },
    send: async (batch, key = device.publicKey) =>
      codeOf(ingestBatch(ingest, { key, agentVersion: "test" }, batch)),
    ask: async (peer, limits = {}) => {
      const transport = httpTransport();
      const key = peer.signer.publicKey;
      const kept = memory.get(toHex(key)) ?? new PeerMemory();
      memory.set(toHex(key), kept);
      const of = { url: peer.url, key };
      const questions = new PeerQuestions({
        ...{ peer: of, transport, token: () => undefined, limits: { ...DEFAULT_LIMITS, ...limits } },
        signal: new AbortController().signal,
      });
      try {
        return await exchangeRound({ context, peer: of, questions, memory: kept });
      } finally {
        transport.close();
      }
    },
    shown: async (deviceKey = device.publicKey) => shownBy(store, deviceKey),
  };
}

async function shownBy(store: SqliteStore, deviceKey: Uint8Array): Promise<(string | null)[]> {
  const rules: (string | null)[] = [];
  for (const { id, kind, theirs, ours } of await store.faults(deviceKey)) {
    expect(theirs).not.toEqual(ours);
    const file = await store.faultProof(deviceKey, id);
    rules.push(file ? ruleShown(file, { kind, deviceKey }) : null);
  }
  return rules;
}

/** An HTTP server for the length of the test; its URL. */
export async function served(
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer((request, response) => listener(request, response));
  const port = await listen(server, { host: "127.0.0.1", port: 0, key: "test" });
  atEnd(() => closeServer(server));
  return `http://127.0.0.1:${port}`;
}

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "accepted";
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown.code;
    throw thrown;
  }
}
