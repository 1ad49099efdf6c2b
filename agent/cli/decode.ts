import { once } from "node:events";
import { createReadStream } from "node:fs";
import { addAbortSignal, type Readable } from "node:stream";
import { Argument, Command } from "commander";
import { describeProblem, Problem } from "../../attest/problem.ts";
import type { TelegramKeys } from "../../drivers/telegram/decoder.ts";
import { readKeyFile } from "../../drivers/telegram/key-file.ts";
import { runCommand, stopRequested } from "../../runtime/command.ts";
import { DECODED_PROTOCOLS, type Spoken, spokenProtocol } from "./decode-protocols.ts";
import { type DecodeTally, decodeStream } from "./decode-stream.ts";
import { decodedJson, decodedText } from "./decode-text.ts";

interface CommandOptions {
  readonly hex?: boolean;
  readonly key?: string;
  readonly authenticationKey?: string;
  readonly json?: boolean;
}

const HELP = `
Shows all that stands in what a meter sent, also what no reading is made of. Nothing is asked, nothing is written. See
docs/decode.md.
  kilowitness decode sml recorded.bin
  kilowitness decode dlms pushed.hex --hex --key meter.key --json
  stty -F /dev/ttyUSB0 raw 115200 && kilowitness decode dsmr /dev/ttyUSB0
Exit status: 0 when there were telegrams and all of them were good, 1 otherwise, 2 when the command line is wrong.`;

/** `kilowitness decode PROTOCOL FILE`: telegrams of a file or of standard input, taken apart. */
export function decodeCommand(): Command {
  return new Command("decode")
    .description("take recorded telegrams of a meter apart, from a file or as they come")
    .addArgument(new Argument("<protocol>", "what the meter speaks").choices([...DECODED_PROTOCOLS.keys()]))
    .argument("[file]", "what it sent; -: standard input", "-")
    .option("--hex", "the file is hexadecimal text")
    .option("--key <file>", "32 hexadecimal digits, for telegrams that are encrypted")
    .option("--authentication-key <file>", "the same; without it their origin is not verified")
    .option("--json", "print one JSON object a line")
    .addHelpText("after", HELP)
    .action((protocol: string, file: string, options: CommandOptions) =>
      runCommand("decode", () => decode(protocol, file, options)),
    );
}

async function decode(protocol: string, file: string, options: CommandOptions): Promise<void> {
  const known = DECODED_PROTOCOLS.get(protocol);
  if (known === undefined) throw new RangeError(protocol);
  const keys = keysOf(options);
  const decoder = await known.load();
  const stop = new AbortController();
  void stopRequested().then(() => stop.abort());
  // A reader that is gone, such as `head`, wants no more.
  process.stdout.on("error", () => stop.abort());
  const text = options.json === true ? decodedJson : decodedText;
  const settings = { decoder, keys, hex: options.hex === true, isStopped: () => stop.signal.aborted };
  const tally = await decodeStream(inputOf(file, stop.signal), settings, (found) => print(text(found), stop));
  if (tally.good === 0 || tally.refused > 0) process.exitCode = 1;
  const last = options.json === true ? "" : summary(tally);
  // A read of a device or a pipe that waits for more cannot be called off.
  if (stop.signal.aborted) {
    process.stdout.write(last, () => process.exit());
    return;
  }
  if (tally.good + tally.refused > 0) process.stdout.write(last);
  if (tally.telling > 0) return;
  const spoken = await spokenProtocol(tally.begin, protocol, keys);
  if (tally.good + tally.refused === 0) throw nothingFound(tally, { protocol, options, spoken });
  if (spoken !== undefined)
    throw new Problem("decode-protocol", "these are no telegrams of the protocol that was named", {
      ...{ expected: protocol, got: spoken.protocol, hint: spokenHint(spoken) },
    });
}

function keysOf({ key, authenticationKey }: CommandOptions): TelegramKeys {
  return {
    ...(key === undefined ? {} : { key: readKeyFile(key) }),
    ...(authenticationKey === undefined ? {} : { authenticationKey: readKeyFile(authenticationKey) }),
  };
}

/** The pieces of a file or of standard input, up to its end or to the signal. */
async function* inputOf(file: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const stream: Readable = file === "-" ? process.stdin : createReadStream(file);
  try {
    yield* addAbortSignal(signal, stream);
  } catch (error) {
    if (signal.aborted) return;
    throw new Problem("decode-file", "the file cannot be read", {
      where: file,
      got: describeProblem(error).message,
      cause: error,
    });
  }
}

/** Waits for a slow reader. */
async function print(text: string, stop: AbortController): Promise<void> {
  if (stop.signal.aborted || process.stdout.write(text)) return;
  try {
    await once(process.stdout, "drain", { signal: stop.signal });
  } catch {
    // Stopped, or the reader is gone: both end at the next piece.
  }
}

function summary({ good, refused, bytes }: DecodeTally): string {
  return `${good} ${good === 1 ? "telegram" : "telegrams"}, ${refused} refused, ${bytes} bytes\n`;
}

interface Looked {
  readonly protocol: string;
  readonly options: CommandOptions;
  readonly spoken: Spoken | undefined;
}

function nothingFound({ bytes, head }: DecodeTally, { protocol, options, spoken }: Looked): Problem {
  const looksHex =
    options.hex !== true && head.length > 0 && /^[\s0-9a-f:]+$/i.test(Buffer.from(head).toString("latin1"));
  return new Problem("decode-nothing", "no telegram was found", {
    expected: DECODED_PROTOCOLS.get(protocol)?.looks ?? protocol,
    got: `${bytes} bytes${looksHex || spoken === undefined ? "" : ` of ${spoken.protocol}`}`,
    hint: looksHex ? "this looks like hexadecimal text: add --hex" : spokenHint(spoken),
  });
}

function spokenHint(spoken: Spoken | undefined): string {
  if (spoken === undefined) return "check the protocol and how it was recorded";
  if (!spoken.withParity) return `run: kilowitness decode ${spoken.protocol}`;
  return `it was recorded with its parity bits: set the port to 7E1 (stty cs7 parenb), then: kilowitness decode ${spoken.protocol}`;
}
