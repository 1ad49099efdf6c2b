import { Problem } from "../../attest/problem.ts";
import type { SmpMap, SmpValue } from "./cbor.ts";
import { GROUP } from "./message.ts";

/** One error of a microcontroller: the end of the problem's code, and what it means. */
type Meaning = readonly [code: string, words: string];

/**
 * The numbers that stand in `rc`, whatever the group. Source: zephyrproject-rtos/zephyr
 * include/zephyr/mgmt/mcumgr/mgmt/mgmt_defines.h, commit 06758ff.
 */
const COMMON: readonly Meaning[] = [
  ["ok", "no error"],
  ["unknown", "the microcontroller does not say what failed"],
  ["no-memory", "the microcontroller has too little memory for the answer"],
  ["invalid", "the microcontroller does not take the request as it is"],
  ["device-timeout", "something took too long within the microcontroller"],
  ["not-found", "the microcontroller has no such thing"],
  ["bad-state", "the microcontroller cannot do that in its present state"],
  ["answer-too-large", "the answer does not fit into a message"],
  ["not-supported", "the microcontroller does not know the command"],
  ["corrupt", "the request arrived corrupted, or the stored data are"],
  ["busy", "the microcontroller is busy with another command"],
  ["denied", "the microcontroller denies access"],
  ["too-old", "the microcontroller wants a newer version of the protocol"],
  ["too-new", "the microcontroller knows only an older version of the protocol"],
];

/** Zephyr os_mgmt.h and apache/nuttx-apps os_mgmt.h (the same list, one longer). */
const OS: readonly Meaning[] = [
  ["ok", "no error"],
  ["os-unknown", "the microcontroller does not say what failed"],
  ["os-invalid-format", "the microcontroller does not know the format that was asked for"],
  ["os-no-answer", "the microcontroller has no answer to the query"],
  ["os-no-time", "the clock of the microcontroller is not set"],
  ["os-clock-failed", "the clock of the microcontroller failed"],
  ["os-no-value", "the microcontroller has no valid value for the query"],
];

/**
 * Source: zephyrproject-rtos/zephyr include/zephyr/mgmt/mcumgr/grp/img_mgmt/img_mgmt.h, commit 189d1d5, and its later
 * additions 30 to 34.
 */
const IMAGE: readonly Meaning[] = [
  ["ok", "no error"],
  ["image-unknown", "the microcontroller does not say what failed"],
  ["image-flash-config", "the layout of the flash cannot be read"],
  ["image-none", "there is no image in the slot"],
  ["image-no-trailer", "the image in the slot has no trailer"],
  ["image-bad-trailer", "the trailer of the image in the slot is malformed"],
  ["image-two-hashes", "the image in the slot has more than one hash"],
  ["image-bad-trailer-size", "the trailer of the image in the slot has a wrong size"],
  ["image-hash-not-found", "no slot has an image of that hash"],
  [
    "image-no-free-slot",
    "no slot is free: one runs, and the other waits for a test, a confirmation or a way back",
  ],
  ["image-flash-open", "the flash cannot be opened"],
  ["image-flash-read", "the flash cannot be read"],
  ["image-flash-write", "the flash cannot be written"],
  ["image-flash-erase", "the flash cannot be erased"],
  ["image-invalid-slot", "there is no such slot"],
  ["image-no-memory", "the microcontroller has too little memory"],
  ["image-context-set", "another upload is under way within the microcontroller"],
  ["image-context-not-set", "no upload is under way within the microcontroller"],
  ["image-no-flash-device", "the flash has no driver"],
  ["image-invalid-page", "the offset is in no page of the flash"],
  ["image-no-offset", "the request has no offset"],
  ["image-no-length", "the request has no length"],
  ["image-short-header", "the first piece is shorter than the header of an image"],
  ["image-bad-magic", "this is no image: its first bytes are others"],
  ["image-bad-hash", "the hash in the request is none"],
  ["image-wrong-address", "the image is made for another address of the flash"],
  ["image-no-version", "the version of the running image cannot be read"],
  ["image-downgrade", "the running image is as new or newer"],
  ["image-already-pending", "an image waits for its test or confirmation already"],
  ["image-bad-vectors", "the vector table of the image is invalid"],
  ["image-too-large", "the image does not fit into the slot"],
  ["image-overrun", "more data came than the image is long"],
  ["image-confirm-denied", "the microcontroller does not let this image be confirmed"],
  ["image-test-active", "the running image cannot be set for a test"],
  ["image-active-unknown", "the microcontroller does not know which slot runs"],
];

