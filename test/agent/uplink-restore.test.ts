import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import type { RunningNode } from "../../network/node.ts";
import { ask, nodeAt, type Running, useUplinkHome } from "./uplink-home.ts";
import { until } from "./uplink-kit.ts";

describe("a journal that is older than what was signed, at a real node", () => {
  const home = useUplinkHome();

  function receipted({ agent }: Running, epoch: number): number {
    const { nodes, epoch: present } = agent.status();
    return present === epoch ? (nodes[0]?.receiptedSize ?? 0) : 0;
  }

  function opened({ lines }: Running): unknown[] {
    return lines.filter(({ event }) => event === "epoch-opened").map((line) => line["reason"]);
  }

  async function faults(node: RunningNode, { agent }: Running): Promise<unknown> {
    return (await ask(node, `/devices/${toHex(agent.deviceKey)}/faults`))["faults"];
  }

  it("restored from yesterday, signs nothing of the old epoch again and goes on in the next one", async () => {
    const node = await home().startNode();
    const gateway = home().gateway("gateway");
    const first = home().startAgent(gateway, [nodeAt(node)]);
    await until("a receipt", () => receipted(first, 1));
    await first.stop();
    const yesterday = home().copy(gateway, "backup");
    const second = home().startAgent(gateway, [nodeAt(node)]);
    const had = home().journal(yesterday).size(1);
    await until("more at the node", () => receipted(second, 1) > had + 5);
    await second.stop();
    home().copy(yesterday, "gateway");
    const restored = home().startAgent(gateway, [nodeAt(node)]);
    await until("a receipt in the next epoch", () => receipted(restored, 2));
    expect(opened(restored)).toEqual(["a node holds more of this log than the journal"]);
    const [journal, before] = [home().journal(gateway), home().journal(yesterday)];
    // Sealed meanwhile, and under no signature.
    expect(journal.lastCheckpoint(1)?.size).toBe(before.lastCheckpoint(1)?.size);
    const receipt = before.newestReceipt();
    const [, open] = journal.leaves(2, 0, 2).map((bytes) => decodeLeaf(bytes));
    expect(open).toMatchObject({ kind: "epochOpen", oldSize: expect.any(Number) });
    expect(receipt?.epoch).toBe(1);
    expect(await faults(node, restored)).toEqual([]);
  });

  it("copied and run twice, is replaced and goes through epochs: both are seen at the node and in the log", async () => {
    const node = await home().startNode();
    const gateway = home().gateway("gateway");
    const before = home().startAgent(gateway, [nodeAt(node)]);
    await until("a receipt", () => receipted(before, 1));
    await before.stop();
    const card = home().copy(gateway, "copy");
    const one = home().startAgent(gateway, [nodeAt(node)]);
    const had = home().journal(card).size(1);
    await until("more at the node", () => receipted(one, 1) > had + 5);
    const two = home().startAgent(card, [nodeAt(node)]);
    await until("a receipt in the copy's epoch", () => receipted(two, 2));
    await until("word of it", () => one.problems().includes("node-refused:connection-replaced"));
    // It seals on and leaves the line to the other for minutes.
    const attempts = one.lines.filter(({ event }) => event === "node-connected").length;
    expect(attempts).toBe(1);
    expect(one.agent.status().epoch).toBe(1);
    await one.stop();
    const again = home().startAgent(gateway, [nodeAt(node)]);
    await until("the third epoch", () => again.agent.status().epoch === 3);
    expect(opened(again)).toEqual(["a node holds a later epoch of this key"]);
    const key = toHex(again.agent.deviceKey);
    const { logs } = await ask(node, `/devices/${key}`);
    expect(JSON.stringify(logs)).toContain('"epoch":2');
    // What the first signed of epoch 1 after the copy had opened epoch 2 never reached the node.
    expect(await faults(node, again)).toEqual([]);
  });
});
