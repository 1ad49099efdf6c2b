import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { Agent } from "../../../agent/agent.ts";
import { flexCommand } from "../../../agent/cli/flex.ts";
import { loadAgentConfig } from "../../../agent/config/config.ts";
import { Journal } from "../../../agent/journal/journal.ts";
import { toHex } from "../../../attest/bytes.ts";
import {
  type CommitmentOrder,
  type DispatchOrder,
  signCommitment,
  signDispatch,
} from "../../../attest/flexibility/orders.ts";
import { encodeTerms, SETTLEMENT_RULES } from "../../../attest/flexibility/terms.ts";
import { logIdOf } from "../../../attest/identity.ts";
import type { Leaf } from "../../../attest/leaf.ts";
import { decodeLeaf } from "../../../attest/leaf-codec.ts";
import { ACKNOWLEDGEMENT, BOUNDARY, DIRECTION } from "../../../attest/leaf-flexibility.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { bundledProfile } from "../../../drivers/profile/bundled.ts";
import { type SimulatedProfile, startSimulatedProfile } from "../../../drivers/simulated/profile-device.ts";
import { FakeNode } from "../fake-node.ts";
import { type Line, NETWORK, recordingLogger, temporaryFolder } from "../kit.ts";
import { until } from "../uplink-kit.ts";
import { type Outcome, runHere } from "./run-command.ts";

const MINUTE = 60_000;
export const CONTROL_KEYS = `site: {timeZone: UTC},
  control: {siteMeter: battery/grid, leaseSeconds: 10, resources: [{device: battery, boundary: device, maxChargeKw: 3, maxDischargeKw: 3}]},
  flexibility: {offers: [{resource: battery/battery, direction: reduce, powerKw: 3, between: "00:00-24:00", daysAhead: 0, noticeMinutes: 0}]},`;

export interface Reply {
  readonly status: number;
  readonly body: { readonly code?: string; readonly message?: string };
}

/** An agent with a simulated battery, a node that may order, and the owner at the gateway. */
export class OwnedAgent {
  readonly folder: string;
  readonly config: string;
  /** Of the present agent. */
  lines: readonly Line[] = [];
  readonly #closers: (() => Promise<unknown> | unknown)[] = [];
  readonly #node: FakeNode;
  readonly #battery: SimulatedProfile;
  #agent: Agent | undefined;

  private constructor(folder: string, node: FakeNode, battery: SimulatedProfile) {
    this.folder = folder;
    this.#node = node;
    this.#battery = battery;
    this.config = join(folder, "agent.yaml");
  }

