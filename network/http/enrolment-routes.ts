import type { Context, Hono } from "hono";
import { z } from "zod";
import { Problem } from "../../attest/problem.ts";
import {
  DEFAULT_CODE_HOURS,
  decide,
  describeEnrolment,
  type EnrolmentPage,
  listCodes,
  listEnrolments,
  MAX_CODE_HOURS,
  MAX_LABEL_CHARACTERS,
  makeCode,
  type Office,
  removeCode,
  removeEnrolment,
} from "../enrolment/operator.ts";
import { ENROLMENT_STATES } from "../enrolment/records.ts";
import { deviceKeyOf, limitOf, type Query, requireKnown } from "./query.ts";
import { bodyOf, requestText } from "./request-body.ts";

const MAX_BODY_BYTES = 4096;
const MAX_KEYS = 100;

const label = z.string().max(MAX_LABEL_CHARACTERS);
const hours = z.number().int().min(1).max(MAX_CODE_HOURS);
const codeBody = z.strictObject({ label: label.default(""), hours: hours.default(DEFAULT_CODE_HOURS) });
const approvalBody = z.strictObject({ label: label.exactOptional() });

/** The operator's routes about enrolling; who may take them has been decided before. */
export function addEnrolmentRoutes(app: Hono, office: Office): void {
  app.get("/enrolments", (context) => context.json(keysOf(office, context.req.query())));
  app.get("/enrolments/:key", (context) => {
    requireKnown(context.req.query(), []);
    return context.json(describeEnrolment(office, deviceKeyOf(context.req.param("key"))));
  });
  app.post("/enrolments/:key/approve", async (context) => {
    const key = deviceKeyOf(context.req.param("key"));
    const body = bodyOf(await asked(context), approvalBody);
    return context.json(await decide(office, key, { state: "approved", ...body }));
  });
  app.post("/enrolments/:key/reject", async (context) => {
    const key = deviceKeyOf(context.req.param("key"));
    await requestText(context, MAX_BODY_BYTES);
    return context.json(await decide(office, key, { state: "rejected" }));
  });
  app.delete("/enrolments/:key", async (context) =>
    context.json(await removeEnrolment(office, deviceKeyOf(context.req.param("key")))),
  );
  app.get("/enrolment-codes", (context) => context.json(listCodes(office)));
  app.post("/enrolment-codes", async (context) =>
    context.json(await makeCode(office, bodyOf(await asked(context), codeBody)), 201),
  );
  app.delete("/enrolment-codes/:id", async (context) =>
    context.json(await removeCode(office, codeIdOf(context.req.param("id")))),
  );
}

function keysOf(office: Office, query: Query): object {
  const page = pageOf(query);
  const { counts, enrolments, last } = listEnrolments(office, page);
  const state = page.state === null ? "" : `&state=${page.state}`;
  const next = last === null ? null : `/enrolments?limit=${page.limit}&after=${last}${state}`;
  return { counts, enrolments, next };
}

function pageOf(query: Query): EnrolmentPage {
  requireKnown(query, ["state", "after", "limit"]);
  const state = ENROLMENT_STATES.find((name) => name === query["state"]) ?? null;
  if (state === null && query["state"] !== undefined)
    throw new Problem("query", '"state" is wrong', {
      expected: ENROLMENT_STATES.join(", "),
      got: query["state"].slice(0, 100),
    });
  const after = query["after"] === undefined ? new Uint8Array(0) : deviceKeyOf(query["after"]);
  return { state, after, limit: limitOf(query, MAX_KEYS, MAX_KEYS) };
}

function codeIdOf(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new Problem("query", '"id" is wrong', { expected: "a number", got: text.slice(0, 100) });
}

/** No body is an empty one. Throws `body`. */
async function asked(context: Context): Promise<string> {
  const text = await requestText(context, MAX_BODY_BYTES);
  return text.trim() === "" ? "{}" : text;
}
