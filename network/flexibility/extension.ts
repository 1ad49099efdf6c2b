import { randomBytes, randomInt } from "node:crypto";
import { toHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import type { NodeExtension, NodeInside } from "../node.ts";
import { Clerk } from "./clerk.ts";
import { Courier } from "./courier.ts";
import type { Desk } from "./desk.ts";
import { DeviceLogs } from "./device-log.ts";
import { FLEXIBILITY_PATHS } from "./openapi-paths.ts";
import { RandomChallenges } from "./random-challenges.ts";
import { addFlexibilityRoutes, FLEXIBILITY_STATUSES } from "./routes.ts";
import { Judge } from "./settlement.ts";
import { SqliteOrders } from "./sqlite-orders.ts";
import { Tracker } from "./tracker.ts";
import { FlexWork } from "./work.ts";

const TICK_MS = 1000;
/** Steps of a random number; hard to foresee, which Math.random is not. */
const STEPS = 2 ** 48 - 1;

/** What a test sets in place of the machine's own. */
export interface FlexClock {
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  readonly random: () => number;
}

const MACHINE: FlexClock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  random: () => randomInt(STEPS) / STEPS,
};

/** Flexibility as a part of a node: it gives devices orders, and computes what came of them. */
export function openFlexibility(inside: NodeInside, clock: FlexClock = MACHINE): NodeExtension {
  const work = workOf(inside, clock);
  const { desk, judge } = work;
  const timer = setInterval(() => work.tick(), TICK_MS);
  return {
    routes: [
      {
        add: (app) => addFlexibilityRoutes(app, { desk, judge }),
        paths: FLEXIBILITY_PATHS,
        statuses: FLEXIBILITY_STATUSES,
      },
    ],
    onConnected: (deviceKey) => work.connected(deviceKey),
    onOrderRefused: (deviceKey, message) => work.refused(toHex(deviceKey), message),
    close: async () => {
      clearInterval(timer);
      await work.settled();
    },
  };
}

function workOf(inside: NodeInside, { nowMs, monotonicMs, random }: FlexClock): FlexWork {
  const { config, store, signer, logger, connections } = inside;
  const counters = inside.counters.flexibility;
  const orders = new SqliteOrders(store);
  const logs = new DeviceLogs(store, { suite: nativeSuite, network: config.network });
  const tracker = new Tracker({ orders, logs, suite: nativeSuite, counters, logger });
  const courier = new Courier({
    ...{ orders, counters, nowMs, monotonicMs },
    send: (deviceKey, message) => connections.send(deviceKey, message),
  });
  const connected = (): Set<string> => new Set(connections.keys());
  const desk: Desk = {
    ...{ suite: nativeSuite, signer, orders, logs, config: config.flexibility, counters, logger, nowMs },
    randomBytes: (count) => new Uint8Array(randomBytes(count)),
    refresh: (_deviceKey, log) => tracker.look(log),
    wake: (deviceKey) => work.wake(deviceKey),
  };
  const judge = new Judge({ store, logs, suite: nativeSuite, nodeKey: signer.publicKey });
  const challenges =
    config.flexibility.challengesPerWeek === 0
      ? undefined
      : new RandomChallenges({ desk, connected, monotonicMs, random });
  const clerk = new Clerk(desk, judge);
  const work: FlexWork = new FlexWork({ desk, judge, tracker, courier, clerk, challenges, connected });
  return work;
}
