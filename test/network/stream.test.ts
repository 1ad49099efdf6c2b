import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import type { Message } from "../../attest/messages.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { openReceipt } from "../../attest/receipt.ts";
import { Client, FakeDevice, NETWORK, seedOf } from "../kit/device.ts";
import { runNode, temporaryFolder } from "./fixture.ts";

function receiptOf(message: Message): Uint8Array {
  if (message.type === "receipt") return message.receipt;
  throw new Error(`no receipt but ${JSON.stringify(message)}`);
}

describe("a device that streams", () => {
  it("gets a receipt over exactly what it signed", async () => {
    const node = await runNode();
    const device = new FakeDevice().open().read(30);
    const { client, welcome } = await Client.greeted(node.wsUrl, device.signer);
    expect(welcome).toEqual({ type: "welcome" });
    const receipt = openReceipt(nativeSuite, receiptOf(await client.ask(await device.batch())), node.nodeKey);
    expect(receipt).toMatchObject({
      manifestHash: device.rules.manifestHash,
      size: device.rules.size,
      root: device.rules.root(),
    });
  });

  it("goes on where it was after the node has restarted", async () => {
    const folder = temporaryFolder();
    const device = new FakeDevice().open().read(20);
    const first = await runNode(folder);
    const before = await Client.greeted(first.wsUrl, device.signer);
    const batch = await device.batch();
    const receipt = receiptOf(await before.client.ask(batch));
    await first.close();
    expect((await before.client.closed).code).toBe(1001);

    const second = await runNode(folder);
    expect(second.nodeKey).toEqual(first.nodeKey);
    const after = await Client.greeted(second.wsUrl, device.signer);
    expect(after.welcome).toEqual({ type: "welcome", epoch: 1, checkpoint: batch.checkpoint, receipt });
    const more = receiptOf(await after.client.ask(await device.read(300).batch()));
    expect(openReceipt(nativeSuite, more, second.nodeKey).size).toBe(device.rules.size);
  });

  it("may send batches without waiting; receipts come in their order", async () => {
    const node = await runNode();
    const device = new FakeDevice().open();
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    const sizes: number[] = [];
    for (let i = 0; i < 40; i++) {
      client.send(await device.read(3).batch());
      sizes.push(device.rules.size);
    }
    const got: number[] = [];
    for (let i = 0; i < 40; i++)
      got.push(openReceipt(nativeSuite, receiptOf(await client.next()), node.nodeKey).size);
    expect(got).toEqual(sizes);
  });

  it("is welcomed with its newest checkpoint in any epoch", async () => {
    const node = await runNode();
    const old = new FakeDevice().open().read(5);
    const { client } = await Client.greeted(node.wsUrl, old.signer);
    await client.ask(await old.batch());
    const { logId, size } = old.rules;
    const next = new FakeDevice({ epoch: 2 });
    next.open({ oldLogId: logId, oldSize: size, oldRoot: old.rules.root() }).read(2);
    const batch = await next.batch();
    receiptOf(await client.ask(batch));
    const { welcome } = await Client.greeted(node.wsUrl, old.signer);
    expect(welcome).toMatchObject({ type: "welcome", epoch: 2, checkpoint: batch.checkpoint });
  });

  it("is refused on its older connection when it connects again", async () => {
    const node = await runNode();
    const device = new FakeDevice().open();
    const older = await Client.greeted(node.wsUrl, device.signer);
    const newer = await Client.greeted(node.wsUrl, device.signer);
    expect(await older.client.next()).toMatchObject({ type: "refusal", code: "connection-replaced" });
    expect((await older.client.closed).code).toBe(1008);
    receiptOf(await newer.client.ask(await device.batch()));
  });
});

