import { createServer, type Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { createApp } from "./app.ts";
import type { Questions } from "./device-logs.ts";
import type { NodeOperations } from "./metrics-routes.ts";

const LIMITS = {
  maxHeaderSize: 8192,
  headersTimeout: 10_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 2000,
};
const MAX_CONNECTIONS = 64;

/** The HTTP server of the node's answers, not listening yet. */
export function createQuestionServer(questions: Questions, operations?: NodeOperations): Server {
  const app = createApp(questions, operations);
  const server = createServer(LIMITS, getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}
