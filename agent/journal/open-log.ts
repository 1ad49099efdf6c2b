import type { LogIdentity } from "../../attest/identity.ts";
import type { EpochOpen } from "../../attest/leaf.ts";
import type { LogRules } from "../../attest/log-rules.ts";
import { Problem } from "../../attest/problem.ts";
import { openProblem } from "../../runtime/database.ts";
import { databaseFault } from "../../runtime/database-fault.ts";
import type { Instant } from "../clock/clock.ts";
import { CarriedLeaves, type Continued, continuedIn, salvaged } from "./carried.ts";
import { readEpoch, writeEpoch } from "./epoch-file.ts";
import { Journal, type Owning } from "./journal.ts";
import type { Carry } from "./journal-reader.ts";
import { lastReceipted } from "./last-receipted.ts";
import { openBlock, replay, requireOwn } from "./replay.ts";
import { setAside, setStrayAside } from "./set-aside.ts";

/** The journal of a device, ready to be appended to. */
export interface OpenedLog {
  readonly journal: Journal;
  readonly identity: LogIdentity;
  /** Rules as of the last durable leaf; of size 0 when the log has still to be opened. */
  readonly rules: LogRules;
  readonly openBlock: readonly Uint8Array[];
  /** Why this epoch exists, when it is not the device's first and has still to be opened. */
  readonly reason?: string;
  /** Which history it continues, when it has still to be opened: as a node last receipted it. */
  readonly continues?: Pick<EpochOpen, "oldLogId" | "oldSize" | "oldRoot">;
  /** When it begins, when it has still to be opened and takes over leaves that are older than now. */
  readonly opensAt?: Instant;
  /** What happened to a damaged database: where it was set aside. */
  readonly damaged?: { readonly problem: Problem; readonly movedTo: string };
}

export interface LogLocation extends Owning {
  readonly path: string;
  readonly network: string;
  readonly deviceKey: Uint8Array;
  /** Names a damaged file that is set aside. */
  readonly nowMs: number;
  /** What showed the file to be damaged already, although it may open: it is set aside in any case. */
  readonly condemned?: Problem;
}

/**
 * Opens the journal at `path` with the newest epoch that it or the epoch file beside it knows. A damaged database
 * is renamed, never deleted, and the next epoch begins in a new one. Throws `journal-foreign` for the journal of
 * another device or network, and `database-…` or `epoch-file` for anything else.
 */
export function openLog(location: LogLocation): OpenedLog {
  const { path, nowMs, condemned } = location;
  setStrayAside(path, nowMs);
  try {
    if (condemned !== undefined) throw condemned;
    return openWhole(location, { reason: "the journal of the epoch before is lost" });
  } catch (cause) {
    if (!isDamage(cause)) throw cause;
    const movedTo = setAside(path, nowMs);
    const log = openWhole(location, { reason: "the journal was damaged and set aside", movedTo });
    return { ...log, damaged: { problem: asProblem(cause, path), movedTo } };
  }
}

/** Opens the journal to read its newest epoch while the agent may be running; changes nothing. */
export function openLogForReading(
  location: Pick<LogLocation, "path" | "network" | "deviceKey">,
): Pick<OpenedLog, "journal" | "identity" | "rules"> {
  const journal = new Journal(location.path, "reader");
  const read = (): Pick<OpenedLog, "journal" | "identity" | "rules"> => {
    const epoch = Number(journal.note("epoch") ?? 1);
    const identity = { network: location.network, deviceKey: location.deviceKey, epoch };
    return { journal, identity, rules: replay(journal, identity) };
  };
  return orClose(journal, () => journal.atOnce(read));
}

/**
 * Begins epoch `epoch` in a journal that holds earlier ones: durable in the file beside it before it is used. Leaves of
 * an earlier one that `carried` names are to be appended to it.
 */
export function startEpoch(journal: Journal, path: string, epoch: number, carried?: Carried): void {
  writeEpoch(path, epoch);
  const notes = { epoch: String(epoch), rules: "" };
  const carry = (carried && carryOf(epoch, carried)) ?? "done";
  const passedOver = carried?.passedOver ?? [];
  journal.commit({ epoch, leaves: [], subtrees: [], notes, carry, passedOver });
}

/**
 * Begins a later epoch in a sound journal, and has what no node has receipted of the one before appended again.
 *
 * @param passedOver nodes that the epoch does without
 */
export function startNextEpoch(
  journal: Journal,
  log: LogIdentity,
  next: { readonly epoch: number; readonly passedOver?: readonly Uint8Array[] },
): void {
  const { epoch, passedOver = [] } = next;
  startEpoch(journal, journal.path, epoch, { ...continuedIn(journal, log, log.epoch), path: "", passedOver });
}

/** What an epoch continues, and the file that holds it where that is another one. */
interface Carried extends Continued {
  readonly path: string;
  readonly passedOver?: readonly Uint8Array[];
}

/** Why there may be an epoch that has not been opened, and the file that was set aside for it. */
interface Cause {
  readonly reason: string;
  readonly movedTo?: string;
}