describe("the handshake", () => {
  async function refusalOf(client: Client): Promise<string> {
    const message = await client.next();
    expect((await client.closed).code).toBe(1008);
    return message.type === "refusal" ? message.code : message.type;
  }

  it("refuses another network", async () => {
    const node = await runNode();
    const client = await Client.connect(node.wsUrl);
    const { signer } = new FakeDevice();
    client.send(open(signer.publicKey, "other-network"));
    expect(await refusalOf(client)).toBe("network-mismatch");
  });

  it("refuses a key that is not listed, and takes one that is", async () => {
    const listed = nativeSigner(seedOf(2));
    const node = await runNode(temporaryFolder(), { devices: [toHex(listed.publicKey)] });
    const client = await Client.connect(node.wsUrl);
    client.send(open(nativeSigner(seedOf(1)).publicKey));
    expect(await refusalOf(client)).toBe("device-unknown");
    expect((await Client.greeted(node.wsUrl, listed)).welcome).toEqual({ type: "welcome" });
  });

  it("closes the connections of a device that is no longer taken", async () => {
    const node = await runNode();
    const { client } = await Client.greeted(node.wsUrl, nativeSigner(seedOf(1)));
    node.admit([]);
    expect(await refusalOf(client)).toBe("device-unknown");
  });

  it("refuses a hello of another key", async () => {
    const node = await runNode();
    const client = await Client.connect(node.wsUrl);
    const thief = nativeSigner(seedOf(9));
    const victim = nativeSigner(seedOf(1));
    // The thief names the victim's key and signs with its own.
    const { reply } = await client.answerHello({ publicKey: victim.publicKey, sign: thief.sign }, NETWORK);
    client.send(reply);
    expect(await refusalOf(client)).toBe("cose-signature");
  });

  it("refuses a hello recorded on another connection", async () => {
    const node = await runNode();
    const signer = nativeSigner(seedOf(1));
    const recorded = (await (await Client.connect(node.wsUrl)).answerHello(signer, NETWORK)).reply;
    const client = await Client.connect(node.wsUrl);
    await client.answerHello(signer, NETWORK);
    client.send(recorded);
    expect(await refusalOf(client)).toBe("hello-mismatch");
  });

  it("refuses a key of small order", async () => {
    const node = await runNode();
    const client = await Client.connect(node.wsUrl);
    const identity = new Uint8Array(32);
    identity[0] = 1;
    const signature = new Uint8Array(64);
    signature[0] = 1;
    const { reply } = await client.answerHello({ publicKey: identity, sign: () => signature }, NETWORK);
    client.send(reply);
    expect(await refusalOf(client)).toBe("cose-signature");
  });

  it("refuses a batch before the key is proven", async () => {
    const node = await runNode();
    const client = await Client.connect(node.wsUrl);
    client.send(await new FakeDevice().open().batch());
    expect(await refusalOf(client)).toBe("message-unexpected");
  });

  it("refuses text, garbage and large messages before the key is proven", async () => {
    const node = await runNode();
    const text = await Client.connect(node.wsUrl);
    text.socket.send("hello");
    expect(await refusalOf(text)).toBe("message-type");
    const garbage = await Client.connect(node.wsUrl);
    garbage.sendBytes(new Uint8Array(100).fill(255));
    expect(await refusalOf(garbage)).toMatch(/^cbor-/);
    const large = await Client.connect(node.wsUrl);
    large.sendBytes(new Uint8Array(4097));
    expect(await refusalOf(large)).toBe("message-size");
  });

  it("cuts off a stranger that floods, before the message is even complete", async () => {
    const node = await runNode();
    const client = await Client.connect(node.wsUrl);
    client.socket.send(new Uint8Array(1000), { fin: false });
    for (let i = 0; i < 40; i++) client.socket.send(new Uint8Array(1000), { fin: false });
    expect(await client.next()).toMatchObject({ type: "refusal", code: "message-size" });
    expect((await client.closed).code).toBe(1008);
  });

  it("takes only its own subprotocol", async () => {
    const node = await runNode();
    await expect(Client.connect(node.wsUrl, ["other.v1"])).rejects.toThrow("400");
    await expect(Client.connect(node.wsUrl, [])).rejects.toThrow("400");
  });

  it("has a limit of connections from one address", async () => {
    const node = await runNode(temporaryFolder(), { maxConnectionsPerAddress: 2 });
    const first = await Client.connect(node.wsUrl);
    await Client.connect(node.wsUrl);
    await expect(Client.connect(node.wsUrl)).rejects.toThrow("429");
    await first.close();
    await expect
      .poll(() =>
        Client.connect(node.wsUrl).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
  });

  it("has a limit of connections in all", async () => {
    const node = await runNode(temporaryFolder(), { maxConnections: 1 });
    await Client.connect(node.wsUrl);
    await expect(Client.connect(node.wsUrl)).rejects.toThrow("503");
  });

  function open(deviceKey: Uint8Array, network: string = NETWORK): Message {
    return { type: "open", network, deviceKey, deviceNonce: new Uint8Array(32), agentVersion: "test" };
  }
});

describe("an authenticated device", () => {
  it("is closed at a message above the protocol's limit", async () => {
    const node = await runNode();
    const { client } = await Client.greeted(node.wsUrl, nativeSigner(seedOf(1)));
    client.sendBytes(new Uint8Array(1_048_577));
    expect((await client.closed).code).toBe(1009);
  });

  it("is closed at a message that is not for a device to send", async () => {
    const node = await runNode();
    const { client } = await Client.greeted(node.wsUrl, nativeSigner(seedOf(1)));
    client.send({ type: "receipt", receipt: new Uint8Array(3) });
    expect(await client.next()).toMatchObject({ type: "refusal", code: "message-unexpected" });
    expect((await client.closed).code).toBe(1008);
  });
});
