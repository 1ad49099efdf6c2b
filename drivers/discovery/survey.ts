import { isFiller, sameFact, type UnitFacts, type Wanted } from "./facts.ts";
import type { Outcome, UnitInquiry } from "./inquiry.ts";
import { type Candidate, type JudgeOptions, judge, judgeProfile } from "./recognise.ts";
import {
  counterRanges,
  distinctiveRanges,
  identityFrom,
  namingRanges,
  type Sameness,
  type Surveyed,
  sameCounters,
} from "./who.ts";

export interface SurveyTerms extends JudgeOptions {
  readonly signal: AbortSignal;
  /** Requests to begin with: as soon as one is answered, the unit is there. */
  readonly openers: readonly Wanted[];
  /** Units at the same place that this one may be another name of. */
  readonly siblings: readonly Surveyed[];
  /** Begins to ask a unit. */
  inquiry(unit: number): UnitInquiry;
}

/** What a unit turned out to be. */
export type Survey =
  | { readonly outcome: Exclude<Outcome, "answered"> | "filler" }
  /** Another unit's device once more; `certain` unless nothing that could tell them apart was there. */
  | { readonly outcome: "alike"; readonly unit: number; readonly certain: boolean }
  | { readonly outcome: "found"; readonly surveyed: Surveyed };

/** Requests in a row that a unit may leave unanswered before it is asked no more. */
const MOST_SILENT = 8;
/** Candidates whose registers are read to see who the device is. */
const MOST_NAMED = 4;

/**
 * Finds out what one unit is: whether it is there, whether it is another unit's device under a second number, and what
 * it can be recognised as. Throws what {@link UnitInquiry.ask} throws.
 */
export async function surveyUnit(unit: number, terms: SurveyTerms): Promise<Survey> {
  const inquiry = terms.inquiry(unit);
  const contact = await reach(inquiry, terms.openers);
  if (contact !== "answered") return { outcome: contact };
  for (const sibling of terms.siblings) {
    const sameness = await compareWith(sibling, inquiry, terms);
    if (sameness !== "different")
      return { outcome: "alike", unit: sibling.unit, certain: sameness === "same" };
  }
  const { complete, candidates } = await learn(inquiry, terms);
  const { facts } = inquiry;
  if (isFiller(facts)) return { outcome: "filler" };
  for (const candidate of candidates.slice(0, MOST_NAMED)) await askNames(inquiry, candidate);
  return { outcome: "found", surveyed: { unit, facts, candidates, complete } };
}

/** The first answer to one of the openers, or how the last of them ended. */
async function reach(inquiry: UnitInquiry, openers: readonly Wanted[]): Promise<Outcome> {
  let outcome: Outcome = "silent";
  for (const opener of openers) {
    outcome = await inquiry.ask(opener);
    if (outcome !== "silent") return outcome;
  }
  return outcome;
}

/** Asks for all that it takes to judge the unit; not complete when it kept silent for too long. */
async function learn(
  inquiry: UnitInquiry,
  { profiles, thorough, signal }: SurveyTerms,
): Promise<Pick<Surveyed, "complete" | "candidates">> {
  let judgement = await judge(inquiry.facts, { profiles, thorough });
  for (let silent = 0; judgement.wanted !== undefined; ) {
    if (signal.aborted || silent >= MOST_SILENT) return { candidates: judgement.candidates, complete: false };
    const outcome = await inquiry.ask(judgement.wanted);
    silent = outcome === "answered" ? 0 : silent + 1;
    judgement = await judge(inquiry.facts, { profiles: judgement.remaining, thorough });
  }
  return { candidates: judgement.candidates, complete: true };
}

async function askNames(inquiry: UnitInquiry, candidate: Candidate): Promise<void> {
  for (const range of namingRanges(candidate))
    if (inquiry.facts.of(range) === undefined) await inquiry.ask({ range });
}

/** Whether a unit is a device that another unit has shown already: asks only for what would tell the two apart. */
async function compareWith(
  sibling: Surveyed,
  inquiry: UnitInquiry,
  terms: Pick<SurveyTerms, "inquiry">,
): Promise<Sameness> {
  const { facts } = inquiry;
  for (const range of distinctiveRanges(sibling)) {
    if (facts.of(range) === undefined) await inquiry.ask({ range });
    const [theirs, ours] = [sibling.facts.of(range), facts.of(range)];
    if (theirs === undefined || ours === undefined || !sameFact(theirs, ours)) return "different";
  }
  const [best] = sibling.candidates;
  if (best === undefined || hasSerial(best, facts)) return "same";
  if (!(await isOfKind(best, inquiry))) return "different";
  const before = await readCounters(best, terms.inquiry(sibling.unit));
  const other = await readCounters(best, terms.inquiry(inquiry.unit));
  const after = await readCounters(best, terms.inquiry(sibling.unit));
  return sameCounters(best, { before, other, after });
}

/** Numbers that were never given are zeros on many devices. */
function hasSerial(candidate: Candidate, facts: UnitFacts): boolean {
  return /[^0\s]/.test(identityFrom(candidate, facts).serial);
}

async function isOfKind({ profile }: Candidate, inquiry: UnitInquiry): Promise<boolean> {
  if (profile === undefined) return true;
  for (;;) {
    const verdict = await judgeProfile(profile, inquiry.facts);
    if (!("wanted" in verdict)) return "candidate" in verdict;
    await inquiry.ask(verdict.wanted);
  }
}

async function readCounters(candidate: Candidate, inquiry: UnitInquiry): Promise<UnitFacts> {
  for (const range of counterRanges(candidate)) await inquiry.ask({ range });
  return inquiry.facts;
}
