import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { toHex } from "../../../attest/bytes.ts";
import { signDispatch } from "../../../attest/flexibility/orders.ts";
import { logIdOf } from "../../../attest/identity.ts";
import type { Leaf } from "../../../attest/leaf.ts";
import { decodeLeafAt } from "../../../attest/leaf-codec.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { CHANNEL_ROLES } from "../../../attest/reading.ts";
import { FakeNode } from "../../agent/fake-node.ts";
import { NETWORK } from "../../agent/kit.ts";
import type { ControlledSite } from "./controlled-site.ts";
import type { Dispatched } from "./dispatching.ts";
import { LAUNCHER } from "./running.ts";

const HOLD_MS = 600_000;
const LOOK_MS = 20;
const POWER_SETPOINT = 1;

/** `kilowitness agent --supervise` itself, which a node has hold both batteries to a value by signed orders. */
export class OrderedAgent implements Dispatched {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  text = "";
  readonly #node: FakeNode;
  readonly #wanted: number;
  readonly #looks: NodeJS.Timeout;
  #ordered = false;

  private constructor(site: ControlledSite, node: FakeNode) {
    this.#node = node;
    this.#wanted = site.devices.length;
    const args = [LAUNCHER, "agent", "--supervise", "--config", site.config, "--json"];
    this.child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on("data", (chunk: Buffer) => (this.text += chunk.toString()));
    this.ended = new Promise((resolve) => this.child.on("close", resolve));
    this.#looks = setInterval(() => void this.#order(), LOOK_MS);
  }

  static async start(site: ControlledSite, leaseMs: number): Promise<OrderedAgent> {
    const node = await FakeNode.start();
    const resources = site.devices.map(({ id }) => `{ device: ${id}, boundary: device }`).join(", ");
    site.writeConfig({
      network: NETWORK,
      more: `commitSeconds: 0.2
checkpointSeconds: 0.3
control: { leaseSeconds: ${leaseMs / 1000}, resources: [${resources}] }
nodes: [{ url: "${node.url}", key: "${toHex(node.signer.publicKey)}", control: true }]`,
    });
    return new OrderedAgent(site, node);
  }

  /** The supervisor's child, once it was given its orders. */
  get agentPid(): number | undefined {
    const { pid } = this.child;
    if (!this.#ordered || pid === undefined) return undefined;
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    return child === undefined || child === "" ? undefined : Number(child);
  }

  async close(): Promise<void> {
    clearInterval(this.#looks);
    await this.#node.close();
  }

  async #order(): Promise<void> {
    const [peer] = this.#node.peers;
    const [first] = this.#node.batches;
    const batteries = this.#leaves().flatMap((leaf) =>
      leaf.kind === "channelManifest" && leaf.role === CHANNEL_ROLES.storage ? [leaf.channel] : [],
    );
    if (this.#ordered || peer === undefined || first === undefined || batteries.length < this.#wanted) return;
    this.#ordered = true;
    const log = { network: NETWORK, deviceKey: peer.deviceKey, epoch: first.epoch };
    const issuedAtMs = Date.now();
    const toMs = issuedAtMs + HOLD_MS;
    for (const channel of batteries) {
      const order = await signDispatch(this.#node.signer, {
        ...{
          logId: logIdOf(nativeSuite, log),
          objectId: crypto.getRandomValues(new Uint8Array(16)),
          channel,
        },
        ...{
          issuedAtMs,
          expiresMs: toMs,
          fromMs: issuedAtMs,
          toMs,
          command: POWER_SETPOINT,
          value: 1_000_000,
        },
      });
      peer.send({ type: "order", order });
    }
  }

  #leaves(): Leaf[] {
    return this.#node.batches.flatMap(({ leaves }) => {
      const all: Leaf[] = [];
      for (let at = 0; at < leaves.length; ) {
        const { leaf, end } = decodeLeafAt(leaves, at);
        all.push(leaf);
        at = end;
      }
      return all;
    });
  }
}
