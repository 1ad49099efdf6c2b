import { equalBytes } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { openReceipt } from "../../attest/receipt.ts";
import { LoadDevice, type PreparedBatch } from "./device.ts";
import { LoadStream } from "./stream.ts";

/** Whose batches are made, and how many of what size. */
export interface FleetPlan {
  readonly network: string;
  readonly devices: number;
  /** Batches of each device behind the one that opens its log. */
  readonly batches: number;
  readonly readingsPerBatch: number;
  /** Number of the first device, 0 when left out: who needs devices that a node has not seen asks for others. */
  readonly first?: number;
}

export interface NodeAddress {
  readonly url: string;
  readonly nodeKey: Uint8Array;
}

/** What was sent and receipted. */
export interface Streamed {
  readonly batches: number;
  readonly readings: number;
  /** From the first message to the last receipt. */
  readonly wallMs: number;
}

/** Connections that are being made at one time: the node takes only so many that have not spoken yet. */
const GREETING_AT_ONCE = 8;

interface Member {
  readonly device: LoadDevice;
  readonly batches: readonly PreparedBatch[];
  readonly receipts: Uint8Array[];
  stream?: LoadStream;
}

/** Many devices whose batches are signed before they are sent, so that sending costs next to nothing. */
export class Fleet {
  readonly #network: string;
  readonly #members: readonly Member[];
  #node: NodeAddress | undefined;

  private constructor(network: string, members: readonly Member[]) {
    this.#network = network;
    this.#members = members;
  }

  static async prepare(plan: FleetPlan): Promise<Fleet> {
    const { network, devices, batches, readingsPerBatch, first = 0 } = plan;
    const members: Member[] = [];
    for (let number = first; number < first + devices; number++) {
      const device = new LoadDevice(network, number);
      const prepared = [await device.opening()];
      while (prepared.length <= batches) prepared.push(await device.next(readingsPerBatch));
      members.push({ device, batches: prepared, receipts: [] });
    }
    return new Fleet(network, members);
  }

  /** Connects all devices and proves their keys. */
  async connect(node: NodeAddress): Promise<void> {
    this.#node = node;
    const waiting = this.#members.values();
    const greeter = async (): Promise<void> => {
      for (const member of waiting) member.stream = await this.#greet(member, node);
    };
    await Promise.all(Array.from({ length: GREETING_AT_ONCE }, greeter));
  }

  /** Sends the next so many batches of every device, all devices at a time; resolves when each has its receipt. */
  async stream(batches: number): Promise<Streamed> {
    const beginMs = performance.now();
    const sent = await Promise.all(this.#members.map((member) => sendNext(member, batches)));
    const wallMs = performance.now() - beginMs;
    const all = sent.flat();
    return { batches: all.length, readings: all.reduce((sum, { readings }) => sum + readings, 0), wallMs };
  }

  /** Throws unless every batch that was sent has a valid receipt of the node over its size and its root. */
  check(): { readonly receipts: number } {
    let receipts = 0;
    for (const { batches, receipts: got } of this.#members) {
      for (const [at, bytes] of got.entries()) this.#checkOne(bytes, batches[at]);
      receipts += got.length;
    }
    return { receipts };
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map(({ stream }) => stream?.close()));
  }

  #greet({ device }: Member, { url, nodeKey }: NodeAddress): Promise<LoadStream> {
    return LoadStream.open(url, {
      ...{ network: this.#network, signer: device.signer, nodeKey, agentVersion: "load" },
    });
  }

  #checkOne(bytes: Uint8Array, batch: PreparedBatch | undefined): void {
    const receipt = openReceipt(nativeSuite, bytes, this.#node?.nodeKey ?? new Uint8Array(32));
    if (receipt.size === batch?.size && equalBytes(receipt.root, batch.root)) return;
    throw new Error(
      `a receipt is over ${receipt.size} leaves and not over the ${batch?.size} that were sent`,
    );
  }
}

async function sendNext(member: Member, count: number): Promise<readonly PreparedBatch[]> {
  const { batches, receipts, stream } = member;
  if (stream === undefined) throw new Error("the device is not connected");
  const next = batches.slice(receipts.length, receipts.length + count);
  receipts.push(...(await stream.send(next.map(({ message }) => message))));
  return next;
}
