import { isoTime } from "../../attest/iso-time.ts";
import { KNOWN_TIME } from "../../attest/leaf.ts";
import { ENCLOSURE_STATES } from "../store/enclosure-book.ts";
import type { EnclosureRecord, Enclosures } from "../store/store.ts";

/** What a device's logs say of its enclosures, for people and programs. */
export function describeEnclosures({ inputs, further }: Enclosures): object {
  return { inputs: inputs.map(describeInput), further };
}

function describeInput(record: EnclosureRecord): object {
  const { input, state, sinceMs, sinceQuality, timeMs, timeQuality, knownOpen, openings, epoch, seq } =
    record;
  return {
    ...{ input, state: stateName(state) },
    ...{ since: knownTime(sinceMs, sinceQuality), said: knownTime(timeMs, timeQuality) },
    ...{ lastKnown: knownOpen === null ? null : stateName(knownOpen === 1 ? 1 : 2), openings, epoch, seq },
  };
}

/** A state that this version does not know is its number. */
function stateName(state: number): string {
  return Object.entries(ENCLOSURE_STATES).find(([, number]) => number === state)?.[0] ?? String(state);
}

/** Null while the device did not know the time: what it says then counts from its start. */
function knownTime(ms: number, quality: number): string | null {
  return quality < KNOWN_TIME ? null : isoTime(ms);
}
