import { z } from "zod";
import { Problem, type ProblemDetail } from "../attest/problem.ts";
import { nearest } from "./nearest.ts";

/** One wrong place of a configuration. */
export interface ConfigIssue {
  readonly path: readonly PropertyKey[];
  readonly what: string;
  readonly detail: Omit<ProblemDetail, "where">;
}

/** A value of a configuration file, and the schema that it has to obey. */
export interface Checked {
  readonly schema: z.ZodType;
  readonly value: unknown;
  /** Path of `value` in the file. */
  readonly at: readonly PropertyKey[];
  /** Keys that are allowed beside those of `schema`, to suggest from. */
  readonly moreKeys?: readonly string[];
}

/** What is wrong, one entry for each key; unknown keys first, since a misspelt key is missing as well. */
export function issuesOf(error: z.ZodError, checked: Checked): ConfigIssue[] {
  const unknown = error.issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => unknownKey([...issue.path, key], checked))
      : [],
  );
  const wrong = error.issues.filter((issue) => issue.code !== "unrecognized_keys");
  return [...unknown, ...wrong.map((issue) => wrongValue(issue, checked))];
}

/** One line: file, path, what, expected, got, hint; the number of further issues at the end. */
export function configProblem(file: string, issues: readonly ConfigIssue[]): Problem {
  const [first] = issues;
  if (first === undefined) return new Problem("config-invalid", "not valid", { where: file });
  const path = first.path.length === 0 ? "top level" : first.path.map(String).join(".");
  const more = issues.length > 1 ? [`${issues.length - 1} more after this one`] : [];
  const hint = [...(first.detail.hint === undefined ? [] : [first.detail.hint]), ...more].join("; ");
  return new Problem("config-invalid", first.what, {
    ...first.detail,
    where: `${file}: ${path}`,
    ...(hint === "" ? {} : { hint }),
  });
}

function unknownKey(path: readonly PropertyKey[], checked: Checked): ConfigIssue {
  const parent = path.slice(0, -1);
  const shape = shapeOf(schemaAt(checked.schema, parent));
  const known = [...Object.keys(shape ?? {}), ...(parent.length === 0 ? (checked.moreKeys ?? []) : [])];
  const key = String(path.at(-1));
  const meant = nearest(key, known);
  return {
    path: [...checked.at, ...path],
    what: "unknown key",
    detail: {
      expected: `one of ${known.join(", ")}`,
      hint: meant === undefined ? "remove the key" : `did you mean "${meant}"?`,
    },
  };
}

function wrongValue(issue: z.core.$ZodIssue, checked: Checked): ConfigIssue {
  const schema = schemaAt(checked.schema, issue.path);
  const value = valueAt(checked.value, issue.path);
  const meaning = describeSchema(schema);
  const expected = expectation(issue);
  const got = value === undefined ? undefined : shown(value);
  return {
    path: [...checked.at, ...issue.path],
    what: whatIsWrong(issue, value),
    detail: {
      ...(expected === undefined ? {} : { expected }),
      // A sentence of its own says what it got.
      ...(got === undefined || expected === undefined ? {} : { got }),
      ...hintFor(issue, { value, meaning }),
    },
  };
}

function whatIsWrong(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === "custom") return issue.message;
  if (value === undefined) return "required key is missing";
  return issue.code === "invalid_key" ? "key is not allowed" : "value is not allowed";
}

function hintFor(
  issue: z.core.$ZodIssue,
  { value, meaning }: { readonly value: unknown; readonly meaning: string | undefined },
): { readonly hint?: string } {
  const allowed = issue.code === "invalid_value" ? issue.values.map(String) : [];
  const meant = typeof value === "string" ? nearest(value, allowed) : undefined;
  if (meant !== undefined) return { hint: `did you mean "${meant}"?` };
  return meaning === undefined ? {} : { hint: `it is: ${meaning}` };
}

function expectation(issue: z.core.$ZodIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return TYPES[issue.expected] ?? issue.expected;
    case "invalid_value":
      return `one of ${issue.values.map(String).join(", ")}`;
    case "too_small":
      return `${sized(issue.origin)}${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}`;
    case "too_big":
      return `${sized(issue.origin)}${issue.inclusive === false ? "less than" : "at most"} ${issue.maximum}`;
    case "invalid_format":
      return issue.message.startsWith("Invalid ")
        ? formatText(issue.format, issue.pattern)
        : withoutExpected(issue.message);
    case "invalid_key":
      return issue.issues.map((inner) => inner.message).join(", ");
    case "not_multiple_of":
      return `a multiple of ${issue.divisor}`;
    case "invalid_union":
      // Words of its own, where they say what is expected.
      if (issue.message.startsWith(EXPECTED)) return withoutExpected(issue.message);
      if (isChoice(issue)) return `one of ${issue.errors.flat().flatMap(valuesOf).join(", ")}`;
      return issue.errors
        .flatMap((errors) => errors.slice(0, 1).map((inner) => expectation(inner) ?? inner.message))
        .join(" or ");
    default:
      return undefined;
  }
}

const EXPECTED = "expected ";

/** Schemas say "expected ...", and so does whoever prints what was expected. */
function withoutExpected(message: string): string {
  return message.startsWith(EXPECTED) ? message.slice(EXPECTED.length) : message;
}

/** Each branch is one of some values. */
function isChoice({ errors }: z.core.$ZodIssueInvalidUnion): boolean {
  return errors.length > 0 && errors.every(([first]) => first?.code === "invalid_value");
}

function valuesOf(issue: z.core.$ZodIssue): string[] {
  return issue.code === "invalid_value" ? issue.values.map(String) : [];
}

const TYPES: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "text",
  boolean: "true or false",
  array: "a list",
  tuple: "a list",
  object: "keys and values",
  record: "keys and values",
};

function sized(origin: string): string {
  if (origin === "string") return "length of ";
  return origin === "array" || origin === "set" ? "number of entries " : "";
}

function formatText(format: string, pattern: string | undefined): string {
  return format === "regex" && pattern !== undefined ? `text that matches ${pattern}` : `a valid ${format}`;
}

const MAX_SHOWN = 80;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (typeof value !== "object" || value === null) return undefined;
  return valueAt(Object.getOwnPropertyDescriptor(value, key)?.value, rest);
}

function schemaAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): z.core.$ZodType | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return schema;
  const inner = unwrapped(schema);
  const next =
    inner instanceof z.ZodArray
      ? inner.element
      : inner instanceof z.ZodRecord
        ? inner.valueType
        : shapeOf(inner)?.[String(key)];
  return next === undefined ? undefined : schemaAt(next, rest);
}

function shapeOf(schema: z.core.$ZodType | undefined): z.core.$ZodShape | undefined {
  const inner = schema === undefined ? undefined : unwrapped(schema);
  return inner instanceof z.ZodObject ? inner.shape : undefined;
}

/** What the schema says of itself, or the nearest one inside it that says anything. */
function describeSchema(schema: z.core.$ZodType | undefined): string | undefined {
  for (let at = schema; at !== undefined; at = within(at)) {
    const { description } = z.globalRegistry.get(at) ?? {};
    if (description !== undefined) return description;
  }
  return undefined;
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  const inner = within(schema);
  return inner === undefined ? schema : unwrapped(inner);
}

function within(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  if (
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodExactOptional
  )
    return schema.def.innerType;
  return schema instanceof z.ZodPipe ? schema.def.in : undefined;
}
