import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Agent } from "../../agent/agent.ts";
import { loadAgentConfig } from "../../agent/config/config.ts";
import { Journal } from "../../agent/journal/journal.ts";
import { toHex } from "../../attest/bytes.ts";
import { type DispatchOrder, signDispatch } from "../../attest/flexibility/orders.ts";
import { logIdOf } from "../../attest/identity.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSuite } from "../../attest/native.ts";
import { bundledProfile } from "../../drivers/profile/bundled.ts";
import { type SimulatedProfile, startSimulatedProfile } from "../../drivers/simulated/profile-device.ts";
import { FakeNode } from "./fake-node.ts";
import { NETWORK, recordingLogger, temporaryFolder } from "./kit.ts";
import { until } from "./uplink-kit.ts";

/** The whole agent with a simulated battery, ordered about by a node. */
describe("an agent whose battery may be told something", () => {
  let folder = "";
  let closers: (() => Promise<unknown> | unknown)[] = [];

  beforeEach(() => {
    const made = temporaryFolder();
    folder = made.folder;
    closers = [made.remove];
  });
  afterEach(async () => {
    for (const close of closers.reverse()) await close();
  });

  interface Running {
    readonly agent: Agent;
    readonly node: FakeNode;
    readonly journal: Journal;
    readonly battery: SimulatedProfile;
  }

  async function start(control: boolean, supervised = true): Promise<Running> {
    const battery = await startSimulatedProfile(bundledProfile("sungrow-sh"), {
      place: { kind: "tcp", host: "127.0.0.1", port: 0 },
    });
    const node = await FakeNode.start();
    const file = join(folder, "agent.yaml");
    const may = control ? ", control: true" : "";
    writeFileSync(
      file,
      `{network: ${NETWORK}, key: k, journal: journal.sqlite, intervalSeconds: 60, commitSeconds: 0.1, checkpointSeconds: 0.2,
        devices: [{id: battery, driver: sungrow-sh, host: 127.0.0.1, port: ${battery.port}, intervalMs: 300}],
        control: {siteMeter: battery/grid, leaseSeconds: 10, resources: [{device: battery, boundary: device, maxChargeKw: 3, maxDischargeKw: 3}]},
        nodes: [{url: "${node.url}", key: "${toHex(node.signer.publicKey)}"${may}}]}`,
    );
    const { logger } = recordingLogger();
    const agent = new Agent({ config: loadAgentConfig(file), logger, supervised });
    const journal = new Journal(join(folder, "journal.sqlite"), "reader");
    let stopped = false;
    const stop = agent.stop.bind(agent);
    agent.stop = async () => {
      if (!stopped) await stop();
      stopped = true;
    };
    closers.push(
      () => battery.close(),
      () => node.close(),
      () => agent.stop(),
      () => journal.close(),
    );
    agent.start();
    await until("the battery", () => agent.status().channels.some(({ accepted }) => accepted > 2));
    await until("a connection", () => node.batches.length > 0);
    return { agent, node, journal, battery };
  }

  async function order({ agent, node }: Running, changes: Partial<DispatchOrder> = {}): Promise<Uint8Array> {
    const nowMs = Date.now();
    const number = agent.status().channels.find(({ name }) => name === "battery/battery")?.number ?? 0;
    const identity = { network: NETWORK, deviceKey: agent.deviceKey, epoch: agent.status().epoch };
    const bytes = await signDispatch(node.signer, {
      ...{
        logId: logIdOf(nativeSuite, identity),
        objectId: new Uint8Array(randomBytes(16)),
        channel: number,
      },
      ...{ issuedAtMs: nowMs - 1000, expiresMs: nowMs + 20_000, fromMs: nowMs - 500, toMs: nowMs + 60_000 },
      ...{ command: 1, value: -1_500_000, ...changes },
    });
    node.peers.at(-1)?.send({ type: "order", order: bytes });
    return bytes;
  }

  function leaves(journal: Journal, kind: Leaf["kind"]): Leaf[] {
    return journal
      .leaves(1, 0, Number.MAX_SAFE_INTEGER)
      .map((bytes) => decodeLeaf(bytes))
      .filter((leaf) => leaf.kind === kind);
  }

  function batteryMw({ battery }: Running): number {
    return battery.truth().boundaries.get("battery")?.powerMw ?? Number.NaN;
  }

  it("obeys, says so in its log, and lets go when it stops", async () => {
    const running = await start(true);
    const bytes = await order(running);
    await until("the battery to obey", () => batteryMw(running) === -1_500_000);
    await until("the answers", () => leaves(running.journal, "acknowledgement").length === 2);
    expect(leaves(running.journal, "dispatch")).toMatchObject([{ order: bytes }]);
    expect(leaves(running.journal, "acknowledgement")).toMatchObject([{ state: 1 }, { state: 3 }]);
    expect(leaves(running.journal, "actuation")).toMatchObject([
      { action: 1, command: 1, value: -1_500_000 },
    ]);
    expect(running.agent.status().control?.devices).toMatchObject([{ device: "battery", phase: "limited" }]);
    await running.agent.stop();
    expect(leaves(running.journal, "acknowledgement")).toMatchObject([
      {},
      {},
      { state: 5, reason: "stopped" },
    ]);
    expect(leaves(running.journal, "actuation").at(-1)).toMatchObject({ action: 3 });
    await until("the battery to do as it likes", () => batteryMw(running) !== -1_500_000);
  });

  it("seals what the battery could do, though its driver does not say it", async () => {
    const { agent, journal } = await start(true);
    const channel = agent.status().channels.find(({ name }) => name === "battery/battery")?.number;
    const ofBattery = (): Leaf[] =>
      leaves(journal, "flexibility").filter((leaf) => "channel" in leaf && leaf.channel === channel);
    await until("a flexibility reading", () => ofBattery().length);
    expect(ofBattery()[0]).toMatchObject({
      ...{ availability: 1, basis: 2, reducePowerMw: 3_000_000, increasePowerMw: 3_000_000 },
    });
  });

  it("refuses the order of a node that may not control, and leaves no trace of it", async () => {
    const running = await start(false);
    await order(running);
    const peer = running.node.peers.at(-1);
    await until("a refusal", () => peer?.refusedOrders.length);
    expect(peer?.refusedOrders).toMatchObject([{ code: "order-not-allowed" }]);
    expect(leaves(running.journal, "dispatch")).toEqual([]);
  });

  it("rejects what needs somebody to end it, where nobody would", async () => {
    const running = await start(true, false);
    await order(running);
    await until("an answer", () => leaves(running.journal, "acknowledgement").length);
    expect(leaves(running.journal, "acknowledgement")).toMatchObject([
      { state: 2, reason: "control-unsupervised" },
    ]);
  });
});
