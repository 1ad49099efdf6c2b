import type { Context, Hono } from "hono";
import type { FailureStatus } from "../http/failure.ts";
import { deviceKeyOf, requireKnown } from "../http/query.ts";
import { bodyOf, requestText } from "../http/request-body.ts";
import {
  describeChallenge,
  describeCommitment,
  describeFlexibility,
  describeTrackRecord,
  type FlexAnswers,
  listOrders,
  orderIdOf,
  proveCommitment,
} from "./answers.ts";
import { callBody, challengeBody, commitmentBody, dispatchBody, MAX_BODY_BYTES } from "./bodies.ts";
import { challenge } from "./challenge.ts";
import { commit } from "./commit.ts";
import { describeOrder } from "./describe.ts";
import { call, dispatch, withdraw } from "./dispatch.ts";
import type { KeptOrder } from "./order-record.ts";

const BAD: readonly string[] = [
  "order-field",
  "order-terms",
  "baseline-method",
  "baseline-zone",
  "baseline-day",
  "field",
];
const UNKNOWN: readonly string[] = ["order-unknown"];
/** Not as things stand. */
const CONFLICTS: readonly string[] = [
  ...["order-boundary", "order-channel", "order-commitment", "order-follow", "order-interval", "order-late"],
  ...[
    "order-notice",
    "order-offer",
    "order-overlap",
    "order-range",
    "order-steps",
    "order-window",
    "orders-full",
  ],
  ...["baseline-interval", "baseline-event", "baseline-days", "baseline-window-missing", "baseline-energy"],
  ...["baseline-nomination-missing", "baseline-nomination-late", "baseline-nomination-error"],
  ...["baseline-nomination-extreme", "baseline-range", "baseline-incomplete"],
  ...["settlement-open", "settlement-size", "commitment-missing"],
];

/** Status of what these routes throw. */
export const FLEXIBILITY_STATUSES: Readonly<Record<string, FailureStatus>> = {
  ...Object.fromEntries(BAD.map((code) => [code, 400] as const)),
  ...Object.fromEntries(UNKNOWN.map((code) => [code, 404] as const)),
  ...Object.fromEntries(CONFLICTS.map((code) => [code, 409] as const)),
};

/** What a device offers and has promised, and the operator's orders; who may take which has been decided before. */
export function addFlexibilityRoutes(app: Hono, parts: FlexAnswers): void {
  addQuestions(app, parts);
  addOrders(app, parts);
}

function addQuestions(app: Hono, parts: FlexAnswers): void {
  app.get("/devices/:key/flexibility", async (context) =>
    context.json(await describeFlexibility(parts, context.req.param("key"), context.req.query())),
  );
  for (const kind of ["commitment", "challenge"] as const)
    app.get(`/devices/:key/${kind}s`, async (context) => {
      const asked = { query: context.req.query(), kind };
      return context.json(await listOrders(parts, context.req.param("key"), asked));
    });
  app.get("/devices/:key/commitments/:id", async (context) => {
    requireKnown(context.req.query(), []);
    const { key, id } = context.req.param();
    return context.json(await describeCommitment(parts, key, id));
  });
  app.get("/devices/:key/commitments/:id/proof", async (context) => {
    requireKnown(context.req.query(), []);
    const { key, id } = context.req.param();
    return cbor(context, await proveCommitment(parts, key, id), `kilowitness-settlement-${id}.kws`);
  });
  app.get("/devices/:key/challenges/:id", async (context) => {
    requireKnown(context.req.query(), []);
    const { key, id } = context.req.param();
    return context.json(await describeChallenge(parts, key, id));
  });
  app.get("/devices/:key/track-record", async (context) => {
    requireKnown(context.req.query(), []);
    return context.json(await describeTrackRecord(parts, context.req.param("key")));
  });
}

function addOrders(app: Hono, { desk }: FlexAnswers): void {
  const order = (path: string, give: (asked: Asked) => Promise<object>): void => {
    app.post(`/devices/:key/${path}`, async (context) => {
      const key = context.req.param("key");
      const text = await requestText(context, MAX_BODY_BYTES);
      const asked = { key: deviceKeyOf(key), id: context.req.param("id"), text };
      return context.json(await desk.orders.turns.take(key, () => give(asked)), 201);
    });
  };
  const described = async (kept: Promise<KeptOrder>): Promise<object> => describeOrder(desk, await kept);
  order("commitments", ({ key, text }) => described(commit(desk, key, bodyOf(text, commitmentBody))));
  order("commitments/:id/call", async ({ key, id, text }) => {
    const dispatches = await call(desk, key, { id: orderIdOf(id ?? ""), body: bodyOf(text, callBody) });
    return { dispatches: dispatches.map((kept) => describeOrder(desk, kept)) };
  });
  order("dispatches", ({ key, text }) => described(dispatch(desk, key, bodyOf(text, dispatchBody))));
  order("dispatches/:id/withdraw", ({ key, id }) => described(withdraw(desk, key, orderIdOf(id ?? ""))));
  order("challenges", ({ key, text }) => described(challenge(desk, key, bodyOf(text, challengeBody))));
}

/** A request for an order: to which device, about which other order, and in which words. */
interface Asked {
  readonly key: Uint8Array;
  readonly id: string | undefined;
  readonly text: string;
}

function cbor(context: Context, bytes: Uint8Array, name: string): Response {
  context.header("content-disposition", `attachment; filename="${name}"`);
  return context.body(new Uint8Array(bytes), 200, { "content-type": "application/cbor" });
}
