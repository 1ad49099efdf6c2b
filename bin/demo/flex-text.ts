import type { WriteStream } from "node:tty";
import { powerText } from "../../agent/words.ts";
import { describeProblem } from "../../attest/problem.ts";
import { SIMULATED_FAULTS } from "../../drivers/simulated/profile-faults.ts";
import type { FlexFact, FlexNarrator, FlexResult } from "./flex-facts.ts";
import {
  actuationLines,
  alteredLines,
  challengeLines,
  commitmentLines,
  historyLines,
  offerLines,
  proofLines,
} from "./flex-lines.ts";
import { settlementLines } from "./flex-settlement-lines.ts";
import { headed, resultWords } from "./flex-words.ts";

const BEGIN = [
  "Flexibility, from an offer to its proof. TIME IS SIMULATED: all clocks are one, set by this demo.",
  "The home is simulated, too. All else is the shipped code: drivers on real sockets, quality gate,",
  "journal, control desk, node's store and desk; their messages are handed over without a network.",
  "",
];

/** Tells the flexibility demo in words, for a terminal of 100 columns. */
export class FlexTextNarrator implements FlexNarrator {
  readonly #out: WriteStream;

  constructor(out: WriteStream) {
    this.#out = out;
  }

  told(fact: FlexFact): void {
    this.#say(linesOf(fact));
  }

  finished({ result, counts, good, alteredCode, tookMs }: FlexResult): void {
    const end = good
      ? `The proof holds, and says "${resultWords(result)}". The altered one is refused (${alteredCode}).`
      : `Not as it should be: result ${result}, ${counts ? "counts" : "does not count"}, altered: ${alteredCode}.`;
    this.#say(["", `${end} Took ${Math.round(tookMs / 1000)} s.`]);
  }

  failed(thrown: unknown): void {
    const { code, message } = describeProblem(thrown);
    process.stderr.write(`kilowitness demo: ${message} (${code})\n`);
  }

  #say(lines: readonly string[]): void {
    this.#out.write(`${lines.join("\n")}\n`);
  }
}

function linesOf(fact: FlexFact): readonly string[] {
  switch (fact.event) {
    case "flex-started":
      return [
        ...BEGIN,
        ...headed(
          "home",
          `one physical model, seen by two devices: the battery's inverter on port ${fact.batteryPort}`,
          [
            `and the meter at the grid connection on port ${fact.meterPort}; a roof, an electric car, a household`,
            ...(fact.fault === undefined
              ? []
              : [`With a fault (${fact.fault}): ${SIMULATED_FAULTS[fact.fault]}.`]),
          ],
        ),
      ];
    case "history":
      return historyLines(fact);
    case "offer":
      return offerLines(fact);
    case "commitment":
      return commitmentLines(fact);
    case "dispatch":
      return headed(
        "dispatch",
        `under the commitment, the node signs an order: the battery is to discharge with ${powerText(0 - fact.valueMw)}. The device seals the signed word (leaf ${fact.seq}): it can neither invent nor deny it.`,
        [],
        fact.issuedAtMs,
      );
    case "actuation":
      return actuationLines(fact);
    case "settlement":
      return settlementLines(fact);
    case "challenge":
      return challengeLines(fact);
    case "proof":
      return proofLines(fact);
    case "altered":
      return alteredLines(fact);
  }
}
