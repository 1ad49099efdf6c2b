import { Command, InvalidArgumentError } from "commander";
import { fromHex } from "../../attest/bytes.ts";
import { type Checked, checkFile } from "../../attest/check.ts";
import type { FaultVerdict } from "../../attest/fault-judge.ts";
import { faultWords } from "../../attest/fault-words.ts";
import { isSettlementFile, MAX_SETTLEMENT_BYTES } from "../../attest/flexibility/proof-file.ts";
import { checkSettlement, type SettlementVerdict } from "../../attest/flexibility/verdict.ts";
import { settlementWords } from "../../attest/flexibility/verdict-words.ts";
import { nativeSuite } from "../../attest/native.ts";
import { describeProblem } from "../../attest/problem.ts";
import type { TrustPolicy } from "../../attest/trust-policy.ts";
import type { Verdict } from "../../attest/verdict.ts";
import { verdictWords } from "../../attest/verdict-words.ts";
import { readBounded } from "./read-file.ts";

interface VerifyOptions {
  readonly trust?: readonly TrustedKey[];
  readonly network?: string;
  readonly witnesses: number;
  readonly revocation?: readonly string[];
  readonly clockTolerance: number;
  readonly json?: boolean;
}

const ROLES = ["device", "node", "registrar"] as const;
type Role = (typeof ROLES)[number];

interface TrustedKey {
  readonly role: Role;
  readonly key: Uint8Array;
}

const MAX_REVOCATION_BYTES = 8192;
const HELP = `
FILE is a proof (of energy or of a flexibility reading), a settlement proof or a fault proof; it says itself which.

A KEY is 64 hexadecimal digits, with the role in front: device:KEY, node:KEY or registrar:KEY. Without a role it is a
device key. A node that you trust also vouches for the devices that it has enrolled, where the file shows the enrolment.
Take keys from the device's owner or the network's operator, never from the sender of the proof: the file names
keys too, but those are hints.

Exit status: 0 the file shows what it says (without --trust: it is consistent, but nobody knows whose), 1 it does not.
A settlement that does not count under the keys that were named is 1, too.

Examples:
  kilowitness verify hour.kwp
  kilowitness verify hour.kwp --trust device:<KEY> --trust node:<KEY> --trust node:<KEY>
  kilowitness verify event.kws --trust device:<KEY> --trust node:<KEY> --trust node:<KEY>
  kilowitness verify fork.kwf --trust device:<KEY>`;

type AnyVerdict = Verdict | SettlementVerdict | FaultVerdict;

/** `kilowitness verify FILE`: checks a proof, a settlement or a fault proof offline and says in words what it shows. */
export function verifyCommand(): Command {
  return new Command("verify")
    .description("check a proof file, offline, and say in plain words what it proves")
    .argument("<file>", "proof, settlement proof or fault proof, or - for standard input")
    .option(
      "--trust <key...>",
      "a key that you trust, from outside the file: device:HEX, node:HEX or registrar:HEX",
      collectKey,
    )
    .option("--network <name>", "refuse proofs of any other network")
    .option("--witnesses <count>", "how many trusted nodes must have witnessed", parseCount, 2)
    .option("--revocation <file...>", "a signed revocation that you know of", collect)
    .option(
      "--clock-tolerance <seconds>",
      "how far the device's clock may contradict the nodes'",
      parseSeconds,
      120,
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", HELP)
    .action((file: string, options: VerifyOptions) => {
      process.exitCode = runVerify(file, options);
    });
}

function runVerify(file: string, options: VerifyOptions): number {
  const checked = checkedFile(file, options);
  if (options.json === true) process.stdout.write(`${JSON.stringify(asJson(checked))}\n`);
  else process.stdout.write(`${asWords(checked).join("\n")}\n`);
  return checked.valid && holds(checked.value) ? 0 : 1;
}

/** Without any key nothing counts, and the file can only be consistent. */
function holds(verdict: AnyVerdict): boolean {
  return !isSettlement(verdict) || verdict.counts || verdict.trust === "none";
}

function isSettlement(verdict: AnyVerdict): verdict is SettlementVerdict {
  return "claim" in verdict && verdict.claim === "settlement";
}

/** A file that cannot be read is no more valid than one whose signature is wrong. */
function checkedFile(file: string, options: VerifyOptions): Checked<AnyVerdict> {
  try {
    const bytes = readBounded(file, MAX_SETTLEMENT_BYTES, "proof");
    const check = isSettlementFile(bytes) ? checkSettlement : checkFile;
    return check(nativeSuite, bytes, policyOf(options));
  } catch (cause) {
    return { valid: false, refusal: describeProblem(cause) };
  }
}

function asJson(checked: Checked<AnyVerdict>): object {
  if (checked.valid) return checked.value;
  const { code, message } = checked.refusal;
  return { verdict: "invalid", fault: code, message };
}

function asWords(checked: Checked<AnyVerdict>): readonly string[] {
  if (!checked.valid) return [`NOT VALID (${checked.refusal.code}): ${checked.refusal.message}`];
  const { value } = checked;
  if (isSettlement(value)) return settlementWords(value);
  return "fault" in value ? faultWords(value) : verdictWords(value);
}

function policyOf(options: VerifyOptions): TrustPolicy {
  const trust = options.trust ?? [];
  const keys = (role: Role): Uint8Array[] =>
    trust.filter((entry) => entry.role === role).map(({ key }) => key);
  return {
    deviceKeys: keys("device"),
    nodeKeys: keys("node"),
    registrarKeys: keys("registrar"),
    witnesses: options.witnesses,
    revocations: (options.revocation ?? []).map((file) =>
      readBounded(file, MAX_REVOCATION_BYTES, "revocation"),
    ),
    clockToleranceMs: options.clockTolerance * 1000,
    ...(options.network === undefined ? {} : { network: options.network }),
  };
}

function collectKey(text: string, earlier: readonly TrustedKey[] = []): readonly TrustedKey[] {
  const match = /^(?:(device|node|registrar):)?([0-9a-fA-F]{64})$/.exec(text);
  if (match?.[2] === undefined) {
    throw new InvalidArgumentError(
      `expected device:KEY, node:KEY or registrar:KEY with 64 hexadecimal digits, got ${JSON.stringify(text)}`,
    );
  }
  const role = ROLES.find((name) => name === match[1]) ?? "device";
  return [...earlier, { role, key: fromHex(match[2], "--trust") }];
}

function collect(text: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, text];
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 8) return count;
  throw new InvalidArgumentError("expected a whole number from 1 to 8");
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError("expected a whole number of seconds from 0 to 86400");
}
