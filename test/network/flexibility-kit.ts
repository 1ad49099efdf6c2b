import { setTimeout as sleep } from "node:timers/promises";
import { expect, vi } from "vitest";
import { concatBytes, toHex } from "../../attest/bytes.ts";
import {
  type AnyOrder,
  type ChallengeOrder,
  type CommitmentOrder,
  type DispatchOrder,
  openOrder,
} from "../../attest/flexibility/orders.ts";
import { type ChannelManifest, type LEAF_KINDS, REGISTER } from "../../attest/leaf.ts";
import { ACKNOWLEDGEMENT, BOUNDARY, DIRECTION, type FlexibilityLeaf } from "../../attest/leaf-flexibility.ts";
import type { Message } from "../../attest/messages.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import type { NodeConfig } from "../../network/config.ts";
import { openFlexibility } from "../../network/flexibility/extension.ts";
import type { RunningNode } from "../../network/node.ts";
import { Client, NETWORK, seedOf } from "../kit/device.ts";
import { LogBuilder } from "../kit/log-builder.ts";
import { OPERATE_TOKEN, tokenFile } from "./enrolment-kit.ts";
import { atEnd, runNode, temporaryFolder } from "./fixture.ts";

export const QUARTER_MS = 900_000;
export const HOUR_MS = 3_600_000;
/** A Wednesday, with as many like days before it as h10/1 wants. */
export const EVENT_MS: number = Date.UTC(2026, 0, 21, 12);
export const BATTERY = 1;
export const GRID = 2;
/** What the battery takes in a quarter of an hour when nobody asks for anything. */
const USUAL_MWH = 250_000;

/** Sets the clock of everything in this process; its timers go on as ever. */
export function setClock(ms: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: ms });
  atEnd(() => {
    vi.useRealTimers();
  });
}

/** A node with flexibility, and tokens. */
export function flexNode(
  folder: string = temporaryFolder(),
  changes: Partial<NodeConfig> = {},
): Promise<RunningNode> {
  const http = { host: "127.0.0.1", port: 0, tokens: tokenFile(folder) };
  return runNode(folder, { http, ...changes }, [(inside) => openFlexibility(inside)]);
}

/** A device that seals by the real rules, and follows orders as a test tells it to. */
export class FlexDevice {
  readonly log: LogBuilder;
  readonly offers: number[] = [];
  /** Orders and lists that the node has sent, as they came. */
  readonly told: Message[] = [];
  #client: Client | undefined;
  #sent = 0;
  #importMwh: Record<number, number> = { [BATTERY]: 1_000_000, [GRID]: 5_000_000 };

  constructor(
    options: { readonly seed?: number; readonly startMs?: number; readonly samplingMs?: number } = {},
  ) {
    const { seed = 21, startMs = EVENT_MS - 15 * 24 * HOUR_MS, samplingMs = QUARTER_MS } = options;
    this.log = new LogBuilder({
      ...{ suite: nativeSuite, signer: nativeSigner(seedOf(seed)), network: NETWORK, startMs },
      intervalMs: QUARTER_MS,
    });
    const manifest: Partial<ChannelManifest> = { registers: REGISTER.import, samplingMs };
    this.log.manifest({ ...manifest, channel: BATTERY, role: 3, name: "battery" });
    this.log.manifest({ ...manifest, channel: GRID, role: 1, name: "grid" });
  }

  get key(): string {
    return toHex(this.log.signer.publicKey);
  }

