import { setImmediate } from "node:timers/promises";
import { equalBytes, toHex } from "../../attest/bytes.ts";
import type { LogIdentity } from "../../attest/identity.ts";
import { Problem } from "../../attest/problem.ts";
import { compareHead, type Standing } from "./compare.ts";
import type { Head, ShownHead, WaitingHead } from "./exchange-archive.ts";
import type { ExchangeContext } from "./exchange-context.ts";
import type { PeerIdentity, PeerQuestions } from "./peer.ts";
import { openHead, type SignedHead, signedHead } from "./signed-head.ts";
import { notAnAnswer } from "./transport.ts";
import { ClaimCache, judgeByOurLater, judgeByTheirLater } from "./two-epochs.ts";

/** Pages of heads in one round; the rest comes in the next ones. */
const MOST_PAGES = 32;
/** Heads whose signatures are wrong before the rest of the round is not read any more. */
const MOST_REFUSED = 16;
const MOST_WAITING = 1024;
/** Of the node's own moves, between two turns of the event loop. */
const MOST_OWN_MOVES = 4096;
const MOST_OWN_STEPS = 256;
/** Heads between two turns of the event loop: two signatures each. */
const HEADS_A_TURN = 16;

/** What one round with one peer came to, in heads. */
export interface RoundReport {
  readonly heads: number;
  /** Of devices that have no log here. */
  readonly unknown: number;
  /** Without the signatures that they should have. */
  readonly refused: number;
}

/** What is remembered of a peer between its rounds, beside what the store keeps. */
export class PeerMemory {
  readonly claims: ClaimCache = new ClaimCache();
  /** Where the last round stopped among those that wait, so that each has its turn. */
  waitingAfter = 0;
  unjudgedAfter = 0;
}

export interface RoundParts {
  readonly context: ExchangeContext;
  readonly peer: PeerIdentity;
  readonly questions: PeerQuestions;
  readonly memory: PeerMemory;
}

/**
 * One round with one peer: takes what moved there since the last one, compares it, and then what can be compared further
 * because something moved here. Throws `exchange-offline` or `exchange-answer` when the peer did not answer as it should;
 * what was compared before that is kept.
 */
export async function exchangeRound(parts: RoundParts): Promise<RoundReport> {
  const round = new Round(parts);
  await round.takePages();
  await round.compareWaiting();
  await round.judgeWaiting();
  await round.compareOtherEpochs();
  const { problem } = parts.questions;
  if (problem !== undefined) throw problem;
  return round.report();
}

class Round {
  readonly #parts: RoundParts;
  #heads = 0;
  #unknown = 0;
  #refused = 0;

  constructor(parts: RoundParts) {
    this.#parts = parts;
  }

