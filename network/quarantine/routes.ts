import type { Hono } from "hono";
import { z } from "zod";
import { toHex } from "../../attest/bytes.ts";
import { isoTime } from "../../attest/iso-time.ts";
import { Problem } from "../../attest/problem.ts";
import type { ExtraRoutes } from "../http/app.ts";
import {
  inPath,
  inQuery,
  jsonAnswer,
  listOf,
  objectOf,
  orNull,
  type PathItems,
  refusals,
} from "../http/openapi-parts.ts";
import { deviceKeyOf, limitOf, type Query, requireKnown } from "../http/query.ts";
import { requestText } from "../http/request-body.ts";
import type { Approval, EpochQuarantine, QuarantineArchive } from "./quarantine.ts";

/** What the operator's routes about quarantined keys need. */
export interface QuarantineOffice {
  readonly quarantine: EpochQuarantine;
  readonly archive: Pick<QuarantineArchive, "quarantined" | "approvals">;
}

const MAX_BODY_BYTES = 4096;
const MAX_KEYS = 100;
const MOST_APPROVALS = 20;
const release = z.strictObject({ by: z.string() });

/** `GET /quarantine`, `GET /quarantine/{key}` and `POST /quarantine/{key}/release`, with their description. */
export function quarantineRoutes(office: QuarantineOffice): ExtraRoutes {
  return { add: (app) => addRoutes(app, office), paths: QUARANTINE_PATHS, statuses: { approval: 400 } };
}

function addRoutes(app: Hono, office: QuarantineOffice): void {
  app.get("/quarantine", (context) => context.json(listed(office, context.req.query())));
  app.get("/quarantine/:key", (context) => {
    requireKnown(context.req.query(), []);
    return context.json(described(office, deviceKeyOf(context.req.param("key"))));
  });
  app.post("/quarantine/:key/release", async (context) => {
    const key = deviceKeyOf(context.req.param("key"));
    const { by } = releaseOf(await requestText(context, MAX_BODY_BYTES));
    office.quarantine.release(key, by);
    return context.json(described(office, key));
  });
}

function listed({ archive }: QuarantineOffice, query: Query): object {
  requireKnown(query, ["after", "limit"]);
  const limit = limitOf(query, MAX_KEYS, MAX_KEYS);
  const after = query["after"] === undefined ? new Uint8Array(0) : deviceKeyOf(query["after"]);
  const rows = archive.quarantined(after, limit);
  const last = rows.length === limit ? rows.at(-1) : undefined;
  return {
    keys: rows.map(({ deviceKey, epoch, sinceMs }) => ({
      ...{ key: toHex(deviceKey), epoch, since: isoTime(sinceMs) },
    })),
    next: last === undefined ? null : `/quarantine?limit=${limit}&after=${toHex(last.deviceKey)}`,
  };
}

function described({ quarantine, archive }: QuarantineOffice, key: Uint8Array): object {
  const now = quarantine.quarantineOf(key);
  return {
    key: toHex(key),
    quarantined: now !== undefined,
    epoch: now?.epoch ?? null,
    since: now === undefined ? null : isoTime(now.sinceMs),
    approvals: archive.approvals(key, MOST_APPROVALS).map(describeApproval),
  };
}

function describeApproval({ approvedBy, approvedMs, ended }: Approval): object {
  return { by: approvedBy, at: isoTime(approvedMs), endedEpoch: ended?.epoch ?? null };
}

/** Throws `body`. */
function releaseOf(text: string): z.output<typeof release> {
  try {
    return release.parse(JSON.parse(text));
  } catch (cause) {
    throw new Problem("body", "the request's body is wrong", { expected: '{"by": NAME}', cause });
  }
}

const TAGS = ["quarantine"];
const KEY = { type: "string", pattern: "^[0-9a-f]{64}$" };
const TEXT = { type: "string" };
const APPROVAL = objectOf({ by: TEXT, at: TEXT, endedEpoch: orNull("integer") });
const ONE = objectOf({
  ...{ key: KEY, quarantined: { type: "boolean" }, epoch: orNull("integer"), since: orNull("string") },
  approvals: listOf(APPROVAL),
});
const LISTED = objectOf({ key: KEY, epoch: { type: "integer" }, since: TEXT });

/** The routes as the OpenAPI document describes them. */
export const QUARANTINE_PATHS: PathItems = {
  "/quarantine": {
    get: {
      ...{ summary: "keys that opened more epochs in a day than one device does", tags: TAGS },
      parameters: [
        inQuery("after", "key behind which the page begins", { schema: KEY }),
        inQuery("limit", "most keys", { schema: { type: "integer", minimum: 1, maximum: MAX_KEYS } }),
      ],
      responses: {
        200: jsonAnswer("a page", objectOf({ keys: listOf(LISTED), next: orNull("string") })),
        ...refusals(400, 401, 403),
      },
    },
  },
  "/quarantine/{key}": {
    get: {
      ...{ summary: "whether a key is quarantined, and who has approved what", tags: TAGS },
      parameters: [inPath("key", "the device's key", KEY)],
      responses: { 200: jsonAnswer("how it stands", ONE), ...refusals(400, 401, 403) },
    },
  },
  "/quarantine/{key}/release": {
    post: {
      ...{ summary: "let a key open epochs again, as many as in a day", tags: TAGS },
      security: [{ operate: [] }],
      parameters: [inPath("key", "the device's key", KEY)],
      requestBody: {
        required: true,
        content: { "application/json": { schema: objectOf({ by: TEXT }) } },
      },
      responses: { 200: jsonAnswer("how it stands now", ONE), ...refusals(400, 401, 403) },
    },
  },
};
