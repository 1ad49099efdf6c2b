/** What a {@link Problem} says beside its sentence, each part optional, all of them plain text. */
export interface ProblemDetail {
  /** File, device, field or byte offset the problem is at. */
  readonly where?: string;
  readonly expected?: string;
  readonly got?: string;
  /** What the reader can do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * An error with a stable code. Callers match on `code`, never on the wording; people read one line that
 * says what, where, expected, got and what to do.
 */
export class Problem extends Error {
  readonly code: string;
  readonly detail: ProblemDetail;

  constructor(code: string, what: string, detail: ProblemDetail = {}) {
    super(sentence(what, detail), detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = "Problem";
    this.code = code;
    this.detail = detail;
  }
}

/** The message of a problem less what to do, for whoever says that itself, or at the end. */
export function withoutHint({ message, detail: { hint } }: Problem): string {
  return hint !== undefined && message.endsWith(`; ${hint}`) ? message.slice(0, -hint.length - 2) : message;
}

function sentence(what: string, detail: ProblemDetail): string {
  const place = detail.where === undefined ? "" : `${detail.where}: `;
  const wanted = detail.expected === undefined ? "" : `; expected ${detail.expected}`;
  const found = detail.got === undefined ? "" : `, got ${detail.got}`;
  const todo = detail.hint === undefined ? "" : `; ${detail.hint}`;
  return oneLine(`${place}${what}${wanted}${found}${todo}`);
}

/** What a device or a stranger sent may stand in the sentence; it must not break the line or steer a terminal. */
function oneLine(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** The code and one-line text of anything thrown, for a log line or a terminal. */
export function describeProblem(thrown: unknown): { readonly code: string; readonly message: string } {
  if (thrown instanceof Problem) return { code: thrown.code, message: thrown.message };
  if (thrown instanceof Error) return { code: systemCode(thrown) ?? "internal", message: thrown.message };
  return { code: "internal", message: String(thrown) };
}

function systemCode(error: Error): string | undefined {
  return "code" in error && typeof error.code === "string" ? error.code : undefined;
}
