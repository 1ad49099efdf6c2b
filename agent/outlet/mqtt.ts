import { readFileSync } from "node:fs";
import type { IClientOptions, MqttClient } from "mqtt";
import { Backoff } from "../../runtime/limits.ts";
import type { Logger } from "../../runtime/log.ts";
import type { EnclosureStatus } from "../panel/panel-status.ts";
import { brokerGone, brokerProblem } from "./mqtt-problem.ts";
import { MqttRound } from "./mqtt-round.ts";
import { Topics } from "./mqtt-topics.ts";
import type { DeviceReport, MqttReport } from "./report.ts";
import { readCredentials } from "./secret-file.ts";
import type { MqttConfig } from "./settings.ts";

export interface MqttOptions {
  /** With absolute paths. */
  readonly settings: MqttConfig;
  /** Hexadecimal. */
  readonly deviceKey: string;
  readonly devices: () => readonly DeviceReport[];
  /** Contacts of the gateway's own enclosure; none when absent. */
  readonly enclosures?: () => readonly EnclosureStatus[];
  readonly logger: Logger;
  /** Other times than those of the field, ms. */
  readonly timing?: Partial<MqttTiming>;
  /** Uniform in [0, 1); spreads the waits between attempts. */
  readonly random?: () => number;
}

export interface MqttTiming {
  /** Between two rounds; a channel's state goes out at most once a round. */
  readonly roundMs: number;
  readonly connectMs: number;
  /** The broker is dead when it has not answered for one and a half of them. */
  readonly keepaliveMs: number;
  readonly firstWaitMs: number;
  readonly mostWaitMs: number;
  /** For the last message when the agent stops. */
  readonly stopMs: number;
}

const TIMING: MqttTiming = {
  ...{ roundMs: 1000, connectMs: 10_000, keepaliveMs: 30_000 },
  ...{ firstWaitMs: 1000, mostWaitMs: 60_000, stopMs: 1000 },
};
/** A connection that held so long ended for a new reason. */
const STABLE_MS = 60_000;

/**
 * Publishes what the channels show, once a second at most, and says when it is not to be believed any more. It looks at
 * the agent, the agent never waits for it; without a broker nothing is kept.
 */
export class MqttOutlet {
  readonly #options: MqttOptions;
  readonly #timing: MqttTiming;
  readonly #topics: Topics;
  readonly #round: MqttRound;
  readonly #backoff: Backoff;
  #client: MqttClient | undefined;
  #rounds: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #connectedMs = 0;
  #problem: string | undefined;
  #stopped = false;

  constructor(options: MqttOptions) {
    const { settings, deviceKey, timing, random = Math.random } = options;
    this.#options = options;
    this.#timing = { ...TIMING, ...timing };
    this.#topics = new Topics(settings.topic, deviceKey);
    this.#round = new MqttRound(settings, this.#topics);
    const { firstWaitMs, mostWaitMs } = this.#timing;
    this.#backoff = new Backoff({ firstMs: firstWaitMs, mostMs: mostWaitMs, random });
  }

  get report(): MqttReport {
    return {
      ...{ address: this.#options.settings.url, working: this.#client?.connected === true },
      ...{ published: this.#round.published, skipped: this.#round.skipped },
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }

  start(): void {
    this.#rounds = setInterval(() => this.#tick(), this.#timing.roundMs).unref();
    void this.#connect();
  }

  /** Says that the values end here, as far as the broker takes it in time. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#rounds);
    clearTimeout(this.#retry);
    const client = this.#client;
    if (client === undefined) return;
    if (client.connected) await this.#sayGoodbye(client);
    client.end(true);
  }

  async #sayGoodbye(client: MqttClient): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#timing.stopMs);
    });
    // A disconnect in order would keep the broker from publishing the will.
    const said = client
      .publishAsync(this.#topics.status, "offline", { qos: 1, retain: true })
      .then(() => client.endAsync())
      // A connection that ends meanwhile leaves the will.
      .catch(() => undefined);
    await Promise.race([said, late]);
    clearTimeout(timer);
  }

  async #connect(): Promise<void> {
    try {
      const options = this.#connectOptions();
      // Loaded where it is configured only: it takes about 20 MB.
      const { connect } = await import("mqtt");
      if (this.#stopped) return;
      const client = connect(this.#options.settings.url, options);
      this.#client = client;
      client.on("connect", () => this.#connected());
      client.on("error", (cause) => this.#lost(client, brokerProblem(this.#options.settings.url, cause)));
      client.on("close", () => this.#lost(client, brokerGone(this.#options.settings.url)));
    } catch (cause) {
      this.#fail(brokerProblem(this.#options.settings.url, cause));
      this.#again();
    }
  }

  /** Read anew for every attempt: a password that was corrected needs no restart. */
  #connectOptions(): IClientOptions {
    const { credentialsFile, caFile } = this.#options.settings;
    const { connectMs, keepaliveMs } = this.#timing;
    return {
      ...(credentialsFile === undefined ? {} : readCredentials(credentialsFile)),
      ...(caFile === undefined ? {} : { ca: readFileSync(caFile, "utf8") }),
      ...{ clientId: `kilowitness-${this.#topics.agentId}`, protocolVersion: 4, clean: true },
      ...{ connectTimeout: connectMs, keepalive: Math.ceil(keepaliveMs / 1000), reconnectPeriod: 0 },
      // Nothing waits in memory for a broker that is gone.
      ...{ queueQoSZero: false, resubscribe: false, rejectUnauthorized: true },
      will: { topic: this.#topics.status, payload: Buffer.from("offline"), qos: 1, retain: true },
    };
  }

  #connected(): void {
    this.#connectedMs = performance.now();
    this.#problem = undefined;
    this.#options.logger.info("mqtt-connected", { url: this.#options.settings.url });
    this.#round.begin();
    this.#tick();
  }

  #tick(): void {
    const client = this.#client;
    if (client?.connected !== true || this.#stopped) return;
    const wire = {
      waitingBytes: () => client.stream.writableLength,
      put: (topic: string, payload: string, retain: boolean) =>
        client.publish(topic, payload, { qos: 0, retain }),
    };
    this.#round.publish(this.#options.devices(), wire, this.#options.enclosures?.());
  }

  /** Once for each connection, whichever of its events comes first. */
  #lost(client: MqttClient, problem: Error): void {
    client.end(true);
    if (client !== this.#client) return;
    this.#client = undefined;
    if (this.#stopped) return;
    const heldMs = this.#connectedMs === 0 ? 0 : performance.now() - this.#connectedMs;
    this.#connectedMs = 0;
    if (heldMs > STABLE_MS) this.#backoff.reset();
    this.#fail(problem);
    this.#again();
  }

  #fail(problem: Error): void {
    // One line when the reason changes, not one per attempt.
    if (problem.message !== this.#problem) this.#options.logger.problem("mqtt-failed", problem);
    this.#problem = problem.message;
  }

  #again(): void {
    if (this.#stopped) return;
    this.#retry = setTimeout(() => void this.#connect(), this.#backoff.next()).unref();
  }
}
