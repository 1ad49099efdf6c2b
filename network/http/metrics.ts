import { Exposition, type Row } from "../../runtime/exposition.ts";
import { VERSION } from "../../runtime/version.ts";
import type { QuarantineCensus } from "../quarantine/quarantine.ts";
import type { StoreSpace } from "./health.ts";
import type { Census } from "./metrics-census.ts";
import type { NodeCounters } from "./metrics-counters.ts";

/** What a node shows of itself. */
export interface NodeNumbers {
  readonly healthy: boolean;
  readonly uptimeMs: number;
  readonly connections: number;
  readonly counters: NodeCounters;
  readonly census: Census | undefined;
  readonly quarantine: QuarantineCensus | undefined;
  readonly space: StoreSpace;
}

/** A node as a Prometheus server reads it; units are its base units (seconds, bytes). */
export function exposeNode(numbers: NodeNumbers): Exposition {
  const exposition = new Exposition();
  addState(exposition, numbers);
  addTraffic(exposition, numbers);
  addSuspicions(exposition, numbers);
  addFlexibility(exposition, numbers);
  addStore(exposition, numbers);
  return exposition;
}

function addState(to: Exposition, { healthy, uptimeMs, connections }: NodeNumbers): void {
  to.gauge({ name: "kilowitness_node_info", help: "1, with the versions as labels" }, [
    [{ version: VERSION, node_version: process.version }, 1],
  ])
    .gauge({ name: "kilowitness_node_healthy", help: "1 while batches are taken and stored" }, [
      one(healthy ? 1 : 0),
    ])
    .gauge({ name: "kilowitness_node_uptime_seconds", help: "time since the node started" }, [
      one(uptimeMs / 1000),
    ])
    .gauge({ name: "kilowitness_node_resident_memory_bytes", help: "memory that the process holds" }, [
      one(process.memoryUsage.rss()),
    ])
    .gauge({ name: "kilowitness_node_connections", help: "open connections of devices" }, [one(connections)]);
}

function addTraffic(to: Exposition, { counters }: NodeNumbers): void {
  const { batches, leaves, receipts, refusals, storeFailures, limited } = counters;
  to.counter({ name: "kilowitness_node_batches_total", help: "batches verified and stored" }, [one(batches)])
    .counter({ name: "kilowitness_node_leaves_total", help: "log entries verified and stored" }, [
      one(leaves),
    ])
    .counter({ name: "kilowitness_node_receipts_total", help: "receipts signed and stored" }, [one(receipts)])
    .counter(
      {
        name: "kilowitness_node_refusals_total",
        help: "connections refused or ended, by code of the refusal",
      },
      [...refusals].map(([code, count]) => [{ code }, count]),
    )
    .counter(
      {
        name: "kilowitness_node_limited_total",
        help: "what was put off or dropped, by the limit it was above",
      },
      [...limited].map(([limit, count]) => [{ limit }, count]),
    )
    .counter({ name: "kilowitness_node_store_failures_total", help: "writes that the store refused" }, [
      one(storeFailures),
    ]);
}

function addSuspicions(
  to: Exposition,
  { counters: { audits, enclosuresOpened }, quarantine }: NodeNumbers,
): void {
  to.counter(
    { name: "kilowitness_node_audits_total", help: "readings held against their raw frames, by verdict" },
    [...audits.verdicts].map(([verdict, count]) => [{ verdict }, count]),
  )
    .counter(
      { name: "kilowitness_node_audit_failures_total", help: "audits that ended in a fault of the node's" },
      [one(audits.failed)],
    )
    .gauge(
      { name: "kilowitness_node_quarantined_keys", help: "keys that opened too many epochs in a day" },
      optional(quarantine?.keys),
    )
    .counter(
      { name: "kilowitness_node_quarantine_refusals_total", help: "batches of such keys" },
      optional(quarantine?.refused),
    )
    .counter(
      {
        name: "kilowitness_node_enclosures_opened_total",
        help: "log entries taken that say that an enclosure was opened",
      },
      [one(enclosuresOpened)],
    );
}

function addFlexibility(to: Exposition, { counters: { flexibility } }: NodeNumbers): void {
  to.counter(
    { name: "kilowitness_node_orders_total", help: "orders to devices, by kind and what became of them" },
    flexibility.orders.map(([kind, event, count]) => [{ kind, event }, count]),
  )
    .counter(
      { name: "kilowitness_node_settlements_total", help: "settlements computed, by result" },
      [...flexibility.settlements].map(([result, count]) => [{ result }, count]),
    )
    .counter(
      { name: "kilowitness_node_challenges_total", help: "challenges judged, by verdict" },
      [...flexibility.challenges].map(([verdict, count]) => [{ verdict }, count]),
    )
    .counter(
      { name: "kilowitness_node_flexibility_failures_total", help: "work on orders that failed at the node" },
      [one(flexibility.failed)],
    );
}

function addStore(to: Exposition, { census, space }: NodeNumbers): void {
  to.gauge(
    { name: "kilowitness_node_devices", help: "devices that the store holds logs of" },
    optional(census?.devices),
  )
    .gauge(
      { name: "kilowitness_node_faults", help: "faults of those devices that are kept" },
      optional(census?.faults),
    )
    .gauge(
      { name: "kilowitness_node_store_bytes", help: "the store's file with its log" },
      optional(space.bytes),
    )
    .gauge(
      { name: "kilowitness_node_store_free_bytes", help: "free on the store's file system" },
      optional(space.freeBytes),
    );
}

function one(value: number): Row {
  return [{}, value];
}

function optional(value: number | undefined): Row[] {
  return value === undefined ? [] : [one(value)];
}
