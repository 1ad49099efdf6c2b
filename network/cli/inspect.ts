import { readFileSync } from "node:fs";
import { Command } from "commander";
import { fromHex, toHex } from "../../attest/bytes.ts";
import { sealedFromJson, sealedToJson } from "../../attest/pretty.ts";
import { Problem } from "../../attest/problem.ts";
import { runCommand } from "../../runtime/command.ts";

export interface InspectOptions {
  readonly encode?: boolean;
  readonly hex?: boolean;
}

/** Where the answer goes: standard output, as far as it matters here. */
export interface InspectOutput {
  readonly isTTY?: boolean | undefined;
  write(chunk: string | Uint8Array): unknown;
}

/** Above any file as bytes, and above a batch of the largest size as JSON. */
const MAX_FILE_BYTES = 16_777_216;
/** Above a settlement proof of the largest size, as text. */
const MAX_TEXT_BYTES = 67_108_864;
const HEX_COLUMNS = 64;
const HELP = `
Nothing is verified: it shows what the bytes say, not whether it is true. The JSON is exact. --encode turns it back into
the same bytes and refuses whatever would have two meanings. The mapping is in docs/evidence-format.md.

Exit status: 0 done, 1 the file is not what it should be, and standard error says where.

Examples:
  kilowitness inspect receipt.cose
  kilowitness inspect --hex - < leaf.hex
  kilowitness inspect --encode leaf.json > leaf.cbor`;

/** `kilowitness inspect FILE`: what is sealed as JSON for people, and back. */
export function inspectCommand(): Command {
  return new Command("inspect")
    .description(
      "show a leaf, leaves, a signed object, a proof, a settlement or a fault proof as JSON, or turn such JSON back into the same bytes",
    )
    .argument("<file>", "what is to be shown; - for standard input")
    .option("--hex", "the bytes are hexadecimal text, white space allowed; with --encode they are written so")
    .option("--encode", "the file is JSON: write its bytes to standard output")
    .addHelpText("after", HELP)
    .action((file: string, options: InspectOptions) =>
      runCommand("inspect", () => inspect(file, options, process.stdout)),
    );
}

/**
 * Writes the JSON of a file to `out`, or with `encode` the bytes of a file of JSON. Throws `inspect-read`,
 * `inspect-text`, `inspect-terminal`, `bytes-hex`, or what `sealedToJson` and `sealedFromJson` do.
 */
export function inspect(file: string, options: InspectOptions, out: InspectOutput): void {
  const isText = options.encode === true || options.hex === true;
  const content = readInput(file, isText ? MAX_TEXT_BYTES : MAX_FILE_BYTES);
  if (options.encode === true) writeBytes(sealedFromJson(textOf(content, file)), options.hex === true, out);
  else
    out.write(`${sealedToJson(options.hex === true ? bytesOfHex(content, file) : notText(content, file))}\n`);
}

/** A map and a tag of CBOR, with which everything sealed begins, are no ASCII. */
function notText(content: Uint8Array, file: string): Uint8Array {
  const [first = 0] = content;
  if (first > 0x7f) return content;
  throw new Problem("inspect-text", "the file is text and not bytes", {
    where: file,
    hint: "add --hex if it is hexadecimal, --encode if it is JSON",
  });
}

function writeBytes(bytes: Uint8Array, asHex: boolean, out: InspectOutput): void {
  if (asHex) out.write(`${linesOf(toHex(bytes)).join("\n")}\n`);
  else if (out.isTTY !== true) out.write(bytes);
  else
    throw new Problem("inspect-terminal", "bytes would garble the terminal", {
      hint: "redirect them into a file, or add --hex",
    });
}

function linesOf(hex: string): string[] {
  return hex.match(new RegExp(`.{1,${HEX_COLUMNS}}`, "g")) ?? [];
}

function bytesOfHex(content: Uint8Array, file: string): Uint8Array {
  return fromHex(textOf(content, file).replaceAll(/\s/g, ""), file);
}

function textOf(content: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
  } catch (cause) {
    throw new Problem("inspect-text", "not text", { where: file, expected: "UTF-8", cause });
  }
}

function readInput(file: string, most: number): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(readFileSync(file === "-" ? 0 : file));
  } catch (cause) {
    throw new Problem("inspect-read", "file cannot be read", {
      ...{ where: file, got: cause instanceof Error ? cause.message : String(cause) },
      ...{ hint: "check the path", cause },
    });
  }
  if (bytes.length > 0 && bytes.length <= most) return bytes;
  throw new Problem("inspect-read", "nothing that can be shown", {
    ...{ where: file, expected: `1 to ${most} bytes`, got: String(bytes.length) },
  });
}
