import type { FaultVerdict, KeyFinding } from "./fault-judge.ts";
import { RULE_WORDS } from "./fault-rule-words.ts";
import type { FalseLeaf, Misdeed, SignedAfterClose, TwoLeaves, TwoRoots } from "./fault-verify.ts";
import { isoTime } from "./iso-time.ts";
import { printable } from "./verdict-words.ts";

/** A judged fault in plain words, one sentence a line: what it shows, who is guilty, what it does not show. */
export function faultWords(verdict: FaultVerdict): string[] {
  return [
    `${verdict.fault}: ${headline(verdict.finding)}`,
    "",
    `device    ${verdict.deviceKey}`,
    `          network ${verdict.network}, epoch ${verdict.epoch}, fingerprint ${verdict.fingerprint}`,
    `trust     ${trustWords(verdict)}`,
    ...findingLines(verdict.finding),
    `rule      ${verdict.rule}`,
    `guilty    ${GUILTY[verdict.guilty]}`,
    "",
    "Not shown by this file:",
    ...notShown(verdict).map((sentence) => `  - ${sentence}`),
  ].map(printable);
}

const GUILTY: Readonly<Record<FaultVerdict["guilty"], string>> = {
  "device key": "the device key: whoever holds it signed this, and no honest holder would",
  "holder of the retired key": "whoever holds the retired key and used it after the device had left it",
  nobody: "nobody: this voids evidence and accuses no one by itself",
};

function headline(finding: Misdeed | KeyFinding): string {
  switch (finding.rule) {
    case "two-roots":
    case "two-leaves":
      return "the key signed two histories of one log";
    case "signed-after-close":
      return "the key signed more of a log than the later epoch that closed it knows of";
    case "wrong-network":
      return "the evidence is of another network than the one that you mean";
    case "unknown-key":
      return "nobody whom you trust vouches for this key";
    case "retired-key":
      return "the key was used beyond where the device had left it";
    case "revoked-key":
      return "the key was revoked, and this lies beyond the cut";
    default:
      return "the key signed leaves that no lawful log holds";
  }
}

function trustWords({ trust, networkMeant }: FaultVerdict): string {
  const elsewhere = networkMeant ? "" : "; and it is of another network than the one that you mean";
  if (trust === "device") return `a device key that you trust${elsewhere}`;
  if (trust === "enrolled") return `a node that you trust has enrolled this key${elsewhere}`;
  return `not a key that you trust: what is shown holds of whoever has it${elsewhere}`;
}

function findingLines(finding: Misdeed | KeyFinding): string[] {
  switch (finding.rule) {
    case "two-roots":
      return rootLines(finding);
    case "two-leaves":
      return leafLines(finding);
    case "signed-after-close":
      return epochLines(finding);
    case "wrong-network":
    case "unknown-key":
    case "retired-key":
    case "revoked-key":
      return keyLines(finding);
    default:
      return contradictionLines(finding);
  }
}

function rootLines({ size, roots }: TwoRoots): string[] {
  return [`shown     at size ${size} it signed two roots:`, `          ${roots[0]}`, `          ${roots[1]}`];
}

function leafLines({ index, sizes, leafHashes }: TwoLeaves): string[] {
  return [
    `shown     at index ${index} it signed two leaves:`,
    `          ${leafHashes[0]}, under its checkpoint of size ${sizes[0]}`,
    `          ${leafHashes[1]}, under its checkpoint of size ${sizes[1]}`,
  ];
}

function epochLines({ size, oldSignedSize, laterEpoch, laterSize, reason }: SignedAfterClose): string[] {
  return [
    `shown     epoch ${laterEpoch} closed this log and says that it was signed up to size ${oldSignedSize}`,
    `          a checkpoint of this log is over ${size} leaves`,
    `          under the later epoch's checkpoint of size ${laterSize}; its reason: ${reason}`,
  ];
}

function contradictionLines({ leaves, property, expected, got, rule, size }: FalseLeaf): string[] {
  const places = leaves.length === 1 ? `leaf ${leaves[0]}` : `leaves ${leaves.join(", ")}`;
  return [
    `shown     ${RULE_WORDS[rule]}`,
    `          ${places} under its checkpoint of size ${size}`,
    `          ${property}: expected ${expected}, got ${got}`,
  ];
}

function keyLines(finding: KeyFinding): string[] {
  const over = `a checkpoint over ${finding.size} leaves`;
  switch (finding.rule) {
    case "wrong-network":
      return [`shown     ${over}; you mean network ${finding.expected}`];
    case "unknown-key":
      return [`shown     ${over}, signed by this key`];
    case "retired-key":
      return [
        `shown     ${over}; the device left this key at size ${finding.lastSize} of epoch ${finding.lastEpoch}`,
        `          on ${isoTime(finding.rotatedAtMs)}, by its own clock; both keys signed that`,
      ];
    case "revoked-key":
      return [
        `shown     ${over}; revoked beyond size ${finding.cutSize} of epoch ${finding.cutEpoch}`,
        `          on ${isoTime(finding.revokedAtMs)} by the ${finding.by} ${finding.signerKey}`,
        `          reason: ${finding.reason}`,
      ];
  }
}

function notShown({ fault, trust, finding }: FaultVerdict): string[] {
  const whose = trust === "none" ? ["whose key this is: anyone can misuse a key of their own"] : [];
  if (fault !== "key")
    return [
      ...whose,
      "why: a stolen key, a copied device, a disk put back from a copy and a dishonest owner look the same",
      "which of the contradicting statements is the true one, or that either is",
      "anything about the device's other logs, or its evidence from before",
    ];
  if (finding.rule === "retired-key")
    return [
      ...whose,
      "who holds the key: the device, its former owner or a thief",
      "that the new key is misused",
    ];
  return [...whose, "that anyone did wrong: the same evidence may be good for somebody who trusts others"];
}
