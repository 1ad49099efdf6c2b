import { chmodSync, lstatSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { describeProblem, Problem } from "../../attest/problem.ts";
import type { Logger } from "../../runtime/log.ts";
import { type AccessRules, answer, type Questions } from "./http-answers.ts";
import type { OutletReport } from "./report.ts";

/** Where questions are taken: a TCP port, or a socket in the file system. */
export type Place = { readonly host: string; readonly port: number } | { readonly path: string };

export interface DoorOptions {
  /** Beginning of the names of its log lines: "http", "socket". */
  readonly name: "http" | "socket";
  readonly place: Place;
  /** Asked at every attempt, so that a corrected file is taken up; what it throws is logged. */
  readonly rules: () => AccessRules;
  readonly questions: Questions;
  readonly logger: Logger;
  /** Between attempts to listen, ms. */
  readonly retryMs?: number;
}

/** An `import` of it would load the fetch client, too, for the names that it exports: 10 MB of a gateway's memory. */
const { createServer } = process.getBuiltinModule("node:http");
const RETRY_MS = 60_000;
const LIMITS = {
  maxHeaderSize: 8192,
  headersTimeout: 10_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 2000,
};
const MAX_CONNECTIONS = 16;
/** Whoever opens the socket may order: its own user, and root. */
const PRIVATE = 0o600;
/** Nobody needs so long to take a few KB; one who does not read is not waited for. */
const IDLE_MS = 30_000;
/** sun_path of unix(7) has 108 bytes with the final zero. */
const MOST_PATH_BYTES = 107;

/**
 * An HTTP server that must never keep the agent from its work: when it cannot listen it says so once, and tries again
 * until it can.
 */
export class Door {
  readonly #options: DoorOptions;
  #server: Server | undefined;
  #retry: NodeJS.Timeout | undefined;
  #problem: Problem | undefined;
  #address: string;
  #stopped = false;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#address = shownPlace(options.place);
  }

  get report(): OutletReport {
    const problem = this.#problem?.message;
    return {
      ...{ address: this.#address, working: this.#server?.listening === true },
      ...(problem === undefined ? {} : { problem }),
    };
  }

  /** Resolves when the first attempt is over. Never rejects. */
  async start(): Promise<void> {
    if (this.#stopped) return;
    const { name, logger, retryMs = RETRY_MS } = this.#options;
    try {
      await this.#open();
      this.#problem = undefined;
      logger.info(name === "http" ? "http-listening" : "socket-listening", { address: this.#address });
    } catch (thrown) {
      const problem = openProblem(this.#options, thrown);
      // One line when the reason changes, not one per attempt.
      if (problem.message !== this.#problem?.message)
        logger.problem(name === "http" ? "http-failed" : "socket-failed", problem);
      this.#problem = problem;
      if (!this.#stopped) this.#retry = setTimeout(() => void this.start(), retryMs).unref();
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    const server = this.#server;
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  async #open(): Promise<void> {
    const { place, questions } = this.#options;
    const rules = this.#options.rules();
    const server = createServer(LIMITS, (request, response) => {
      answer(request, response, { questions, rules }).catch(() => response.destroy());
    });
    server.maxConnections = MAX_CONNECTIONS;
    server.setTimeout(IDLE_MS);
    if ("path" in place) clearPath(place.path);
    await listening(server, place);
    this.#server = server;
    // Such as when the process has no more file descriptors: whoever asks waits, the agent goes on.
    server.on("error", (error) => this.#options.logger.problem("http-error", error));
    // Behind a private folder anyway; this is for one that is not.
    if ("path" in place) chmodSync(place.path, PRIVATE);
    else this.#address = addressOf(server, place);
    if (this.#stopped) await this.stop();
  }
}

function listening(server: Server, place: Place): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const listen = (): void => {
      server.listen(place, () => {
        server.off("error", reject);
        resolve();
      });
    };
    if ("path" in place) privately(listen);
    else listen();
  });
}

/** What is made meanwhile is for this user alone: a chmod behind it would let others in for a moment. */
function privately(make: () => void): void {
  const before = process.umask(0o777 & ~PRIVATE);
  try {
    make();
  } finally {
    process.umask(before);
  }
}

/** Only a socket is taken away: one that a killed agent left behind. Whoever opens it holds the journal's lock. */
function clearPath(path: string): void {
  if (Buffer.byteLength(path) > MOST_PATH_BYTES)
    throw new Problem("socket-path", "the path of the socket is too long", {
      where: path,
      expected: `at most ${MOST_PATH_BYTES} bytes`,
      hint: "name a shorter path as journal, or configure http",
    });
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) rmSync(path);
}

function shownPlace(place: Place): string {
  if ("path" in place) return place.path;
  return `http://${place.host.includes(":") ? `[${place.host}]` : place.host}:${place.port}`;
}

function addressOf(server: Server, place: { readonly host: string; readonly port: number }): string {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : place.port;
  return shownPlace({ host: place.host, port });
}

function openProblem({ name, place }: DoorOptions, thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  const { code, message } = describeProblem(thrown);
  const inUse = code === "EADDRINUSE";
  const other = name === "http" ? "set another http.port" : "remove what has that name";
  return new Problem("listen", inUse ? "the address is in use" : "cannot listen there", {
    where: shownPlace(place),
    ...(inUse ? {} : { got: message }),
    hint: inUse
      ? `stop the other program, or ${other}`
      : "check http in the configuration, or the folder's rights",
    cause: thrown,
  });
}
