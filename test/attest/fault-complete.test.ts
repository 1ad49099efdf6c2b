import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildFalseLeafFault } from "../../attest/fault-build.ts";
import { suspectSeqs } from "../../attest/fault-choice.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { decodeLeaf, encodeLeaf } from "../../attest/leaf-codec.ts";
import { LogRules } from "../../attest/log-rules.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import { bytesOf, ruleOf, showing, signedHistory } from "./fault-forge.ts";
import { beginnings, histories, openedLog, play, suite } from "./fault-kit.ts";
import { mutated } from "./fault-mutate.ts";
import { Dice } from "./fault-subsets.ts";
import { outcomeOf, refusalOf } from "./refusal.ts";

/** What a node refuses with these codes, a stranger can be shown. */
const PROVABLE: ReadonlySet<string> = new Set([
  ...["register-drop", "time-backwards", "gap-missing", "time-quality", "clock-step", "registers-mismatch"],
  ...["manifest-identity", "manifest-interval", "manifest-missing", "manifest-twice"],
  ...["leaf-mismatch intervalClose", "leaf-mismatch flexibility", "leaf-mismatch reading"],
]);

interface Forgery {
  readonly leaf: Leaf;
  readonly bytes: Uint8Array;
  /** With what the rules refuse it; undefined if it is lawful. */
  readonly code: string | undefined;
  /** The leaves that the node's own state points at. */
  readonly suspects: readonly number[];
}

/** Leaf `seq` of a lawful log with one property changed, as the next leaf behind those before it. */
function forgeryOf(log: LogBuilder, seq: number, dice: Dice): Forgery | undefined {
  const rules = new LogRules(suite, log.rules.identity);
  for (const { leaf, bytes } of log.leaves.slice(0, seq)) rules.apply(leaf, bytes);
  const honest = log.leaves[seq]?.leaf;
  if (honest === undefined) return undefined;
  const forged = { ...mutated(honest, dice).leaf, seq, salt: honest.salt };
  if (refusalOf(() => encodeLeaf(forged)) !== undefined) return undefined;
  const bytes = encodeLeaf(forged);
  const leaf = decodeLeaf(bytes);
  const channel = "channel" in leaf && leaf.channel !== undefined ? leaf.channel : 0;
  const suspects = suspectSeqs(rules.channels.get(channel));
  return { leaf, bytes, suspects, code: refusalOf(() => rules.apply(leaf, bytes)) };
}

function isFile(outcome: unknown): outcome is { readonly returned: Uint8Array } {
  return typeof outcome === "object" && outcome !== null && "returned" in outcome;
}

/** One leaf in two is a close or a discontinuity, where there is one. */
function someSeq(log: LogBuilder, dice: Dice): number {
  const telling = log.leaves.filter(({ leaf }) => ["intervalClose", "discontinuity"].includes(leaf.kind));
  return dice.pick(dice.chance(50) && telling.length > 0 ? telling : log.leaves).leaf.seq;
}

/** A shape of a later version is beyond this one's judgement. */
function isBeyond({ leaf }: Forgery): boolean {
  return leaf.kind === "intervalClose" && (leaf.shape ?? 0) > 7;
}

function isProvable(forgery: Forgery): boolean {
  const { code = "", leaf } = forgery;
  return !isBeyond(forgery) && (PROVABLE.has(code) || PROVABLE.has(`${code} ${leaf.kind}`));
}

/** What the builder makes of a forged leaf at the end of the lawful leaves before it. */
async function judgedBy(log: LogBuilder, { leaf, bytes, suspects }: Forgery): Promise<Outcome> {
  const leaves = [...bytesOf(log).slice(0, leaf.seq), bytes];
  const history = await signedHistory(log, leaves, { lastLeafMs: leaf.timeMs });
  const seqs = [...suspects, leaf.seq];
  const outcome = outcomeOf(() => buildFalseLeafFault(suite, log.rules.identity, { history, seqs }));
  if (!isFile(outcome)) return { outcome };
  // More leaves never make a rule fall silent.
  const whole = showing(log, history, [...leaves.keys()]);
  return { outcome, rules: [ruleOf(outcome.returned), ruleOf(whole)] };
}

interface Outcome {
  readonly outcome: unknown;
  /** Which rule the file shows, and which one a file with all leaves. */
  readonly rules?: readonly [string, string];
}

describe("a leaf with one property changed", () => {
  it("is proven false where the rules refuse it, and never where they take it", async () => {
    const seen = { lawful: 0, proven: 0 };
    await fc.assert(
      fc.asyncProperty(histories, beginnings, fc.nat(), async (events, beginning, seed) => {
        const log = await play(openedLog(beginning), events);
        const dice = new Dice(seed);
        for (let i = 0; i < 10; i++) {
          const forgery = forgeryOf(log, someSeq(log, dice), dice);
          if (forgery === undefined) continue;
          const { code, leaf } = forgery;
          const { outcome, rules } = await judgedBy(log, forgery);
          if (code === undefined) seen.lawful += 1;
          if (rules !== undefined) seen.proven += 1;
          const expected = code === undefined ? undefined : isProvable(forgery) ? expect.anything() : rules;
          expect([code, leaf, outcome, rules]).toEqual([code, leaf, outcome, expected]);
        }
      }),
      { numRuns: 80 },
    );
    expect(Math.min(seen.lawful, seen.proven)).toBeGreaterThan(100);
  });
});
