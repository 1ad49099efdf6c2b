import { describeProblem, Problem } from "../../attest/problem.ts";
import type { SnapshotBefore } from "./continuity.ts";
import type { TakenSnapshot } from "./snapshot.ts";
import { loadSnapshot, saveSnapshot } from "./state-file.ts";

/** Where a coprocessor is, and where its last snapshot is kept; without a file it is forgotten with the process. */
export interface CoprocessorPlace {
  readonly lineName: string;
  readonly stateFile: string | undefined;
}

/** A start of its own shows at once; this is for firmware that counts its starts wrongly. 24 writes a day. */
const SAVE_EVERY_MS = 3_600_000;
/**
 * A break that was told is sealed by somebody else, who may be killed before. Until it surely is, the file keeps what was
 * before the break, so that the next run tells it again: twice is honest, never is not.
 */
const SEALED_AFTER_MS = 600_000;
const SEALED_AFTER_READS = 4;

/** A log of which this is the first reading has nothing to break; one that is older, as after a restore, has. */
const UNMADE: SnapshotBefore = { kind: "unmade" };

interface Remembered {
  readonly taken: TakenSnapshot;
  /** When the file was written or read; undefined while it has to be made. */
  readonly savedMs: number | undefined;
  /** A break that the file does not know of yet. */
  readonly told: { readonly atMs: number; readonly reads: number } | undefined;
}

/** The last good snapshot of each coprocessor: for drivers that are opened anew, and for the next run of the program. */
export class SnapshotMemory {
  readonly #remembered = new Map<string, Remembered>();
  /** When a file was read that is still as it was. */
  readonly #loadedMs = new Map<string, number>();
  /** What came before a break that was said to nobody. */
  readonly #unsaid = new Map<string, SnapshotBefore>();
  readonly #monotonicMs: () => number;

  /** @param monotonicMs a clock that is never set */
  constructor(monotonicMs: () => number = () => performance.now()) {
    this.#monotonicMs = monotonicMs;
  }

  /** What came before the first or the next snapshot of that coprocessor. Throws Problem `coprocessor-state-file`. */
  async before(place: CoprocessorPlace, serial: string): Promise<SnapshotBefore> {
    const unsaid = this.#unsaid.get(keyOf(place, serial));
    if (unsaid !== undefined) return unsaid;
    const known = this.#remembered.get(keyOf(place, serial));
    if (known !== undefined) return { kind: "snapshot", taken: known.taken };
    if (place.stateFile === undefined) return { kind: "nothing" };
    const found = await loadedFrom(place.stateFile, serial);
    if (found !== UNMADE) this.#loadedMs.set(keyOf(place, serial), this.#monotonicMs());
    return found;
  }

  /**
   * Remembers a good snapshot, in the file as well where it is due. Resolves to what is wrong with a file that is there
   * and cannot be written; the count goes on without it.
   *
   * @param broken that it was told that the count broke before this snapshot
   * @throws Problem `coprocessor-state-file` where the file cannot be made
   */
  async keep(place: CoprocessorPlace, taken: TakenSnapshot, broken: boolean): Promise<Problem | undefined> {
    const key = keyOf(place, taken.snapshot.serial);
    const nowMs = this.#monotonicMs();
    const { savedMs, told } = this.#remembered.get(key) ?? {
      ...{ savedMs: this.#loadedMs.get(key), told: undefined },
    };
    const owed = broken ? { atMs: nowMs, reads: 0 } : told && { ...told, reads: told.reads + 1 };
    if (place.stateFile === undefined || !isDue({ savedMs, told: owed }, nowMs)) {
      this.#remember(key, { taken, savedMs, told: owed });
      return undefined;
    }
    const problem = await saved(place.stateFile, taken);
    if (problem !== undefined && savedMs === undefined) throw problem;
    this.#remember(key, { taken, savedMs: nowMs, told: problem === undefined ? undefined : owed });
    return problem;
  }

  #remember(key: string, remembered: Remembered): void {
    this.#remembered.set(key, remembered);
    this.#unsaid.delete(key);
  }

  /** A break was found after `before`, and whoever asked for the snapshot has it no more: the next one tells it again. */
  unsay(place: CoprocessorPlace, serial: string, before: SnapshotBefore): void {
    this.#unsaid.set(keyOf(place, serial), before);
  }

  /** Brings what is remembered to the file, unless a break is owed. Never throws: what cannot be kept is older in the file. */
  async flush(place: CoprocessorPlace, serial: string): Promise<void> {
    const known = this.#remembered.get(keyOf(place, serial));
    if (place.stateFile === undefined || known === undefined || known.told !== undefined) return;
    await saveSnapshot(place.stateFile, known.taken.bytes).catch(() => undefined);
  }
}

function keyOf({ lineName }: CoprocessorPlace, serial: string): string {
  return `${lineName} ${serial}`;
}

function isDue({ savedMs, told }: Pick<Remembered, "savedMs" | "told">, nowMs: number): boolean {
  if (savedMs === undefined) return true;
  if (told !== undefined) return nowMs - told.atMs >= SEALED_AFTER_MS && told.reads >= SEALED_AFTER_READS;
  return nowMs - savedMs >= SAVE_EVERY_MS;
}

async function loadedFrom(path: string, serial: string): Promise<SnapshotBefore> {
  try {
    const taken = await loadSnapshot(path);
    if (taken === undefined) return UNMADE;
    if (taken.snapshot.serial === serial) return { kind: "snapshot", taken };
    return { kind: "unknown", why: `${path} is of the coprocessor ${taken.snapshot.serial}` };
  } catch (thrown) {
    const { code, message } = describeProblem(thrown);
    if (code !== "coprocessor-state-damaged") throw thrown;
    return { kind: "unknown", why: message };
  }
}

async function saved(path: string, { bytes }: TakenSnapshot): Promise<Problem | undefined> {
  try {
    await saveSnapshot(path, bytes);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown;
    throw thrown;
  }
}
