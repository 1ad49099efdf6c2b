import {
  checkFile as checkEvidence,
  type FaultVerdict,
  faultWords,
  portableSuite,
  type Verdict,
  verdictWords,
} from "kilowitness-attest";
import type { Trust } from "./keys.ts";

/** As `kilowitness verify` asks when it is not told otherwise. */
const WANTED_WITNESSES = 2;
/** What the verifier reads at most; a larger file is refused before it is read. */
const MAX_FILE_BYTES = 1_048_576;

/** What the first line tells those at a command line; the page gives its own advice. */
const COMMAND_ADVICE = / \(pass --trust .*\)$/;

/** How an answer is coloured: from what does not hold to a claim with enough trusted witnesses; a proven fault apart. */
export type Tone = "fault" | "unknown" | "asserted" | "witnessed" | "guilty";

/** What the page says about a file: a first line, and lines below it. */
export interface Answer {
  readonly tone: Tone;
  readonly title: string;
  readonly lines: readonly string[];
  /** Whether the file shows that somebody is guilty, and not only that a key is void. */
  readonly accuses?: boolean;
}

/** The bytes of a file that could be read, or what is wrong with it. */
export type Taken = { readonly bytes: Uint8Array } | { readonly fault: Answer };

/** Reads one file, if it can be evidence by its size. */
export async function takeFile(file: File): Promise<Taken> {
  const size = `expected 1 to ${MAX_FILE_BYTES} bytes, got ${file.size}`;
  if (file.size === 0 || file.size > MAX_FILE_BYTES)
    return { fault: notValid("proof-read", `not a proof file; ${size}`) };
  try {
    return { bytes: new Uint8Array(await file.arrayBuffer()) };
  } catch (thrown) {
    return { fault: notValid("proof-read", `the browser cannot read the file: ${messageOf(thrown)}`) };
  }
}

/** Checks a file from its first byte to its last, against what its reader trusts. */
export function answerFor(taken: Taken, trust: Trust): Answer {
  if ("fault" in taken) return taken.fault;
  const { network, ...keys } = trust;
  const policy = { ...keys, witnesses: WANTED_WITNESSES, ...(network === "" ? {} : { network }) };
  try {
    const checked = checkEvidence(portableSuite, taken.bytes, policy);
    return checked.valid ? holding(checked.value) : notValid(checked.refusal.code, checked.refusal.message);
  } catch (thrown) {
    // An error of this page must not pass for a verdict either.
    return notValid("internal", messageOf(thrown));
  }
}

function holding(verdict: Verdict | FaultVerdict): Answer {
  if ("fault" in verdict) {
    const [title = "", ...lines] = faultWords(verdict);
    return { tone: "guilty", title: `Fault proven: ${title}`, lines, accuses: verdict.guilty !== "nobody" };
  }
  const [title = "", ...lines] = verdictWords(verdict);
  return { tone: toneOf(verdict), title: title.replace(COMMAND_ADVICE, ""), lines };
}

function toneOf(verdict: Verdict): Tone {
  if (verdict.trust === "none") return "unknown";
  return verdict.standing === "device-asserted" ? "asserted" : "witnessed";
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function notValid(code: string, message: string): Answer {
  return { tone: "fault", title: `NOT VALID (${code})`, lines: [message] };
}
