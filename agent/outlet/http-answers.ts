import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { nativeSuite } from "../../attest/native.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { hostOfHeader, isLoopback, withoutBrackets } from "../../runtime/loopback.ts";
import type { JudgedReport } from "./report.ts";
import { statusText } from "./status-text.ts";

/** What can be asked of a running agent. */
export interface Questions {
  report(): JudgedReport;
  /** The last lines of the log; undefined where they are not for whoever asks. */
  log?(): readonly string[];
  /** Does what is posted to a path; undefined where nothing may be ordered. */
  order?(path: string, body: string): Promise<object>;
}

/** Who may ask. */
export interface AccessRules {
  /** Undefined where the way to the server says who asks, as with a socket in a private folder. */
  readonly hosts?: { readonly loopbackOnly: boolean; readonly names: readonly string[] };
  readonly token?: string;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Header that says how many things need attention, so that a program need not read the words. */
export const ATTENTION_HEADER = "kilowitness-attention";

const JSON_TYPE = "application/json";
const TEXT_TYPE = "text/plain; charset=utf-8";
const STATUS: ReadonlyMap<string, number> = new Map([
  ["token", 401],
  ["host", 403],
  ["not-found", 404],
  ["method", 405],
  ["owner-body", 400],
  ["owner-size", 413],
  ["owner-entry", 404],
  ["owner-socket", 403],
  ["owner-no-control", 409],
  ["control-unknown", 404],
]);
/** Bytes of an order. */
const MOST_BODY_BYTES = 4096;
/** A device that hangs is given up after 30 s, at each of a few calls. */
const ORDER_MS = 150_000;

/** Answers one request. Only what is posted where orders are taken changes anything. */
export async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { questions, rules }: { readonly questions: Questions; readonly rules: AccessRules },
): Promise<void> {
  const { status, type, body, headers } = await answerOf(request, questions, rules);
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...headers,
    ...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
  });
  response.end(request.method === "HEAD" ? "" : body);
}

async function answerOf(request: IncomingMessage, questions: Questions, rules: AccessRules): Promise<Answer> {
  try {
    requireHost(request.headers.host, rules.hosts);
    requireToken(request.headers.authorization, rules.token);
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    if (request.method === "POST" && questions.order !== undefined) {
      request.setTimeout(ORDER_MS);
      return json(await questions.order(path, await bodyOf(request)));
    }
    if (request.method !== "GET" && request.method !== "HEAD")
      throw new Problem("method", "questions only", { expected: "GET" });
    return await found(questions, path);
  } catch (thrown) {
    const problem = describeProblem(thrown);
    return json(problem, STATUS.get(problem.code) ?? (problem.code.startsWith("control-") ? 409 : 500));
  }
}

/** Text of a request. The connection stays open behind one that is too long, so that it can be answered. */
async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    const part = Buffer.from(chunk);
    bytes += part.length;
    if (bytes > MOST_BODY_BYTES)
      throw new Problem("owner-size", "the order is too long", {
        expected: `at most ${MOST_BODY_BYTES} bytes`,
      });
    chunks.push(part);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function found(questions: Questions, path: string): Promise<Answer> {
  if (path === "/healthz") return health(questions.report());
  if (path === "/status" || path === "/status.txt") return status(questions.report(), path);
  if (path === "/metrics") {
    // Loaded when somebody asks: most gateways are never scraped.
    const { expose } = await import("./metrics.ts");
    const exposition = expose(questions.report());
    return { status: 200, type: exposition.contentType, body: await exposition.text() };
  }
  const log = path === "/log" ? questions.log?.() : undefined;
  if (log !== undefined) return { status: 200, type: "application/jsonl", body: log.map(line).join("") };
  throw new Problem("not-found", "no such question", {
    expected: "/healthz, /status, /status.txt or /metrics",
  });
}

function status(report: JudgedReport, path: string): Answer {
  const headers = { [ATTENTION_HEADER]: String(report.attention.length) };
  if (path === "/status") return { ...json(report), headers };
  return { status: 200, type: TEXT_TYPE, body: statusText(report), headers };
}

/** 200 while devices answer and readings are sealed and written, 503 with the reasons otherwise. */
function health({ attention, uptimeMs, devices }: JudgedReport): Answer {
  const reasons = attention.filter(({ failing }) => failing).map(({ code, what }) => ({ code, what }));
  const healthy = reasons.length === 0;
  const answering = devices.filter(({ online }) => online).length;
  const counts = { devices: devices.length, answering };
  const uptimeSeconds = Math.floor(uptimeMs / 1000);
  return json({ status: healthy ? "ok" : "failing", uptimeSeconds, ...counts, reasons }, healthy ? 200 : 503);
}

function line(text: string): string {
  return `${text}\n`;
}

function json(value: object, status = 200): Answer {
  return { status, type: JSON_TYPE, body: `${JSON.stringify(value, mapsToo)}\n` };
}

/** JSON knows no maps, and would show them as empty. */
function mapsToo(_key: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}

/** A page in a browser can make any name of its own point at this machine; a name that nobody owns here is refused. */
function requireHost(header: string | undefined, hosts: AccessRules["hosts"]): void {
  if (hosts === undefined) return;
  const host = hostOfHeader(header);
  if (isLoopback(host)) return;
  if (!hosts.loopbackOnly && isIP(withoutBrackets(host)) !== 0) return;
  const own = hostname().toLowerCase();
  const names = hosts.loopbackOnly ? [] : [own, `${own}.local`];
  if ([...names, ...hosts.names.map((name) => name.toLowerCase())].includes(host)) return;
  throw new Problem("host", "the Host header is not this machine's", {
    expected: hosts.loopbackOnly ? "localhost, 127.0.0.1 or [::1]" : "an address or a name of this machine",
    got: (header ?? "nothing").slice(0, 100),
    hint: "add the name to http.names in the configuration",
  });
}

/** Compared as digests, so that neither content nor length shows in the time it takes. */
function requireToken(header: string | undefined, token: string | undefined): void {
  if (token === undefined) return;
  const given = /^Bearer +(\S+)$/i.exec(header ?? "")?.[1] ?? "";
  const digest = (text: string): Uint8Array => nativeSuite.sha256(new TextEncoder().encode(text));
  if (timingSafeEqual(digest(given), digest(token))) return;
  throw new Problem("token", "the token is missing or wrong", {
    expected: "Authorization: Bearer TOKEN",
    hint: "the token is in the file that http.tokenFile names",
  });
}
