import { readFileSync } from "node:fs";
import type { OpenedLog } from "./open-log.ts";

/** A start of the machine, as a journal counts them. */
export interface Boot {
  readonly count: number;
  /** The journal was not written to since the machine was started. */
  readonly isNew: boolean;
  readonly id: string;
}

/** Which start of the machine this is, not of the program: the kernel's boot id tells them apart. */
export function bootOf({ journal }: Pick<OpenedLog, "journal">, id: string = readBootId()): Boot {
  const before = Number(journal.note("bootCount") ?? 0);
  const isNew = journal.note("bootId") !== id;
  return { id, isNew, count: isNew ? before + 1 : before };
}

/**
 * From here on this start of the machine is known to the journal. What the log has to say of it must be durable before:
 * a program that dies between the two would never say it.
 */
export function noteBoot({ journal, identity }: Pick<OpenedLog, "journal" | "identity">, boot: Boot): void {
  const notes = { bootCount: String(boot.count), bootId: boot.id };
  journal.commit({ epoch: identity.epoch, leaves: [], subtrees: [], notes });
}

function readBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    // Not Linux: every start of the program counts as a boot.
    return String(process.pid);
  }
}
