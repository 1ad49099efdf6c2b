import { isLoopback } from "../../runtime/loopback.ts";
import type { AgentConfig } from "../config/config.ts";
import type { SampleSink } from "../sampling/sampler.ts";
import { judged } from "./attention.ts";
import { buildReport, deviceReports, type ReportSources } from "./build-report.ts";
import { DeviceObserver } from "./device-observer.ts";
import { DiskWrites } from "./disk.ts";
import { Door } from "./door.ts";
import type { AccessRules } from "./http-answers.ts";
import type { LogMemory } from "./log-memory.ts";
import { MqttOutlet } from "./mqtt.ts";
import { OwnerOrders, type OwnerPort } from "./owner-orders.ts";
import type { AgentView, JudgedReport, Outlets } from "./report.ts";
import { readToken } from "./secret-file.ts";
import { fromConfig, type HttpConfig, type MqttConfig } from "./settings.ts";

export interface OperationsOptions {
  readonly config: AgentConfig;
  readonly agent: AgentView;
  readonly memory: LogMemory;
  /** Where samples go on to. */
  readonly sink: SampleSink;
  /** What the owner may order at the socket; undefined where no device may be told anything. */
  readonly owner: OwnerPort | undefined;
}

/** Where a running agent with that journal can be asked without any configuration. */
export function socketPath(journal: string): string {
  return `${journal}.sock`;
}

const SAMPLE_WRITES_MS = 60_000;

/**
 * Everything by which others see how the agent stands: the socket beside the journal, HTTP, MQTT. It only looks, but for
 * what the owner orders at the socket; nothing that goes wrong in it keeps a reading from being sealed.
 */
export class Operations {
  /** To be sampled into: looks at what comes, and hands it on. */
  readonly sink: SampleSink;
  readonly #sources: ReportSources;
  readonly #socket: Door;
  readonly #http: Door | undefined;
  readonly #mqtt: MqttOutlet | undefined;
  #writes: NodeJS.Timeout | undefined;

  constructor({ config, agent, memory, sink, owner }: OperationsOptions) {
    const observer = new DeviceObserver(sink);
    this.sink = observer;
    const writes = new DiskWrites();
    this.#sources = {
      ...{ config, agent, observer, memory, writes, outlets: () => this.#outlets() },
      startedMs: performance.now(),
    };
    const questions = { report: () => this.report() };
    const place = { path: socketPath(config.journal) };
    const orders = new OwnerOrders({ ...place, port: owner, logger: memory });
    const own = {
      ...questions,
      log: () => memory.lines(),
      order: (path: string, body: string) => orders.take(path, body),
    };
    this.#socket = new Door({ name: "socket", place, rules: () => ({}), questions: own, logger: memory });
    const { http, mqtt } = config;
    if (http !== undefined)
      this.#http = new Door({
        ...{ name: "http", place: { host: http.host, port: http.port }, questions, logger: memory },
        rules: () => rulesOf(http, config.path),
      });
    if (mqtt !== undefined)
      this.#mqtt = new MqttOutlet({
        ...{ settings: placed(mqtt, config.path), deviceKey: agent.status().deviceKey, logger: memory },
        devices: () => deviceReports(this.#sources, agent.status()),
        enclosures: () => agent.status().panel?.enclosures ?? [],
      });
  }

  /** Never throws; what cannot be opened is said and tried again. */
  start(): void {
    this.#writes = setInterval(() => this.#sources.writes.sample(), SAMPLE_WRITES_MS).unref();
    void this.#socket.start();
    void this.#http?.start();
    this.#mqtt?.start();
  }

  async stop(): Promise<void> {
    clearInterval(this.#writes);
    await Promise.all([this.#socket.stop(), this.#http?.stop(), this.#mqtt?.stop()]);
  }

  /** How everything stands now. */
  report(): JudgedReport {
    return judged(buildReport(this.#sources));
  }

  #outlets(): Outlets {
    return {
      socket: this.#socket.report,
      ...(this.#http === undefined ? {} : { http: this.#http.report }),
      ...(this.#mqtt === undefined ? {} : { mqtt: this.#mqtt.report }),
    };
  }
}

function rulesOf({ host, names, tokenFile }: HttpConfig, configPath: string): AccessRules {
  return {
    hosts: { loopbackOnly: isLoopback(host), names },
    ...(tokenFile === undefined ? {} : { token: readToken(fromConfig(configPath, tokenFile)) }),
  };
}

function placed({ credentialsFile, caFile, ...rest }: MqttConfig, configPath: string): MqttConfig {
  return {
    ...rest,
    ...(credentialsFile === undefined ? {} : { credentialsFile: fromConfig(configPath, credentialsFile) }),
    ...(caFile === undefined ? {} : { caFile: fromConfig(configPath, caFile) }),
  };
}
