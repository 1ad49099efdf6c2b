/** Faults that an installer can do something about, with how often the lamp flashes. The smaller number is shown first. */
export const FAULT_FLASHES = {
  meterSilent: 1,
  meterRefused: 2,
  clockUnknown: 3,
  nodeUnreachable: 4,
  storageFailing: 5,
  enclosureOpened: 6,
  relayNotHeld: 7,
} as const;

export type IndicatedFault = keyof typeof FAULT_FLASHES;

/** How far the newest reading has come: each stage holds those before it. */
export type IndicatedStage = "starting" | "reading" | "sealed" | "acknowledged";

/** What the lamps say. With a fault, how far readings come all the same. */
export interface Indicated {
  readonly stage: IndicatedStage;
  readonly fault?: IndicatedFault;
}

/** What is known of the agent, in ms since it last happened; absent: never since the start. */
export interface IndicatorFacts {
  readonly sinceReadingMs?: number;
  readonly sinceSealedMs?: number;
  readonly sinceAcknowledgedMs?: number;
  /** How old each of them may be: a few times the slowest interval, the commit and the checkpoint. */
  readonly freshReadingMs: number;
  readonly freshSealedMs: number;
  readonly freshAcknowledgedMs: number;
  readonly faults: readonly IndicatedFault[];
}

/** What the lamps have to say: a stage is reached while it and every stage before it is fresh. */
export function indicated(facts: IndicatorFacts): Indicated {
  const stage = stageOf(facts);
  const [fault] = [...facts.faults].sort((one, other) => FAULT_FLASHES[one] - FAULT_FLASHES[other]);
  return fault === undefined ? { stage } : { stage, fault };
}

function stageOf(facts: IndicatorFacts): IndicatedStage {
  if (!isFresh(facts.sinceReadingMs, facts.freshReadingMs)) return "starting";
  if (!isFresh(facts.sinceSealedMs, facts.freshSealedMs)) return "reading";
  return isFresh(facts.sinceAcknowledgedMs, facts.freshAcknowledgedMs) ? "acknowledged" : "sealed";
}

function isFresh(sinceMs: number | undefined, freshMs: number): boolean {
  return sinceMs !== undefined && sinceMs <= freshMs;
}
