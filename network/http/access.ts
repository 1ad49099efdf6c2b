import type { MiddlewareHandler } from "hono";
import { Problem } from "../../attest/problem.ts";
import { hostOfHeader, isLoopback } from "../../runtime/loopback.ts";
import { isEnough, type Right, type Tokens } from "./tokens.ts";

/** Who may ask what. */
export interface Access {
  /** Undefined: whoever reaches this machine's own address may ask, and nobody may change anything. */
  readonly tokens: () => Tokens | undefined;
  /** Whether requests must be to a name of this machine itself. */
  readonly loopbackOnly: boolean;
}

/** Everything open, to this machine. */
export const LOOPBACK_ONLY: Access = { tokens: () => undefined, loopbackOnly: true };

const OPEN_PATHS: ReadonlySet<string> = new Set(["/healthz"]);
/** What other nodes of the network ask: no readings. */
const PEER_PATHS = "/exchange/";
/** What is only asked, but tells what only the operator should know. */
const OPERATE_PATHS: ReadonlySet<string> = new Set(["/enrolment-codes"]);

/** What a request needs: whatever is not a question changes something, known or not. */
export function rightFor(method: string, path: string): Right | "none" {
  if (method !== "GET" && method !== "HEAD") return "operate";
  if (OPEN_PATHS.has(path)) return "none";
  if (path.startsWith(PEER_PATHS)) return "peer";
  return OPERATE_PATHS.has(path) ? "operate" : "read";
}

/** Lets only those through who may; before anything else is looked at. Throws `host`, `token` or `token-right`. */
export function guard({ tokens, loopbackOnly }: Access): MiddlewareHandler {
  return async (context, next) => {
    if (loopbackOnly) requireLoopback(context.req.header("host"));
    const needed = rightFor(context.req.method, context.req.path);
    if (needed !== "none") requireRight(tokens(), { needed, header: context.req.header("authorization") });
    await next();
  };
}

/** A page in a browser can make any name point at this machine; only requests to its own names are answered. */
function requireLoopback(host: string | undefined): void {
  if (isLoopback(hostOfHeader(host))) return;
  throw new Problem("host", "the Host header is not this machine's", {
    expected: "localhost, 127.0.0.1 or [::1]",
    got: (host ?? "nothing").slice(0, 100),
  });
}

function requireRight(
  tokens: Tokens | undefined,
  { needed, header }: { readonly needed: Right; readonly header: string | undefined },
): void {
  if (tokens === undefined) {
    if (needed !== "operate") return;
    throw new Problem("token-right", "without a token file nobody may operate this node", {
      hint: "make one and name it as http.tokens in the node's configuration; docs/node.md shows how",
    });
  }
  const given = /^Bearer +(\S+)$/i.exec(header ?? "")?.[1];
  const right = given === undefined ? undefined : tokens.rightOf(given);
  if (right === undefined)
    throw new Problem("token", given === undefined ? "a token is needed" : "the token is not known", {
      expected: "Authorization: Bearer TOKEN",
      hint: "the node's operator has it",
    });
  if (!isEnough(right, needed))
    throw new Problem("token-right", "the token does not allow that", { expected: needed, got: right });
}

/** What RFC 6750, 3 wants beside the status; empty for any other code. */
export function challengeFor(code: string, gaveToken: boolean): Readonly<Record<string, string>> {
  const realm = 'Bearer realm="kilowitness node"';
  if (code === "token") {
    return { "www-authenticate": gaveToken ? `${realm}, error="invalid_token"` : realm };
  }
  if (code !== "token-right") return {};
  return { "www-authenticate": `${realm}, error="insufficient_scope", scope="operate"` };
}
