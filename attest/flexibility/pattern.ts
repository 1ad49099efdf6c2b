import { asciiBytes, concatBytes, readU32be, u32be } from "../bytes.ts";
import { Problem } from "../problem.ts";
import type { Suite } from "../suite.ts";
import { type ChallengeOrder, MOST_STEPS } from "./orders.ts";

/** What a step of a challenge is: above the middle, or below it. */
export type Sign = 1 | -1;

const DOMAIN: Uint8Array = asciiBytes("kilowitness/1 challenge pattern\0", "domain");
const NONCE_BYTES = 32;
const WORD_BYTES = 4;
const WORDS = 2 ** 32;

/**
 * The pattern of a challenge: as many steps above as below, each of the C(steps, steps / 2) arrangements as likely as any
 * other where the nonce is random. In any language:
 *
 *     block i = SHA-256("kilowitness/1 challenge pattern" 00 || nonce (32 bytes) || i as 4 bytes, big-endian), i = 0, 1, …
 *     words   = each block as eight 32-bit big-endian integers, block after block
 *     m       = C(steps, steps / 2)
 *     rank    = w mod m of the first word w below 2^32 - (2^32 mod m)
 *     then, for the steps from the first on, with r steps left, this one among them, p of them above:
 *       c = C(r - 1, p - 1), 0 where p is 0; rank < c: this step is above; else it is below, and rank = rank - c
 *
 * Nonce 00 01 … 1f with 14 steps: block 0 begins 5d046584, m = 3432, rank = 1068, pattern +-+-+-++--+-+-. With nonce
 * 00 … 00 f5 (245 as an integer) and 24 steps the first word, fffa6362, is refused: rank = 332979, pattern
 * ++-++-++----++--+++-+---. Both were reckoned by a Python program.
 * @throws Problem `challenge-nonce` unless the nonce has 32 bytes, `challenge-steps` unless steps are even, 2 to 24
 */
export function challengePattern(suite: Suite, nonce: Uint8Array, steps: number): readonly Sign[] {
  if (nonce.length !== NONCE_BYTES)
    throw new Problem("challenge-nonce", "a nonce has another length", {
      expected: `${NONCE_BYTES} bytes`,
      got: String(nonce.length),
    });
  return patternOfRank(rankBelow(suite, nonce, patternCount(steps)), steps);
}

/** The power of each step, mW, + into the channel's boundary: the middle and half a swing above or below. */
export function challengeSteps(
  suite: Suite,
  { nonce, steps, midMw, halfSwingMw }: Pick<ChallengeOrder, "nonce" | "steps" | "midMw" | "halfSwingMw">,
): readonly number[] {
  return challengePattern(suite, nonce, steps).map((sign) => midMw + sign * halfSwingMw);
}

/** How many patterns there are, C(steps, steps / 2). Throws `challenge-steps` unless steps are even, 2 to 24. */
export function patternCount(steps: number): number {
  if (Number.isInteger(steps) && steps >= 2 && steps <= MOST_STEPS && steps % 2 === 0)
    return choose(steps, steps / 2);
  throw new Problem("challenge-steps", "no pattern has so many steps", {
    expected: `an even number from 2 to ${MOST_STEPS}`,
    got: String(steps),
  });
}

function rankBelow(suite: Suite, nonce: Uint8Array, count: number): number {
  const least = WORDS - (WORDS % count);
  for (let block = 0; ; block++) {
    const digest = suite.sha256(concatBytes(DOMAIN, nonce, u32be(block)));
    for (let at = 0; at < digest.length; at += WORD_BYTES) {
      const word = readU32be(digest, at);
      if (word < least) return word % count;
    }
  }
}

function patternOfRank(rank: number, steps: number): readonly Sign[] {
  let [rest, above] = [rank, steps / 2];
  return Array.from({ length: steps }, (_, at): Sign => {
    const beginning = choose(steps - at - 1, above - 1);
    if (rest < beginning) {
      above -= 1;
      return 1;
    }
    rest -= beginning;
    return -1;
  });
}

/** C(n, k), exact: every product on the way is below 2^53 for n up to 24. */
function choose(n: number, k: number): number {
  if (k < 0 || k > n) return 0;
  let count = 1;
  for (let i = 1; i <= k; i++) count = (count * (n - k + i)) / i;
  return count;
}
