import { describeProblem, Problem } from "../attest/problem.ts";
import type { Arrival, IngestContext } from "./ingest-types.ts";
import type { Fault } from "./store/store.ts";

/** What a batch's checkpoint is held against, and how its fault file is built. */
export interface Caught extends Pick<Fault, "kind" | "size" | "ours" | "detail"> {
  /** Throws one of {@link UNPROVABLE} where there is no such file. */
  readonly build: () => Uint8Array;
}

/**
 * With these a stranger cannot be shown what is known here: nothing shown contradicts anything, a later version might
 * take it, the file would be too large, or finding out would cost too much.
 */
const UNPROVABLE: ReadonlySet<string> = new Set([
  "fault-nothing",
  "fault-newer",
  "fault-format",
  "fault-work",
]);

/**
 * Keeps what was caught, with the file that shows it to anybody. A fork is kept without one, too, for the node itself has
 * seen both histories; nothing else is. Returns whether it is kept, now or already.
 */
export async function keepFault(
  context: IngestContext,
  { identity, logId, batch }: Arrival,
  { build, ...caught }: Caught,
): Promise<boolean> {
  const { deviceKey, epoch } = identity;
  const place = { deviceKey, epoch, logId, theirs: batch.checkpoint };
  // Before anything is built: so a device can make the node build only as many files as it keeps.
  const room = await context.store.faultRoom(place);
  if (room !== "free") return room === "kept";
  const built = outcomeOf(build);
  if (built.proof === null && caught.kind !== "fork") return false;
  const detail = built.proof === null ? `${caught.detail}; no fault file: ${built.reason}` : caught.detail;
  await context.store.addFault({ ...place, ...caught, detail, proof: built.proof, nowMs: context.nowMs() });
  return true;
}

type Built = { readonly proof: Uint8Array } | { readonly proof: null; readonly reason: string };

function outcomeOf(build: () => Uint8Array): Built {
  try {
    return { proof: build() };
  } catch (cause) {
    if (!(cause instanceof Problem) || !UNPROVABLE.has(cause.code)) throw cause;
    return { proof: null, reason: describeProblem(cause).message };
  }
}
