import { setTimeout as sleep } from "node:timers/promises";
import type { SerialFormat } from "../line/address.ts";
import { bytesDelivered } from "../modbus/waiting.ts";
import type { Hearing } from "./listen-ear.ts";
import type { ListenStop } from "./listen-plan.ts";
import { StopListener, type StopResult } from "./listen-stop.ts";
import { bySenderSpeed } from "./sender-speed.ts";
import type { DiscoveryTerms } from "./terms.ts";

/** Who speaks on a line without being asked. */
export type Listened =
  | { readonly kind: "silent" }
  /** Somebody whom nobody knows; bytes came at these settings. */
  | { readonly kind: "unknown"; readonly formats: readonly SerialFormat[] }
  | { readonly kind: "meter"; readonly hearing: Hearing };

export interface ListenProgress {
  /** So much of the listening's time, ms, is behind. */
  onProgress(spentMs: number): void;
}

/** How often it is looked whether there is more to wait for. */
const TICK_MS = 20;

/**
 * Listens on one serial line for a meter that speaks by itself, and sends nothing. A line that is silent at the first
 * stop is silent at all. Ends early when the terms' signal is aborted; the line is free again when it is done.
 *
 * @throws Problem `line-…`
 */
export async function listenOnLine(
  path: string,
  stops: readonly ListenStop[],
  { terms, listener }: { readonly terms: DiscoveryTerms; readonly listener: ListenProgress },
): Promise<Listened> {
  const formats: SerialFormat[] = [];
  const begunMs = performance.now();
  const onTick = (): void => listener.onProgress(performance.now() - begunMs);
  let rest = stops;
  for (let stop = rest[0]; stop !== undefined && !terms.signal.aborted; stop = rest[0]) {
    const { hearing, bytes, spoke } = await listenAt(path, stop, { terms, onTick });
    if (hearing !== undefined) return { kind: "meter", hearing };
    if (spoke) formats.push(stop.format);
    else if (stop === stops[0] && !terms.thorough) break;
    rest = spoke && stop === stops[0] ? bySenderSpeed(rest.slice(1), stop.format, bytes) : rest.slice(1);
  }
  return formats.length === 0 ? { kind: "silent" } : { kind: "unknown", formats };
}

async function listenAt(
  path: string,
  stop: ListenStop,
  { terms, onTick }: { readonly terms: DiscoveryTerms; onTick(): void },
): Promise<StopResult> {
  const { signal, meters } = terms;
  const line = meters.createLine({ kind: "serial", path, ...stop.format }, stop.format);
  const listening = new StopListener(stop, meters.times);
  try {
    await listening.open(line);
    while (!signal.aborted && !listening.isDone()) {
      onTick();
      await sleep(TICK_MS);
      // Time that the process was kept from running is no silence.
      await bytesDelivered();
    }
    return listening.result();
  } finally {
    await line.close();
  }
}
