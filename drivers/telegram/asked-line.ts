import { realpathSync } from "node:fs";
import { Problem } from "../../attest/problem.ts";
import { type LineAddress, lineName, type SerialFormat } from "../line/address.ts";
import { createLine } from "../line/create.ts";
import type { ByteLine } from "../line/line.ts";
import { Talk } from "./talk.ts";
import { closedDriver } from "./waiters.ts";

/** Makes the next line to open; a line is opened once. */
export type CreateLine = (address: LineAddress, defaults: SerialFormat) => ByteLine;

/** One user's hold on a line that meters are asked over. */
export interface AskedLine {
  /**
   * One conversation at a time, in the order of asking. The line is opened when the first one needs it, and anew after
   * it was lost; a conversation that fails leaves it open.
   *
   * @throws Problem `line-…` where it cannot be opened, `driver-closed`, and whatever the conversation throws
   */
  talk<T>(conversation: (talk: Talk) => Promise<T>): Promise<T>;
  /** Gives the line back; the last user closes it. Never throws, may be called twice. */
  release(): Promise<void>;
}

/** The lines of a process that meters are asked over: one that several meters are on is opened once and shared. */
export class AskedLines {
  readonly #create: CreateLine;
  readonly #shared = new Map<string, SharedLine>();

  constructor(create: CreateLine = createLine) {
    this.#create = create;
  }

  /**
   * The line of an address, a new one or one that others use already. Does not touch it yet.
   *
   * @throws Problem `line-conflict` when another meter wants other settings for the line
   */
  lease(address: LineAddress, defaults: SerialFormat): AskedLine {
    const key = keyOf(address);
    const settings = address.kind === "serial" ? settingsText({ ...defaults, ...address }) : "";
    const shared = this.#shared.get(key) ?? new SharedLine(settings, () => this.#create(address, defaults));
    if (shared.settings !== settings) throw conflict(address, shared.settings, settings);
    this.#shared.set(key, shared);
    return this.#held(key, shared);
  }

  #held(key: string, shared: SharedLine): AskedLine {
    shared.users += 1;
    let released: Promise<void> | undefined;
    const release = async (): Promise<void> => {
      shared.users -= 1;
      if (shared.users > 0) return;
      await shared.close();
      if (this.#shared.get(key) === shared && shared.users === 0) this.#shared.delete(key);
    };
    return {
      talk: (conversation) =>
        shared.talk((talk) => {
          if (released !== undefined) throw closedDriver();
          return conversation(talk);
        }),
      release: () => {
        released ??= release();
        return released;
      },
    };
  }
}

/** The lines of this process. */
export const askedLines: AskedLines = new AskedLines();

/** {@link AskedLines.lease} of the lines of this process. */
export function askedLine(address: LineAddress, defaults: SerialFormat): AskedLine {
  return askedLines.lease(address, defaults);
}

class SharedLine {
  readonly settings: string;
  users = 0;
  readonly #create: () => ByteLine;
  #turn: Promise<unknown> = Promise.resolve();
  #open: Talk | undefined;

  constructor(settings: string, create: () => ByteLine) {
    this.settings = settings;
    this.#create = create;
  }

  talk<T>(conversation: (talk: Talk) => Promise<T>): Promise<T> {
    const turn = this.#turn.then(async () => {
      const talk = await this.#opened();
      await talk.begin();
      return await conversation(talk);
    });
    // Whoever asked gets the failure; the next one asks anew.
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** In its turn, so that whoever takes the line up meanwhile opens it anew behind it. */
  async close(): Promise<void> {
    // What is under way fails at once over a closed line.
    await this.#open?.close();
    const turn = this.#turn.then(async () => {
      const open = this.#open;
      this.#open = undefined;
      await open?.close();
    });
    this.#turn = turn;
    await turn;
  }

  async #opened(): Promise<Talk> {
    if (this.users === 0) throw closedDriver();
    if (this.#open?.lost === false) return this.#open;
    await this.#open?.close();
    this.#open = undefined;
    this.#open = await Talk.over(this.#create());
    return this.#open;
  }
}

/** The line of a port is one whatever name it was given. */
function keyOf(address: LineAddress): string {
  if (address.kind === "tcp") return `tcp ${address.host.toLowerCase()} ${address.port}`;
  try {
    return `serial ${realpathSync(address.path)}`;
  } catch {
    // Not plugged in: opening it will say so.
    return `serial ${address.path}`;
  }
}

/** "2400 8E1". */
function settingsText({ baudRate, dataBits, parity, stopBits }: SerialFormat): string {
  return `${baudRate} ${dataBits}${parity.charAt(0).toUpperCase()}${stopBits}`;
}

function conflict(address: LineAddress, known: string, wanted: string): Problem {
  return new Problem("line-conflict", "two meters on one line want different settings for it", {
    where: lineName(address),
    expected: known,
    got: wanted,
    hint: "give all meters of a line the same baud rate and format",
  });
}
