import { randomBytes } from "node:crypto";
import { toHex } from "../../attest/bytes.ts";
import type { BatchMessage, Message } from "../../attest/messages.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import type { Signer } from "../../attest/signature.ts";
import { Clerk } from "../../network/flexibility/clerk.ts";
import { Courier } from "../../network/flexibility/courier.ts";
import type { Desk } from "../../network/flexibility/desk.ts";
import { DeviceLogs } from "../../network/flexibility/device-log.ts";
import { FlexCounters } from "../../network/flexibility/flex-counters.ts";
import { Judge } from "../../network/flexibility/settlement.ts";
import { SqliteOrders } from "../../network/flexibility/sqlite-orders.ts";
import { Tracker } from "../../network/flexibility/tracker.ts";
import { FlexWork } from "../../network/flexibility/work.ts";
import { ingestBatch } from "../../network/ingest.ts";
import type { IngestContext } from "../../network/ingest-types.ts";
import { RulesCache } from "../../network/rules-cache.ts";
import { openSqliteStore, type SqliteStore } from "../../network/store/sqlite-store.ts";
import type { Logger } from "../../runtime/log.ts";
import { VERSION } from "../../runtime/version.ts";
import type { Cleanups } from "./cleanups.ts";
import type { DemoClock } from "./flex-clock.ts";
import { PLAN } from "./flex-plan.ts";

/** What a node for the demo is made of. */
export interface FlexNodeParts {
  readonly clock: DemoClock;
  readonly path: string;
  readonly logger: Logger;
  /** The only device that it has. */
  readonly deviceKey: Uint8Array;
}

const MAX_STORE_BYTES = 1_073_741_824;

/** The network's side: its store, what takes batches, and its desk of flexibility, without sockets. */
export class FlexNode {
  readonly signer: Signer;
  readonly desk: Desk;
  readonly judge: Judge;
  /** What it has to say to the device, until that takes it. */
  readonly outbox: Message[] = [];
  readonly #work: FlexWork;
  readonly #ingest: IngestContext;
  readonly #deviceKey: Uint8Array;

  constructor({ clock, path, logger, deviceKey }: FlexNodeParts, cleanups: Cleanups) {
    const { network } = PLAN;
    this.signer = nativeSigner(new Uint8Array(randomBytes(32)));
    this.#deviceKey = deviceKey;
    const store = openSqliteStore(nativeSuite, { path, network, maxBytes: MAX_STORE_BYTES });
    cleanups.add(() => store.close());
    const nowMs = (): number => clock.nowMs;
    this.#ingest = {
      ...{ network, suite: nativeSuite, signer: this.signer, store, nowMs },
      rules: new RulesCache(nativeSuite, 1),
    };
    const logs = new DeviceLogs(store, { suite: nativeSuite, network });
    this.judge = new Judge({ store, logs, suite: nativeSuite, nodeKey: this.signer.publicKey });
    this.#work = this.#workOf(store, logs, { clock, logger });
    this.desk = this.#work.desk;
  }

  /** Takes a batch of the device; gives the receipt. */
  take(batch: BatchMessage): Promise<Uint8Array> {
    return ingestBatch(this.#ingest, { key: this.#deviceKey, agentVersion: VERSION }, batch);
  }

  /** Takes the device's refusal of an order. */
  refused(message: Extract<Message, { type: "orderRefused" }>): void {
    this.#work.refused(toHex(this.#deviceKey), message);
  }

  /** Does all that is due, and hands out what there is for the device. */
  async work(): Promise<void> {
    this.#work.tick();
    await this.#work.settled();
  }

  #workOf(
    store: SqliteStore,
    logs: DeviceLogs,
    { clock, logger }: Pick<FlexNodeParts, "clock" | "logger">,
  ): FlexWork {
    const { signer } = this;
    const counters = new FlexCounters();
    const orders = new SqliteOrders(store);
    const tracker = new Tracker({ orders, logs, suite: nativeSuite, counters, logger });
    const time = { nowMs: () => clock.nowMs, monotonicMs: () => clock.monotonicMs };
    const send = (_device: string, message: Message): boolean => this.outbox.push(message) > 0;
    const { steps, stepSeconds } = PLAN.challenge;
    const desk: Desk = {
      ...{ suite: nativeSuite, signer, orders, logs, counters, logger, nowMs: time.nowMs },
      config: { challengesPerWeek: 0, steps, stepSeconds, swingKw: 1 },
      randomBytes: (count) => new Uint8Array(randomBytes(count)),
      refresh: (_deviceKey, log) => tracker.look(log),
      wake: (deviceKey) => this.#work.wake(deviceKey),
    };
    return new FlexWork({
      ...{ desk, judge: this.judge, tracker, clerk: new Clerk(desk, this.judge), challenges: undefined },
      courier: new Courier({ orders, counters, send, ...time }),
      connected: () => new Set([toHex(this.#deviceKey)]),
    });
  }
}