/** Zephyr stat_mgmt.h. */
const STATISTICS: readonly Meaning[] = [
  ["ok", "no error"],
  ["statistics-unknown", "the microcontroller does not say what failed"],
  ["statistics-not-found", "there are no statistics of that name"],
  ["statistics-no-field", "there is no counter of that name"],
  ["statistics-size", "a counter has a size that cannot be sent"],
  ["statistics-aborted", "reading the statistics was broken off"],
];

const BY_GROUP: ReadonlyMap<number, readonly Meaning[]> = new Map([
  [GROUP.os, OS],
  [GROUP.image, IMAGE],
  [GROUP.statistics, STATISTICS],
]);

/**
 * The error that an answer says, `smp-…`; undefined where it says none. Both shapes are known: `rc` of the original
 * protocol and of MCUboot, where 0 is none, and `err: {group, rc}` of version 2.
 *
 * @param where what was asked of whom
 */
export function answerProblem(fields: SmpMap, where: string): Problem | undefined {
  const error = fields.get("err");
  if (error instanceof Map) return groupProblem(error, where);
  const rc = fields.get("rc");
  if (rc === undefined || rc === 0) return undefined;
  return problemOf(COMMON, { where, rc, reason: fields.get("rsn"), got: `rc ${shown(rc)}` });
}

function groupProblem(error: SmpMap, where: string): Problem | undefined {
  const rc = error.get("rc") ?? null;
  const group = error.get("group") ?? null;
  if (rc === 0) return undefined;
  const meanings = typeof group === "number" ? (BY_GROUP.get(group) ?? []) : [];
  return problemOf(meanings, { where, rc, got: `group ${shown(group)}, rc ${shown(rc)}` });
}

interface Said {
  readonly where: string;
  readonly rc: SmpValue;
  readonly got: string;
  readonly reason?: SmpValue | undefined;
}

function problemOf(meanings: readonly Meaning[], { where, rc, got, reason }: Said): Problem {
  const meaning = typeof rc === "number" ? meanings[rc] : undefined;
  const [code, words] = meaning ?? [
    "refused",
    "the microcontroller refused, with a number that is not known",
  ];
  const told = typeof reason === "string" ? `${got} (${reason})` : got;
  return new Problem(`smp-${code}`, words, { where, got: told });
}

function shown(value: SmpValue): string {
  return typeof value === "number" || typeof value === "bigint" ? String(value) : "no number";
}

/** `smp-timeout`: nobody answered. `last`: what came instead and could not be read. */
export function timeoutProblem(where: string, waited: string, last: Problem | undefined): Problem {
  return new Problem("smp-timeout", "the microcontroller does not answer", {
    where,
    expected: `an answer within ${waited}`,
    got: last === undefined ? "none" : `none that is whole: ${last.message}`,
    hint: "check the port, the baud rate, and that the firmware has SMP on this console",
    ...(last === undefined ? {} : { cause: last }),
  });
}

/** `smp-aborted`: whoever asked wanted no more. */
export function abortedProblem(where: string): Problem {
  return new Problem("smp-aborted", "broken off as asked", { where });
}

/** `smp-answer`: a field of an answer is missing or of another kind. */
export function fieldProblem(where: string, expected: string, got: SmpValue | undefined): Problem {
  return new Problem("smp-answer", "an answer is not as its command has it", {
    where,
    expected,
    got: got === undefined ? "nothing" : got === null ? "null" : kindOf(got),
  });
}

function kindOf(value: SmpValue): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof Map) return "a map";
  if (Array.isArray(value)) return "an array";
  return typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : String(value);
}
