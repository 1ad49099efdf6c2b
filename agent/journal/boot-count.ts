import { readFileSync } from "node:fs";
import type { OpenedLog } from "./open-log.ts";

/** Counts starts of the machine, not of the program: the kernel's boot id tells them apart. */
export function countBoot(log: Pick<OpenedLog, "journal" | "identity">): number {
  const bootId = readBootId();
  const before = Number(log.journal.note("bootCount") ?? 0);
  const count = log.journal.note("bootId") === bootId ? before : before + 1;
  log.journal.commit({
    epoch: log.identity.epoch,
    leaves: [],
    subtrees: [],
    notes: { bootCount: String(count), bootId },
  });
  return count;
}

function readBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    // Not Linux: every start of the program counts as a boot.
    return String(process.pid);
  }
}
