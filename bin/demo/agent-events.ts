import { z } from "zod";
import type { AcceptedEvent, AgentEvent, AgentStatus } from "../../agent/status.ts";

const count = z.int().min(0);
const value = z.int().exactOptional();

const channelSchema = z.object({
  number: count,
  name: z.string(),
  role: z.string(),
  activePowerMw: value,
  importMwh: value,
  exportMwh: value,
  stateOfChargePpm: value,
  acceptedAtMs: z.number().exactOptional(),
  accepted: count,
  held: count,
  rejected: count,
});

const nodeSchema = z.object({
  url: z.string(),
  nodeKey: z.string(),
  connected: z.boolean(),
  receiptedSize: count,
  lastReceiptMs: z.number().exactOptional(),
  problem: z.string().exactOptional(),
});

const statusSchema: z.ZodType<AgentStatus> = z.object({
  event: z.literal("status"),
  atMs: z.number(),
  deviceKey: z.string().regex(/^[0-9a-f]{64}$/),
  epoch: count,
  intervalMs: count,
  devices: z.array(z.object({ id: z.string(), online: z.boolean(), problem: z.string().exactOptional() })),
  channels: z.array(channelSchema),
  log: z.object({ size: count, durable: count, signed: count }),
  nodes: z.array(nodeSchema),
});

const acceptedSchema: z.ZodType<AcceptedEvent> = z.object({
  event: z.literal("accepted"),
  channel: z.string(),
  importMwh: value,
  exportMwh: value,
  activePowerMw: value,
});

const eventSchema: z.ZodType<AgentEvent> = z.union([statusSchema, acceptedSchema]);

/** A message on the channel from the agent's process. Throws a ZodError for anything that is none. */
export function parseAgentEvent(message: unknown): AgentEvent {
  return eventSchema.parse(message);
}
