import { equalBytes, toHex } from "../../attest/bytes.ts";
import { openCheckpoint } from "../../attest/checkpoint.ts";
import { type LogIdentity, logIdOf } from "../../attest/identity.ts";
import type { WelcomeMessage } from "../../attest/messages.ts";
import { nativeSuite } from "../../attest/native.ts";
import { rangeHash } from "../../attest/node-source.ts";
import { Problem } from "../../attest/problem.ts";
import type { Journal } from "../journal/journal.ts";
import { journalTree } from "../journal/proof-source.ts";

/**
 * Ask before signing: after a start nothing is signed until every node whose receipt the journal holds has shown
 * the device's own newest checkpoint, and at least one configured node where it holds none. A journal that was
 * restored from a backup, or a card that was copied, thus never signs the same log twice.
 */
export class SigningGate {
  readonly #waiting: Set<string>;
  #needsAny: boolean;

  constructor(journal: Journal, configuredNodes: readonly Uint8Array[]) {
    const configured = new Set(configuredNodes.map(toHex));
    const held = journal.receiptNodes().map(toHex);
    this.#waiting = new Set(held.filter((key) => configured.has(key)));
    this.#needsAny = this.#waiting.size === 0 && configured.size > 0;
  }

  get open(): boolean {
    return this.#waiting.size === 0 && !this.#needsAny;
  }

  /** Node keys, in hex, that have still to answer. */
  get waitingFor(): readonly string[] {
    return [...this.#waiting];
  }

  answered(nodeKey: Uint8Array): void {
    this.#waiting.delete(toHex(nodeKey));
    this.#needsAny = false;
  }
}

/** What a node's answer means for the local log. */
export interface Standing {
  /** Leaves of this epoch that the node already holds. */
  readonly size: number;
  /** The epoch that must be opened because this one may not be signed any more. */
  readonly nextEpoch?: { readonly epoch: number; readonly reason: string };
}

/**
 * Compares a node's answer with the local log. The answer counts only with the device's own valid signature: a
 * lying node cannot push the device anywhere. Throws `welcome-…` or `cose-…` for an answer that is to be ignored.
 */
export function compareWelcome(welcome: WelcomeMessage, journal: Journal, identity: LogIdentity): Standing {
  if (welcome.checkpoint === undefined || welcome.epoch === undefined) return { size: 0 };
  const theirs = { ...identity, epoch: welcome.epoch };
  const logId = logIdOf(nativeSuite, theirs);
  const checkpoint = openCheckpoint(nativeSuite, welcome.checkpoint, {
    deviceKey: identity.deviceKey,
    logId,
  });
  if (welcome.epoch < identity.epoch) return { size: 0 };
  const next = (reason: string): Standing => ({ size: 0, nextEpoch: { epoch: theirs.epoch + 1, reason } });
  if (welcome.epoch > identity.epoch) return next("a node holds a later epoch of this key");
  if (checkpoint.size > journal.size(identity.epoch))
    return next("a node holds more of this log than the journal");
  const root = rangeHash(journalTree(journal, identity.epoch), 0, checkpoint.size);
  if (!equalBytes(root, checkpoint.root)) return next("a node holds another history of this log");
  return { size: checkpoint.size };
}

/** Thrown through an uplink when its node shows that this epoch may not be signed any more. */
export function epochProblem(standing: Required<Standing>): Problem {
  return new Problem("epoch-superseded", standing.nextEpoch.reason, {
    hint: `the agent goes on in epoch ${standing.nextEpoch.epoch}; was this gateway restored from a backup, or its card copied?`,
  });
}
