import { z } from "zod";
import { Problem } from "../../attest/problem.ts";
import type { AgentConfig } from "../config/config.ts";
import { powerText } from "../words.ts";
import { orderAgent } from "./status-ask.ts";

const refusal = z.object({ code: z.string(), message: z.string() });
const optedOut = z.object({ entry: z.number() });
const held = z.object({
  device: z.string(),
  minutes: z.number(),
  written: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("powerSetpoint"), powerMw: z.number() }),
    z.object({ kind: z.literal("importLimit"), limitMw: z.number() }),
    z.object({ kind: z.literal("exportLimit"), limitMw: z.number() }),
    z.object({ kind: z.literal("stateOfChargeReserve"), reservePpm: z.number() }),
    z.object({ kind: z.literal("mode"), mode: z.string() }),
  ]),
  readBack: z.string(),
});
const released = z.object({ device: z.string(), released: z.boolean(), confirmed: z.boolean() });

/**
 * Has the running agent do what its owner wants. Throws what the agent refuses it with, `agent-not-running` and
 * `agent-unreachable`.
 */
export async function orderOwner(config: AgentConfig, path: string, body: object): Promise<unknown> {
  const { status, body: text } = await orderAgent(config, path, body);
  const answer = jsonOf(text);
  if (status === 200) return answer;
  const { success, data } = refusal.safeParse(answer);
  if (success) throw new Problem(data.code, data.message);
  throw strange(`${status} ${text}`);
}

export function optedOutWords(answer: unknown): string {
  const { entry } = understood(optedOut, answer);
  return `Opted out of entry ${entry}: what devices were told because of it ends, and nothing more follows from it.`;
}

export function heldWords(answer: unknown): string {
  const { device, minutes, written, readBack } = understood(held, answer);
  const shown = readBack === "agrees" ? "" : ` The device does not show it yet (${readBack}).`;
  return `${device} is told to ${valueWords(written)} for ${minutes} min, whatever nodes order.${shown}`;
}

export function releasedWords(answer: unknown): string {
  const { device, released: isReleased, confirmed } = understood(released, answer);
  if (!isReleased) return `${device} was not held by hand.`;
  if (confirmed) return `${device} is no longer held by hand.`;
  return `${device} is no longer held by hand; it has not confirmed that yet, and is told again each second.`;
}

function valueWords(value: z.output<typeof held>["written"]): string {
  switch (value.kind) {
    case "powerSetpoint":
      if (value.powerMw === 0) return "neither take in nor give out";
      return `${value.powerMw > 0 ? "take in" : "give out"} ${powerText(Math.abs(value.powerMw))}`;
    case "importLimit":
      return `take in at most ${powerText(value.limitMw)}`;
    case "exportLimit":
      return `give out at most ${powerText(value.limitMw)}`;
    case "stateOfChargeReserve":
      return `keep ${value.reservePpm / 10_000} % in reserve`;
    case "mode":
      return `keep to the mode ${value.mode}`;
  }
}

function understood<Schema extends z.ZodType>(schema: Schema, answer: unknown): z.output<Schema> {
  const { success, data } = schema.safeParse(answer);
  if (success) return data;
  throw strange(JSON.stringify(answer));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function strange(got: string): Problem {
  return new Problem("agent-unreachable", "the agent did not answer the order", {
    got: got.trim().slice(0, 200),
    hint: "does an older version run? restart the agent",
  });
}
