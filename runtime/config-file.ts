import { readFileSync } from "node:fs";
import { type Document, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { Problem } from "../attest/problem.ts";
import { configProblem, issuesOf } from "./config-issues.ts";

/**
 * Reads a YAML file through a strict schema. Throws `config-read`, `config-syntax` or `config-invalid`; the last
 * one names the first wrong key by its path, what was expected and got, and for a misspelt key the nearest one.
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
  const value = plainValue(document, path);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw configProblem(path, issuesOf(result.error, { schema, value, at: [] }));
}

/** Aliases within aliases can stand for more than any memory holds; the library refuses them. */
function plainValue(document: Document, path: string): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    throw new Problem("config-syntax", "not valid YAML", {
      where: path,
      got: cause instanceof Error ? firstLine(cause.message) : String(cause),
      hint: "write the values out instead of using aliases",
      cause,
    });
  }
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

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? text;
}
