import { realpathSync } from "node:fs";
import { Problem } from "../../attest/problem.ts";
import { type LineAddress, lineName, type SerialFormat } from "../../drivers/line/address.ts";
import { createLine } from "../../drivers/line/create.ts";
import type { CreateLine } from "../../drivers/telegram/asked-line.ts";
import { closedDriver } from "../../drivers/telegram/waiters.ts";
import { type ConnectionSettings, SmpConnection } from "../smp/connection.ts";
import { learnParameters } from "../smp/os-group.ts";

/** What a serial address that does not say means. */
export const COPROCESSOR_FORMAT: SerialFormat = {
  ...{ baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1 },
};

/** One user's hold on a coprocessor, which meters for one and signs for another. */
export interface CoprocessorLine {
  readonly name: string;
  /**
   * One conversation at a time, in the order of asking. The line is opened when the first one needs it, and anew after it
   * was lost; a conversation that fails leaves it open.
   *
   * @throws Problem `line-…` where it cannot be opened, `smp-timeout` where nobody answers, `driver-closed`, and whatever
   *   the conversation throws
   */
  talk<T>(conversation: (connection: SmpConnection) => Promise<T>): Promise<T>;
  /** Gives the line back; the last user closes it. Never throws, may be called twice. */
  release(): Promise<void>;
}

/** The lines of a process that coprocessors are on: each is opened once, however many use it. */
export class CoprocessorLines {
  readonly #create: CreateLine;
  readonly #settings: ConnectionSettings;
  readonly #shared = new Map<string, SharedConnection>();

  constructor(create: CreateLine = createLine, settings: ConnectionSettings = {}) {
    this.#create = create;
    this.#settings = settings;
  }

  /**
   * The line of an address, a new one or one that others use already. Does not touch it yet.
   *
   * @throws Problem `coprocessor-line-conflict` where another user wants other settings for it
   */
  lease(address: LineAddress): CoprocessorLine {
    const key = keyOf(address);
    const format = address.kind === "serial" ? formatText({ ...COPROCESSOR_FORMAT, ...address }) : "";
    const known = this.#shared.get(key);
    if (known !== undefined && known.format !== format) throw conflict(address, known.format, format);
    const shared = known ?? new SharedConnection(format, () => this.#open(address));
    this.#shared.set(key, shared);
    shared.users += 1;
    return this.#held(key, shared, lineName(address));
  }

  #open(address: LineAddress): Promise<SmpConnection> {
    return SmpConnection.over(this.#create(address, COPROCESSOR_FORMAT), this.#settings);
  }

  #held(key: string, shared: SharedConnection, name: string): CoprocessorLine {
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

/** The lines of this process. */
export const coprocessorLines: CoprocessorLines = new CoprocessorLines();

class SharedConnection {
  readonly format: string;
  users = 0;
  readonly #create: () => Promise<SmpConnection>;
  #turn: Promise<unknown> = Promise.resolve();
  #open: SmpConnection | undefined;
  /** The connection whose buffers are known. */
  #learnt: SmpConnection | undefined;

  constructor(format: string, create: () => Promise<SmpConnection>) {
    this.format = format;
    this.#create = create;
  }

  talk<T>(conversation: (connection: SmpConnection) => Promise<T>): Promise<T> {
    const turn = this.#turn.then(async () => conversation(await this.#ready()));
    // Whoever asked gets the failure; the next one asks anew.
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** In its turn, so that whoever takes the line up meanwhile opens it anew behind it. */
  async close(): Promise<void> {
    // What is under way fails at once over a closed line.
    await this.#open?.close();
    const turn = this.#turn.then(() => this.#open?.close());
    this.#turn = turn;
    await turn;
  }

  async #ready(): Promise<SmpConnection> {
    if (this.users === 0) throw closedDriver();
    if (this.#open === undefined || this.#open.lost) {
      await this.#open?.close();
      this.#open = undefined;
      this.#open = await this.#create();
    }
    if (this.#learnt !== this.#open) await learnParameters(this.#open);
    this.#learnt = this.#open;
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

/** "115200 8N1". */
function formatText({ baudRate, dataBits, parity, stopBits }: SerialFormat): string {
  return `${baudRate} ${dataBits}${parity.charAt(0).toUpperCase()}${stopBits}`;
}

function conflict(address: LineAddress, known: string, wanted: string): Problem {
  return new Problem("coprocessor-line-conflict", "one line is wanted with two settings", {
    where: lineName(address),
    expected: known,
    got: wanted,
    hint: "give meter and signer of a coprocessor the same line",
  });
}