  report(): RoundReport {
    return { heads: this.#heads, unknown: this.#unknown, refused: this.#refused };
  }

  async takePages(): Promise<void> {
    const { context, peer, questions } = this.#parts;
    for (let page = 0; page < MOST_PAGES; page++) {
      const after = await context.archive.placeAt(peer.key);
      const { cursor, isLast, heads } = await questions.heads(after);
      const shown: ShownHead[] = [];
      for (const head of heads) {
        const standing = await this.#take(head);
        if (standing !== undefined) shown.push(standing);
      }
      await context.archive.keepPage(peer.key, { place: cursor, shown });
      if (isLast || cursor === after) return;
    }
  }

  /** Those of which more can be compared than before, or for which there were no questions left. */
  async compareWaiting(): Promise<void> {
    const { context, peer, memory } = this.#parts;
    const all = await context.archive.waiting(peer.key, memory.waitingAfter, MOST_WAITING);
    for (const waiting of all) {
      await setImmediate();
      const standing = await this.#compare(this.#signed(waiting), waiting.compared);
      if (standing.compared > waiting.compared || standing.proven)
        await context.archive.keepShown(peer.key, { ...waiting, ...standing });
    }
    memory.waitingAfter = nextAfter(all);
  }

  /** Those that there were no questions left for, to hold them against other epochs. */
  async judgeWaiting(): Promise<void> {
    const { context, peer, memory } = this.#parts;
    const all = await context.archive.unjudged(peer.key, memory.unjudgedAfter, MOST_WAITING);
    for (const waiting of all) {
      await setImmediate();
      const judged = await this.#judgeEpochs(this.#signed(waiting));
      if (judged) await context.archive.keepShown(peer.key, { ...waiting, judged });
    }
    memory.unjudgedAfter = nextAfter(all);
  }

  /** A log that moved here may now be more than a later epoch of the peer allows, or may itself be a later epoch. */
  async compareOtherEpochs(): Promise<void> {
    const { context, peer } = this.#parts;
    for (let step = 0; step < MOST_OWN_STEPS; step++) {
      await setImmediate();
      const { ownMove, isLast, shown } = await context.archive.otherEpochs(peer.key, MOST_OWN_MOVES);
      for (const head of shown) {
        const judged = await this.#judgeEpochs(this.#signed(head));
        if (judged !== head.judged) await context.archive.keepShown(peer.key, { ...head, judged });
      }
      await context.archive.keepOwnMove(peer.key, ownMove);
      if (isLast) return;
    }
  }

  async #take(head: Head): Promise<ShownHead | undefined> {
    const { context, peer } = this.#parts;
    this.#heads += 1;
    if (this.#heads % HEADS_A_TURN === 0) await setImmediate();
    if (!(await context.archive.holds(head.deviceKey))) {
      this.#unknown += 1;
      return undefined;
    }
    const before = await context.archive.shown(peer.key, head.deviceKey, head.epoch);
    if (before?.proven || (before !== undefined && equalBytes(before.checkpoint, head.checkpoint)))
      return undefined;
    const signed = this.#open(head);
    if (signed === undefined) return undefined;
    const standing = await this.#compare(signed, 0);
    const judged = await this.#judgeEpochs(signed);
    const { identity, logId, size, checkpoint } = signed;
    const { deviceKey, epoch } = identity;
    return { deviceKey, epoch, logId, size, checkpoint, ...standing, judged };
  }

  #open(head: Head): SignedHead | undefined {
    const { context, peer } = this.#parts;
    try {
      return openHead(context.suite, head, { network: context.network, peerKey: peer.key });
    } catch (thrown) {
      if (!(thrown instanceof Problem)) throw thrown;
      this.#refused += 1;
      const { deviceKey, epoch } = head;
      if (this.#refused === 1)
        context.logger.problem("exchange-head-refused", thrown, {
          ...{ peer: peer.url, deviceKey: toHex(deviceKey), epoch },
        });
      if (this.#refused < MOST_REFUSED) return undefined;
      throw notAnAnswer("heads that are signed", `${this.#refused} that are not`, "heads");
    }
  }

  async #compare(head: SignedHead, compared: number): Promise<Standing> {
    const { context, questions } = this.#parts;
    const standing = await this.#guarded(head, () => compareHead(context, questions, head));
    if (standing === "later") return { compared, proven: false };
    // What cannot be compared at all is not tried again with the same checkpoint.
    return standing === "never" ? { compared: head.size, proven: false } : standing;
  }

  /** False where there were no questions left for it. */
  async #judgeEpochs(head: SignedHead): Promise<boolean> {
    const { context, questions, memory } = this.#parts;
    const { deviceKey, epoch } = head.identity;
    await this.#guarded(head, () => judgeByOurLater(context, head));
    if ((await context.store.head(deviceKey, epoch)) !== undefined) return true;
    const asker = { peer: questions, claims: memory.claims };
    return (await this.#guarded(head, () => judgeByTheirLater(context, asker, head))) !== "later";
  }

  async #guarded<T>(head: SignedHead, judge: () => Promise<T>): Promise<T | "later" | "never"> {
    const { context, peer, questions } = this.#parts;
    try {
      return await judge();
    } catch (thrown) {
      if (!(thrown instanceof Problem) || thrown.code === "store-write") throw thrown;
      if (thrown.code === "exchange-budget") return "later";
      if (thrown.code === "exchange-offline" || thrown.code === "exchange-answer") {
        questions.giveUp(thrown);
        return "later";
      }
      const { deviceKey, epoch } = head.identity;
      context.logger.problem("exchange-uncompared", thrown, {
        ...{ peer: peer.url, deviceKey: toHex(deviceKey), epoch },
      });
      return "never";
    }
  }

  #signed({ deviceKey, epoch, checkpoint }: ShownHead): SignedHead {
    const { network, suite } = this.#parts.context;
    const identity: LogIdentity = { network, deviceKey, epoch };
    return signedHead(suite, identity, checkpoint);
  }
}

/** From the begin again where there are no more. */
function nextAfter(all: readonly WaitingHead[]): number {
  return all.length < MOST_WAITING ? 0 : (all.at(-1)?.id ?? 0);
}
