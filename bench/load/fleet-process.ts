import { Fleet, type FleetPlan, type NodeAddress, type Streamed } from "./fleet.ts";
import { answer } from "./process.ts";

/** A fleet in a process of its own. */
export interface FleetAnswers {
  prepare(plan: FleetPlan): Promise<void>;
  connect(node: NodeAddress): Promise<void>;
  stream(batches: number): Promise<Streamed>;
  check(): { readonly receipts: number };
  close(): Promise<void>;
}

let fleet: Fleet | undefined;

function prepared(): Fleet {
  if (fleet === undefined) throw new Error("no fleet is prepared");
  return fleet;
}

answer<FleetAnswers>({
  prepare: async (plan) => {
    fleet = await Fleet.prepare(plan);
  },
  connect: (node) => prepared().connect(node),
  stream: (batches) => prepared().stream(batches),
  check: () => prepared().check(),
  close: () => prepared().close(),
});
