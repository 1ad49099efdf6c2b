import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { logIdOf } from "../../attest/identity.ts";
import { BOUNDARY } from "../../attest/leaf-flexibility.ts";
import { nativeSuite } from "../../attest/native.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { judge, type Verdict } from "../../attest/verdict.ts";
import type { RunningNode } from "../../network/node.ts";
import { Client, FakeDevice, INTERVAL_MS, START_MS } from "../kit/device.ts";
import { ask, runNode } from "./fixture.ts";

const PER_MINUTE = 12;
const WH_A_MINUTE = 84;

/** `minute(2)` is 12:02 UTC. */
function minute(number: number): number {
  return START_MS + number * INTERVAL_MS;
}

/** What an epoch names as the log before it. */
interface Continued {
  readonly size: number;
  readonly root: Uint8Array;
  readonly logId?: Uint8Array;
}

/** One device and the node that it sends to, epoch after epoch. */
class Stream {
  readonly node: RunningNode;
  device: FakeDevice;
  readonly #client: Client;
  #receipted: Continued = { size: 0, root: new Uint8Array(32) };

  private constructor(node: RunningNode, device: FakeDevice, client: Client) {
    this.node = node;
    this.device = device;
    this.#client = client;
  }

  static async open(device: FakeDevice = new FakeDevice().open()): Promise<Stream> {
    const node = await runNode(undefined, { maxEpochsPerDay: 100 });
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    return new Stream(node, device, client);
  }

  async send(): Promise<this> {
    const answer = await this.#client.ask(await this.device.batch());
    if (answer.type !== "receipt") throw new Error(JSON.stringify(answer));
    const { size } = this.device.rules;
    this.#receipted = { size, root: this.device.rules.root() };
    return this;
  }

