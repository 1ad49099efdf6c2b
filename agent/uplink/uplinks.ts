import { fromHex, toHex } from "../../attest/bytes.ts";
import type { LiveMessage, Message } from "../../attest/messages.ts";
import type { Signer } from "../../attest/signature.ts";
import type { Logger } from "../../runtime/log.ts";
import { VERSION } from "../../runtime/version.ts";
import type { NodeConfig } from "../config/node-schema.ts";
import type { Enroller } from "../identity/enroller.ts";
import type { ChannelStatus } from "../status.ts";
import type { FrameSource } from "./frame-answers.ts";
import type { UplinkHost } from "./host.ts";
import type { OrderTaker } from "./orders.ts";
import { Uplink, type UplinkStatus } from "./uplink.ts";

export interface UplinksOptions {
  readonly network: string;
  readonly signer: Signer;
  /** With absolute paths. */
  readonly nodes: readonly NodeConfig[];
  readonly host: UplinkHost;
  readonly enroller: Enroller;
  /** Raw frames, for the nodes that may ask for them. */
  readonly frames: FrameSource;
  /** Takes the orders of a node that may control. */
  readonly orders?: (nodeKey: Uint8Array) => OrderTaker | undefined;
  /** One-time codes by node key, hexadecimal, where they are in no file. */
  readonly enrolmentCodes?: ReadonlyMap<string, string>;
  readonly logger: Logger;
}

/** One uplink for each configured node. */
export class Uplinks {
  readonly #all: readonly Uplink[];
  /** Whether any node is sent live values. */
  readonly wantLive: boolean;

  constructor(options: UplinksOptions) {
    this.#all = options.nodes.map((node) => uplinkTo(node, options));
    this.wantLive = options.nodes.some(({ live }) => live === true);
  }

  get status(): UplinkStatus[] {
    return this.#all.map((uplink) => uplink.status);
  }

  start(): void {
    for (const uplink of this.#all) uplink.start();
  }

  /** Sends what was signed. */
  kick(): void {
    for (const uplink of this.#all) uplink.kick();
  }

  /** Sends what a channel shows now to the nodes that are to have it, at once or not at all. */
  live(channel: ChannelStatus): void {
    const value = liveValue(channel);
    for (const uplink of this.#all) uplink.live(value);
  }

  /** Says something to one node at once, or not at all where it is not there. */
  tell(nodeKey: Uint8Array, message: Message): void {
    for (const uplink of this.#all) if (uplink.status.nodeKey === toHex(nodeKey)) uplink.tell(message);
  }

  /** Every connection begins anew, after a new epoch. */
  restart(): void {
    for (const uplink of this.#all) uplink.restart();
  }

  async stop(graceMs: number): Promise<void> {
    await Promise.all(this.#all.map((uplink) => uplink.stop(graceMs)));
  }
}

function uplinkTo(node: NodeConfig, options: UplinksOptions): Uplink {
  const { network, signer, host, enroller, frames, enrolmentCodes, logger } = options;
  const key = fromHex(node.key, "nodes.key");
  const code = enrolmentCodes?.get(node.key);
  const asking = {
    ...{ url: node.url, key },
    ...(node.enrolmentCodeFile === undefined ? {} : { codeFile: node.enrolmentCodeFile }),
    ...(code === undefined ? {} : { code }),
  };
  return new Uplink({
    ...{ url: node.url, live: node.live === true, logger },
    ...(node.ca === undefined ? {} : { ca: node.ca }),
    ...(node.audits === true ? { frames } : {}),
    ...(node.control === true ? { orders: ordersVia(() => options.orders?.(key)) } : {}),
    session: {
      ...{ network, signer, nodeKey: key, agentVersion: VERSION },
      enrol: (nodeNonce) => enroller.answer(asking, nodeNonce),
    },
    host: { ...host, enrolled: (_nodeKey, record) => enroller.enrolled(asking, record) },
  });
}

/** Who takes the orders may come to be after the uplink. */
function ordersVia(taker: () => OrderTaker | undefined): OrderTaker {
  return {
    order: (bytes) => taker()?.order(bytes),
    list: (bytes) => taker()?.list(bytes),
  };
}

function liveValue(channel: ChannelStatus): LiveMessage {
  const { name, acceptedAtMs = 0, activePowerMw, importMwh, exportMwh, stateOfChargePpm } = channel;
  return {
    ...{ type: "live", channel: name, atMs: acceptedAtMs },
    ...(activePowerMw === undefined ? {} : { powerMw: activePowerMw }),
    ...(importMwh === undefined ? {} : { importMwh }),
    ...(exportMwh === undefined ? {} : { exportMwh }),
    ...(stateOfChargePpm === undefined ? {} : { stateOfChargePpm }),
  };
}
