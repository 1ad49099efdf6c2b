import type { Hono } from "hono";
import type { Logger } from "../../runtime/log.ts";
import type { QuarantineCensus } from "../quarantine/quarantine.ts";
import type { Archive } from "../store/store.ts";
import { healthReasons, storeSpace } from "./health.ts";
import { DeviceCensus } from "./metrics-census.ts";
import type { NodeCounters } from "./metrics-counters.ts";

/** Where the numbers come from. */
export interface NodeOperations {
  readonly counters: NodeCounters;
  readonly connections: { readonly size: number };
  readonly archive: Pick<Archive, "devices">;
  readonly logger: Logger;
  /** The store's file. */
  readonly store: string;
  readonly maxStoreMiB: number;
  /** Quarantined keys, and batches refused for it. */
  readonly quarantine?: () => QuarantineCensus;
}

/** `GET /healthz` and `GET /metrics`, under the same rules of access as every other question. */
export function addOperationsRoutes(app: Hono, operations: NodeOperations): void {
  const { counters, connections, maxStoreMiB } = operations;
  const census = new DeviceCensus(operations.archive, operations.logger);
  const startedMs = performance.now();
  const uptimeMs = (): number => performance.now() - startedMs;
  app.get("/healthz", (context) => {
    const reasons = healthReasons({ counters, space: storeSpace(operations.store), maxStoreMiB });
    const healthy = reasons.length === 0;
    const body = { status: healthy ? "ok" : "failing", uptimeSeconds: Math.floor(uptimeMs() / 1000) };
    return context.json({ ...body, connections: connections.size, reasons }, healthy ? 200 : 503);
  });
  app.get("/metrics", async (context) => {
    // Loaded when somebody asks.
    const { exposeNode } = await import("./metrics.ts");
    const space = storeSpace(operations.store);
    const exposition = exposeNode({
      ...{ counters, space, connections: connections.size, uptimeMs: uptimeMs() },
      healthy: healthReasons({ counters, space, maxStoreMiB }).length === 0,
      census: await census.count(),
      quarantine: operations.quarantine?.(),
    });
    return context.body(await exposition.text(), 200, { "content-type": exposition.contentType });
  });
}
