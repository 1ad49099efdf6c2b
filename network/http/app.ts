import { type Context, Hono } from "hono";
import { toHex } from "../../attest/bytes.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import type { Questions } from "./device-logs.ts";
import { describeDevice, listDevices } from "./devices.ts";
import { faultFile, listFaults } from "./faults.ts";
import { proveFlexibility } from "./flexibility-proof.ts";
import { listIntervals, listReadings } from "./intervals.ts";
import { addOperationsRoutes, type NodeOperations } from "./metrics-routes.ts";
import { proveInterval } from "./proof.ts";
import { deviceKeyOf, requireKnown } from "./query.ts";

type Status = 400 | 403 | 404 | 409 | 500;

/** Codes that are the asker's doing; every other one is the node's. */
const STATUS: ReadonlyMap<string, Status> = new Map([
  ["query", 400],
  ["host", 403],
  ["not-found", 404],
  ["device-unknown", 404],
  ["channel-unknown", 404],
  ["fault-unknown", 404],
  ["fault-unproven", 404],
  ["proof-boundary", 409],
  ["proof-no-interval", 409],
  ["proof-no-reading", 409],
  ["proof-epoch", 409],
  ["proof-channel", 409],
  ["proof-unsigned", 409],
  ["proof-span", 409],
]);

const LOOPBACK_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/;

/**
 * The node's answers over HTTP: questions only, nothing here changes anything. With `operations`, also those of whoever
 * watches over the node.
 */
export function createApp(questions: Questions, operations?: NodeOperations): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    requireLoopback(context.req.header("host"));
    context.header("cache-control", "no-store");
    context.header("x-content-type-options", "nosniff");
    await next();
  });
  app.get("/", (context) => context.json(describeNode(questions)));
  app.get("/key", (context) => context.json({ nodeKey: toHex(questions.nodeKey) }));
  addDeviceRoutes(app, questions);
  if (operations !== undefined) addOperationsRoutes(app, operations);
  app.notFound((context) =>
    failed(context, questions, new Problem("not-found", "no such question", { hint: "GET / lists them" })),
  );
  app.onError((thrown, context) => failed(context, questions, thrown));
  return app;
}

function addDeviceRoutes(app: Hono, questions: Questions): void {
  app.get("/devices", async (context) => context.json(await listDevices(questions, context.req.query())));
  app.get("/devices/:key", async (context) => {
    requireKnown(context.req.query(), []);
    const record = await questions.archive.device(deviceKeyOf(context.req.param("key")));
    if (record === undefined) throw new Problem("device-unknown", "this node holds no log of that device");
    return context.json(await describeDevice(questions, record));
  });
  app.get("/devices/:key/faults", async (context) => {
    const key = deviceKeyOf(context.req.param("key"));
    return context.json(await listFaults(questions, key, context.req.query()));
  });
  app.get("/devices/:key/faults/:id", async (context) => {
    const asked = { id: context.req.param("id"), query: context.req.query() };
    const file = await faultFile(questions, deviceKeyOf(context.req.param("key")), asked);
    context.header("content-disposition", `attachment; filename="${file.name}"`);
    return proofFile(context, file.bytes);
  });
  app.get("/devices/:key/intervals", async (context) => {
    const key = deviceKeyOf(context.req.param("key"));
    return context.json(await listIntervals(questions, key, context.req.query()));
  });
  app.get("/devices/:key/readings", async (context) => {
    const key = deviceKeyOf(context.req.param("key"));
    return context.json(await listReadings(questions, key, context.req.query()));
  });
  app.get("/devices/:key/proof", async (context) => {
    const key = deviceKeyOf(context.req.param("key"));
    return proofFile(context, await proveInterval(questions, key, context.req.query()));
  });
  app.get("/devices/:key/flexibility-proof", async (context) => {
    const key = deviceKeyOf(context.req.param("key"));
    return proofFile(context, await proveFlexibility(questions, key, context.req.query()));
  });
}

function proofFile(context: Context, proof: Uint8Array): Response {
  return context.body(new Uint8Array(proof), 200, { "content-type": "application/cbor" });
}

function describeNode(questions: Questions): object {
  return {
    program: "kilowitness node",
    nodeKey: toHex(questions.nodeKey),
    network: questions.network,
    questions: [
      "/key",
      "/devices",
      "/devices/{key}",
      "/devices/{key}/faults",
      "/devices/{key}/faults/{id}",
      "/devices/{key}/intervals?channel=&from=&to=",
      "/devices/{key}/readings?channel=&from=&limit=",
      "/devices/{key}/proof?channel=&from=&to=",
      "/devices/{key}/flexibility-proof?channel=&at=",
      "/healthz",
      "/metrics",
    ],
  };
}

/** A page in a browser can make any name point at this machine; only requests to its own names are answered. */
function requireLoopback(host: string | undefined): void {
  if (host !== undefined && LOOPBACK_HOST.test(host)) return;
  throw new Problem("host", "the Host header is not this machine's", {
    expected: "localhost, 127.0.0.1 or [::1]",
    got: (host ?? "nothing").slice(0, 100),
  });
}

function failed(context: Context, questions: Questions, thrown: unknown): Response {
  const problem = describeProblem(thrown);
  const status = STATUS.get(problem.code) ?? 500;
  if (status !== 500) return context.json(problem, status);
  questions.logger.problem("question-failed", thrown, { path: context.req.path });
  return context.json(problem, status);
}
