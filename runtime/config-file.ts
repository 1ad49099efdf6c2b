import { readFileSync } from "node:fs";
import { LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { Problem } from "../attest/problem.ts";

/**
 * Reads a YAML file through a strict schema. Throws `config-read`, `config-syntax` or `config-invalid`; the last
 * one names the first wrong key by its path, what was expected, and where unknown keys are concerned the known ones.
 */
export function readConfigFile<Schema extends z.ZodType>(path: string, schema: Schema): z.output<Schema> {
  return parseConfig(readText(path), path, schema);
}

/** As {@link readConfigFile}, for text that is already there. */
export function parseConfig<Schema extends z.ZodType>(
  text: string,
  path: string,
  schema: Schema,
): z.output<Schema> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line } = lines.linePos(error.pos[0]);
    throw new Problem("config-syntax", "not valid YAML", {
      where: `${path} line ${line}`,
      got: firstLine(error.message).replace(/ at line \d+, column \d+:?$/, ""),
      hint: "check indentation, colons and brackets on that line and the one before",
    });
  }
  const result = schema.safeParse(document.toJS());
  if (result.success) return result.data;
  throw invalid(path, result.error);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new Problem("config-read", "configuration cannot be read", {
      where: path,
      got: cause instanceof Error ? firstLine(cause.message) : String(cause),
      hint: "pass the right file with --config",
      cause,
    });
  }
}

function invalid(path: string, error: z.ZodError): Problem {
  const [issue] = error.issues;
  const key = issue?.path.map(String).join(".") ?? "";
  const more = error.issues.length > 1 ? ` (and ${error.issues.length - 1} more)` : "";
  const unknown = issue?.code === "unrecognized_keys" ? "; remove the key or correct its spelling" : "";
  return new Problem("config-invalid", `${issue?.message ?? "invalid"}${unknown}${more}`, {
    where: `${path}: ${key === "" ? "top level" : key}`,
  });
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? text;
}
