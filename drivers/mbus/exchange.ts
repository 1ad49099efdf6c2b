import { Problem } from "../../attest/problem.ts";
import { present } from "../present.ts";
import type { Talk } from "../telegram/talk.ts";
import type { Framed, Framer } from "../telegram/telegram.ts";
import { isFromMaster, type MbusFrame, parseFrame } from "./frame.ts";
import { MbusFramer } from "./framing.ts";
import type { MbusTiming } from "./timing.ts";

/** What a master waits for. */
export interface Expected {
  /** Undefined where the frame is the answer, else why it is not: then the master goes on listening. */
  readonly refuse: (frame: MbusFrame, bytes: Uint8Array) => Problem | undefined;
  /** Who was asked, for messages. */
  readonly where: string;
}

/** What came of a request. */
export type Outcome =
  | { readonly kind: "answer"; readonly bytes: Uint8Array }
  /** `heard` bytes that were no answer; `problem`: what they were, where that could be told. */
  | { readonly kind: "none"; readonly heard: boolean; readonly problem?: Problem };

/** Most frames that are looked at while one answer is waited for: a line that never falls silent holds nobody. */
const MAX_FRAMES = 50;

/** Over TCP, where the rate is not known, the wait for the first byte is longer than a meter's acknowledgement takes. */
const LONGEST_QUIET_MS = 1_000;

/** Requests of a master and the answers to them (EN 13757-2), one after the other. */
export class Exchange {
  readonly #talk: Talk;
  readonly #timing: MbusTiming;
  readonly #retries: number;

  constructor(talk: Talk, { timing, retries }: { readonly timing: MbusTiming; readonly retries: number }) {
    this.#talk = talk;
    this.#timing = timing;
    this.#retries = retries;
  }

  /** Sends the same request until it is answered, once and `retries` times more; a damaged answer is none. */
  async ask(request: Uint8Array, expected: Expected, retries: number = this.#retries): Promise<Outcome> {
    let outcome = await this.#once(request, expected);
    for (let repeat = 0; repeat < retries && outcome.kind === "none"; repeat += 1) {
      const again = await this.#once(request, expected);
      outcome = again.kind === "answer" || again.heard ? again : outcome;
    }
    // The next conversation may be another meter's.
    if (outcome.kind === "none" && retries > 0) await this.#quiet();
    return outcome;
  }

  /**
   * Sends until E5 comes.
   *
   * @throws Problem `driver-no-answer`
   */
  async acknowledged(request: Uint8Array, where: string): Promise<void> {
    const outcome = await this.ask(request, { refuse: refuseAllButAcknowledgement, where });
    if (outcome.kind === "none") throw noAnswer(where, outcome);
  }

  /** Sends what need not be answered; an acknowledgement that comes is not taken for the next request's. */
  async tell(request: Uint8Array): Promise<void> {
    const { beginMs, wholeMs } = this.#timing;
    await this.#talk.discard();
    await this.#talk.send(request);
    await this.#talk.quiet(Math.min(beginMs, LONGEST_QUIET_MS), wholeMs);
  }

  async #once(request: Uint8Array, { refuse }: Expected): Promise<Outcome> {
    const ear = new Ear();
    await this.#talk.discard();
    await this.#talk.send(request);
    const listened = await this.#listen(ear, refuse);
    // An answer that comes late must not be taken for the next request's.
    if (listened.kind === "none" && listened.heard) await this.#quiet();
    return listened;
  }

  #quiet(): Promise<void> {
    return this.#talk.quiet(this.#timing.gapMs, this.#timing.wholeMs);
  }

  async #listen(ear: Ear, refuse: Expected["refuse"]): Promise<Outcome> {
    const endMs = performance.now() + this.#timing.wholeMs;
    const judge = new Judge(refuse);
    for (let frames = 0; frames < MAX_FRAMES; frames += 1) {
      const framed = await this.#next(ear, endMs);
      // A frame that a false beginning swallowed comes out when nothing follows.
      const outcomes = framed === undefined ? ear.end() : [framed];
      const answer = outcomes.find((one) => judge.isAnswer(one));
      if (answer?.kind === "telegram") return { kind: "answer", bytes: answer.bytes };
      if (framed === undefined) break;
    }
    return present<Outcome>({ kind: "none", heard: ear.answered, problem: judge.problem });
  }

  /** Waits on while bytes come. */
  async #next(ear: Ear, endMs: number): Promise<Framed | undefined> {
    let waitMs = this.#timing.beginMs;
    for (;;) {
      ear.heard = false;
      const leftMs = Math.max(0, endMs - performance.now());
      const framed = await this.#talk.receive(ear, Math.min(waitMs, leftMs));
      if (framed !== undefined) return framed;
      if (!ear.heard || leftMs === 0) return undefined;
      waitMs = this.#timing.gapMs;
    }
  }
}

/** Tells the answer from whatever else is on the line, and keeps what was wrong first. */
class Judge {
  readonly #refuse: Expected["refuse"];
  problem: Problem | undefined;

  constructor(refuse: Expected["refuse"]) {
    this.#refuse = refuse;
  }

  isAnswer(framed: Framed): boolean {
    if (isEcho(framed)) return false;
    const problem =
      framed.kind === "refused" ? framed.problem : this.#refuse(parseFrame(framed.bytes), framed.bytes);
    this.problem ??= problem;
    return problem === undefined;
  }
}

/** A framer that knows whether bytes came. */
class Ear implements Framer {
  readonly #framer = new MbusFramer();
  heard = false;
  #received = 0;
  #echoed = 0;

  /** Whether more came than whole frames of a master, which are the own request's echo. */
  get answered(): boolean {
    return this.#received > this.#echoed;
  }

  push(bytes: Uint8Array): readonly Framed[] {
    this.heard = true;
    this.#received += bytes.length;
    const framed = this.#framer.push(bytes);
    for (const one of framed) {
      if (one.kind === "telegram" && isEcho(one)) this.#echoed += one.bytes.length;
    }
    return framed;
  }

  end(): readonly Framed[] {
    return this.#framer.end();
  }
}

/** Level converters of the simple kind send back what they are given. */
function isEcho(framed: Framed): boolean {
  if (framed.kind === "refused") return false;
  const frame = parseFrame(framed.bytes);
  return frame.kind !== "acknowledgement" && isFromMaster(frame.control);
}

function refuseAllButAcknowledgement(frame: MbusFrame): Problem | undefined {
  if (frame.kind === "acknowledgement") return undefined;
  return new Problem("mbus-unexpected", "a telegram came where an acknowledgement was due", {
    got: `a ${frame.kind} frame`,
  });
}

/** `driver-no-answer`, with what was heard instead as its cause. */
export function noAnswer(where: string, outcome: Extract<Outcome, { kind: "none" }>): Problem {
  const { heard, problem } = outcome;
  const detail = { where, expected: "an answer", cause: problem };
  if (problem !== undefined)
    return new Problem("driver-no-answer", "no good answer came", {
      ...detail,
      got: problem.message,
      hint: WIRING,
    });
  const got = heard ? "bytes that begin no frame" : "nothing";
  return new Problem("driver-no-answer", "the meter does not answer", { ...detail, got, hint: WIRING });
}

const WIRING =
  "check the address, the baud rate (2400 8E1 as a rule) and whether the level converter powers the bus";
