import { readFileSync, statSync } from "node:fs";
import { Problem } from "../../attest/problem.ts";
import type { Logger } from "../../runtime/log.ts";
import type { KeptLease } from "../control/types.ts";

/** What the supervisor has to know of a lease. */
export interface GuardedLease extends Pick<KeptLease, "device" | "kind" | "untilMonotonicMs"> {
  /** False after a start of the machine: the time is on a clock that began anew. */
  readonly sameBoot: boolean;
}

/** What a lease file holds, read again only where it has changed: it is asked every second, and hardly ever does. */
export class LeaseView {
  readonly #file: string;
  readonly #logger: Logger;
  readonly #bootId: string | undefined;
  #seen = "";
  #leases: readonly GuardedLease[] = [];
  #readable = true;

  constructor(file: string, logger: Logger, bootId: string | undefined = bootIdOf()) {
    this.#file = file;
    this.#logger = logger;
    this.#bootId = bootId;
  }

  /** Whether what is there can be read. No file is none that cannot. */
  get readable(): boolean {
    return this.#readable;
  }

  /** The leases in the file; those of one that cannot be read are as they were. */
  leases(): readonly GuardedLease[] {
    try {
      const now = stampOf(this.#file);
      if (now === this.#seen) return this.#leases;
      this.#seen = now;
      const { bootId, leases } = now === "" ? NONE : leasesIn(readFileSync(this.#file, "utf8"), this.#file);
      this.#leases = leases.map((lease) => ({ ...lease, sameBoot: bootId === this.#bootId }));
      this.#readable = true;
    } catch (cause) {
      this.#logger.problem("leases-unreadable", cause, { file: this.#file });
      this.#readable = false;
    }
    return this.#leases;
  }
}

interface Held {
  readonly bootId: string;
  readonly leases: readonly Omit<GuardedLease, "sameBoot">[];
}

const NONE: Held = { bootId: "", leases: [] };

/** Another one after each time the file was replaced: a new file has another number, or another time. */
function stampOf(file: string): string {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? "" : `${stat.ino} ${stat.mtimeNs} ${stat.size}`;
}

/**
 * As much of a `LeaseFile` as is asked here. agent/control/lease-file.ts holds it to its schema; what reads schemas takes
 * more memory than everything else in this process.
 */
function leasesIn(text: string, where: string): Held {
  const held: unknown = JSON.parse(text);
  if (isRecord(held) && held["version"] === 1 && typeof held["bootId"] === "string") {
    const { bootId, leases } = held;
    if (Array.isArray(leases) && leases.every(isLease)) return { bootId, leases };
  }
  throw new Problem("control-leases-damaged", "the file of leases is damaged", { where });
}

function isLease(value: unknown): value is Held["leases"][number] {
  return (
    isRecord(value) &&
    typeof value["device"] === "string" &&
    typeof value["kind"] === "string" &&
    Number.isSafeInteger(value["untilMonotonicMs"])
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Undefined where the kernel does not say it. */
function bootIdOf(): string | undefined {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return undefined;
  }
}
