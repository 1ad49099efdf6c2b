import { type Command, InvalidArgumentError, Option } from "commander";
import { Problem } from "../../attest/problem.ts";
import type { SignatureVariant } from "../../firmware-bridge/image/places.ts";
import {
  DEFAULT_MAX_BYTES,
  type VerifiedImage,
  verifyImage,
} from "../../firmware-bridge/image/verify-image.ts";
import { parsePinnedKey } from "../../firmware-bridge/update/pinned-key.ts";
import { readCounter } from "./firmware-counter.ts";
import { readFileOf } from "./firmware-file.ts";

/** What the owner trusts, as the command line says it. */
export interface FirmwareTrust {
  readonly key: string;
  readonly variant: SignatureVariant;
  readonly minCounter?: number;
  readonly counterFile?: string;
  readonly maxBytes: number;
}

export interface TrustedImage {
  readonly image: VerifiedImage;
  /** The lowest security counter that would have been let in; undefined where none was asked for. */
  readonly leastCounter: number | undefined;
}

const MAX_KEY_BYTES = 4_096;

/** Adds the options of {@link FirmwareTrust} to a command. */
export function withFirmwareTrust(command: Command): Command {
  return command
    .requiredOption("--key <file>", "the signer's Ed25519 public key: PEM, or 64 hexadecimal digits")
    .addOption(
      new Option("--variant <name>", "how images are signed: their digest, or their bytes (imgtool --pure)")
        .choices(["digest", "pure"])
        .default("digest"),
    )
    .option("--min-counter <number>", "refuse a lower security counter, and images without one", whole)
    .option(
      "--counter-file <file>",
      "the same, with the greatest counter that was confirmed, which is kept there",
    )
    .option("--max-bytes <number>", "refuse larger images: the size of the slot", whole, DEFAULT_MAX_BYTES);
}

/**
 * Reads an image and verifies it.
 *
 * @throws Problem `image-…` with the file in front, `firmware-file`, `firmware-counter-file`, `update-key`
 */
export function readTrustedImage(file: string, trust: FirmwareTrust): TrustedImage {
  const { variant, maxBytes } = trust;
  const publicKey = parsePinnedKey(
    Buffer.from(readFile(trust.key, MAX_KEY_BYTES, "the key")).toString("latin1"),
    trust.key,
  );
  const leastCounter = leastOf(trust);
  const bytes = readFile(file, maxBytes, "the image");
  const least = leastCounter === undefined ? {} : { minSecurityCounter: leastCounter };
  try {
    return { image: verifyImage(bytes, { publicKey, variant, maxBytes, ...least }), leastCounter };
  } catch (error) {
    throw error instanceof Problem ? placed(error, file) : error;
  }
}

function leastOf({ minCounter, counterFile }: FirmwareTrust): number | undefined {
  const kept = counterFile === undefined ? undefined : readCounter(counterFile);
  if (minCounter === undefined || kept === undefined) return minCounter ?? kept;
  return Math.max(minCounter, kept);
}

function readFile(path: string, mostBytes: number, what: string): Uint8Array {
  return readFileOf(path, mostBytes, { code: "firmware-file", what, hint: "check the path" });
}

/** What to do about a refusal that does not say it itself; about any other one, {@link OTHERWISE}. */
const HINTS: ReadonlyMap<string, string> = new Map([
  ["image-signature", "do not install it, and ask where it came from"],
  ["image-key", "have it signed with the pinned key, or pin the key that signs, if that is meant"],
  ["image-variant", "compare --variant with how the signer signs"],
  ["image-security-counter", "install a newer image"],
  ["image-security-counter-missing", "have it signed with a security counter"],
  ["image-too-large", "build a smaller image, or check --max-bytes"],
  ["image-public-key", "check the key's file"],
]);
const OTHERWISE = "fetch it again, or have it signed again";

/** A refusal names an offset; here the file belongs before it. */
function placed(problem: Problem, file: string): Problem {
  const hint = problem.detail.hint === undefined ? { hint: HINTS.get(problem.code) ?? OTHERWISE } : {};
  return new Problem(problem.code, problem.message, { where: file, ...hint, cause: problem });
}

function whole(text: string): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= 0xffff_ffff) return value;
  throw new InvalidArgumentError(`expected a whole number up to 4294967295, got "${text}"`);
}
