import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { fromHex } from "../../attest/bytes.ts";
import { figure, type Result } from "../measure.ts";
import { Fleet } from "./fleet.ts";

const LOAD_USAGE =
  "npm run bench -- load --url ws://HOST:PORT --node-key HEX --network NAME [--devices 100] [--batches 20] " +
  "[--readings 12] [--first NUMBER] [--json]";

/** Numbers of devices: a random one to begin with is a fleet that no node has seen. */
const MOST_NUMBER = 2 ** 31;

interface LoadPlan {
  readonly url: string;
  readonly nodeKey: Uint8Array;
  readonly network: string;
  readonly devices: number;
  readonly batches: number;
  readonly readingsPerBatch: number;
  readonly first: number;
}

/**
 * Correctly signed devices against a node that runs anywhere and takes any device: all batches are signed first, then all
 * devices connect, and send as fast as receipts come. Throws when a receipt is missing or is not over what was sent.
 */
export async function loadNode(args: readonly string[]): Promise<readonly Result[]> {
  const { url, nodeKey, ...plan } = planOf(args);
  const fleet = await Fleet.prepare(plan);
  const beginMs = performance.now();
  await fleet.connect({ url, nodeKey });
  const connectedMs = performance.now() - beginMs;
  const opened = await fleet.stream(1);
  const { readings, batches, wallMs } = await fleet.stream(plan.batches);
  const { receipts } = fleet.check();
  await fleet.close();
  if (receipts !== batches + opened.batches)
    throw new Error(`${batches + opened.batches} batches were sent, ${receipts} receipted`);
  const of = `${plan.devices} devices, ${plan.readingsPerBatch} readings a checkpoint`;
  const rate = (count: number, ms: number): readonly [number] => [(1000 * count) / ms];
  return [
    figure("load", { name: `${of}: connected`, unit: "devices/s" }, rate(plan.devices, connectedMs)),
    figure("load", { name: `${of}: receipted`, unit: "readings/s" }, rate(readings, wallMs)),
    figure("load", { name: `${of}: receipted`, unit: "batches/s" }, rate(batches, wallMs)),
  ];
}

/** Throws with the usage where the words are not as it says. */
function planOf(args: readonly string[]): LoadPlan {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ url: text, "node-key": text, network: text, devices: text, batches: text, readings: text },
      ...{ first: text, json: { type: "boolean" } },
    },
  });
  const { url, network, "node-key": nodeKey } = values;
  if (url === undefined || network === undefined || nodeKey === undefined) throw new Error(LOAD_USAGE);
  return {
    ...{ url, network, nodeKey: fromHex(nodeKey, "node key") },
    devices: countOf(values.devices, 100),
    batches: countOf(values.batches, 20),
    readingsPerBatch: countOf(values.readings, 12),
    first: countOf(values.first, randomInt(MOST_NUMBER)),
  };
}

function countOf(text: string | undefined, otherwise: number): number {
  const count = text === undefined ? otherwise : Number(text);
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new Error(`"${text}" is no count; ${LOAD_USAGE}`);
}
