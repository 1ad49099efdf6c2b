import {
  checkFile as checkEvidence,
  checkSettlement,
  type FaultVerdict,
  faultWords,
  isSettlementFile,
  portableSuite,
  type SettlementVerdict,
  settlementWords,
  type Verdict,
  verdictWords,
} from "kilowitness-attest";
import type { Trust } from "./keys.ts";

/** As `kilowitness verify` asks when it is not told otherwise. */
const WANTED_WITNESSES = 2;
/** What the verifier reads at most; a larger file is refused before it is read. */
const MAX_FILE_BYTES = 1_048_576;
const MAX_SETTLEMENT_BYTES = 8_388_608;

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

/** Reads one file, if it can be evidence by its size: a settlement proof holds weeks of a meter. */
export async function takeFile(file: File): Promise<Taken> {
  try {
    const most = isSettlementFile(await bytesOf(file.slice(0, 64))) ? MAX_SETTLEMENT_BYTES : MAX_FILE_BYTES;
    const size = `expected 1 to ${most} bytes, got ${file.size}`;
    if (file.size === 0 || file.size > most)
      return { fault: notValid("proof-read", `not a proof file; ${size}`) };
    return { bytes: await bytesOf(file) };
  } catch (thrown) {
    return { fault: notValid("proof-read", `the browser cannot read the file: ${messageOf(thrown)}`) };
  }
}

async function bytesOf(blob: Blob): Promise<Uint8Array> {
  return new Uint8Array(await blob.arrayBuffer());
}

/** Checks a file from its first byte to its last, against what its reader trusts. */
export function answerFor(taken: Taken, trust: Trust): Answer {
  if ("fault" in taken) return taken.fault;
  const { network, ...keys } = trust;
  const policy = { ...keys, witnesses: WANTED_WITNESSES, ...(network === "" ? {} : { network }) };
  try {
    const check = isSettlementFile(taken.bytes) ? checkSettlement : checkEvidence;
    const checked = check(portableSuite, taken.bytes, policy);
    return checked.valid ? holding(checked.value) : notValid(checked.refusal.code, checked.refusal.message);
  } catch (thrown) {
    // An error of this page must not pass for a verdict either.
    return notValid("internal", messageOf(thrown));
  }
}

function holding(verdict: Verdict | SettlementVerdict | FaultVerdict): Answer {
  if ("claim" in verdict && verdict.claim === "settlement") return settled(verdict);
  if ("fault" in verdict) {
    const [title = "", ...lines] = faultWords(verdict);
    return { tone: "guilty", title: `Fault proven: ${title}`, lines, accuses: verdict.guilty !== "nobody" };
  }
  const [title = "", ...lines] = verdictWords(verdict);
  return { tone: toneOf(verdict), title: title.replace(COMMAND_ADVICE, ""), lines };
}

/** What does not count must look like neither a claim that holds nor a file that is broken. */
function settled(verdict: SettlementVerdict): Answer {
  const [title = "", ...lines] = settlementWords(verdict);
  const tone = verdict.trust !== "none" && !verdict.counts ? "guilty" : toneOf(verdict);
  return { tone, title: title.replace(COMMAND_ADVICE, ""), lines: unbroken(lines) };
}

/** The sentences of the last list, which a terminal needs broken, are whole on a page. */
function unbroken(lines: readonly string[]): string[] {
  const whole: string[] = [];
  for (const line of lines) {
    const isRest = /^ {4}\S/.test(line) && whole.at(-1)?.startsWith("  - ") === true;
    if (isRest) whole.push(`${whole.pop() ?? ""} ${line.trim()}`);
    else whole.push(line);
  }
  return whole;
}

function toneOf(verdict: Pick<Verdict, "trust" | "standing">): Tone {
  if (verdict.trust === "none") return "unknown";
  return verdict.standing === "device-asserted" ? "asserted" : "witnessed";
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function notValid(code: string, message: string): Answer {
  return { tone: "fault", title: `NOT VALID (${code})`, lines: [message] };
}
