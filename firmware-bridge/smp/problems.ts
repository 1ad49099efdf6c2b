import { Problem, type ProblemDetail } from "../../attest/problem.ts";
import type { SmpMap, SmpValue } from "./cbor.ts";
import type { SmpMessage } from "./message.ts";
import { BY_GROUP, COMMON, type Meaning, UNKNOWN_NUMBER } from "./refusals.ts";

/** What a microcontroller refused with; undefined where it said no number. */
export interface SmpRefusal {
  /** Whose numbers `rc` is one of; undefined in the original protocol, which has one list for all. */
  readonly group: number | undefined;
  readonly rc: number | undefined;
  /** What it refused, where that is known. */
  readonly asked?: AskedOf;
}

/** Whom a request is for, and in which version of the protocol. */
export type AskedOf = Pick<SmpMessage, "version" | "group">;

/** A {@link Problem} that the microcontroller said, with its numbers beside the words. */
export class RefusalProblem extends Problem {
  readonly refusal: SmpRefusal;

  constructor(code: string, what: string, detail: ProblemDetail & { readonly refusal: SmpRefusal }) {
    const { refusal, ...words } = detail;
    super(code, what, words);
    this.refusal = refusal;
  }
}

/**
 * The error that an answer says, `smp-…`; undefined where it says none. Both shapes are known: `rc` of the original
 * protocol and of MCUboot, where 0 is none, and `err: {group, rc}` of version 2.
 *
 * @param where what was asked of whom
 */
export function answerProblem(fields: SmpMap, where: string, asked?: AskedOf): RefusalProblem | undefined {
  const error = fields.get("err");
  if (error instanceof Map) return groupProblem(error, where, asked);
  const rc = fields.get("rc");
  if (rc === undefined || rc === 0) return undefined;
  return problemOf(COMMON, {
    ...{ where, rc, asked },
    group: undefined,
    reason: fields.get("rsn"),
    got: `rc ${shown(rc)}`,
  });
}

function groupProblem(error: SmpMap, where: string, asked?: AskedOf): RefusalProblem | undefined {
  const rc = error.get("rc") ?? null;
  const group = error.get("group") ?? null;
  if (rc === 0) return undefined;
  const meanings = typeof group === "number" ? (BY_GROUP.get(group) ?? []) : [];
  return problemOf(meanings, { where, rc, group, asked, got: `group ${shown(group)}, rc ${shown(rc)}` });
}

interface Said {
  readonly where: string;
  readonly rc: SmpValue;
  readonly group: SmpValue | undefined;
  readonly got: string;
  readonly reason?: SmpValue | undefined;
  readonly asked: AskedOf | undefined;
}

function problemOf(meanings: readonly Meaning[], said: Said): RefusalProblem {
  const { where, rc, group, got, reason, asked } = said;
  const meaning = typeof rc === "number" ? meanings[rc] : undefined;
  const [code, words, hint] = meaning ?? UNKNOWN_NUMBER;
  const told = typeof reason === "string" ? `${got} (${reason})` : got;
  const refusal = { group: numberOf(group), rc: numberOf(rc), ...(asked === undefined ? {} : { asked }) };
  return new RefusalProblem(`smp-${code}`, words, { where, got: told, hint, refusal });
}

function numberOf(value: SmpValue | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function shown(value: SmpValue): string {
  return typeof value === "number" || typeof value === "bigint" ? String(value) : "no number";
}

/** `smp-aborted`: whoever asked wanted no more. */
export function abortedProblem(where: string): Problem {
  return new Problem("smp-aborted", "broken off as asked", { where, hint: "ask again when it is wanted" });
}

/** `smp-answer`: a field of an answer is missing or of another kind. */
export function fieldProblem(where: string, expected: string, got: SmpValue | undefined): Problem {
  return new Problem("smp-answer", "an answer is not as its command has it", {
    where,
    expected,
    got: got === undefined ? "nothing" : got === null ? "null" : kindOf(got),
    hint: "does firmware with SMP answer on this port? if it does, tell its maker",
  });
}

function kindOf(value: SmpValue): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof Map) return "a map";
  if (Array.isArray(value)) return "an array";
  return typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : String(value);
}
