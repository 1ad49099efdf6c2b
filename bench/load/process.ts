import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

/** What a process of the load answers to: its questions by name. */
export type Answers<T> = { readonly [K in keyof T]: (value: never) => unknown };
type Question<T, K extends keyof T> = T[K] extends (value: infer Value) => unknown ? Value : never;
type Answer<T, K extends keyof T> = T[K] extends (value: never) => infer Value ? Awaited<Value> : never;

interface Asked {
  readonly id: number;
  readonly name: string;
  readonly value: unknown;
}
type Answered = { readonly id: number } & ({ readonly value: unknown } | { readonly error: string });

/** Where a process runs, and with which flags of Node. */
export interface ProcessOptions {
  readonly execArgv?: readonly string[];
  /** The core it is kept to where the system has `taskset`; any of them when left out. */
  readonly core?: number;
}

/** A process of its own, started from a file beside this one, and asked one thing at a time. */
export class LoadProcess<T extends Answers<T>> {
  readonly #child: ChildProcess;
  readonly #ended: Promise<never>;
  #next = 0;

  constructor(file: string, { execArgv = [], core }: ProcessOptions = {}) {
    const command = [process.execPath, ...execArgv, fileURLToPath(new URL(file, import.meta.url))];
    const [program = "", ...args] =
      core !== undefined && hasTaskset() ? [...pinned(core), ...command] : command;
    const stdio = ["ignore", "inherit", "inherit", "ipc"] as const;
    this.#child = spawn(program, args, { stdio: [...stdio], serialization: "advanced" });
    this.#ended = once(this.#child, "exit").then(([code, signal]): never => {
      throw new Error(`${file} has ended with ${code ?? signal}`);
    });
    // Whoever asks next is told; nobody may be asking now.
    this.#ended.catch(() => undefined);
  }

  /** Rejects with what the process threw, as text, or when it ends. */
  async ask<K extends keyof T & string>(name: K, value: Question<T, K>): Promise<Answer<T, K>> {
    const id = this.#next++;
    const answer = new Promise<unknown>((resolve, reject) => {
      const take = (message: Answered): void => {
        if (message.id !== id) return;
        this.#child.off("message", take);
        if ("error" in message) reject(new Error(message.error));
        else resolve(message.value);
      };
      this.#child.on("message", take);
    });
    this.#child.send({ id, name, value } satisfies Asked);
    // The process was started from a file whose answers are those of T.
    return (await Promise.race([answer, this.#ended])) as Answer<T, K>;
  }

  /** Lets the process end by itself. */
  async end(): Promise<void> {
    this.#child.disconnect();
    await this.#ended.catch(() => undefined);
  }
}

/** The other end of {@link LoadProcess}: answers until the asking process goes away. */
export function answer<T extends Answers<T>>(answers: T): void {
  const named = new Map<string, (value: never) => unknown>(Object.entries(answers));
  process.on("message", (message) => {
    // Only LoadProcess has the other end of the channel.
    const { id, name, value } = message as Asked;
    void reply(id, async () => named.get(name)?.(value as never));
  });
  process.once("disconnect", () => process.exit());
}

async function reply(id: number, run: () => Promise<unknown>): Promise<void> {
  try {
    process.send?.({ id, value: await run() } satisfies Answered);
  } catch (cause) {
    const error = cause instanceof Error ? cause.message : String(cause);
    process.send?.({ id, error } satisfies Answered);
  }
}

/** The last core is 0, the one before it 1; nothing where there are not so many. */
export function coreFromEnd(place: number): Pick<ProcessOptions, "core"> {
  const core = availableParallelism() - 1 - place;
  return core >= 0 ? { core } : {};
}

function pinned(core: number): readonly string[] {
  return ["taskset", "--cpu-list", String(core)];
}

let taskset: boolean | undefined;

function hasTaskset(): boolean {
  taskset ??= spawnSync("taskset", ["--version"]).status === 0;
  return taskset;
}
