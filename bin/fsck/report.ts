import { Problem } from "../../attest/problem.ts";
import type { FsckResult } from "./run.ts";

/** The result for people: a line for each finding, or one line that says what was looked at. */
export function resultWords(result: FsckResult): readonly string[] {
  const { file, kind, findings, inUse } = result;
  const aside =
    inUse === true
      ? ["(a program is writing the file; it was checked as far as it went when the check began)"]
      : [];
  if (findings.length === 0) return [`CONSISTENT: ${file}: ${summary(result)}`, ...aside];
  const verdict = kind === undefined ? "CANNOT BE CHECKED" : `NOT CONSISTENT: ${kind}`;
  return [
    `${verdict}: ${file}`,
    ...findings.map(({ code, message }) => `  ${message} (${code})`),
    ...(result.counts === undefined ? [] : [`looked at: ${summary(result)}`]),
    ...aside,
  ];
}

/** The result as plain data, for programs. */
export function resultFacts(result: FsckResult): object {
  const { file, kind, bytes, inUse, counts, seconds, findings } = result;
  return {
    ...{ file, consistent: findings.length === 0, kind, inUse, bytes, ...counts, seconds },
    findings: findings.map(findingFacts),
  };
}

function findingFacts(finding: Problem): object {
  const { code, message, detail } = finding;
  const below = detail.cause instanceof Problem ? detail.cause.detail : {};
  const { where, expected = below.expected, got = below.got, hint } = detail;
  return { code, where, expected, got, hint, message };
}

function summary({ kind, bytes = 0, counts = {}, seconds }: FsckResult): string {
  const counted = Object.entries(counts)
    .filter(([name, count]) => count > 0 || name !== "released")
    .map(([name, count]) => `${name} ${grouped(count)}`);
  return [kind ?? "file", ...counted, `bytes ${grouped(bytes)}`, `${seconds.toFixed(1)} s`].join(", ");
}

/** 1234567 as 1,234,567. */
export function grouped(count: number): string {
  return count.toLocaleString("en-US");
}
