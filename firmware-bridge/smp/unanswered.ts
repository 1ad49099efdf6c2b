import { equalBytes } from "../../attest/bytes.ts";
import { Problem, withoutHint } from "../../attest/problem.ts";
import type { OtherBytes } from "./console-frame.ts";
import { ANSWER_OF, firstByteOf, type SmpMessage } from "./message.ts";

/** A message that is no answer to what was asked. */
export interface OtherMessage {
  readonly sent: SmpMessage;
  readonly got: SmpMessage;
}

/** A request that was longer than all that the microcontroller ever answered. */
export interface LongRequest {
  /** Header and body. */
  readonly bytes: number;
  readonly longestAnswered: number;
  /** What it says that its buffer holds; undefined where it does not say. */
  readonly bufferBytes: number | undefined;
}

/** What came in the place of an answer. */
export interface HeardInstead {
  /** A message that could not be read. */
  readonly refused?: Problem;
  readonly isEchoed?: boolean;
  /** Whole, and no answer to what was asked. */
  readonly foreign?: OtherMessage;
  /** A message began, and did not end. */
  readonly cut?: boolean;
  readonly long?: LongRequest | undefined;
  /** Outside of messages. */
  readonly other: OtherBytes;
}

type Instead = readonly [got: string, hint: string];

/** `smp-timeout`: nobody answered. */
export function timeoutProblem(where: string, waited: string, heard: HeardInstead): Problem {
  const { refused } = heard;
  const [got, hint] = instead(heard);
  return new Problem("smp-timeout", "the microcontroller does not answer", {
    ...{ where, expected: `an answer within ${waited}`, got, hint },
    ...(refused === undefined ? {} : { cause: refused }),
  });
}

/** What was sent, to the byte: not by the microcontroller, but before it. */
export function isEcho({ sent, got }: OtherMessage): boolean {
  const isAlike =
    got.version === sent.version && got.operation === sent.operation && isSameNumbers(sent, got);
  return isAlike && equalBytes(got.body, sent.body);
}

function instead(heard: HeardInstead): Instead {
  const { refused, isEchoed, foreign, cut, long, other } = heard;
  if (refused !== undefined) return unreadable(refused);
  if (isEchoed === true)
    return [
      "what was sent, echoed",
      "is RX joined with TX, or does a terminal server echo? the microcontroller does not hear it",
    ];
  if (foreign !== undefined) return otherThanAsked(foreign);
  if (cut === true)
    return [
      "the beginning of a message, and not its end",
      "is the line slower than its baud rate says, or are bytes lost? check cable, baud rate and flow control",
    ];
  if (long !== undefined) return tooLong(long);
  if (other.count > 0)
    return [
      `none, but ${other.count} bytes of something else, beginning ${JSON.stringify(Buffer.from(other.beginning).toString("latin1"))}`,
      "something else speaks on this port, or at another baud rate, or the firmware prints its log and has no SMP on this console",
    ];
  return ["none", "check the port, the baud rate, and that the firmware has SMP on this console"];
}

/** One line has one thing to do: what the message itself calls for. */
function unreadable(refused: Problem): Instead {
  return [
    `none that is whole: ${withoutHint(refused)}`,
    refused.detail.hint ?? "check the cable and the baud rate; is another program on the port?",
  ];
}

function otherThanAsked({ sent, got }: OtherMessage): Instead {
  const wanted = sent.operation === "read" || sent.operation === "write" ? ANSWER_OF[sent.operation] : "read";
  const [is, due] = [operationOf(got), operationOf({ version: got.version, operation: wanted })];
  if (isSameNumbers(sent, got) && got.operation === sent.operation)
    return [
      `an answer with the operation of a request, ${is}; expected ${due}`,
      "the operation of an answer is one more than that of its request: whoever writes the firmware needs this line",
    ];
  if (isSameNumbers(sent, got))
    return [
      `an answer to another operation, ${is}; expected ${due}`,
      "a read is answered as a read, and a write as a write: whoever writes the firmware needs this line",
    ];
  return [
    `none, but a message to something else: ${numbersOf(got)}; expected ${numbersOf(sent)}`,
    whose({ sent, got }),
  ];
}

function whose({ sent, got }: OtherMessage): string {
  const swapped = ((got.group & 0xff) << 8) | (got.group >> 8);
  if (got.group !== sent.group && swapped === sent.group && got.command === sent.command)
    return "the group has the greater of its two bytes first: whoever writes the firmware needs this line";
  if (got.group === sent.group && got.command === sent.command)
    return "it answers later than that, or to another number than that of the request: end other programs on this port; where there are none, whoever writes the firmware needs this line";
  return "end other programs on this port; where there are none, the microcontroller answers later than that: tell its maker";
}

function tooLong({ bytes, longestAnswered, bufferBytes }: LongRequest): Instead {
  const buffer =
    bufferBytes === undefined
      ? "it does not say its buf_size, and has to take 256"
      : `it says that its buf_size is ${bufferBytes}`;
  return [
    `none to a message of ${bytes} bytes; the longest that it answered has ${longestAnswered}, and ${buffer}`,
    "the firmware has to take messages as long as that: is a buffer of it shorter? where short ones are not answered any more either, check the port and its power",
  ];
}

function isSameNumbers(sent: SmpMessage, got: SmpMessage): boolean {
  return got.group === sent.group && got.command === sent.command && got.sequence === sent.sequence;
}

function numbersOf({ group, command, sequence }: SmpMessage): string {
  return `group ${group}, command ${command}, number ${sequence}`;
}

function operationOf(message: Pick<SmpMessage, "version" | "operation">): string {
  return firstByteOf(message).toString(16).padStart(2, "0");
}
