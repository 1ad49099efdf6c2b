import type { Problem } from "../../attest/problem.ts";
import { type LineAddress, lineFormat, lineName, type SerialFormat } from "./address.ts";
import { lineKey } from "./line-key.ts";
import { closedDriver } from "./problems.ts";

/** What users of a line talk over once it is open. Made once: what is lost is replaced by another. */
export interface Connection {
  /** The line went down by itself or was closed. */
  readonly lost: boolean;
  /** Never throws, may be called twice. */
  close(): Promise<void>;
}

/** How connections of one kind are made and shared. */
export interface SharedLinesRules<Open extends Connection> {
  /** Opens the line. Throws a Problem `line-…` where it cannot be. */
  open(address: LineAddress, defaults: SerialFormat): Promise<Open>;
  /** Before each conversation; what it throws is thrown by the conversation. */
  makeReady(connection: Open): Promise<void>;
  /** Two users want other settings for one line: those that it has, and those that are wanted. */
  conflict(address: LineAddress, known: string, wanted: string): Problem;
}

/** One user's hold on a line. */
export interface LeasedLine<Open extends Connection> {
  /** How messages call it. */
  readonly name: string;
  /**
   * One conversation at a time, in the order of asking. The line is opened when the first one needs it, and anew after
   * it was lost; a conversation that fails leaves it open.
   *
   * @throws Problem `line-…` where it cannot be opened, `driver-closed`, what makes it ready throws, and whatever the
   *   conversation throws
   */
  talk<T>(conversation: (connection: Open) => Promise<T>): Promise<T>;
  /** Gives the line back; the last user closes it. Never throws, may be called twice. */
  release(): Promise<void>;
}

/** Lines that are opened once each, however many use them. */
export class SharedLines<Open extends Connection> {
  readonly #rules: SharedLinesRules<Open>;
  readonly #shared = new Map<string, SharedLine<Open>>();

  constructor(rules: SharedLinesRules<Open>) {
    this.#rules = rules;
  }

  /**
   * The line of an address, a new one or one that others use already. Does not touch it yet.
   *
   * @param defaults what a serial address that does not say means
   * @throws Problem the rules' conflict when another user wants other settings for the line
   */
  lease(address: LineAddress, defaults: SerialFormat): LeasedLine<Open> {
    const key = lineKey(address, this.#shared);
    const format = lineFormat(address, defaults);
    const known = this.#shared.get(key);
    if (known !== undefined && known.format !== format)
      throw this.#rules.conflict(address, known.format, format);
    const shared = known ?? new SharedLine(this.#rules, address, { defaults, format });
    this.#shared.set(key, shared);
    return this.#held(key, shared, lineName(address));
  }

  #held(key: string, shared: SharedLine<Open>, name: string): LeasedLine<Open> {
    shared.users += 1;
    let released: Promise<void> | undefined;
    const release = async (): Promise<void> => {
      shared.users -= 1;
      if (shared.users > 0) return;
      await shared.close();
      if (this.#shared.get(key) === shared && shared.users === 0) this.#shared.delete(key);
    };
    return {
      name,
      talk: (conversation) =>
        shared.talk((connection) => {
          if (released !== undefined) throw closedDriver();
          return conversation(connection);
        }),
      release: () => {
        released ??= release();
        return released;
      },
    };
  }
}

class SharedLine<Open extends Connection> {
  readonly address: LineAddress;
  readonly format: string;
  users = 0;
  readonly #rules: SharedLinesRules<Open>;
  readonly #defaults: SerialFormat;
  #turn: Promise<unknown> = Promise.resolve();
  #open: Open | undefined;

  constructor(
    rules: SharedLinesRules<Open>,
    address: LineAddress,
    { defaults, format }: { readonly defaults: SerialFormat; readonly format: string },
  ) {
    this.#rules = rules;
    this.address = address;
    this.#defaults = defaults;
    this.format = format;
  }

  talk<T>(conversation: (connection: Open) => Promise<T>): Promise<T> {
    const turn = this.#turn.then(async () => {
      const connection = await this.#opened();
      await this.#rules.makeReady(connection);
      return await conversation(connection);
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

  async #opened(): Promise<Open> {
    if (this.users === 0) throw closedDriver();
    if (this.#open?.lost === false) return this.#open;
    await this.#open?.close();
    this.#open = undefined;
    this.#open = await this.#rules.open(this.address, this.#defaults);
    return this.#open;
  }
}
