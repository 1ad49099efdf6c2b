import { writeFileSync } from "node:fs";
import type { Leaf } from "../../attest/leaf.ts";
import { ACKNOWLEDGEMENT } from "../../attest/leaf-flexibility.ts";
import { Problem } from "../../attest/problem.ts";
import { challenge } from "../../network/flexibility/challenge.ts";
import { commit } from "../../network/flexibility/commit.ts";
import { keptOrder } from "../../network/flexibility/desk.ts";
import { call } from "../../network/flexibility/dispatch.ts";
import type { KeptOrder } from "../../network/flexibility/order-record.ts";
import type { Cleanups } from "./cleanups.ts";
import type { ActuationFact, Answer, ChallengeFact, FlexNarrator, SettlementFact } from "./flex-facts.ts";
import { CALM, COARSE, FINE, PLAN } from "./flex-plan.ts";
import type { FlexWorld } from "./flex-world.ts";

/** The steps of an event, each played on the world's clock and then told. */
export class FlexStory {
  readonly #world: FlexWorld;
  readonly #narrator: FlexNarrator;

  constructor(world: FlexWorld, narrator: FlexNarrator) {
    this.#world = world;
    this.#narrator = narrator;
  }

  /** Three weeks of readings, signed and receipted every day. */
  async history(): Promise<void> {
    const began = performance.now();
    await this.#world.pass(PLAN.offerMs, COARSE);
    await this.#world.exchange();
    const { agent } = this.#world;
    this.#narrator.told({
      ...{ event: "history", fromMs: PLAN.startMs, toMs: PLAN.offerMs },
      ...{ leaves: agent.sealer.durableSize, closes: agent.closes, receipted: agent.receiptedSize },
      tookMs: Math.round(performance.now() - began),
    });
  }

  /** The device may be controlled from now on, and offers what it can do. */
  async offer(cleanups: Cleanups): Promise<number> {
    const { agent, node, clock } = this.#world;
    agent.beginFlexibility(node.signer.publicKey, cleanups);
    await agent.tick();
    await this.#world.exchange();
    const log = await node.desk.logs.newest(agent.signer.publicKey);
    const [offer] = await node.desk.logs.offers(log.log, clock.nowMs);
    if (offer === undefined) throw new Problem("demo-offer", "the device has offered nothing");
    const { seq, timeMs: atMs, fromMs, toMs, powerMw, noticeMs, baselineMethod } = offer;
    const { biasPpm, relativeRmsePpm } = offer;
    this.#narrator.told({
      ...{ event: "offer", seq, atMs, fromMs, toMs, powerMw, noticeMs, baselineMethod },
      ...(biasPpm === undefined ? {} : { biasPpm }),
      ...(relativeRmsePpm === undefined ? {} : { relativeRmsePpm }),
    });
    return seq;
  }

  /** The counterparty binds itself and the device, hours before. */
  async commitment(offer: number): Promise<KeptOrder> {
    await this.#world.pass(PLAN.commitMs, COARSE);
    const { node, agent } = this.#world;
    const { fromMs, toMs, deltaMwh, noticeSeconds, timeZone, baselineMethod } = PLAN;
    const signed = await commit(node.desk, agent.signer.publicKey, {
      ...{ channel: "meter/meter", boundary: "site", direction: "reduce", from: fromMs },
      deltaMwh: Array.from({ length: (toMs - fromMs) / PLAN.intervalMs }, () => deltaMwh),
      ...{ baselineMethod, timeZone, noticeSeconds, offer },
    });
    await this.#world.exchange();
    const kept = this.#kept(signed);
    const leaf = agent.leaf(kept.seq ?? -1);
    if (leaf?.kind !== "commitment") throw unsealed(kept);
    this.#narrator.told({
      ...{ event: "commitment", seq: leaf.seq, issuedAtMs: kept.issuedMs, deltaMwh: leaf.deltaMwh },
      receivedAtMs: agent.receivedAtMs(leaf.seq),
      dueByMs: fromMs - noticeSeconds * 1000,
    });
    return kept;
  }

  /** The counterparty calls what it was promised, and the battery does it for an hour. */
  async event(commitment: KeptOrder): Promise<void> {
    await this.#world.pass(PLAN.fineFromMs, COARSE);
    await this.#world.pass(PLAN.dispatchMs - FINE.shipMs, CALM);
    await this.#world.pass(PLAN.dispatchMs, FINE);
    const { node, agent } = this.#world;
    const body = { channel: "battery/inverter", powerMw: PLAN.dispatchMw };
    const [signed] = await call(node.desk, agent.signer.publicKey, { id: commitment.objectId, body });
    await this.#world.exchange();
    const kept = signed === undefined ? undefined : this.#kept(signed);
    if (kept?.seq == null) throw unsealed(kept ?? commitment);
    const { seq, issuedMs: issuedAtMs } = kept;
    this.#narrator.told({ event: "dispatch", seq, issuedAtMs, valueMw: PLAN.dispatchMw });
    await this.#world.pass(PLAN.toMs + FINE.shipMs, FINE);
    this.#narrator.told(this.#actuation(seq));
  }

  /** Both sides compute, each from the same leaves, what was delivered. */
  async settlement(commitment: KeptOrder): Promise<void> {
    const { agent, node, devices } = this.#world;
    await this.#world.pass(PLAN.settledMs, CALM);
    await this.#world.exchange();
    const account = agent.life().find((leaf) => leaf.kind === "settlement");
    const verdict = await node.judge.settlementOf(this.#kept(commitment));
    const fact: SettlementFact = {
      ...{ event: "settlement", verdict },
      ...(account?.kind === "settlement" ? { deviceSeq: account.seq, deviceResult: account.result } : {}),
      ...(devices.fault === undefined ? {} : { fault: devices.fault }),
    };
    this.#narrator.told(fact);
  }

  /** Unannounced, when nothing is agreed: steps that nobody could know before. */
  async challenge(): Promise<ChallengeFact> {
    const { node, agent, clock } = this.#world;
    await this.#world.pass(PLAN.challengeMs - FINE.shipMs, CALM);
    await this.#world.pass(PLAN.challengeMs, FINE);
    const { steps, stepSeconds, halfSwingMw } = PLAN.challenge;
    const signed = await challenge(node.desk, agent.signer.publicKey, {
      ...{ channel: "battery/inverter", siteChannel: "meter/meter", steps, stepSeconds, halfSwingMw },
    });
    await this.#world.exchange();
    const stepMs = stepSeconds * 1000;
    await this.#world.pass(clock.nowMs + (steps + 2) * stepMs, FINE);
    const kept = this.#kept(signed);
    const leaf = kept.seq === null ? undefined : agent.leaf(kept.seq);
    const result = kept.result?.value;
    if (leaf === undefined || result === undefined) throw unsealed(kept);
    // What the node keeps of a challenge: network/flexibility/verdict-answers.ts.
    const { passed, verdict } = result as Pick<ChallengeFact, "passed" | "verdict">;
    const fact: ChallengeFact = {
      ...{ event: "challenge", seq: leaf.seq, atMs: leaf.timeMs, steps, stepMs, midMw: 0, halfSwingMw },
      ...{ passed, verdict },
    };
    this.#narrator.told(fact);
    return fact;
  }

  /** The file that a stranger gets: all of it, and no more than it takes. */
  async proof(commitment: KeptOrder, path: string): Promise<void> {
    writeFileSync(path, await this.#world.node.judge.proofOf(this.#kept(commitment)));
  }

  #kept({ objectId }: KeptOrder): KeptOrder {
    const { node, agent } = this.#world;
    return keptOrder(node.desk, agent.signer.publicKey, objectId);
  }

  #actuation(orderSeq: number): ActuationFact {
    const leaves = this.#world.agent.life();
    const acts = leaves.flatMap((leaf) =>
      leaf.kind === "actuation" && leaf.orderSeq === orderSeq ? [leaf] : [],
    );
    const told = acts.find(({ action }) => action === 1);
    const reverted = acts.find(({ action }) => action === 3);
    return {
      event: "actuation",
      answers: answersTo(leaves, orderSeq),
      ...(told === undefined
        ? {}
        : {
            told: {
              ...{ seq: told.seq, atMs: told.timeMs },
              ...(told.value === undefined ? {} : { valueMw: told.value }),
              ...(told.readBack === undefined ? {} : { readBackMw: told.readBack }),
              ...(told.leaseMs === undefined ? {} : { leaseMs: told.leaseMs }),
            },
          }),
      renewals: acts.filter(({ action }) => action === 2).length,
      ...(reverted === undefined ? {} : { reverted: { seq: reverted.seq, atMs: reverted.timeMs } }),
    };
  }
}

function answersTo(leaves: readonly Leaf[], orderSeq: number): Answer[] {
  const names = new Map(Object.entries(ACKNOWLEDGEMENT).map(([name, number]) => [Number(number), name]));
  return leaves.flatMap((leaf) => {
    if (leaf.kind !== "acknowledgement" || leaf.orderSeq !== orderSeq) return [];
    const { seq, timeMs: atMs, state, reason } = leaf;
    const answer = { seq, atMs, state: names.get(state) ?? String(state) };
    return [reason === undefined ? answer : { ...answer, reason }];
  });
}

function unsealed({ kind, state, code, message }: KeptOrder): Problem {
  return new Problem("demo-order", `the device did not take the ${kind}`, {
    got: code === null ? state : `${code}: ${message}`,
  });
}
