import { getRequestListener } from "@hono/node-server";
import type { WebServer } from "../listen.ts";
import { type AppParts, createApp } from "./app.ts";
import { createWebServer, type TlsMaterial } from "./tls-files.ts";

const LIMITS = {
  maxHeaderSize: 8192,
  headersTimeout: 10_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 2000,
};
const MAX_CONNECTIONS = 64;

/** The HTTP server of the node's answers, not listening yet; over TLS where there is a certificate. */
export function createQuestionServer(parts: AppParts, tls?: TlsMaterial): WebServer {
  const app = createApp(parts);
  const server = createWebServer(
    LIMITS,
    tls,
    getRequestListener(app.fetch, { overrideGlobalObjects: false }),
  );
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}
