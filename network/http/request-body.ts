import type { Context } from "hono";
import type { z } from "zod";
import { Problem } from "../../attest/problem.ts";
import { issuesOf } from "../../runtime/config-issues.ts";

/**
 * The text of a request's body, UTF-8; empty where there is none, which a request without a length may mean, too. Throws
 * `body` when it is larger than `mostBytes`.
 */
export async function requestText({ req }: Context, mostBytes: number): Promise<string> {
  if (Number(req.header("content-length") ?? 0) > mostBytes) throw tooLarge(mostBytes);
  const reader = req.raw.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done) return text + decoder.decode();
    bytes += value.length;
    if (bytes > mostBytes) throw tooLarge(mostBytes);
    text += decoder.decode(value, { stream: true });
  }
}

function tooLarge(mostBytes: number): Problem {
  return new Problem("body", "the request's body is too large", { expected: `at most ${mostBytes} bytes` });
}

/** What a request's body says. Throws `body`, with the first value that is wrong. */
export function bodyOf<Schema extends z.ZodType>(text: string, schema: Schema): z.output<Schema> {
  const value = jsonOf(text);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw bodyProblem(result.error, { schema, value });
}

function bodyProblem(
  error: z.ZodError,
  checked: { readonly schema: z.ZodType; readonly value: unknown },
): Problem {
  const [issue] = issuesOf(error, { ...checked, at: [] });
  if (issue === undefined) return new Problem("body", "the request's body is wrong");
  const own = error.issues.find(({ path }) => path.join(".") === issue.path.join("."))?.message;
  const where = issue.path.map(String).join(".") || "body";
  if (own?.startsWith(EXPECTED) !== true) return new Problem("body", issue.what, { ...issue.detail, where });
  const what = issue.what === own ? "the request's body is wrong" : issue.what;
  return new Problem("body", what, { ...issue.detail, where, expected: own.slice(EXPECTED.length) });
}

/** How a schema's own sentences begin. */
const EXPECTED = "expected ";

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Problem("body", "the request's body is no JSON", {
      got: text === "" ? "an empty body" : "other text",
      cause,
    });
  }
}