  /** Quarters of an hour, each with a reading at its end; what the battery takes in each. */
  quarters(count: number, batteryMwh: number = USUAL_MWH): this {
    for (let i = 0; i < count; i++) {
      this.log.timeMs += QUARTER_MS;
      const importMwh = (this.#importMwh[BATTERY] ?? 0) + batteryMwh;
      this.#importMwh[BATTERY] = importMwh;
      this.log.read({ importMwh, activePowerMw: 4 * batteryMwh }, BATTERY);
    }
    return this;
  }

  /** One reading of each channel, `ms` later. */
  readAt(ms: number, powersMw: Readonly<Record<number, number>>): this {
    const passed = ms - this.log.timeMs;
    this.log.timeMs = ms;
    for (const [channel, power] of Object.entries(powersMw).map(
      ([name, value]) => [Number(name), value] as const,
    )) {
      const importMwh = (this.#importMwh[channel] ?? 0) + Math.round((Math.max(0, power) * passed) / HOUR_MS);
      this.#importMwh[channel] = importMwh;
      this.log.read({ importMwh, activePowerMw: power }, channel);
    }
    return this;
  }

  /** Usual days up to two hours before the event. */
  live(untilMs: number = EVENT_MS - 2 * HOUR_MS): this {
    return this.quarters((untilMs - this.log.timeMs) / QUARTER_MS);
  }

  offer(changes: object = {}): number {
    const { leaf } = this.log.append({
      ...{ kind: "offer", ...this.log.time(), channel: BATTERY, boundary: BOUNDARY.device },
      ...{ direction: DIRECTION.reduce, fromMs: EVENT_MS, toMs: EVENT_MS + 2 * HOUR_MS, powerMw: 800_000 },
      ...{ energyMwh: 600_000, noticeMs: HOUR_MS, baselineMethod: "h10/1" },
      ...changes,
    });
    return leaf.seq;
  }

  flexibility(values: Partial<FlexibilityLeaf> = {}): this {
    this.log.flexibility(
      { minSetpointMw: -5_000_000, maxSetpointMw: 5_000_000, averagePowerMw: 1_000_000, ...values },
      BATTERY,
    );
    return this;
  }

  async connect(node: RunningNode): Promise<this> {
    const { client } = await Client.greeted(node.wsUrl, this.log.signer);
    this.#client = client;
    return this;
  }

  async disconnect(): Promise<void> {
    await this.#client?.close();
    this.#client = undefined;
  }

  say(message: Message): void {
    this.#client?.send(message);
  }

  get closed(): Promise<unknown> {
    return this.#client?.closed ?? Promise.resolve();
  }

  /** The next message; orders and lists are kept as well. */
  async next(): Promise<Message> {
    const client = this.#client;
    if (client === undefined) throw new Error("the device is not connected");
    const message = await client.next();
    if (message.type === "order" || message.type === "dispatchList") this.told.push(message);
    return message;
  }

  /** Sends what the node does not have, with what an hour of clock the node then has; waits for the receipt. */
  async deliver(): Promise<this> {
    const { bytes } = await this.log.checkpoint();
    const leaves = concatBytes(...this.log.leaves.slice(this.#sent).map((placed) => placed.bytes));
    this.say({ type: "batch", epoch: 1, firstSeq: this.#sent, leaves, checkpoint: bytes });
    this.#sent = this.log.leaves.length;
    for (;;) {
      const message = await this.next();
      if (message.type === "receipt") return this;
      if (message.type === "refusal") throw new Error(`refused: ${message.code} ${message.message}`);
    }
  }

  /** The bytes of the next order, opened under the node's key. */
  async order(node: RunningNode): Promise<AnyOrder & { readonly bytes: Uint8Array }> {
    let message = await this.next();
    while (message.type === "dispatchList") message = await this.next();
    if (message.type !== "order") throw new Error(`no order but ${message.type}`);
    return { ...openOrder(nativeSuite, message.order, node.nodeKey), bytes: message.order };
  }

  commit(order: CommitmentOrder, bytes: Uint8Array): number {
    const { channel, boundary, fromMs, intervalMs, deltaMwh, terms, offerSeq } = order;
    const { leaf } = this.log.append({
      ...{ kind: "commitment", ...this.log.time(), channel, boundary, fromMs, intervalMs, deltaMwh },
      ...{ termsDigest: nativeSuite.sha256(terms), counterparty: bytes },
      ...(offerSeq === undefined ? {} : { offerSeq }),
    });
    return leaf.seq;
  }

  take(
    kind: "dispatch" | "challenge",
    order: DispatchOrder | ChallengeOrder,
    bytes: Uint8Array,
    commitmentSeq?: number,
  ): number {
    const { leaf } = this.log.append({
      ...{ kind, ...this.log.time(), channel: order.channel, order: bytes },
      ...(commitmentSeq === undefined ? {} : { commitmentSeq }),
    });
    return leaf.seq;
  }

  acknowledge(orderSeq: number, state: keyof typeof ACKNOWLEDGEMENT, reason?: string): void {
    this.log.append({
      ...{
        kind: "acknowledgement",
        ...this.log.time(),
        channel: BATTERY,
        orderSeq,
        state: ACKNOWLEDGEMENT[state],
      },
      ...(reason === undefined ? {} : { reason }),
    });
  }

  /** Seqs of the leaves of a kind. */
  seqs(kind: keyof typeof LEAF_KINDS): number[] {
    return this.log.leaves.filter(({ leaf }) => leaf.kind === kind).map(({ leaf }) => leaf.seq);
  }
}

/** The body of a commitment of one hour, 100 Wh less in each quarter. */
export const COMMITMENT: Readonly<Record<string, unknown>> = {
  ...{ channel: "battery", direction: "reduce", from: new Date(EVENT_MS).toISOString() },
  ...{ deltaMwh: [-100_000, -100_000, -100_000, -100_000], baselineMethod: "h10/1", timeZone: "UTC" },
  noticeSeconds: 3600,
};

interface Asked {
  readonly method?: string;
  readonly body?: unknown;
  readonly token?: string;
}

/** An answer with its status; by the operator's token unless another is given. */
export async function ask(
  node: RunningNode,
  path: string,
  { method, body, token = OPERATE_TOKEN }: Asked = {},
): Promise<{ readonly status: number; readonly body: Readonly<Record<string, unknown>> }> {
  const response = await fetch(`${node.httpUrl}${path}`, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const answer: unknown = await response.json();
  return { status: response.status, body: Object(answer) };
}

/** The answer once it holds; a test's own deadline ends the wait. */
export async function until(
  node: RunningNode,
  path: string,
  holds: (body: Readonly<Record<string, unknown>>) => boolean,
): Promise<Readonly<Record<string, unknown>>> {
  for (;;) {
    const { status, body } = await ask(node, path);
    expect([path, status]).toEqual([path, 200]);
    if (holds(body)) return body;
    await sleep(50);
  }
}
