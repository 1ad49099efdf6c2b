import { Problem } from "../../attest/problem.ts";
import type { MeterIdentity } from "../driver.ts";
import type { TelegramProtocol } from "../telegram/protocol.ts";
import type { Framed, Framer } from "../telegram/telegram.ts";
import { type ExpectedSpeaker, isSevenBit } from "./listen-plan.ts";
import { isOfKind } from "./rivals.ts";

/** What is known of one kind of meter from what a line has said so far; the later says more. */
const KINDS = ["nothing", "damaged", "refused", "nameless", "locked", "named"] as const;

export type HeardKind = (typeof KINDS)[number];

/** Who speaks, as far as that is known. */
export interface Hearing extends ExpectedSpeaker {
  /** Name of its telegrams: "dsmr telegram". */
  readonly what: string;
  readonly kind: HeardKind;
  readonly identity?: MeterIdentity;
  /** Why its telegram was refused though it arrived whole; `locked`: no other telegram mends that. */
  readonly problem?: Problem;
}

/** Gives the bytes of one line to all who may know them. */
export class Ear {
  readonly #listeners: readonly Listener[];

  constructor(speakers: readonly ExpectedSpeaker[]) {
    this.#listeners = speakers.map((speaker) => new Listener(speaker));
  }

  take(bytes: Uint8Array): void {
    for (const listener of this.#listeners) listener.take(bytes);
  }

  /** Whom the line is taken for; undefined as long as no telegram came whole. Of two that fit as well the first one. */
  best(): Hearing | undefined {
    const known = this.#listeners
      .map(({ hearing }) => hearing)
      .filter(({ kind }) => atLeast(kind, "refused"))
      .sort((a, b) => KINDS.indexOf(b.kind) - KINDS.indexOf(a.kind));
    return known[0];
  }

  /** A telegram came that was damaged: the settings may be right all the same. */
  get damaged(): boolean {
    return this.#listeners.some(({ hearing }) => hearing.kind !== "nothing");
  }
}

/** Whether there is nothing more to wait for. */
export function isKnown({ kind }: Hearing): boolean {
  return atLeast(kind, "locked");
}

function atLeast(kind: HeardKind, least: HeardKind): boolean {
  return KINDS.indexOf(kind) >= KINDS.indexOf(least);
}

class Listener {
  hearing: Hearing;
  readonly #protocol: TelegramProtocol;
  readonly #framer: Framer;

  constructor({ listening, format }: ExpectedSpeaker) {
    this.#protocol = listening.createProtocol();
    this.#framer = this.#protocol.createFramer();
    this.hearing = { listening, format, what: this.#protocol.what, kind: "nothing" };
  }

  take(bytes: Uint8Array): void {
    const characters = isSevenBit(this.hearing.format) ? bytes.map((byte) => byte & 0x7f) : bytes;
    for (const framed of this.#framer.push(characters)) this.#learn(this.#judge(framed));
  }

  #learn(heard: Pick<Hearing, "kind" | "identity" | "problem">): void {
    if (!atLeast(heard.kind, this.hearing.kind)) return;
    const { listening, format, what } = this.hearing;
    this.hearing = { listening, format, what, ...heard };
  }

  #judge(framed: Framed): Pick<Hearing, "kind" | "identity" | "problem"> {
    if (framed.kind === "refused") return { kind: "damaged" };
    if (!isOfKind(this.hearing.listening.driver, framed.bytes)) return { kind: "nothing" };
    try {
      const identity = this.#protocol.decode(framed.bytes)?.identity;
      return identity === undefined ? { kind: "nameless" } : { kind: "named", identity };
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      return { kind: this.#protocol.finalCodes.includes(problem.code) ? "locked" : "refused", problem };
    }
  }
}
