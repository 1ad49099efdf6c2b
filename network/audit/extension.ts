import { randomInt } from "node:crypto";
import { toHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { ProfileLibrary } from "../../drivers/evidence/profile-library.ts";
import type { NodeExtension, NodeInside } from "../node.ts";
import { addAuditRoutes } from "./audit-routes.ts";
import { Auditor } from "./auditor.ts";
import { AUDIT_PATHS } from "./openapi-paths.ts";
import { SqliteAudits } from "./sqlite-audits.ts";
import { StoreAuditSource } from "./store-source.ts";

const TICK_MS = 1000;
/** Agents keep frames for longer than that unless their ring is very small. */
const WINDOW_MS = 30 * 60_000;
/** Steps of a random number; hard to foresee, which Math.random is not. */
const STEPS = 2 ** 48 - 1;

/** Audits as a part of a node: it asks devices for raw frames, and answers what came of it. */
export function openAudits(inside: NodeInside): NodeExtension {
  const { config, store, logger, connections, counters } = inside;
  const records = new SqliteAudits(store);
  const routes = [
    { add: (app: Parameters<typeof addAuditRoutes>[0]) => addAuditRoutes(app, records), paths: AUDIT_PATHS },
  ];
  if (config.audits.perHour === 0) return { routes };
  const auditor = new Auditor({
    ...{ perHour: config.audits.perHour, records, logger, suite: nativeSuite, counters: counters.audits },
    source: new StoreAuditSource({ store, suite: nativeSuite, network: config.network, windowMs: WINDOW_MS }),
    profiles: new ProfileLibrary(),
    connected: () => connections.keys(),
    send: (deviceKey, message) => connections.send(deviceKey, message),
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    random: () => randomInt(STEPS) / STEPS,
  });
  return { routes, ...ticking(auditor) };
}

/** Ticks one at a time, until it is closed and the last one has ended. */
function ticking(auditor: Auditor): Required<Pick<NodeExtension, "onFrame" | "close">> {
  let work: Promise<unknown> = Promise.resolve();
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    work = Promise.all([work, auditor.tick()]).finally(() => {
      busy = false;
    });
  }, TICK_MS);
  return {
    onFrame: (deviceKey, message) => {
      work = Promise.all([work, auditor.onFrame(toHex(deviceKey), message)]);
    },
    close: async () => {
      clearInterval(timer);
      await work;
    },
  };
}