  static async start(keys: string = CONTROL_KEYS): Promise<OwnedAgent> {
    const { folder, remove } = temporaryFolder();
    const place = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
    const battery = await startSimulatedProfile(bundledProfile("sungrow-sh"), { place });
    const owned = new OwnedAgent(folder, await FakeNode.start(), battery);
    owned.#closers.push(
      remove,
      () => battery.close(),
      () => owned.#node.close(),
    );
    const { url, signer } = owned.#node;
    writeFileSync(
      owned.config,
      `{network: ${NETWORK}, key: k, journal: journal.sqlite, intervalSeconds: 60, commitSeconds: 0.1, checkpointSeconds: 0.2, ${keys}
        devices: [{id: battery, driver: sungrow-sh, host: 127.0.0.1, port: ${battery.port}, intervalMs: 300}],
        nodes: [{url: "${url}", key: "${toHex(signer.publicKey)}"${keys.includes("control:") ? ", control: true" : ""}}]}`,
    );
    await owned.run();
    return owned;
  }

  async run(): Promise<void> {
    const { logger, lines } = recordingLogger();
    const before = this.#node.peers.length;
    const agent = new Agent({ config: loadAgentConfig(this.config), logger, supervised: true });
    this.#agent = agent;
    this.lines = lines;
    agent.start();
    await until("the battery", () => agent.status().channels.some(({ accepted }) => accepted > 2));
    await until("a connection", () =>
      this.#node.peers.slice(before).some(({ batches }) => batches.length > 0),
    );
    await until("the socket", () => lines.some(({ event }) => event === "socket-listening"));
  }

  get agent(): Agent {
    if (this.#agent === undefined) throw new Error("no agent runs");
    return this.#agent;
  }

  async stop(): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    await agent?.stop();
  }

  async close(): Promise<void> {
    await this.stop();
    for (const close of this.#closers.toReversed()) await close();
  }

  get batteryMw(): number {
    return this.#battery.truth().boundaries.get("battery")?.powerMw ?? Number.NaN;
  }

  get socket(): string {
    return join(this.folder, "journal.sqlite.sock");
  }

  /** `kilowitness flex …` at the gateway. */
  owner(...args: readonly string[]): Promise<Outcome> {
    return runHere(flexCommand(), ...args, "--config", this.config);
  }

  /** What a program of the owner sends, on the socket or over HTTP. */
  post(path: string, body: string, way: object = { socketPath: this.socket }): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const sent = request({ ...way, path, method: "POST" }, (response) => {
        let text = "";
        response.on("data", (chunk) => {
          text += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }

  /** A minute of 1 kW, from the minute after the next one on; the commitment's leaf and id. */
  async commit(): Promise<{
    readonly seq: number;
    readonly commitmentId: Uint8Array;
    readonly fromMs: number;
  }> {
    const commitmentId = new Uint8Array(randomBytes(16));
    const fromMs = (Math.floor(Date.now() / MINUTE) + 2) * MINUTE;
    const terms = {
      ...{ direction: DIRECTION.reduce, baselineMethod: "h10/1", timeZone: "UTC" },
      ...{ noticeMs: 0, settlementRules: SETTLEMENT_RULES },
    };
    const order: CommitmentOrder = {
      ...{ ...this.#common(), objectId: commitmentId, expiresMs: fromMs, boundary: BOUNDARY.device },
      ...{ fromMs, intervalMs: MINUTE, deltaMwh: [-16_000], terms: encodeTerms(terms) },
    };
    const before = this.leaves("commitment").length;
    this.#send(await signCommitment(this.#node.signer, order));
    await until("the commitment", () => this.leaves("commitment").length > before);
    return { seq: this.leaves("commitment").at(-1)?.seq ?? -1, commitmentId, fromMs };
  }

  /** A minute of 1.5 kW out of the battery, from now on; the dispatch's leaf. */
  async dispatch(changes: Partial<DispatchOrder> = {}): Promise<number> {
    const fromMs = changes.fromMs ?? Date.now() - 500;
    const toMs = changes.toMs ?? fromMs + MINUTE;
    const order: DispatchOrder = {
      ...{ ...this.#common(), fromMs, toMs, expiresMs: toMs },
      ...{ command: 1, value: -1_500_000, ...changes },
    };
    const before = this.leaves("dispatch").length;
    this.#send(await signDispatch(this.#node.signer, order));
    await until("the dispatch", () => this.leaves("dispatch").length > before);
    return this.leaves("dispatch").at(-1)?.seq ?? -1;
  }

  /** "accepted", "optedOut: owner" to the order in that leaf. */
  answers(seq: number): string[] {
    const names = new Map<number, string>(
      Object.entries(ACKNOWLEDGEMENT).map(([name, number]) => [number, name] as const),
    );
    return this.leaves("acknowledgement").flatMap(({ orderSeq, state, reason }) =>
      orderSeq === seq ? [`${names.get(state)}${reason === undefined ? "" : `: ${reason}`}`] : [],
    );
  }

  leaves<K extends Leaf["kind"]>(kind: K): Extract<Leaf, { kind: K }>[] {
    const journal = new Journal(join(this.folder, "journal.sqlite"), "reader");
    try {
      return journal
        .leaves(1, 0, Number.MAX_SAFE_INTEGER)
        .map((bytes) => decodeLeaf(bytes))
        .filter((leaf): leaf is Extract<Leaf, { kind: K }> => leaf.kind === kind);
    } finally {
      journal.close();
    }
  }

  #common(): Pick<DispatchOrder, "logId" | "objectId" | "channel" | "issuedAtMs"> {
    const { deviceKey } = this.agent;
    const { epoch, channels } = this.agent.status();
    return {
      logId: logIdOf(nativeSuite, { network: NETWORK, deviceKey, epoch }),
      objectId: new Uint8Array(randomBytes(16)),
      channel: channels.find(({ name }) => name === "battery/battery")?.number ?? 0,
      issuedAtMs: Date.now() - 1000,
    };
  }

  #send(order: Uint8Array): void {
    this.#node.peers.at(-1)?.send({ type: "order", order });
  }
}
