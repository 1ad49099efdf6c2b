import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { Problem } from "../../attest/problem.ts";
import { profileSchema } from "./format.ts";
import type { Profile } from "./profile.ts";
import { repeated } from "./repeat.ts";

/** A profile's text, understood: entries with # are there as often as it says. */
export interface LoadedProfile {
  /** The file's name as messages show it. */
  readonly file: string;
  readonly profile: Profile;
  /** SHA-256 of the text: 32 bytes. */
  readonly digest: Uint8Array;
}

/** No profile is near this; a file that is no profile must not fill the memory. */
const MOST_BYTES = 512 * 1024;

/** Reads a profile's file. Throws Problem `profile-read`, `profile-syntax` or `profile-invalid`. */
export function loadProfile(file: string): LoadedProfile {
  return parseProfile(textOf(file), file);
}

/**
 * Reads a profile's text; references between its parts are checked when it is compiled.
 *
 * @throws Problem `profile-syntax` when it is no YAML, `profile-invalid` with line, key, expected and got
 */
export function parseProfile(text: string, file: string): LoadedProfile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [syntax] = document.errors;
  if (syntax !== undefined)
    throw new Problem("profile-syntax", syntax.message.split("\n", 1)[0] ?? "not YAML", {
      where: `${file}: line ${lines.linePos(syntax.pos[0]).line}`,
    });
  const result = profileSchema.safeParse(document.toJS({ maxAliasCount: 100 }));
  const lineOf = (path: readonly PropertyKey[]): number | undefined => {
    const node = nearestNode(document, path);
    return node?.range == null ? undefined : lines.linePos(node.range[0]).line;
  };
  if (!result.success) throw invalid(file, result.error.issues, lineOf);
  const digest = Uint8Array.from(createHash("sha256").update(text).digest());
  return { file, profile: repeated(result.data, file), digest };
}

function textOf(file: string): string {
  try {
    const bytes = readFileSync(file);
    if (bytes.length <= MOST_BYTES) return bytes.toString("utf8");
    throw new Problem("profile-read", "too long for a profile", {
      where: file,
      expected: `at most ${MOST_BYTES} bytes`,
      got: `${bytes.length}`,
    });
  } catch (error) {
    if (error instanceof Problem) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new Problem("profile-read", message, { where: file, hint: "check the path", cause: error });
  }
}

type Document = ReturnType<typeof parseDocument>;

/** The node at a path, or the innermost one that is there. */
function nearestNode(
  document: Document,
  path: readonly PropertyKey[],
): { readonly range?: readonly [number, number, number] | null } | undefined {
  for (let length = path.length; length >= 0; length--) {
    const node = document.getIn(path.slice(0, length), true) ?? undefined;
    if (typeof node === "object" && node !== null && "range" in node)
      // Every node of a document that was parsed from text has this shape.
      return node as { readonly range?: readonly [number, number, number] | null };
  }
  return undefined;
}

function invalid(
  file: string,
  issues: readonly z.core.$ZodIssue[],
  lineOf: (path: readonly PropertyKey[]) => number | undefined,
): Problem {
  const [first] = issues;
  const path = first === undefined ? [] : first.path;
  const line = lineOf(path);
  const at = path.length === 0 ? "top level" : path.map(String).join(".");
  const more = issues.length > 1 ? { hint: `${issues.length - 1} more after this one` } : {};
  return new Problem("profile-invalid", sentence(first), {
    where: `${file}${line === undefined ? "" : `: line ${line}`}: ${at}`,
    ...more,
  });
}

function sentence(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return "not a profile";
  if (issue.code === "unrecognized_keys")
    return `unknown key ${issue.keys.map((key) => `"${key}"`).join(", ")}`;
  if (issue.code === "invalid_key") return firstOf(issue.issues) ?? issue.message;
  if (issue.code === "invalid_union") return firstOf(issue.errors.flat()) ?? issue.message;
  return issue.message;
}

function firstOf(issues: readonly z.core.$ZodIssue[]): string | undefined {
  const texts = [...new Set(issues.map((issue) => issue.message))];
  return texts.length === 0 ? undefined : texts.join(", or ");
}
