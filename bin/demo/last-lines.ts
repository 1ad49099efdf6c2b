const KEPT = 40;
const MAX_CHARS = 2000;
const WORTH_SAYING = new Set(["warn", "error", "fatal"]);

/** The newest lines of a process's standard error: its log, one JSON object a line, and plain text. */
export class LastLines {
  readonly #lines: string[] = [];

  add(line: string): void {
    if (line.trim() === "") return;
    this.#lines.push(line.slice(0, MAX_CHARS));
    if (this.#lines.length > KEPT) this.#lines.shift();
  }

  /** The newest line that says what went wrong: a warning or an error of the log, or text that is no log line. */
  get lastProblem(): string | undefined {
    for (const line of this.#lines.toReversed()) {
      const said = problemOf(line);
      if (said !== undefined) return said;
    }
    return undefined;
  }
}

function problemOf(line: string): string | undefined {
  const fields = logFields(line);
  if (fields === undefined) return line.trim();
  const [level, message, code, event] = ["level", "message", "code", "event"].map((name) => fields.get(name));
  if (typeof level !== "string" || !WORTH_SAYING.has(level)) return undefined;
  if (typeof message !== "string") return String(event ?? line);
  return code === undefined ? message : `${message} (${String(code)})`;
}

function logFields(line: string): ReadonlyMap<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? new Map(Object.entries(value)) : undefined;
  } catch {
    // Not a log line: a program that cannot start says so in plain text.
    return undefined;
  }
}
