import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { toHex } from "../../attest/bytes.ts";
import { encodeMessage } from "../../attest/messages.ts";
import { nativeSigner } from "../../attest/native.ts";
import { Client, FakeDevice } from "../kit/device.ts";
import { eventually } from "../kit/programs.ts";
import type { Fault, FaultOutcome, FaultRun } from "./kit/report.ts";
import type { Running } from "./kit/running.ts";
import { FaultSite, NETWORK } from "./kit/site.ts";
import { settled, sidesOf } from "./kit/verdict.ts";
import { Witness } from "./kit/witness.ts";
import { MemoryWatch } from "./peers/memory.ts";
import { onProxiedLine } from "./peers/proxied-line.ts";
import type { Direction, TcpProxy } from "./peers/tcp-proxy.ts";

/** One side is read a few bytes at a time, or not at all. */
export const slowReader: Fault = {
  name: "slow-reader",
  cycles: 4,
  does: "the agent's batches or the node's receipts pass at 200 bytes a second for half a minute; a peer that reads nothing",
  run: runSlowReader,
};

const BYTES_A_SECOND = 200;
const SLOW_MS = 30_000;
/** What a backlog may add to a program that holds no more than its window of it, and its garbage. */
const MOST_MORE_MIB = 60;
/** The node may hold so much unverified in all connections (limits/node-limits.ts), and its garbage. */
const MOST_NODE_MORE_MIB = 128;
/** Bytes that wait in the peer when nothing of it is read any more. */
const STUCK_BYTES = 8_000_000;
/** The node's deadline for an answer to leave, and half as much. */
const CUT_MS = 45_000;
const BACK_MS = 330_000;

function runSlowReader({ cycles, folder, said }: FaultRun): Promise<FaultOutcome> {
  return onProxiedLine(folder, async ({ site, node, agent, proxy }) => {
    const witness = new Witness();
    const figures: Record<string, string> = {};
    for (let cycle = 0; cycle < cycles; cycle++) {
      const direction = cycle % 2 === 0 ? "up" : "down";
      const slow = await oneSlowLine(proxy, { agent, node }, { direction, witness });
      figures[`${direction}${cycle}`] = slow;
      await witness.look(sidesOf(site));
      said(cycle + 1, witness.findings);
    }
    await agent.kill("SIGTERM");
    figures["deafPeer"] = await deafPeer(new FaultSite(join(folder, "deaf"), site.meter), witness);
    const outcome = await settled(site, { witness, cycles });
    return { ...outcome, figures: { ...outcome.figures, ...figures } };
  });
}

/** Slow for a while; sampling and sealing go on meanwhile, and everything is delivered afterwards. */
async function oneSlowLine(
  proxy: TcpProxy,
  { agent, node }: { readonly agent: Running; readonly node: Running },
  { direction, witness }: { readonly direction: Direction; readonly witness: Witness },
): Promise<string> {
  const [agentMemory, nodeMemory] = [new MemoryWatch(agent.pid), new MemoryWatch(node.pid)];
  const before = { accepted: agent.accepted, bytes: proxy.bytes[direction] };
  proxy.limit(direction, BYTES_A_SECOND);
  await pause(SLOW_MS);
  const accepted = agent.accepted - before.accepted;
  const passed = proxy.bytes[direction] - before.bytes;
  const { signed = 0, durable = 0 } = agent.status?.log ?? {};
  const behind = signed - (agent.status?.nodes[0]?.receiptedSize ?? 0);
  proxy.limit(direction);
  // 100 ms between two samples: four of five must be there, whatever else the machine does.
  if (accepted < (0.8 * SLOW_MS) / 100)
    witness.problem(`only ${accepted} readings while ${direction} was slow`);
  if (direction === "up" && behind <= 0) witness.problem("no backlog grew on a slow line");
  const began = performance.now();
  await agent.until("everything is delivered", BACK_MS, () =>
    (agent.status?.nodes[0]?.receiptedSize ?? 0) >= durable ? true : undefined,
  );
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const found = { agent: agentMemory.end(), node: nodeMemory.end() };
  for (const [name, { before: from, most }] of Object.entries(found))
    if (most - from > MOST_MORE_MIB)
      witness.problem(`the ${name} grew from ${from} to ${most} MiB on a slow line`);
  const memory = Object.entries(found).map(
    ([name, rss]) => `${name} ${rss.before}/${rss.most}/${rss.after} MiB`,
  );
  return `${accepted} readings, ${passed} bytes, ${behind} leaves behind, delivered in ${seconds} s, ${memory.join(", ")}`;
}

/** A device that sends the same batch again and again and reads no answer is not read in the end, and cut. */
async function deafPeer(site: FaultSite, witness: Witness): Promise<string> {
  const node = await site.startNode();
  try {
    return await flooded(site, node, witness);
  } finally {
    await site.stopPrograms();
  }
}

async function flooded(site: FaultSite, node: Running, witness: Witness): Promise<string> {
  const device = new FakeDevice({ network: NETWORK, seed: new Uint8Array(32).fill(99) }).open().read(30);
  const { client } = await Client.greeted(`ws://127.0.0.1:${site.wsPort}`, device.signer, NETWORK);
  const batch = encodeMessage(await device.batch());
  client.sendBytes(batch);
  await client.next();
  const memory = new MemoryWatch(node.pid);
  const began = performance.now();
  client.socket.pause();
  let sent = 0;
  const flood = setInterval(() => {
    for (let i = 0; i < 500 && client.socket.bufferedAmount < STUCK_BYTES; i++) {
      client.sendBytes(batch);
      sent += batch.length;
    }
  }, 5);
  try {
    await eventually("a peer that reads nothing is cut", 2 * CUT_MS, () => {
      const key = toHex(nativeSigner(new Uint8Array(32).fill(99)).publicKey);
      const closed = node.lines.some(
        (line) => line["event"] === "connection-closed" && line["device"] === key,
      );
      return closed || client.socket.readyState === client.socket.CLOSED ? true : undefined;
    });
  } catch (cause) {
    witness.problem(String(cause));
  } finally {
    clearInterval(flood);
    client.socket.terminate();
  }
  const { before, most, after } = memory.end();
  if (most - before > MOST_NODE_MORE_MIB)
    witness.problem(`the node grew from ${before} to ${most} MiB at a deaf peer`);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  return `${Math.round(sent / 1_048_576)} MiB sent, cut after ${seconds} s, node ${before}/${most}/${after} MiB`;
}
