import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fromHex, toHex } from "../../attest/bytes.ts";
import type { EnrolmentRecord } from "../../attest/enrolled-key.ts";
import { Problem } from "../../attest/problem.ts";
import { makeFolder, replaceDurably } from "../../runtime/files.ts";

const FORMAT = "kilowitness enrolment 1";

/**
 * Where the record of the enrolment at a node is kept: beside the journal, `JOURNAL.enrolments/NODEKEY`. It is what the
 * owner hands to a stranger who trusts that node; nothing in it is secret.
 */
export function enrolmentPath(journalPath: string, nodeKey: Uint8Array): string {
  return join(`${journalPath}.enrolments`, toHex(nodeKey));
}

/** Durable, in place of an earlier one of that node. Throws what the file system throws. */
export function writeEnrolment(path: string, record: EnrolmentRecord): void {
  makeFolder(dirname(path), 0o700);
  const { statement, countersignature } = record;
  replaceDurably(
    path,
    `${FORMAT}\nstatement ${toHex(statement)}\ncountersignature ${toHex(countersignature)}\n`,
  );
}

/**
 * Reads it back; what it says is for `enrolledKey` to verify.
 *
 * @throws Problem `enrolment-record`, or what the file system throws
 */
export function readEnrolment(path: string): EnrolmentRecord {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  const statement = /^statement ([0-9a-f]+)$/.exec(lines[1] ?? "")?.[1];
  const countersignature = /^countersignature ([0-9a-f]+)$/.exec(lines[2] ?? "")?.[1];
  if (
    lines[0] !== FORMAT ||
    statement === undefined ||
    countersignature === undefined ||
    lines.length !== 3
  ) {
    throw new Problem("enrolment-record", "not the record of an enrolment", {
      where: path,
      expected: `the lines "${FORMAT}", "statement …", "countersignature …"`,
    });
  }
  return { statement: fromHex(statement, path), countersignature: fromHex(countersignature, path) };
}
