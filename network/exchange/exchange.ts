import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { fromHex } from "../../attest/bytes.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import type { ExchangeContext } from "./exchange-context.ts";
import { HistoryCache } from "./history-cache.ts";
import { DEFAULT_LIMITS, type PeerIdentity, type PeerLimits, PeerQuestions } from "./peer.ts";
import type { PeerConfig } from "./peers-config.ts";
import { exchangeRound, PeerMemory, type RoundReport } from "./round.ts";
import { httpTransport, type Transport } from "./transport.ts";

/** When peers are asked. */
export interface ExchangeTiming {
  readonly intervalMs: number;
  /** Longest wait after failures. */
  readonly longestMs: number;
}

export const DEFAULT_TIMING: ExchangeTiming = { intervalMs: 60_000, longestMs: 3_600_000 };
const MAX_FILE_BYTES = 65_536;

export interface ExchangeParts extends Omit<ExchangeContext, "histories"> {
  readonly peers: readonly PeerConfig[];
  readonly timing?: ExchangeTiming;
  readonly limits?: PeerLimits;
  /** How a peer is reached; HTTP, with the certificate authority of its configuration, where it is left out. */
  readonly transport?: (peer: PeerConfig) => Transport;
  /** 0 to below 1. */
  readonly random?: () => number;
  /** Resolves after so many ms; rejects when the signal aborts. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** How one peer stands. */
export interface PeerState {
  readonly url: string;
  /** The node's clock at the end of the last round that succeeded; undefined before the first. */
  readonly lastRoundMs: number | undefined;
  /** Rounds that failed since then, and why the last one did. */
  readonly failures: number;
  readonly problem: string | undefined;
  /** Since the start. */
  readonly heads: number;
  readonly unknown: number;
  readonly refused: number;
}

export interface RunningExchange {
  states(): readonly PeerState[];
  /** Ends the rounds in hand; resolves when nothing of them is left. */
  stop(): Promise<void>;
}

/** Starts asking every peer, each in its own time. Throws `exchange-file` where a file of a peer cannot be read. */
export function startExchange(parts: ExchangeParts): RunningExchange {
  const stopped = new AbortController();
  const context: ExchangeContext = { ...parts, histories: new HistoryCache(parts.store) };
  const askers = parts.peers.map((peer) => new Asker(context, parts, peer));
  const running = askers.map((asker) => asker.run(stopped.signal));
  return {
    states: () => askers.map((asker) => asker.state()),
    stop: async () => {
      stopped.abort();
      await Promise.all(running);
    },
  };
}

class Asker {
  readonly #context: ExchangeContext;
  readonly #parts: ExchangeParts;
  readonly #config: PeerConfig;
  readonly #peer: PeerIdentity;
  readonly #transport: Transport;
  readonly #memory = new PeerMemory();
  #lastRoundMs: number | undefined;
  #failures = 0;
  #problem: string | undefined;
  #total: RoundReport = { heads: 0, unknown: 0, refused: 0 };

  constructor(context: ExchangeContext, parts: ExchangeParts, config: PeerConfig) {
    this.#context = context;
    this.#parts = parts;
    this.#config = config;
    this.#peer = { url: config.url, key: fromHex(config.key, "peers.key") };
    const ca = config.ca === undefined ? undefined : readText(config.ca);
    this.#transport = parts.transport?.(config) ?? httpTransport(ca);
    this.#token();
  }

  state(): PeerState {
    const { url } = this.#config;
    const [lastRoundMs, failures, problem] = [this.#lastRoundMs, this.#failures, this.#problem];
    return { url, lastRoundMs, failures, problem, ...this.#total };
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#pause(signal);
      if (!signal.aborted) await this.#round(signal);
    }
    this.#transport.close();
  }

  /** Full jitter: nodes that were started together, or that lost one peer together, do not ask together. */
  async #pause(signal: AbortSignal): Promise<void> {
    const { timing = DEFAULT_TIMING, random = Math.random } = this.#parts;
    const { intervalMs, longestMs } = timing;
    const longest = Math.min(longestMs, intervalMs * 2 ** Math.min(this.#failures, 16));
    const ms = Math.round(longest / 2 + random() * longest);
    const pause =
      this.#parts.wait ?? ((wanted, stop) => wait(wanted, undefined, { signal: stop, ref: false }));
    await pause(ms, signal).catch((cause: unknown) => {
      if (!signal.aborted) throw cause;
    });
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { limits = DEFAULT_LIMITS } = this.#parts;
    const { url } = this.#config;
    try {
      const questions = new PeerQuestions({
        ...{ peer: this.#peer, transport: this.#transport, token: () => this.#token(), limits, signal },
      });
      const report = await exchangeRound({
        ...{ context: this.#context, peer: this.#peer, questions, memory: this.#memory },
      });
      this.#succeeded(report);
    } catch (thrown) {
      if (signal.aborted) return;
      this.#failures += 1;
      const { message } = describeProblem(thrown);
      // Once for each reason: a peer that is gone for a week must not fill the log.
      if (message !== this.#problem) this.#context.logger.problem("exchange-failed", thrown, { peer: url });
      this.#problem = message;
    }
  }

  #succeeded({ heads, unknown, refused }: RoundReport): void {
    if (this.#failures > 0) this.#context.logger.info("exchange-failed-over", { peer: this.#config.url });
    this.#failures = 0;
    this.#problem = undefined;
    this.#lastRoundMs = this.#context.nowMs();
    const total = this.#total;
    this.#total = {
      heads: total.heads + heads,
      unknown: total.unknown + unknown,
      refused: total.refused + refused,
    };
  }

  #token(): string | undefined {
    const { tokenFile } = this.#config;
    return tokenFile === undefined ? undefined : readText(tokenFile).trim();
  }
}

function readText(path: string): string {
  try {
    const text = readFileSync(path, "utf8");
    if (text.length > 0 && text.length <= MAX_FILE_BYTES) return text;
    throw new Problem("exchange-file", "a file of a peer is empty or too large", {
      ...{ where: path, expected: `1 to ${MAX_FILE_BYTES} bytes`, got: String(text.length) },
    });
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw new Problem("exchange-file", "a file of a peer cannot be read", {
      ...{
        where: path,
        got: describeProblem(cause).message,
        hint: "check peers in the configuration",
        cause,
      },
    });
  }
}
