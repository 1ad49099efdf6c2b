import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import type { WelcomeMessage } from "../../attest/messages.ts";
import { nativeSuite } from "../../attest/native.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { judge } from "../../attest/verdict.ts";
import { eventually } from "../kit/programs.ts";
import { FakeNode } from "./fake-node.ts";
import { nodeSigner, Station } from "./journal/ledger-kit.ts";
import { deviceSigner, FakeTime } from "./kit.ts";
import { ask, nodeAt, type Running, useUplinkHome } from "./uplink-home.ts";
import { until } from "./uplink-kit.ts";

const DAY_MS = 86_400_000;

describe("several nodes", () => {
  const home = useUplinkHome();

  function receipted({ agent }: Running, number: number): number {
    return agent.status().nodes[number]?.receiptedSize ?? 0;
  }

  it("have cursors of their own: one that is added later gets the log from its first leaf", async () => {
    const [early, late] = [await home().startNode("early"), await home().startNode("late")];
    const gateway = home().gateway("gateway");
    const first = home().startAgent(gateway, [nodeAt(early)]);
    await until("a receipt", () => receipted(first, 0) > 10);
    await first.stop();
    const both = home().startAgent(gateway, [nodeAt(early), nodeAt(late)]);
    await until(
      "both up to date",
      () => receipted(both, 1) > 20 && receipted(both, 0) === receipted(both, 1),
    );
    expect(both.agent.status().epoch).toBe(1);
    const size = async (node: typeof early): Promise<string> =>
      JSON.stringify((await ask(node, `/devices/${toHex(both.agent.deviceKey)}`))["logs"]);
    expect(await size(late)).toContain('"epoch":1');
    // The early one goes away: the late one is served on.
    await early.close();
    const before = receipted(both, 1);
    await until("more at the late one", () => receipted(both, 1) > before + 10);
    expect(both.agent.status().epoch).toBe(1);
  });

  it("go on together in the next epoch where leaves that the late one needs are released; it can prove from there", async () => {
    const gateway = home().gateway("gateway");
    const held = await releasedLog(gateway);
    const early = await FakeNode.start({
      key: nodeSigner,
      welcome: (peer) => (peer.number === 0 ? held : {}),
    });
    home().closers.push(() => early.close());
    const late = await home().startNode("late");
    const nodes = [{ url: early.url, key: toHex(nodeSigner.publicKey) }, nodeAt(late)];
    const running = home().startAgent(gateway, nodes);
    await until("the next epoch", () => running.agent.status().epoch === 2);
    const opened = running.lines.filter(({ event }) => event === "epoch-opened");
    expect(opened.map((line) => line["reason"])).toEqual(["a node has not the leaves that were released"]);
    await until("receipts of both", () => receipted(running, 0) > 0 && receipted(running, 1) > 0);
    expect(early.batches.find(({ epoch }) => epoch === 2)?.firstSeq).toBe(0);
    const file = await proofOf(late.httpUrl, toHex(deviceSigner.publicKey));
    const proof = verifyProof(nativeSuite, file);
    const trust = { deviceKeys: [deviceSigner.publicKey], nodeKeys: [late.nodeKey], witnesses: 1 };
    expect(judge(nativeSuite, proof, trust)).toMatchObject({ standing: "witnessed" });
    expect(running.agent.status().epoch).toBe(2);
  });
});

/** A log whose oldest readings are gone, signed and receipted by one node; what that node shows of it. */
async function releasedLog(gateway: string): Promise<Omit<WelcomeMessage, "type">> {
  const key = `kilowitness key 1\nseed ${"07".repeat(32)}\nsalt ${"00".repeat(32)}\n`;
  writeFileSync(join(gateway, "k"), key, { mode: 0o600 });
  const time = new FakeTime();
  time.wall = Date.now() - 100 * DAY_MS;
  const station = new Station({ path: join(gateway, "journal.sqlite"), time, nodes: [nodeSigner.publicKey] });
  for (let round = 0; round < 12; round++) await station.read(70).witness();
  time.advance(91 * DAY_MS);
  for (let before = -1; station.ledger.status().released > before; ) {
    before = station.ledger.status().released;
    station.ledger.tick();
  }
  expect(station.ledger.status().released).toBeGreaterThan(100);
  const size = await station.witness();
  const checkpoint = station.ledger.log.journal.checkpointAt(1, size);
  station.close();
  return { epoch: 1, checkpoint: new Uint8Array(checkpoint ?? []) };
}

/** The node's proof of the first plain interval that it holds. */
async function proofOf(httpUrl: string, deviceKey: string): Promise<Uint8Array> {
  const base = `${httpUrl}/devices/${deviceKey}`;
  const channel = "channel=roof%2Finverter";
  interface Interval {
    readonly t0Ms: number;
    readonly t1Ms: number;
    readonly shape: readonly string[];
  }
  const close = await eventually("a plain interval at the node", 25_000, async () => {
    const answer = await fetch(`${base}/intervals?${channel}`);
    if (!answer.ok) return undefined;
    const { intervals } = (await answer.json()) as { intervals: Interval[] };
    return intervals.find(({ shape }) => shape.length === 0);
  });
  const answer = await fetch(`${base}/proof?${channel}&from=${close.t0Ms}&to=${close.t1Ms}`);
  expect(answer.status).toBe(200);
  return new Uint8Array(await answer.arrayBuffer());
}
