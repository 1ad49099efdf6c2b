import { equalBytes } from "../../attest/bytes.ts";
import { Problem } from "../../attest/problem.ts";
import type { CoprocessorMoment, TakenSnapshot } from "./snapshot.ts";

/** What is known of the time before a snapshot; nothing where nothing is kept from one run of the program to the next. */
export type SnapshotBefore =
  | { readonly kind: "nothing" }
  | { readonly kind: "snapshot"; readonly taken: TakenSnapshot }
  /** Nothing says that it was ever read; where the file was lost, it was. */
  | { readonly kind: "unmade" }
  /** It was read before, and where it stood then cannot be told. */
  | { readonly kind: "unknown"; readonly why: string };

/** As {@link breakBetween}; who does not know where the count stood cannot say that it went on. */
export function breakSince(before: SnapshotBefore, now: CoprocessorMoment): string | undefined {
  switch (before.kind) {
    case "nothing":
      return undefined;
    case "snapshot":
      return breakBetween(before.taken.snapshot, now);
    case "unmade":
      return "the first reading that is known here (there was no state file, it is made now): what flowed before it is unknown";
    case "unknown":
      return `nobody knows whether the coprocessor was restarted since it was read last (${before.why}): what flowed meanwhile is unknown`;
  }
}

/**
 * What breaks the count between two snapshots of one coprocessor, in words; undefined where nothing does. What flowed
 * while the microcontroller was down is in no register, and a counter that went back says that it was.
 */
export function breakBetween(before: CoprocessorMoment, now: CoprocessorMoment): string | undefined {
  if (now.boot !== before.boot)
    return `the coprocessor started anew (start ${now.boot}, ${now.atMs} ms ago; it was start ${before.boot}): what flowed while it was down is unknown`;
  if (now.atMs < before.atMs)
    return `the coprocessor's own counter went back from ${before.atMs} to ${now.atMs} ms: what flowed meanwhile is unknown`;
  if (now.number < before.number)
    return `the coprocessor's snapshots went back from number ${before.number} to ${now.number}: what flowed meanwhile is unknown`;
  return undefined;
}

/**
 * Refuses two snapshots of one number that differ: values were exchanged while they were written down.
 *
 * @throws Problem `coprocessor-torn`
 */
export function requireWhole(before: TakenSnapshot, now: TakenSnapshot, where: string): void {
  const { boot, number } = now.snapshot;
  if (before.snapshot.boot !== boot || before.snapshot.number !== number) return;
  if (equalBytes(before.bytes, now.bytes)) return;
  throw new Problem("coprocessor-torn", "two snapshots of one number have different values", {
    where,
    expected: `snapshot ${number} as it was`,
    got: "other values",
    hint: "the firmware must take all values of a snapshot at once, and number each anew",
  });
}
