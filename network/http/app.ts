import { type Context, Hono } from "hono";
import { toHex } from "../../attest/bytes.ts";
import { Problem } from "../../attest/problem.ts";
import type { Office } from "../enrolment/operator.ts";
import { type Access, guard, LOOPBACK_ONLY } from "./access.ts";
import type { Questions } from "./device-logs.ts";
import { describeDevice, listDevices } from "./devices.ts";
import { addEnrolmentRoutes } from "./enrolment-routes.ts";
import { answerFailure, type FailureStatus } from "./failure.ts";
import { faultFile, listFaults } from "./faults.ts";
import { proveFlexibility } from "./flexibility-proof.ts";
import { listIntervals, listReadings } from "./intervals.ts";
import { showLive } from "./live.ts";
import type { LiveBoard } from "./live-board.ts";
import { addOperationsRoutes, type NodeOperations } from "./metrics-routes.ts";
import { openApiDocument } from "./openapi.ts";
import type { PathItems } from "./openapi-parts.ts";
import { proveInterval } from "./proof.ts";
import { deviceKeyOf, requireKnown } from "./query.ts";

/** Routes of another part of the node; a method other than GET needs the right to operate. */
export interface ExtraRoutes {
  readonly add: (app: Hono) => void;
  /** The same routes as the OpenAPI document describes them. */
  readonly paths: PathItems;
  /** Status of the codes of Problems that they throw, where it is not 500. */
  readonly statuses?: Readonly<Record<string, FailureStatus>>;
}

/** What there is to answer; a part that is left out has no routes. */
export interface AppParts {
  readonly questions: Questions;
  readonly operations?: NodeOperations;
  readonly office?: Office;
  readonly live?: LiveBoard;
  /** Left out: whoever is on this machine may ask. */
  readonly access?: Access;
  readonly extraRoutes?: readonly ExtraRoutes[];
}

/** The node's answers over HTTP. */
export function createApp(parts: AppParts): Hono {
  const { questions, extraRoutes = [] } = parts;
  const app = new Hono();
  const more = new Map(extraRoutes.flatMap(({ statuses }) => Object.entries(statuses ?? {})));
  app.onError((thrown, context) => answerFailure(context, thrown, { logger: questions.logger, more }));
  app.notFound(() => {
    throw new Problem("not-found", "no such question", { hint: "GET /openapi.json describes them" });
  });
  app.use(async (context, next) => {
    context.header("cache-control", "no-store");
    context.header("x-content-type-options", "nosniff");
    await next();
  });
  app.use(guard(parts.access ?? LOOPBACK_ONLY));
  addNodeRoutes(app, parts);
  addDeviceRoutes(app, questions);
  addProofRoutes(app, questions);
  if (parts.live !== undefined) addLiveRoute(app, questions, parts.live);
  if (parts.office !== undefined) addEnrolmentRoutes(app, parts.office);
  if (parts.operations !== undefined) addOperationsRoutes(app, parts.operations);
  for (const { add } of extraRoutes) add(app);
  return app;
}

function addNodeRoutes(app: Hono, { questions, extraRoutes = [] }: AppParts): void {
  const document = openApiDocument(Object.assign({}, ...extraRoutes.map(({ paths }) => paths)));
  const { network } = questions;
  const nodeKey = toHex(questions.nodeKey);
  const paths = Object.keys(document.paths);
  app.get("/", (context) =>
    context.json({ program: "kilowitness node", nodeKey, network, questions: paths }),
  );
  app.get("/key", (context) => context.json({ nodeKey }));
  app.get("/openapi.json", (context) => context.json(document));
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
  app.get("/devices/:key/intervals", async (context) => {
    const key = deviceKeyOf(context.req.param("key"));
    return context.json(await listIntervals(questions, key, context.req.query()));
  });
  app.get("/devices/:key/readings", async (context) => {
    const key = deviceKeyOf(context.req.param("key"));
    return context.json(await listReadings(questions, key, context.req.query()));
  });
}

function addProofRoutes(app: Hono, questions: Questions): void {
  app.get("/devices/:key/faults/:id", async (context) => {
    const asked = { id: context.req.param("id"), query: context.req.query() };
    const file = await faultFile(questions, deviceKeyOf(context.req.param("key")), asked);
    context.header("content-disposition", `attachment; filename="${file.name}"`);
    return proofFile(context, file.bytes);
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

function addLiveRoute(app: Hono, questions: Questions, live: LiveBoard): void {
  app.get("/devices/:key/live", async (context) => {
    const key = deviceKeyOf(context.req.param("key"));
    return context.json(await showLive({ questions, live }, key, context.req.query()));
  });
}

function proofFile(context: Context, proof: Uint8Array): Response {
  return context.body(new Uint8Array(proof), 200, { "content-type": "application/cbor" });
}
