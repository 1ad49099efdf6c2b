import type { Logger } from "../../runtime/log.ts";
import type { AgentConfig } from "../config/config.ts";
import { requireReloadable } from "./reloadable.ts";

/** What a reload needs of an agent. */
export interface Restartable {
  start(): void;
  stop(): Promise<void>;
}

export interface ReloadingOptions<A extends Restartable> {
  readonly config: AgentConfig;
  /** Reads the configuration again; throws what is wrong with it. */
  readonly load: () => AgentConfig;
  /** An agent with that configuration, not started; throws when it cannot be. */
  readonly make: (config: AgentConfig) => A;
  /** A logger with that configuration's level. */
  readonly logger: (config: AgentConfig) => Logger;
}

/**
 * The agent of this process, which takes another configuration without the process ending: the one that runs commits,
 * signs and closes its journal, and one with the new configuration goes on behind its last leaf. A configuration that is
 * wrong changes nothing; one with which no agent can be made gives way to the one before.
 */
export class ReloadingAgent<A extends Restartable> {
  readonly #options: ReloadingOptions<A>;
  #config: AgentConfig;
  #agent: A;
  #work: Promise<void> = Promise.resolve();
  #wanted = false;
  #stopping = false;
  readonly #broken: PromiseWithResolvers<never> = Promise.withResolvers();

  /** Throws what `make` throws. */
  constructor(options: ReloadingOptions<A>) {
    this.#options = options;
    this.#config = options.config;
    this.#agent = options.make(options.config);
  }

  get agent(): A {
    return this.#agent;
  }

  /** Rejects when no agent runs any more, not even with the configuration before. */
  get broken(): Promise<never> {
    return this.#broken.promise;
  }

  start(): void {
    this.#agent.start();
  }

  /** Reads the configuration again soon; asked for several times meanwhile, once. */
  reload(): void {
    if (this.#wanted || this.#stopping) return;
    this.#wanted = true;
    this.#work = this.#work.then(() => this.#reload()).catch(this.#broken.reject);
  }

  /** After what is under way. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#work;
    await this.#agent.stop();
  }

  async #reload(): Promise<void> {
    this.#wanted = false;
    const config = this.#stopping ? undefined : this.#read();
    if (config === undefined) return;
    const stoppedMs = performance.now();
    await this.#agent.stop();
    if (this.#runWith(config)) {
      const quietMs = Math.round(performance.now() - stoppedMs);
      const { path, devices, nodes } = config;
      const logger = this.#options.logger(config);
      logger.info("config-reloaded", { path, devices: devices.length, nodes: nodes.length, quietMs });
    }
  }

  #read(): AgentConfig | undefined {
    try {
      const config = this.#options.load();
      requireReloadable(this.#config, config);
      return config;
    } catch (cause) {
      const logger = this.#options.logger(this.#config);
      logger.problem("config-refused", cause, { path: this.#config.path });
      return undefined;
    }
  }

  /** False when the agent runs with the configuration before. */
  #runWith(config: AgentConfig): boolean {
    try {
      this.#start(config);
      return true;
    } catch (cause) {
      const logger = this.#options.logger(this.#config);
      logger.problem("config-put-back", cause, { path: config.path });
      this.#start(this.#config);
      return false;
    }
  }

  #start(config: AgentConfig): void {
    const agent = this.#options.make(config);
    agent.start();
    this.#agent = agent;
    this.#config = config;
  }
}
