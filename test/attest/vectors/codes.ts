import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../../..");
/** Codes of one word. The others are told from names by their hyphen. */
const WORDS = new Set(["channels", "field", "json", "seq"]);
/** The JSON for people has codes of its own, and no vectors: it is never signed. */
const ELSEWHERE = /^pretty/;

/** The codes that the document names and that attest/ gives, sorted. */
export function documentedCodes(): string[] {
  const document = readFileSync(join(ROOT, "docs/evidence-format.md"), "utf8");
  const named = new Set([...document.matchAll(/`([a-z]+(?:-[a-z0-9]+)*)`/g)].map(([, code = ""]) => code));
  const given = literals();
  return [...named].filter((name) => given.has(name) && (name.includes("-") || WORDS.has(name))).sort();
}

function literals(): Set<string> {
  const folders = [join(ROOT, "attest"), join(ROOT, "attest/flexibility")];
  const texts = folders.flatMap((folder) => {
    const files = readdirSync(folder).filter((name) => name.endsWith(".ts") && !ELSEWHERE.test(name));
    return files.map((name) => readFileSync(join(folder, name), "utf8"));
  });
  return new Set(texts.flatMap((text) => [...text.matchAll(/"([a-z0-9-]+)"/g)].map(([, word = ""]) => word)));
}

const LARGE = "a limit that only a very large file reaches";
const NOT_VERIFYING = "no refusal of evidence: what cannot be built, written, signed or stored";
const VERDICT = "no refusal: a word of a settlement's verdict, among its faults or remarks";
const STREAM = "a message of the stream, which docs/stream-protocol.md describes";

/** Codes without a vector, and why. */
export const NOT_HERE: Readonly<Record<string, string>> = {
  "account-missing": VERDICT,
  "dispatch-taken-late": VERDICT,
  "acknowledgement-missing": VERDICT,
  "batch-size": LARGE,
  "bytes-ascii": NOT_VERIFYING,
  "bytes-hex": NOT_VERIFYING,
  "bytes-short": NOT_VERIFYING,
  "cbor-encode": NOT_VERIFYING,
  channels: LARGE,
  "clock-set": VERDICT,
  "commitment-late": VERDICT,
  "commitment-unreceipted": VERDICT,
  "counterparty-untrusted": VERDICT,
  "dispatch-count": LARGE,
  "dispatch-hidden": VERDICT,
  "dispatch-list-early": VERDICT,
  "dispatch-list-missing": VERDICT,
  "dispatch-unlisted": VERDICT,
  "enrolment-code-format": NOT_VERIFYING,
  "interval-gap": VERDICT,
  json: NOT_VERIFYING,
  "log-empty": NOT_VERIFYING,
  "message-size": STREAM,
  "message-type": STREAM,
  "meter-differs": VERDICT,
  "order-kind": STREAM,
  "proof-no-interval": NOT_VERIFYING,
  "proof-no-reading": NOT_VERIFYING,
  "proof-unsigned": NOT_VERIFYING,
  "rotation-count": LARGE,
  "rules-version": NOT_VERIFYING,
  "settlement-differs": VERDICT,
  "settlement-size": NOT_VERIFYING,
  "settlement-unreceipted": VERDICT,
  "signer-fault": NOT_VERIFYING,
  "signer-seed": NOT_VERIFYING,
  "tree-hash": NOT_VERIFYING,
  "tree-node-missing": NOT_VERIFYING,
  "tree-range": NOT_VERIFYING,
};

/** Proofs of RFC 6962 are a yes or a no; these are the vectors' own words for a no. */
export const OWN_CODES: readonly string[] = ["consistency", "inclusion"];
