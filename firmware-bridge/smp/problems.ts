import { Problem, type ProblemDetail } from "../../attest/problem.ts";
import type { SmpMap, SmpValue } from "./cbor.ts";
import type { OtherBytes } from "./console-frame.ts";
import { BY_GROUP, COMMON, type Meaning, UNKNOWN_NUMBER } from "./refusals.ts";

/** What a microcontroller refused with; undefined where it said no number. */
export interface SmpRefusal {
  /** Whose numbers `rc` is one of; undefined in the original protocol, which has one list for all. */
  readonly group: number | undefined;
  readonly rc: number | undefined;
}

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
export function answerProblem(fields: SmpMap, where: string): RefusalProblem | undefined {
  const error = fields.get("err");
  if (error instanceof Map) return groupProblem(error, where);
  const rc = fields.get("rc");
  if (rc === undefined || rc === 0) return undefined;
  return problemOf(COMMON, {
    where,
    rc,
    group: undefined,
    reason: fields.get("rsn"),
    got: `rc ${shown(rc)}`,
  });
}

function groupProblem(error: SmpMap, where: string): RefusalProblem | undefined {
  const rc = error.get("rc") ?? null;
  const group = error.get("group") ?? null;
  if (rc === 0) return undefined;
  const meanings = typeof group === "number" ? (BY_GROUP.get(group) ?? []) : [];
  return problemOf(meanings, { where, rc, group, got: `group ${shown(group)}, rc ${shown(rc)}` });
}

interface Said {
  readonly where: string;
  readonly rc: SmpValue;
  readonly group: SmpValue | undefined;
  readonly got: string;
  readonly reason?: SmpValue | undefined;
}

function problemOf(meanings: readonly Meaning[], { where, rc, group, got, reason }: Said): RefusalProblem {
  const meaning = typeof rc === "number" ? meanings[rc] : undefined;
  const [code, words, hint] = meaning ?? UNKNOWN_NUMBER;
  const told = typeof reason === "string" ? `${got} (${reason})` : got;
  const refusal = { group: numberOf(group), rc: numberOf(rc) };
  return new RefusalProblem(`smp-${code}`, words, { where, got: told, hint, refusal });
}

function numberOf(value: SmpValue | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function shown(value: SmpValue): string {
  return typeof value === "number" || typeof value === "bigint" ? String(value) : "no number";
}

/** What came in the place of an answer. */
export interface HeardInstead {
  /** A message that could not be read. */
  readonly refused?: Problem;
  readonly isEchoed?: boolean;
  /** Outside of messages. */
  readonly other: OtherBytes;
}

/** `smp-timeout`: nobody answered. */
export function timeoutProblem(where: string, waited: string, heard: HeardInstead): Problem {
  const { refused } = heard;
  const [got, hint] = instead(heard);
  return new Problem("smp-timeout", "the microcontroller does not answer", {
    ...{ where, expected: `an answer within ${waited}`, got, hint },
    ...(refused === undefined ? {} : { cause: refused }),
  });
}

function instead({ refused, isEchoed, other }: HeardInstead): readonly [got: string, hint: string] {
  if (refused !== undefined)
    return [
      `none that is whole: ${withoutHint(refused)}`,
      "check the cable and the baud rate; is another program on the port?",
    ];
  if (isEchoed === true)
    return [
      "what was sent, echoed",
      "is RX joined with TX, or does a terminal server echo? the microcontroller does not hear it",
    ];
  if (other.count > 0)
    return [
      `none, but ${other.count} bytes of something else, beginning ${JSON.stringify(Buffer.from(other.beginning).toString("latin1"))}`,
      "something else speaks on this port, or at another baud rate, or the firmware prints its log and has no SMP on this console",
    ];
  return ["none", "check the port, the baud rate, and that the firmware has SMP on this console"];
}

/** One line has one thing to do. */
function withoutHint({ message, detail: { hint } }: Problem): string {
  return hint === undefined ? message : message.slice(0, message.lastIndexOf(`; ${hint}`));
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
