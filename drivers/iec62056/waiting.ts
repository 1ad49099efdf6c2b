import { Problem } from "../../attest/problem.ts";
import { StreamFramer } from "../telegram/stream-framer.ts";
import type { Talk } from "../telegram/talk.ts";
import type { Framed, Framer } from "../telegram/telegram.ts";
import { CHARACTER_BITS, NAK, SLASH, SOH, STX } from "./characters.ts";
import { messageFormat } from "./message.ts";
import type { Pace } from "./pace.ts";

/** The framer of a conversation; it counts, so that a long message is told from silence. */
class CountingFramer implements Framer {
  readonly #framer = new StreamFramer(messageFormat);
  bytes = 0;

  push(bytes: Uint8Array): readonly Framed[] {
    this.bytes += bytes.length;
    return this.#framer.push(bytes);
  }

  end(): readonly Framed[] {
    return this.#framer.end();
  }
}

/** What is waited for, how long at most until it begins, and when there is no more time at all. */
export interface Awaited {
  readonly what: "identification" | "data";
  readonly firstMs: number;
  /** By `performance.now()`. */
  readonly endMs: number;
}

/** Messages of the meter, in the order in which they come. */
export class Messages {
  readonly #talk: Talk;
  readonly #pace: Pace;
  readonly #framer = new CountingFramer();

  constructor(talk: Talk, pace: Pace) {
    this.#talk = talk;
    this.#pace = pace;
  }

  /**
   * The next message of the kind, whatever comes before it: what an optical head echoes, characters that a change of
   * rate spoilt. Ends at the latest when the meter falls silent or the time is up, with what came instead.
   *
   * @throws Problem `iec62056-silent`, `iec62056-refused`, `iec62056-break`, those of damaged messages, `line-…`
   */
  async next({ what, firstMs, endMs }: Awaited): Promise<Uint8Array> {
    let problem: Problem | undefined;
    let waitMs = firstMs;
    for (;;) {
      const before = this.#framer.bytes;
      const framed = await this.#talk.receive(this.#framer, Math.min(waitMs, endMs - performance.now()));
      if (framed === undefined && (this.#framer.bytes === before || performance.now() >= endMs))
        throw problem ?? this.#nothing(what, this.#framer.bytes > 0);
      if (framed?.kind === "refused") problem = framed.problem;
      else if (framed !== undefined && kindOf(framed.bytes) === what) return framed.bytes;
      else if (framed !== undefined) problem = unwanted(framed.bytes, this.#talk.name) ?? problem;
      waitMs = this.#pace.characterMs + this.#pace.latencyMs;
    }
  }

  #nothing(what: string, heard: boolean): Problem {
    return new Problem("iec62056-silent", `the meter sent no ${what}`, {
      where: this.#talk.name,
      got: heard ? "bytes that are none" : "silence",
      hint:
        what === "data"
          ? "if it stays, set maxBaudRate to 300 or a greater baudChangeDelayMs"
          : "check that the optical head sits straight on the port, the address, and that the line is 300 baud 7E1",
    });
  }
}

function kindOf(message: Uint8Array): "identification" | "data" | "other" {
  const first = (message[0] ?? 0) & CHARACTER_BITS;
  if (first === SLASH) return "identification";
  return first === STX ? "data" : "other";
}

function unwanted(message: Uint8Array, where: string): Problem | undefined {
  const first = (message[0] ?? 0) & CHARACTER_BITS;
  if (first === NAK)
    return new Problem("iec62056-refused", "the meter refuses what it was asked (NAK)", { where });
  if (first === SOH) return new Problem("iec62056-break", "the meter ended the conversation", { where });
  return undefined;
}
