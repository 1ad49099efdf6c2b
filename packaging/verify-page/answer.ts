import {
  judge,
  Problem,
  type ProvenInterval,
  portableSuite,
  type Verdict,
  verdictWords,
  verifyProof,
} from "kilowitness-attest";
import type { Trust } from "./keys.ts";

/** As `kilowitness verify` asks when it is not told otherwise. */
const WANTED_WITNESSES = 2;
/** What the verifier reads at most; a larger file is refused before it is read. */
const MAX_PROOF_BYTES = 1_048_576;

/** What the first line tells those at a command line; the page gives its own advice. */
const COMMAND_ADVICE = / \(pass --trust .*\)$/;

/** How an answer is coloured: from a fault to a claim with enough trusted witnesses. */
export type Tone = "fault" | "unknown" | "asserted" | "witnessed";

/** What the page says about a file: a first line, and lines below it. */
export interface Answer {
  readonly tone: Tone;
  readonly title: string;
  readonly lines: readonly string[];
}

/** A file that was checked under the keys it names, or what is wrong with it. */
export type Checked = { readonly proven: ProvenInterval } | { readonly fault: Answer };

/** Checks one file from its first byte to its last. */
export async function checkFile(file: File): Promise<Checked> {
  const size = `expected 1 to ${MAX_PROOF_BYTES} bytes, got ${file.size}`;
  if (file.size === 0 || file.size > MAX_PROOF_BYTES)
    return { fault: notValid("proof-read", `not a proof file; ${size}`) };
  try {
    return checkBytes(new Uint8Array(await file.arrayBuffer()));
  } catch (thrown) {
    return { fault: notValid("proof-read", `the browser cannot read the file: ${messageOf(thrown)}`) };
  }
}

function checkBytes(bytes: Uint8Array): Checked {
  try {
    return { proven: verifyProof(portableSuite, bytes) };
  } catch (thrown) {
    return { fault: faultOf(thrown) };
  }
}

/** Compares what a file shows with what its reader trusts. */
export function answerFor(checked: Checked, trust: Trust): Answer {
  if ("fault" in checked) return checked.fault;
  const { network, ...keys } = trust;
  try {
    const verdict = judge(portableSuite, checked.proven, {
      ...keys,
      witnesses: WANTED_WITNESSES,
      ...(network === "" ? {} : { network }),
    });
    const [title = "", ...lines] = verdictWords(verdict);
    return { tone: toneOf(verdict), title: title.replace(COMMAND_ADVICE, ""), lines };
  } catch (thrown) {
    return faultOf(thrown);
  }
}

function toneOf(verdict: Verdict): Tone {
  if (verdict.trust === "none") return "unknown";
  return verdict.standing === "device-asserted" ? "asserted" : "witnessed";
}

/** What is no Problem is an error of this page; it must not pass for a verdict either. */
function faultOf(thrown: unknown): Answer {
  return notValid(thrown instanceof Problem ? thrown.code : "internal", messageOf(thrown));
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function notValid(code: string, message: string): Answer {
  return { tone: "fault", title: `NOT VALID (${code})`, lines: [message] };
}
