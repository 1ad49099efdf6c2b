import type { Hono } from "hono";
import { toHex } from "../../attest/bytes.ts";
import { isoTime } from "../../attest/iso-time.ts";
import { Problem } from "../../attest/problem.ts";
import { deviceKeyOf, limitOf, type Query, requireKnown } from "../http/query.ts";
import type { AuditRecords, KeptAudit } from "./audit-record.ts";

const MAX_AUDITS = 100;

/** `GET /devices/{key}/audits` and `GET /devices/{key}/audits/{id}`; who may ask has been decided before. */
export function addAuditRoutes(app: Hono, records: Pick<AuditRecords, "newest" | "find">): void {
  app.get("/devices/:key/audits", async (context) => {
    const key = deviceKeyOf(context.req.param("key"));
    return context.json(await listAudits(records, key, context.req.query()));
  });
  app.get("/devices/:key/audits/:id", async (context) => {
    requireKnown(context.req.query(), []);
    const key = deviceKeyOf(context.req.param("key"));
    return context.json(await describeWhole(records, key, context.req.param("id")));
  });
}

/** One page of a device's audits, newest first: `{audits, next}`. Throws `query`. */
export async function listAudits(
  records: Pick<AuditRecords, "newest">,
  deviceKey: Uint8Array,
  query: Query,
): Promise<object> {
  requireKnown(query, ["before", "limit"]);
  const limit = limitOf(query, MAX_AUDITS, MAX_AUDITS);
  const before = query["before"] === undefined ? Number.MAX_SAFE_INTEGER : idOf("before", query["before"]);
  const audits = await records.newest(deviceKey, { before, limit });
  const last = audits.length === limit ? audits.at(-1) : undefined;
  const path = `/devices/${toHex(deviceKey)}/audits`;
  return {
    audits: audits.map(describeAudit),
    next: last === undefined ? null : `${path}?limit=${limit}&before=${last.id}`,
  };
}

/** One audit with its evidence in hexadecimal, where there is some. Throws `query`, or `not-found`. */
export async function describeWhole(
  records: Pick<AuditRecords, "find">,
  deviceKey: Uint8Array,
  id: string,
): Promise<object> {
  const found = await records.find(deviceKey, idOf("id", id));
  if (found === undefined)
    throw new Problem("not-found", "no such audit is kept of that device", {
      hint: `GET /devices/${toHex(deviceKey)}/audits lists them`,
    });
  const { evidence, ...audit } = found;
  const parts = Object.entries(evidence ?? {}).map(([name, bytes]) => [name, toHex(bytes)] as const);
  return { ...describeAudit(audit), ...Object.fromEntries(parts) };
}

function describeAudit({ deviceKey: _, leafMs, auditedMs, difference, ...audit }: KeptAudit): object {
  return { ...audit, ...difference, leafTime: isoTime(leafMs), audited: isoTime(auditedMs) };
}

function idOf(name: string, text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new Problem("query", `"${name}" is wrong`, {
    expected: "a number of an audit",
    got: text.slice(0, 100),
  });
}
