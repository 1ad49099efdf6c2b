import type { Context, Hono } from "hono";
import { Problem } from "../../attest/problem.ts";
import { type AnswerParts, ExchangeAnswers } from "./questions.ts";

/** What is wrong with a question is the asker's doing, with these codes beside `query`. */
const NOT_FOUND: ReadonlySet<string> = new Set(["log-unknown", "leaf-missing", "tree-node-missing"]);
const PRIVATE = "leaf-private";
const ASKERS = /^(?:query|cose-.*|field|checkpoint-.*|multiproof-.*|proof-.*|tree-.*|cbor-.*|unknown-key)$/;

/** Adds what peers ask. Who may ask is decided before these routes are reached. */
export function addExchangeRoutes(app: Hono, parts: AnswerParts): void {
  const answers = new ExchangeAnswers(parts);
  app.get("/exchange/heads", (context) => answered(context, () => answers.heads(context.req.query())));
  app.get("/exchange/peaks", (context) => answered(context, () => answers.peaks(context.req.query())));
  app.get("/exchange/subtree", (context) => answered(context, () => answers.subtree(context.req.query())));
  app.get("/exchange/leaf", (context) => answered(context, () => answers.leaf(context.req.query())));
}

async function answered(context: Context, ask: () => Promise<object | Uint8Array>): Promise<Response> {
  try {
    const answer = await ask();
    if (!(answer instanceof Uint8Array)) return context.json(answer);
    return context.body(new Uint8Array(answer), 200, { "content-type": "application/octet-stream" });
  } catch (thrown) {
    const status = thrown instanceof Problem ? statusOf(thrown.code) : undefined;
    if (!(thrown instanceof Problem) || status === undefined) throw thrown;
    return context.json({ code: thrown.code, message: thrown.message }, status);
  }
}

/** Undefined for what is the node's own trouble. */
function statusOf(code: string): 400 | 403 | 404 | undefined {
  if (NOT_FOUND.has(code)) return 404;
  if (code === PRIVATE) return 403;
  return ASKERS.test(code) ? 400 : undefined;
}
