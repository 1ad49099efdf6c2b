import { lineName } from "../gpio/line.ts";
import type { HolderSettings } from "./holder-messages.ts";
import { RelayHolder } from "./relay-holder.ts";

/*
 * A driver whose meter fails is closed and opened anew, again and again. Its relay is another thing, and does not fail: between
 * two openings its lines stay held, so that a meter that comes and goes switches nothing.
 */

/** Longer than the longest pause before a device is opened anew. */
const WAIT_MS = 120_000;

interface LeftHolder {
  readonly settings: HolderSettings;
  readonly holder: RelayHolder;
  readonly deadline: NodeJS.Timeout;
}

/** By their settings. */
const left = new Map<string, LeftHolder>();
let endsWithProcess = false;

/** The holder of these outputs that was left, or a new one, which is kept. Another one of the same lines is ended before. */
export async function takeHolder(settings: HolderSettings): Promise<RelayHolder> {
  const same = left.get(JSON.stringify(settings));
  if (same !== undefined) {
    forget(same);
    same.holder.ref();
    return same.holder;
  }
  await Promise.all([...left.values()].filter((other) => isInTheWay(other.settings, settings)).map(end));
  const holder = new RelayHolder(settings);
  holder.keep();
  return holder;
}

/** Ends the leases, and holds the lines for whoever takes them soon. A process that ends meanwhile ends them regularly. */
export function leaveHolder(settings: HolderSettings, holder: RelayHolder): void {
  for (const { name } of settings.outputs)
    holder
      .relay(name)
      .release()
      // Nobody holds it, and so there is no lease.
      .catch(() => undefined);
  holder.unref();
  const deadline = setTimeout(() => void end(entry), WAIT_MS).unref();
  const entry = { settings, holder, deadline };
  left.set(JSON.stringify(settings), entry);
  if (!endsWithProcess) process.on("beforeExit", () => void endLeftHolders());
  endsWithProcess = true;
}

/** Ends all of them, each output in its state of a regular end. */
export async function endLeftHolders(): Promise<void> {
  await Promise.all([...left.values()].map(end));
}

async function end(entry: LeftHolder): Promise<void> {
  forget(entry);
  entry.holder.ref();
  await entry.holder.stop();
}

function forget({ settings, deadline }: LeftHolder): void {
  clearTimeout(deadline);
  left.delete(JSON.stringify(settings));
}

function isInTheWay(other: HolderSettings, settings: HolderSettings): boolean {
  const wanted = new Set(linesOf(settings));
  return linesOf(other).some((line) => wanted.has(line));
}

function linesOf({ outputs }: HolderSettings): readonly string[] {
  return outputs.flatMap(({ lines }) => lines.map(lineName));
}
