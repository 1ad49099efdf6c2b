import { setTimeout as sleep } from "node:timers/promises";
import { Problem } from "../../attest/problem.ts";
import type { SerialFormat } from "../line/address.ts";
import { AskedLines } from "../telegram/asked-line.ts";
import type { AnsweringMeter, DiscoveryTerms, FoundMeter, MeterAsker } from "./terms.ts";

export interface AskProgress {
  /** So much of the asking's time, ms, is behind. */
  onProgress(spentMs: number): void;
}

/** What opening a line, and noticing that nobody answers, takes beyond the asking itself. */
const OPENING_MS = 200;

/** How long it takes to ask for meters on one line if nobody answers, ms. */
export function askingMs(askers: readonly MeterAsker[]): number {
  return askers
    .flatMap((asker) => asker.formats.map((format) => asker.silentMs(format) + OPENING_MS))
    .reduce((sum, ms) => sum + ms, 0);
}

/**
 * Asks on one serial line for meters that answer in their own way, one kind after the other; the first kind that
 * answers is the only one on the line, unless the terms are thorough. Ends early when the terms' signal is aborted; the
 * line is free again when it is done.
 *
 * @throws Problem `line-…`
 */
export async function askOnLine(
  path: string,
  { terms, listener }: { readonly terms: DiscoveryTerms; readonly listener: AskProgress },
): Promise<readonly FoundMeter[]> {
  const found: FoundMeter[] = [];
  let spentMs = 0;
  for (const asker of terms.meters.askers)
    for (const format of asker.formats) {
      if (terms.signal.aborted || (found.length > 0 && !terms.thorough)) return found;
      const answers = await askAt(path, format, { asker, terms });
      found.push(...answers.map((answer) => meterOf(answer, asker, { path, format })));
      spentMs += asker.silentMs(format) + OPENING_MS;
      listener.onProgress(spentMs);
    }
  return found;
}

/** None when nobody answers in time. */
async function askAt(
  path: string,
  format: SerialFormat,
  { asker, terms }: { readonly asker: MeterAsker; readonly terms: DiscoveryTerms },
): Promise<readonly AnsweringMeter[]> {
  const { signal, meters } = terms;
  const line = new AskedLines(meters.createLine).lease({ kind: "serial", path, ...format }, format);
  const end = new AbortController();
  const giveUp = (): void => end.abort();
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    const late = sleep(asker.longestMs, undefined, { signal: end.signal }).catch(() => undefined);
    const asked = line.talk((talk) => asker.ask(talk, format)).catch(nothingUnlessLost);
    return (await Promise.race([asked, late])) ?? [];
  } finally {
    signal.removeEventListener("abort", giveUp);
    end.abort();
    await line.release();
  }
}

/** A conversation that fails found no meter; a line that fails is another matter. */
function nothingUnlessLost(error: unknown): readonly AnsweringMeter[] {
  if (!(error instanceof Problem) || error.code.startsWith("line-")) throw error;
  return [];
}

function meterOf(
  { identity, options, unfit }: AnsweringMeter,
  { driver, because, ownFormat }: MeterAsker,
  { path, format }: { readonly path: string; readonly format: SerialFormat },
): FoundMeter {
  return {
    ...{ driver, because, how: "asked", identity, encrypted: false, options },
    place: { kind: "serial", path, format, ownFormat },
    ...(unfit === undefined ? {} : { unfit }),
  };
}