function carryOf(epoch: number, { path, oldEpoch, leaves }: Carried): Carry | undefined {
  if (path === "" && leaves.from === leaves.to) return undefined;
  return { epoch, path, oldEpoch, nextSeq: leaves.from, endSeq: leaves.to };
}

function isDamage(cause: unknown): boolean {
  return databaseFault(cause) === "damaged" || (cause instanceof Problem && cause.code === "journal-damaged");
}

function asProblem(cause: unknown, path: string): Problem {
  return cause instanceof Problem ? cause : openProblem(path, cause);
}

function openWhole(location: LogLocation, cause: Cause): OpenedLog {
  const { path, network, deviceKey } = location;
  const journal = new Journal(path, "owner", location);
  return orClose(journal, () => {
    const device = { network, deviceKey };
    // Before anything is written: an epoch begun in another device's journal would name its log as our own.
    const [newest] = journal.epochs();
    if (newest !== undefined) requireOwn(journal, { ...device, epoch: newest });
    const chosen = chooseEpoch(journal, device, cause);
    const opened = replayed(journal, { ...device, epoch: chosen.epoch });
    if (opened !== undefined) return { journal, ...opened, ...openingOf(journal, opened, chosen.reason) };
    // The state that was saved cannot be read, and not all leaves are there to make it anew.
    startNextEpoch(journal, { ...device, epoch: chosen.epoch }, { epoch: chosen.epoch + 1 });
    const next = replayed(journal, { ...device, epoch: chosen.epoch + 1 });
    if (next === undefined) throw new Error("an empty log has a state");
    return {
      journal,
      ...next,
      ...openingOf(journal, next, "the saved state of the log is of another version"),
    };
  });
}

type Replayed = Pick<OpenedLog, "identity" | "rules" | "openBlock">;

/** Undefined where the leaves are sound and the state behind them is lost. */
function replayed(journal: Journal, identity: LogIdentity): Replayed | undefined {
  try {
    const rules = replay(journal, identity);
    return { identity, rules, openBlock: openBlock(journal, identity.epoch, rules.size) };
  } catch (cause) {
    if (cause instanceof Problem && cause.code === "journal-state") return undefined;
    throw cause;
  }
}

/** What is to be said when the epoch is opened. */
function openingOf(
  journal: Journal,
  { rules, identity }: Replayed,
  reason: string,
): Pick<OpenedLog, "reason" | "continues" | "opensAt"> {
  if (rules.size > 0 || identity.epoch === 1) return {};
  const carry = journal.carry();
  const aside = carry === undefined || carry.path === "" ? undefined : salvaged(carry.path, identity);
  const opensAt = carry && firstInstant(journal, carry);
  return {
    reason: carry === undefined || carry.path === "" ? reason : "the journal was damaged and set aside",
    continues: aside?.names ?? lastReceipted(journal, identity),
    ...(opensAt === undefined ? {} : { opensAt }),
  };
}

/** The time of the first leaf that is appended again. */
function firstInstant(journal: Journal, carry: Carry): Instant | undefined {
  try {
    const leaves = CarriedLeaves.open(() => journal, carry);
    const [first] = leaves.read({ from: carry.nextSeq, to: carry.endSeq }).leaves ?? [];
    leaves.close();
    return first && { timeMs: first.timeMs, timeQuality: first.timeQuality };
  } catch {
    // Nothing of it can be read any more: the epoch begins now.
    return undefined;
  }
}

/**
 * The epoch file is written before its epoch is used. When it is ahead, the journal has missed an epoch: it was put
 * back from a copy, and what it calls its newest epoch must not be signed any more.
 */
function chooseEpoch(
  journal: Journal,
  device: Pick<LogIdentity, "network" | "deviceKey">,
  { reason, movedTo }: Cause,
): { readonly epoch: number; readonly reason: string } {
  const { path } = journal;
  const remembered = readEpoch(path);
  const held = Number(journal.note("epoch") ?? 0);
  if (held > 0 && held >= remembered) {
    if (held > remembered) writeEpoch(path, held);
    return { epoch: held, reason };
  }
  if (held > 0) {
    startNextEpoch(journal, { ...device, epoch: held }, { epoch: remembered + 1 });
    return { epoch: remembered + 1, reason: "the journal is older than its epoch file" };
  }
  const found = movedTo === undefined ? undefined : salvaged(movedTo, device);
  // Whatever was set aside had begun an epoch, even where nobody can read any more which.
  const begun = Math.max(remembered, found?.newestEpoch ?? 0, movedTo === undefined ? 0 : 1);
  const epoch = begun + 1;
  const aside = movedTo && { names: {}, oldEpoch: 0, leaves: { from: 0, to: 0 }, ...found, path: movedTo };
  startEpoch(journal, path, epoch, aside || undefined);
  return { epoch, reason };
}

function orClose<T>(journal: Journal, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    journal.close();
    throw cause;
  }
}
