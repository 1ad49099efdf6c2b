import { CHANNEL_RULES } from "./fault-channel-rules.ts";
import { CLOSE_ITSELF } from "./fault-close-itself.ts";
import { CLOSE_RULES } from "./fault-close-rules.ts";
import { COUNT_RULES } from "./fault-count-rules.ts";
import type { Difference, LeafRule, ShownLeaves } from "./fault-leaves.ts";
import { LOG_RULES } from "./fault-log-rules.ts";
import { REFERENCE_RULES } from "./fault-reference-rules.ts";
import type { LeafRuleCode } from "./fault-rule-words.ts";

/** Every rule by which leaves of one log contradict each other, in the order in which they are asked. */
export const LEAF_RULES: readonly LeafRule[] = [
  ...LOG_RULES,
  ...CHANNEL_RULES,
  CLOSE_ITSELF,
  ...REFERENCE_RULES,
  ...CLOSE_RULES,
  ...COUNT_RULES,
];

/** What leaves show against their device: the rule that they break, and where. */
export interface Contradiction extends Difference {
  readonly rule: LeafRuleCode;
}

/** The first rule, in the order above, that no lawful log with these leaves could keep; undefined if there is none. */
export function contradictionOf(shown: ShownLeaves): Contradiction | undefined {
  for (const { code, check } of LEAF_RULES) {
    const found = check(shown);
    if (found !== undefined) return { rule: code, ...found };
  }
  return undefined;
}
