import { toHex } from "../../attest/bytes.ts";
import { openEnrolment } from "../../attest/enrolment.ts";
import { isoTime } from "../../attest/iso-time.ts";
import { Problem } from "../../attest/problem.ts";
import type { Suite } from "../../attest/suite.ts";
import type { Logger } from "../../runtime/log.ts";
import { codeKeyOf, newEnrolmentCode } from "./one-time-code.ts";
import type { CodeRow, EnrolmentRecords, EnrolmentRow, EnrolmentState } from "./records.ts";

/** What the operator's side of enrolling needs. */
export interface Office {
  readonly records: EnrolmentRecords;
  readonly suite: Suite;
  /** ms since 1970 UTC. */
  readonly nowMs: () => number;
  readonly logger: Logger;
  /** Closes the connection of a device that has been removed; hexadecimal. */
  readonly dismiss: (deviceKey: string) => void;
}

const HOUR_MS = 3_600_000;
export const DEFAULT_CODE_HOURS = 72;
export const MAX_CODE_HOURS = 8760;
export const MAX_LABEL_CHARACTERS = 128;
/** Each is tried when a device comes with a code: about 3 ms for all of them. */
const MAX_CODES = 1000;
/** How long an expired code is still listed. */
const LISTED_MS = 7 * 24 * HOUR_MS;

/**
 * Makes a one-time code. It is in this answer and nowhere else: the node keeps its hash. Throws `enrolment-codes-full`.
 *
 * @param asked `label` is for the operator's own eyes
 */
export async function makeCode(
  office: Office,
  asked: { readonly label: string; readonly hours: number },
): Promise<object> {
  const code = newEnrolmentCode();
  const createdMs = office.nowMs();
  const { label } = asked;
  const row = { label, codeKey: codeKeyOf(code), createdMs, expiresMs: createdMs + asked.hours * HOUR_MS };
  const id = await office.records.addCode(row, { most: MAX_CODES, clearMs: createdMs - LISTED_MS });
  if (id === undefined)
    throw new Problem("enrolment-codes-full", "there are too many codes that nobody has used", {
      expected: `at most ${MAX_CODES}`,
      hint: "remove some of them",
    });
  office.logger.info("enrolment-code-made", { code: id, label, expires: isoTime(row.expiresMs) });
  return { code, ...describeCode(office, { id, ...row }) };
}

/** Codes that nobody has used, without the codes themselves. */
export function listCodes(office: Office): object {
  return { codes: office.records.codes().map((row) => describeCode(office, row)) };
}

/** Makes a code useless. Throws `enrolment-code-unknown`. */
export async function removeCode(office: Office, id: number): Promise<object> {
  if (await office.records.removeCode(id)) return { id, removed: true };
  throw new Problem("enrolment-code-unknown", "there is no such code; it may have been used");
}

function describeCode(office: Office, { id, label, createdMs, expiresMs }: CodeRow): object {
  const times = { created: isoTime(createdMs), expires: isoTime(expiresMs) };
  return { id, label, ...times, expired: expiresMs <= office.nowMs() };
}

/** Which keys, and how many of them. */
export interface EnrolmentPage {
  readonly state: EnrolmentState | null;
  /** Keys behind this one; empty for the first page. */
  readonly after: Uint8Array;
  readonly limit: number;
}

/** One page of keys, how many there are of each state, and the last key where there may be more. */
export function listEnrolments(
  office: Office,
  page: EnrolmentPage,
): { readonly counts: object; readonly enrolments: readonly object[]; readonly last: string | null } {
  const rows = office.records.list(page);
  const last = rows.length === page.limit ? rows.at(-1) : undefined;
  return {
    counts: office.records.counts(),
    enrolments: rows.map((row) => describe(office, row)),
    last: last === undefined ? null : toHex(last.key),
  };
}

/** All about one key, with the signed statements. Throws `enrolment-unknown`. */
export function describeEnrolment(office: Office, key: Uint8Array): object {
  const row = office.records.record(key);
  if (row === undefined) throw unknown();
  const hex = (bytes: Uint8Array | null): string | null => bytes && toHex(bytes);
  const signed = { statement: hex(row.statement), countersignature: hex(row.countersignature) };
  return { ...describe(office, row), ...signed };
}

/** Approves or rejects a key, whether or not it has asked yet. Throws `enrolment-enrolled` for one that is enrolled. */
export async function decide(
  office: Office,
  key: Uint8Array,
  decision: { readonly state: "approved" | "rejected"; readonly label?: string },
): Promise<object> {
  if (!(await office.records.decide(key, { ...decision, nowMs: office.nowMs() })))
    throw new Problem("enrolment-enrolled", "the device is enrolled", {
      hint: "remove it first; it then has to ask anew",
    });
  office.logger.info("enrolment-decided", { device: toHex(key), decision: decision.state });
  return describeEnrolment(office, key);
}

/** Forgets a key: it may ask again. What the device has sent stays stored. Throws `enrolment-unknown`. */
export async function removeEnrolment(office: Office, key: Uint8Array): Promise<object> {
  if (!(await office.records.remove(key))) throw unknown();
  const name = toHex(key);
  office.logger.info("enrolment-decided", { device: name, decision: "removed" });
  office.dismiss(name);
  return { key: name, removed: true };
}

function unknown(): Problem {
  return new Problem("enrolment-unknown", "the key is not enrolled, and does not wait for it", {
    hint: "GET /enrolments lists those that are and do",
  });
}

function describe(office: Office, row: EnrolmentRow): object {
  const { state, label, source, changedMs, statement } = row;
  return {
    ...{ key: toHex(row.key), state, label, source, changed: isoTime(changedMs) },
    says: statement === null ? null : whatItSays(office, statement),
  };
}

function whatItSays(office: Office, statement: Uint8Array): object {
  const says = openEnrolment(office.suite, statement);
  const { assuranceTier, softwareVersion } = says;
  const keys = { recoveryKey: toHex(says.recoveryKey), nextKeyHash: toHex(says.nextKeyHash) };
  return { assuranceTier, softwareVersion, ...keys, manifestHash: toHex(says.manifestHash) };
}
