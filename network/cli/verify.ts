import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import { fromHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { MAX_PROOF_BYTES } from "../../attest/proof.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { judge, type TrustPolicy } from "../../attest/verdict.ts";
import { verdictWords } from "../../attest/verdict-words.ts";

interface VerifyOptions {
  readonly trust?: readonly TrustedKey[];
  readonly network?: string;
  readonly witnesses: number;
  readonly json?: boolean;
}

interface TrustedKey {
  readonly role: "device" | "node";
  readonly key: Uint8Array;
}

const HELP = `
A KEY is 64 hexadecimal digits, with the role in front: device:KEY or node:KEY. Without a role it is a device key.
Take keys from the device's owner or the network's operator, never from the sender of the proof: the file names
keys too, but those are hints.

Exit status: 0 the proof holds (without --trust: it is consistent, but nobody knows whose), 1 it does not.

Examples:
  kilowitness verify hour.kwp
  kilowitness verify hour.kwp --trust device:<KEY> --trust node:<KEY>`;

/** `kilowitness verify FILE`: checks a proof offline and says in words what it shows. */
export function verifyCommand(): Command {
  return new Command("verify")
    .description("check a proof file, offline, and say in plain words what it proves")
    .argument("<file>", "proof file, or - for standard input")
    .option(
      "--trust <key...>",
      "a key that you trust, from outside the file: device:HEX or node:HEX",
      collectKey,
    )
    .option("--network <name>", "refuse proofs of any other network")
    .option("--witnesses <count>", "how many trusted nodes must have witnessed", parseCount, 2)
    .option("--json", "print one JSON object")
    .addHelpText("after", HELP)
    .action((file: string, options: VerifyOptions) => {
      process.exitCode = runVerify(file, options);
    });
}

function runVerify(file: string, options: VerifyOptions): number {
  try {
    const proven = verifyProof(nativeSuite, readProof(file));
    const verdict = judge(nativeSuite, proven, policyOf(options));
    const text = options.json === true ? JSON.stringify(verdict) : verdictWords(verdict).join("\n");
    process.stdout.write(`${text}\n`);
    return 0;
  } catch (cause) {
    report(cause, options.json === true);
    return 1;
  }
}

function report(cause: unknown, json: boolean): void {
  const { code, message } = describeProblem(cause);
  if (json) process.stdout.write(`${JSON.stringify({ verdict: "invalid", fault: code, message })}\n`);
  else process.stdout.write(`NOT VALID (${code}): ${message}\n`);
}

function policyOf(options: VerifyOptions): TrustPolicy {
  const trust = options.trust ?? [];
  const keys = (role: TrustedKey["role"]): Uint8Array[] =>
    trust.filter((entry) => entry.role === role).map(({ key }) => key);
  return {
    deviceKeys: keys("device"),
    nodeKeys: keys("node"),
    witnesses: options.witnesses,
    ...(options.network === undefined ? {} : { network: options.network }),
  };
}

function readProof(file: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(readFileSync(file === "-" ? 0 : file));
  } catch (cause) {
    throw new Problem("proof-read", "proof cannot be read", {
      where: file,
      got: cause instanceof Error ? cause.message : String(cause),
      hint: "check the path",
      cause,
    });
  }
  if (bytes.length > 0 && bytes.length <= MAX_PROOF_BYTES) return bytes;
  throw new Problem("proof-read", "not a proof file", {
    where: file,
    expected: `1 to ${MAX_PROOF_BYTES} bytes`,
    got: String(bytes.length),
  });
}

function collectKey(text: string, earlier: readonly TrustedKey[] = []): readonly TrustedKey[] {
  const match = /^(?:(device|node):)?([0-9a-fA-F]{64})$/.exec(text);
  if (match?.[2] === undefined) {
    throw new InvalidArgumentError(
      `expected device:KEY or node:KEY with 64 hexadecimal digits, got ${JSON.stringify(text)}`,
    );
  }
  return [...earlier, { role: match[1] === "node" ? "node" : "device", key: fromHex(match[2], "--trust") }];
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 8) return count;
  throw new InvalidArgumentError("expected a whole number from 1 to 8");
}
