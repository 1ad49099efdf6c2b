import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { signHello } from "../../attest/hello.ts";
import type { Message } from "../../attest/messages.ts";
import { nativeSigner } from "../../attest/native.ts";
import type { FakeNode } from "./fake-node.ts";
import { deviceSigner, NETWORK } from "./kit.ts";
import { until, useUplinkBench } from "./uplink-kit.ts";

describe("uplink", () => {
  const on = useUplinkBench();

  describe("to nodes that misbehave", () => {
    it("gives up on a node that takes the connection and says nothing, pings or not", async () => {
      const silent = await on().startNode({ opened: () => undefined });
      const pinging = await on().startNode({
        opened: (peer) => {
          const timer = setInterval(() => peer.socket.ping(), 10);
          peer.socket.on("close", () => clearInterval(timer));
        },
      });
      const ups = [silent, pinging].map((node) => on().connect(node, { handshakeMs: 200 }));
      for (const [index, node] of [silent, pinging].entries()) {
        await until("another attempt", () => node.peers.length > 1);
        expect(ups[index]?.problems()).toEqual(["node-silent"]);
      }
    });

    it("gives up on a node that falls silent later, and on one that never gives a receipt", async () => {
      await on().sign(2);
      const silent = await on().startNode();
      const first = on().connect(silent, { silenceMs: 200 });
      await until("another attempt", () => silent.peers.length > 1);
      expect(first.problems()[0]).toBe("node-silent");
      const greedy = await on().startNode({
        batch: (peer) => {
          const timer = setInterval(() => peer.socket.ping(), 10);
          peer.socket.on("close", () => clearInterval(timer));
        },
      });
      const second = on().connect(greedy, { receiptMs: 200 });
      await until("another attempt", () => greedy.peers.length > 1);
      expect(second.problems()[0]).toBe("receipt-late");
    });

    it.each([
      ["random bytes", () => new Uint8Array(50).fill(0xc7), "cbor-"],
      ["nothing", () => new Uint8Array(0), "cbor-"],
    ])("closes on garbage: %s", async (_name, bytes, code) => {
      await on().sign(2);
      const node = await on().startNode({ opened: (peer) => peer.socket.send(bytes()) });
      const { problems } = on().connect(node);
      await until("another attempt", () => node.peers.length > 1);
      expect(problems()[0]).toContain(code);
      expect(await node.peers[0]?.closed).toBe(1008);
      expect(node.batches).toEqual([]);
    });

    it("closes on a message that is too large without taking it", async () => {
      const node = await on().startNode({ opened: (peer) => peer.socket.send(new Uint8Array(2_000_000)) });
      const { problems } = on().connect(node);
      await until("another attempt", () => node.peers.length > 1);
      expect(problems()).toEqual(["node-protocol"]);
      expect(await node.peers[0]?.closed).toBe(1009);
    });

    it("tells a refusal as the node worded it, with what to do", async () => {
      const node = await on().startNode({
        opened: (peer) => {
          peer.send({
            type: "refusal",
            code: "network-mismatch",
            message: "this node serves another network",
          });
          peer.socket.close(1008);
        },
      });
      const { lines } = on().connect(node);
      const line = await until("a problem", () => lines.find(({ event }) => event === "node-problem"));
      expect(line["code"]).toBe("node-refused:network-mismatch");
      expect(line["message"]).toMatch(
        /^the node refused: this node serves another network; correct `network`/,
      );
    });

    it("tells it once, however often it tries", async () => {
      const node = await on().startNode({
        opened: (peer) => {
          peer.send({ type: "refusal", code: "device-unknown", message: "no" });
          peer.socket.close(1008);
        },
      });
      const { problems, uplink } = on().connect(node);
      await until("many attempts", () => node.peers.length > 4);
      expect(problems()).toEqual(["node-refused:device-unknown"]);
      expect(uplink.status).toMatchObject({ connected: false, problem: expect.stringContaining("refused") });
    });

    it("tells nothing of the log to a node with another key, or with a hello that is not signed by it", async () => {
      await on().sign(2);
      const node = await on().startNode({ key: nativeSigner(new Uint8Array(32).fill(99)) });
      const other = on().connect({ url: node.url, signer: deviceSigner });
      await until("a problem", () => other.problems().length);
      expect(other.problems()).toEqual(["node-key"]);
      const liar: FakeNode = await on().startNode({
        opened: (peer) => {
          const { publicKey } = liar.signer;
          const hello = new Uint8Array(100);
          peer.send({ type: "nodeHello", nodeKey: publicKey, nodeNonce: new Uint8Array(32), hello });
        },
      });
      const lied = on().connect(liar);
      await until("a problem", () => lied.problems().length);
      expect(lied.problems()[0]).toMatch(/^(cose|cbor)-/);
      expect([...node.batches, ...liar.batches]).toEqual([]);
    });

    it("tells nothing of the log to one that relays what the true node said to somebody else, or earlier", async () => {
      await on().sign(2);
      const heard: Message[] = [];
      const liar: FakeNode = await on().startNode({
        opened: (peer) => {
          const { publicKey: nodeKey } = liar.signer;
          const [said] = heard;
          if (said !== undefined) return peer.send(said);
          void (async () => {
            // What the true node answered to this very device, over the nonce of another connection.
            const deviceNonce = new Uint8Array(32).fill(1);
            const nodeNonce = new Uint8Array(32).fill(2);
            const terms = { network: NETWORK, deviceKey: peer.deviceKey, nodeKey, deviceNonce, nodeNonce };
            const hello = await signHello(liar.signer, "node", terms);
            heard.push({ type: "nodeHello", nodeKey, nodeNonce, hello });
            peer.send({ type: "nodeHello", nodeKey, nodeNonce, hello });
          })();
        },
      });
      const { problems } = on().connect(liar);
      // A peer is there before its first message is.
      const said = (): readonly string[] => liar.peers.map(({ types }) => types.join(" ")).filter(Boolean);
      await until("a second relay", () => said().length > 2);
      expect(problems()).toEqual(["hello-mismatch"]);
      expect(new Set(said())).toEqual(new Set(["open"]));
    });

    it("tells nothing of the log to one that sends the device's own hello back", async () => {
      await on().sign(2);
      let seen: Uint8Array = new Uint8Array(0);
      const node: FakeNode = await on().startNode({
        opened: (peer) => {
          const { publicKey: nodeKey } = node.signer;
          const nodeNonce = new Uint8Array(32).fill(2);
          void (async () => {
            const terms = { network: NETWORK, deviceKey: peer.deviceKey, nodeKey, nodeNonce };
            const deviceNonce = peer.open?.deviceNonce ?? nodeNonce;
            seen = await signHello(deviceSigner, "device", { ...terms, deviceNonce });
            peer.send({ type: "nodeHello", nodeKey, nodeNonce, hello: seen });
          })();
        },
      });
      const { problems } = on().connect(node);
      await until("a problem", () => problems().length);
      expect(seen.length).toBeGreaterThan(64);
      expect(problems()[0]).toMatch(/^(cose|hello)-/);
      expect(node.peers[0]?.types).toEqual(["open"]);
    });

    it("takes no text for a message", async () => {
      const node = await on().startNode({ opened: (peer) => peer.socket.send("hello") });
      const { problems } = on().connect(node);
      await until("another attempt", () => node.peers.length > 1);
      expect(problems()).toEqual(["message-type"]);
      expect(await node.peers[0]?.closed).toBe(1008);
    });

    it("begins where an older checkpoint of its own ends that a node shows, and loses no receipt over it", async () => {
      const first = await on().sign(5);
      const node: FakeNode = await on().startNode({
        welcome: () => {
          const old = on().bench.log.journal.checkpointAt(1, first);
          return old === undefined ? {} : { epoch: 1, checkpoint: new Uint8Array(old) };
        },
      });
      const second = await on().sign(5);
      const before = on().connect(node);
      await until("everything", () => before.receipted.includes(second));
      await before.uplink.stop(0);
      // The node says again that it holds only the first: what it has receipted stays receipted.
      const { receipted, uplink, problems } = on().connect(node);
      await until("everything again", () => receipted.includes(second));
      expect(node.batches.map(({ firstSeq }) => firstSeq)).toEqual([first, first]);
      expect(on().bench.log.journal.receiptedSize(1, node.signer.publicKey)).toBe(second);
      expect(uplink.status.receiptedSize).toBe(second);
      expect(problems()).toEqual([]);
    });

    it("does not fight for a connection that another agent with this key has taken over", async () => {
      const node = await on().startNode({
        batch: (peer) => {
          peer.send({ type: "refusal", code: "connection-replaced", message: "connected again" });
          peer.socket.close(1008);
        },
      });
      await on().sign(2);
      const { lines } = on().connect(node, { firstWaitMs: 1, mostWaitMs: 400 });
      const [first, second] = await until("a second attempt", () => node.peers.length > 1 && node.peers);
      // At least half of the longest wait, where any other refusal is tried again after a millisecond.
      expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(200);
      const problem = lines.find(({ event }) => event === "node-problem");
      expect(problem?.["message"]).toContain("does another agent run with a copy of this key?");
    });

    it.each([
      ["a size that was never signed", { size: 3 }],
      ["more than there is", { size: 1_000_000 }],
      ["another log", { manifestHash: new Uint8Array(32) }],
      ["another root", { root: new Uint8Array(32) }],
    ])("keeps no receipt over %s, and nothing that comes after it", async (_name, changes) => {
      const node: FakeNode = await on().startNode({
        batch: async (peer, batch) => {
          peer.send({ type: "receipt", receipt: await node.receiptOf(peer, batch, changes) });
          await node.giveReceipt(peer, batch);
        },
      });
      await on().sign(5);
      const { problems, receipted } = on().connect(node);
      await until("another attempt", () => node.peers.length > 1);
      expect(problems()[0]).toBe("receipt-foreign");
      expect(receipted).toEqual([]);
      expect(await node.peers[0]?.closed).toBe(1008);
    });

    it("keeps no receipt that another key signed", async () => {
      const stranger = await on().startNode({ key: nativeSigner(new Uint8Array(32).fill(77)) });
      const node = await on().startNode({
        batch: async (peer, batch) => {
          peer.send({ type: "receipt", receipt: await stranger.receiptOf(peer, batch) });
        },
      });
      await on().sign(5);
      const { problems, receipted } = on().connect(node);
      await until("a problem", () => problems().length);
      expect(problems()[0]).toMatch(/^cose-/);
      expect(receipted).toEqual([]);
    });

    it("says of what is no node that it is none", async () => {
      const none = await on().startNode({ subprotocol: false });
      const wrong = await on().startNode({ subprotocol: "other.v9" });
      const http = await on().listen(
        createHttpServer((_request, response) => {
          response.writeHead(404).end();
        }),
      );
      const raw = await on().listen(createServer((socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n")));
      for (const at of [none, wrong, http, raw]) {
        const { lines } = on().connect(at);
        const line = await until("a problem", () => lines.find(({ event }) => event === "node-problem"));
        expect(line["code"]).toBe("node-protocol");
        expect(line["message"]).toContain(
          `${at.url}: what answers at this address is not a kilowitness node`,
        );
      }
    });
  });
});