  /** The next epoch of the same home; it names what was receipted last unless told otherwise. */
  nextEpoch(changes: Partial<Continued> = {}): this {
    const { rules, epoch, nowMs, importMwh } = this.device;
    const { size, root, logId = rules.logId } = { ...this.#receipted, ...changes };
    this.device = new FakeDevice({ epoch: epoch + 1 });
    Object.assign(this.device, { nowMs, importMwh });
    this.device.open({ oldLogId: logId, oldSize: size, oldRoot: root });
    return this;
  }

  path(question: string): string {
    return `/devices/${toHex(this.device.signer.publicKey)}/${question}`;
  }

  span(fromMs: number, toMs: number, channel = "grid"): string {
    return this.path(`proof?channel=${channel}&from=${fromMs}&to=${toMs}`);
  }

  async verdict(path: string): Promise<Verdict> {
    const response = await fetch(`${this.node.httpUrl}${path}`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(response.status, new TextDecoder().decode(bytes)).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/cbor");
    const policy = {
      deviceKeys: [this.device.signer.publicKey],
      nodeKeys: [this.node.nodeKey],
      witnesses: 1,
      // The fake device lives in January; the node's clock is this machine's.
      clockToleranceMs: Number.MAX_SAFE_INTEGER,
    };
    return judge(nativeSuite, verifyProof(nativeSuite, bytes), policy);
  }

  async refusal(path: string): Promise<{ status: number; code: string; message: string }> {
    const { status, body } = await ask(this.node, path);
    return { status, ...(body as { code: string; message: string }) };
  }

  /** What channel 1 could do now; its state of charge tells the readings apart. */
  stateFlexibility(stateOfChargePpm: number, timeQuality = 3): this {
    const state = this.device.rules.channels.get(1);
    if (state === undefined) throw new Error("channel 1 is not open");
    this.device.append({
      ...{ kind: "flexibility", channel: 1, boundary: BOUNDARY.device, availability: 1, stateOfChargePpm },
      ...{ manifestSeq: state.manifest.seq, manifestHash: state.manifestHash },
      ...{ timeMs: this.device.nowMs, timeQuality },
    });
    return this;
  }
}

/** Epoch 1 from 12:00 to beyond 12:05, its batch of the first three minutes receipted; epoch 2 from 12:06 on. */
async function twoEpochs(): Promise<Stream> {
  const stream = await Stream.open();
  stream.device.read(3 * PER_MINUTE + 1);
  await stream.send();
  const { size } = stream.device.rules;
  const root = stream.device.rules.root();
  stream.device.read(2 * PER_MINUTE);
  await stream.send();
  stream.nextEpoch({ size, root });
  stream.device.nowMs = minute(6);
  stream.device.read(3 * PER_MINUTE + 1);
  return stream.send();
}

describe("proofs of a span over several epochs", () => {
  it("take each part up to the checkpoint that the next epoch names, and claim nothing between", async () => {
    const stream = await twoEpochs();
    const begin = minute(6) + 5000;
    // 2 minutes of epoch 1, then 11 steps and two whole minutes of epoch 2.
    expect(await stream.verdict(stream.span(minute(1), minute(9)))).toMatchObject({
      ...{ claim: "energy", epochs: [1, 2], fromMs: minute(1), toMs: minute(9), standing: "witnessed" },
      import: { wh: 2 * WH_A_MINUTE + 77 + 2 * WH_A_MINUTE },
      gaps: [{ fromMs: minute(3), toMs: begin, epoch: 2 }],
    });
    // By number: the number of the last epoch's channel, the name in those before.
    expect(await stream.verdict(stream.span(minute(1), minute(9), "1"))).toMatchObject({ epochs: [1, 2] });
  });

  it("stay in the newest epoch that holds all of it", async () => {
    const stream = await twoEpochs();
    const { epochs: first } = await stream.verdict(stream.span(minute(3), minute(5)));
    const { epochs: second } = await stream.verdict(stream.span(minute(7), minute(9)));
    expect([first, second]).toEqual([[1], [2]]);
  });

  it("are refused where the epochs do not lead from one end to the other", async () => {
    const stream = await twoEpochs();
    const refusal = await stream.refusal(stream.span(minute(3), minute(9)));
    expect(refusal).toMatchObject({ status: 409, code: "proof-epoch" });
    const own = `${new Date(minute(6) + 5000).toISOString()} to ${new Date(minute(9)).toISOString()}`;
    expect(refusal.message).toContain(`ask for each part on its own, such as ${own}`);
  });

  it("are refused with the nearest ends over all epochs", async () => {
    const stream = await twoEpochs();
    const refusal = await stream.refusal(stream.span(minute(1) + 1, minute(9)));
    expect(refusal).toMatchObject({ status: 409, code: "proof-boundary" });
    const times = [minute(1), minute(2), minute(9)].map((ms) => new Date(ms).toISOString());
    expect(refusal.message).toContain(`from ${times[0]} or ${times[1]} to ${times[2]}, got`);
  });

  it("end the earlier part before the later one begins, although the clock was set back between", async () => {
    const stream = await Stream.open(new FakeDevice().open().read(49));
    await stream.send();
    stream.device.nowMs = minute(2) + 30_000;
    stream.nextEpoch().device.read(31);
    await stream.send();
    // Epoch 1 reaches beyond 12:04; of it, only what lies before epoch 2.
    expect(await stream.verdict(stream.span(minute(1), minute(5)))).toMatchObject({
      ...{ epochs: [1, 2], gaps: [{ fromMs: minute(2), toMs: minute(2) + 35_000, epoch: 2 }] },
      import: { wh: WH_A_MINUTE + 35 + 2 * WH_A_MINUTE },
    });
  });

  it("join eight epochs and no more", async () => {
    const stream = await Stream.open(new FakeDevice().open().read(18));
    for (let epoch = 2; epoch <= 9; epoch++) {
      await stream.send();
      stream.nextEpoch().device.read(18);
    }
    await stream.send();
    // Each epoch has 90 s, its first reading 5 s behind its begin.
    const [last, second] = [minute(13), START_MS + 90_000 + 5000];
    const refusal = await stream.refusal(stream.span(START_MS + 5000, last));
    expect(refusal).toMatchObject({ status: 409, code: "proof-epoch" });
    expect(refusal.message).toContain("expected at most 8, got 9");
    expect(await stream.verdict(stream.span(second, last))).toMatchObject({
      epochs: [2, 3, 4, 5, 6, 7, 8, 9],
    });
  });

  it("are refused when this node was not shown what the epoch continues", async () => {
    const stream = await Stream.open(new FakeDevice().open().read(27));
    await stream.send();
    // Another node's receipt, of a size at which this one holds no checkpoint.
    const { leaves } = stream.device;
    const shorter = new FakeDevice().open().read(26);
    expect(shorter.leaves).toEqual(leaves.slice(0, shorter.leaves.length));
    stream.nextEpoch({ size: shorter.rules.size, root: shorter.rules.root() });
    stream.device.read(25);
    await stream.send();
    const refusal = await stream.refusal(stream.span(minute(1), minute(4)));
    expect(refusal).toMatchObject({ status: 409, code: "proof-epoch" });
    expect(refusal.message).toContain("that was not kept");
  });

  it("are refused when no verifier would take them: the meter's register went back", async () => {
    const stream = await Stream.open(new FakeDevice().open().read(25));
    await stream.send();
    stream.nextEpoch();
    stream.device.importMwh -= 100_000;
    stream.device.read(25);
    await stream.send();
    const refusal = await stream.refusal(stream.span(minute(1), minute(4)));
    expect(refusal).toMatchObject({ status: 409, code: "proof-epoch" });
    expect(refusal.message).toContain("claim the same time or the same energy");
  });
});

describe("a log that a device continues", () => {
  const twoMinutes = (): FakeDevice => new FakeDevice().open().read(25);

  async function refusalAcross(stream: Stream, channel: string): Promise<string> {
    stream.device.read(25);
    await stream.send();
    const lastEnd = minute(Math.floor((stream.device.nowMs - START_MS) / INTERVAL_MS));
    const refusal = await stream.refusal(stream.span(minute(1), lastEnd, channel));
    expect(refusal).toMatchObject({ status: 409, code: "proof-epoch" });
    return refusal.message;
  }

  it("may be one that this node never saw", async () => {
    const stream = await (await Stream.open(twoMinutes())).send();
    stream.nextEpoch({ logId: new Uint8Array(32).fill(5) });
    expect(await refusalAcross(stream, "grid")).toContain("does not hold the log that the epoch continues");
  });

  it("may know the channel by another name, under the same number", async () => {
    const stream = await (await Stream.open(twoMinutes())).send();
    stream.nextEpoch();
    const [time, meter] = [
      { timeMs: stream.device.nowMs, timeQuality: 3 },
      { make: "Acme", model: "M1" },
    ];
    stream.device.append({
      ...{ kind: "channelManifest", channel: 1, role: 1, name: "house", registers: 3, samplingMs: 5000 },
      ...{ ...meter, serial: "4711", driver: "test", ...time },
    });
    expect(await refusalAcross(stream, "1")).toContain('epoch 1, which it continues, has no channel "house"');
  });

  it("is never a later one: a device that names a circle is told so", async () => {
    const stream = await (await Stream.open(twoMinutes())).send();
    const { network, deviceKey } = stream.device.rules.identity;
    stream.nextEpoch({ logId: logIdOf(nativeSuite, { network, deviceKey, epoch: 3 }) }).device.read(25);
    await stream.send();
    stream.nextEpoch();
    expect(await refusalAcross(stream, "grid")).toMatch(/^epoch 2: .* does not hold the log/);
  });
});

describe("proofs of a flexibility reading", () => {
  async function threeReadings(): Promise<Stream> {
    const stream = await Stream.open(new FakeDevice().open().read(12));
    stream.stateFlexibility(500_000).device.read(12);
    stream.stateFlexibility(510_000);
    await stream.send();
    stream.nextEpoch();
    stream.device.read(12);
    stream.stateFlexibility(520_000).device.read(1);
    return stream.send();
  }

  function at(stream: Stream, ms: number, channel = "grid"): string {
    return stream.path(`flexibility-proof?channel=${channel}&at=${ms}`);
  }

  it("are of the last one at or before the time, in whichever epoch", async () => {
    const stream = await threeReadings();
    for (const [ms, atMs, stateOfChargePpm, epoch] of [
      [minute(1), minute(1), 500_000, 1],
      [minute(2) - 1, minute(1), 500_000, 1],
      [minute(2), minute(2), 510_000, 1],
      [minute(9), minute(3), 520_000, 2],
    ] as const) {
      expect(await stream.verdict(at(stream, ms))).toMatchObject({
        ...{ claim: "flexibility", atMs, epochs: [epoch], standing: "witnessed" },
        flexibility: { stateOfChargePpm },
      });
    }
  });

  it("are refused before the first one, with its time", async () => {
    const stream = await threeReadings();
    const refusal = await stream.refusal(at(stream, minute(1) - 1));
    expect(refusal).toMatchObject({ status: 409, code: "proof-no-reading" });
    expect(refusal.message).toContain(
      `expected ${new Date(minute(1)).toISOString()}, the first one, or later`,
    );
  });

  it("are refused for a channel without one, with the channels that have any", async () => {
    const stream = await threeReadings();
    const [time, meter] = [
      { timeMs: stream.device.nowMs, timeQuality: 3 },
      { make: "Acme", model: "M1" },
    ];
    stream.device.append({
      ...{ kind: "channelManifest", channel: 2, role: 2, name: "roof", registers: 2, samplingMs: 5000 },
      ...{ ...meter, serial: "9", driver: "test", ...time },
    });
    await stream.send();
    const refusal = await stream.refusal(at(stream, minute(9), "roof"));
    expect(refusal).toMatchObject({ status: 409, code: "proof-no-reading" });
    expect(refusal.message).toContain("expected a channel that has one: grid, got");
  });

  it("do not take the time since boot for a time", async () => {
    const device = new FakeDevice();
    device.nowMs = 5000;
    device.append({
      ...{ kind: "logManifest", network: device.network, epoch: 1, deviceKey: device.signer.publicKey },
      ...{ agentVersion: "test", assuranceTier: 0, bootCount: 1, intervalMs: INTERVAL_MS },
      ...{ timeMs: 5000, timeQuality: 1 },
    });
    device.append({
      ...{ kind: "channelManifest", channel: 1, role: 3, name: "grid", registers: 0, samplingMs: 5000 },
      ...{ make: "Acme", model: "M1", serial: "4711", driver: "test", timeMs: 5000, timeQuality: 1 },
    });
    const stream = await Stream.open(device);
    await stream.stateFlexibility(500_000, 1).send();
    expect(await stream.refusal(at(stream, minute(1)))).toMatchObject({ code: "proof-no-reading" });
  });

  it.each([
    ["flexibility-proof?channel=grid", 400, "query"],
    ["flexibility-proof?channel=grid&at=noon", 400, "query"],
    ["flexibility-proof?channel=grid&at=5&to=6", 400, "query"],
    ["flexibility-proof?channel=roof&at=5", 404, "channel-unknown"],
    ["flexibility-proof?channel=grid&at=5", 409, "proof-no-reading"],
  ])("are refused by code: %s", async (question, status, code) => {
    const stream = await (await Stream.open()).send();
    expect(await stream.refusal(stream.path(question))).toMatchObject({ status, code });
  });
});
